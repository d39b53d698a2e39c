package sparkplug

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// translate makes readings of a message of s: one for each timestamp, of the
// metrics that are mapped. A reading with a value that can't be stored is a
// fault, whole. missing reports that there is a metric which the birth did not
// name; byName leaves metrics alone that have nothing but an alias.
func (h *Host) translate(n *node, s *scope, msg *message, byName bool) (_ wire.Decoded, missing bool) {
	t := translation{host: h, scope: s, msg: msg, byName: byName, at: make(map[int64]int, 1)}
	switch {
	case s.unfit != nil:
		return t.refuse(s.unfit), false
	case s.rule != nil && !h.opts.MaySpeak(msg.Principal, s.ref):
		h.unclaim(n, s)
		s.told = false
		return t.refuse(&problem{wire.ReasonForeign, fmt.Sprintf("%s may not publish for %s", msg.Principal.Name, s.ref)}), false
	case s.rule != nil && !h.claim(n, s, msg.Principal):
		return t.contended(h.claims[s.ref].claimant), false
	}
	var d wire.Decoded
	if s.rule != nil && !s.told {
		s.told = true
		d.Events = append(d.Events, statusEvent(wire.StatusOnline, s, h.eventTime(msg.time(), msg.ReceivedMS), msg.topic))
	}
	for i, m := range msg.payload.Metrics {
		t.metric(i, m)
	}
	t.finish(&d)
	return d, t.missing
}

// translation is one message on its way to readings.
type translation struct {
	host   *Host
	scope  *scope
	msg    *message
	byName bool

	groups  []group
	at      map[int64]int // timestamp to group
	unknown []int         // metrics that no birth explains, by index
	why     string        // of the first of these
	missing bool
}

// group is the metrics of one timestamp.
type group struct {
	reading telemetry.Reading
	problem *problem
	metrics []int // by index
}

func (t *translation) refuse(p *problem) wire.Decoded {
	return wire.Decoded{Faults: []wire.Fault{{Reason: p.reason, Detail: p.detail, Raw: t.msg.Payload}}}
}

// contended refuses a message whose device another node speaks for. An operator
// may take it in later, so it says by itself what its metrics are.
func (t *translation) contended(by claimant) wire.Decoded {
	all := make([]int, len(t.msg.payload.Metrics))
	for i := range all {
		all[i] = i
	}
	detail := fmt.Sprintf("%s is spoken for by %s %s", t.scope.ref, by.node, by.device)
	return wire.Decoded{Faults: []wire.Fault{{Reason: wire.ReasonSpokenFor, Detail: detail, Raw: t.extract(all)}}}
}

func (t *translation) metric(i int, m *tahu.Payload_Metric) {
	h, s := t.host, t.scope
	d, why := s.resolve(m, t.byName)
	t.missing = t.missing || why != ""
	if d == nil {
		if t.why == "" {
			t.why = why
		}
		t.unknown = append(t.unknown, i)
		return
	}
	dt := d.datatype
	if m.Datatype != nil {
		dt = tahu.DataType(m.GetDatatype())
	}
	switch {
	case d.to == nil:
		if !d.ignored {
			h.unmapped.add(s.rule, d.name, dt)
			h.counts.Unmapped++
		}
		return
	case m.GetIsTransient():
		h.counts.Transient++
		return
	case m.GetIsNull():
		return
	case !good(m):
		h.counts.BadQuality++
		return
	}
	ts, p := t.time(m)
	g := t.group(ts)
	g.metrics = append(g.metrics, i)
	var v value
	if p == nil {
		v, p = scalar(m, dt)
	}
	var fitted telemetry.Value
	if p == nil {
		fitted, p = d.to.fit(v)
	}
	switch {
	case p == nil:
		g.reading.Set(fitted)
	case g.problem == nil:
		g.problem = &problem{p.reason, fmt.Sprintf("metric %q: %s", d.name, p.detail)}
	}
}

// time is when the metric was acquired: its own timestamp, else the payload's,
// else that of the receipt.
func (t *translation) time(m *tahu.Payload_Metric) (int64, *problem) {
	if m.Timestamp == nil {
		return t.msg.time(), nil
	}
	ts, ok := milliseconds(m.Timestamp)
	if !ok {
		return t.msg.time(), &problem{wire.ReasonBadTime, fmt.Sprintf("timestamp %d is no time", m.GetTimestamp())}
	}
	return ts, nil
}

func (t *translation) group(ts int64) *group {
	i, ok := t.at[ts]
	if !ok {
		i = len(t.groups)
		t.at[ts] = i
		ref := t.scope.ref
		t.groups = append(t.groups, group{reading: telemetry.Reading{Kind: ref.Kind, Device: ref.ID, TS: ts}})
	}
	return &t.groups[i]
}

func (t *translation) finish(d *wire.Decoded) {
	for i := range t.groups {
		g := &t.groups[i]
		if g.problem == nil {
			g.problem = t.host.clock.check(g.reading.TS, t.msg.ReceivedMS)
		}
		if g.problem == nil {
			d.Readings = append(d.Readings, g.reading)
			continue
		}
		d.Faults = append(d.Faults, wire.Fault{Reason: g.problem.reason, Detail: g.problem.detail, Raw: t.extract(g.metrics)})
	}
	if len(t.unknown) > 0 && t.scope.rule != nil {
		d.Faults = append(d.Faults, wire.Fault{Reason: wire.ReasonUnknownField, Detail: t.why, Raw: t.extract(t.unknown)})
	}
}

// resolve finds the definition of a metric by its name or alias. why says that
// the birth has none; the metric may yet define itself.
func (s *scope) resolve(m *tahu.Payload_Metric, byName bool) (d *metric, why string) {
	if name := m.GetName(); name != "" {
		if d := s.byName[name]; d != nil {
			return d, ""
		}
		why = fmt.Sprintf("metric %.64q was not in the birth", name)
		if m.Datatype != nil {
			d = s.metric(name, tahu.DataType(m.GetDatatype()))
		}
		return d, why
	}
	if m.Alias == nil {
		return nil, "a metric with neither name nor alias"
	}
	if byName {
		return nil, fmt.Sprintf("alias %d is of a birth that was missed", *m.Alias)
	}
	d = s.byAlias[*m.Alias]
	switch {
	case d == nil:
		return nil, fmt.Sprintf("alias %d was not in the birth", *m.Alias)
	case d.ambiguous:
		return nil, fmt.Sprintf("alias %d was given to more than one metric", *m.Alias)
	}
	return d, ""
}

// extract is a payload with only some of the metrics, which says by itself what
// they are: names and datatypes are put in as far as the birth told them. It is
// what an operator sees in the quarantine, and can replay. Where that is larger
// than a payload may be, it is the payload as it came.
func (t *translation) extract(metrics []int) []byte {
	out := &tahu.Payload{Timestamp: t.msg.payload.Timestamp}
	for _, i := range metrics {
		m := t.msg.payload.Metrics[i]
		c := &tahu.Payload_Metric{
			Name: m.Name, Alias: m.Alias, Timestamp: m.Timestamp, Datatype: m.Datatype,
			IsHistorical: m.IsHistorical, IsTransient: m.IsTransient, IsNull: m.IsNull, Properties: m.Properties, Value: m.Value,
		}
		if d, _ := t.scope.resolve(m, t.byName); d != nil {
			c.Name, c.Alias = proto.String(d.name), nil
			if c.Datatype == nil {
				c.Datatype = proto.Uint32(uint32(d.datatype))
			}
		}
		out.Metrics = append(out.Metrics, c)
	}
	b, err := proto.Marshal(out)
	if err != nil || len(b) > t.host.payloads.maxBytes {
		return t.msg.Payload
	}
	return b
}
