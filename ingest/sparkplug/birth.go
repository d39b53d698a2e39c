package sparkplug

import (
	"fmt"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// apply takes a message of a session in its turn.
func (h *Host) apply(o *outbox, n *node, msg *message, now time.Time) {
	switch msg.topic.Verb {
	case DBirth:
		h.deviceBirth(o, n, msg, now)
	case DDeath:
		h.deviceDeath(o, n, msg)
	case NData, DData:
		if !n.orphans.IsZero() {
			h.orphaned(o, n, now) // all births come before the first data
		}
		s := n.scopes[msg.topic.Device]
		if s == nil || !s.born {
			h.want(o, n, now, "data before the birth of the device")
			h.hold(o, n, msg, now)
			return
		}
		h.data(o, n, s, msg, now, false)
	}
}

// data hands on the values of a message. byName leaves aliases alone.
func (h *Host) data(o *outbox, n *node, s *scope, msg *message, now time.Time, byName bool) {
	d, missing := h.translate(n, s, msg, byName)
	o.deliver(msg.Message, s.ref, d)
	if missing && (msg.topic.Verb == NData || msg.topic.Verb == DData) && !byName {
		h.want(o, n, now, "a metric that no birth has named")
	}
}

// nodeBirth begins a session.
func (h *Host) nodeBirth(o *outbox, n *node, msg *message, now time.Time) {
	// Of the messages that wait, those published after this birth are of the new
	// session, by the node's own clock.
	ofOld := func(w *waiting) bool { return !msg.dated || !w.dated || w.ts < msg.ts }
	var later []waiting
	if n.born {
		later = h.takeOut(n, func(w *waiting) bool { return !w.stray && !ofOld(w) })
		h.settle(o, n, now)
	} else {
		later = h.takeOut(n, func(w *waiting) bool { return !ofOld(w) })
	}
	had := h.startAnew(n, now)
	h.answered(n, now)
	s := h.scope(o, n, "", now)
	if s == nil {
		h.tooLarge(o, n, msg, &problem{wire.ReasonTooLarge, "no room for another edge node"})
		return
	}
	if p := h.define(o, n, s, msg, now); p != nil {
		h.tooLarge(o, n, msg, p)
		h.requeue(n, later, true, now)
		return
	}
	n.born, n.since = true, now
	n.bdSeq, n.hasBdSeq = birthDeath(msg.payload)
	n.next, n.last = msg.seq+1, h.fingerprint(msg)
	s.born, s.since = true, msg.time()
	if had {
		n.orphans = now.Add(h.opts.BirthTimeout)
	}
	h.counts.Births++
	h.data(o, n, s, msg, now, false)
	h.explain(o, n, s, now)
	h.requeue(n, later, false, now)
	h.drain(o, n, now)
}

// startAnew makes the definitions of the session before void, and reports
// whether it had devices that are online.
func (h *Host) startAnew(n *node, now time.Time) (had bool) {
	n.born, n.gap, n.orphans = false, time.Time{}, time.Time{}
	for _, s := range n.scopes {
		h.undefine(n, s)
		if s.born {
			s.born, s.since = false, now.UnixMilli()
		}
		had = had || s.told && s.device != ""
	}
	return had
}

// requeue lets messages wait on that were taken out: for a birth, or, from now,
// for their turn.
func (h *Host) requeue(n *node, ws []waiting, stray bool, now time.Time) {
	for _, w := range ws {
		if w.stray = stray; !stray {
			w.since = now
		}
		n.waiting = append(n.waiting, w)
		n.waitingBytes += w.bytes
		h.waitingBytes += w.bytes
	}
}

// deviceBirth defines a device within the node's session.
func (h *Host) deviceBirth(o *outbox, n *node, msg *message, now time.Time) {
	s := h.scope(o, n, msg.topic.Device, now)
	if s == nil {
		h.tooLarge(o, n, msg, &problem{wire.ReasonTooLarge, fmt.Sprintf("more than %d devices behind one edge node", h.opts.Bounds.DevicesPerNode)})
		return
	}
	h.undefine(n, s)
	s.born = false
	if p := h.define(o, n, s, msg, now); p != nil {
		h.tooLarge(o, n, msg, p)
		return
	}
	s.born, s.since = true, msg.time()
	h.counts.Births++
	h.data(o, n, s, msg, now, false)
	h.explain(o, n, s, now)
}

func (h *Host) tooLarge(o *outbox, n *node, msg *message, p *problem) {
	o.refuse(msg.Message, &wire.Fault{Reason: p.reason, Detail: p.detail, Raw: msg.Payload})
	h.opts.Logger.Debug("Sparkplug birth refused", "node", n.key.String(), "why", p.detail)
}

// explain hands on what waited for the birth of s, as far as names tell what it
// is: the aliases of an earlier birth may have meant something else.
func (h *Host) explain(o *outbox, n *node, s *scope, now time.Time) {
	for _, w := range h.takeOut(n, func(w *waiting) bool { return w.stray && w.topic.Device == s.device }) {
		msg := h.resume(o, w)
		if msg == nil {
			continue
		}
		if msg.topic.Verb == DDeath { // what the node says now is newer
			o.acknowledge(msg.Message)
			continue
		}
		h.data(o, n, s, msg, now, true)
		h.flush(o)
	}
}

// scope is the node's scope of that device, made where there is none; nil where
// there is no room for one more.
func (h *Host) scope(o *outbox, n *node, device string, now time.Time) *scope {
	s := n.scopes[device]
	if s == nil {
		if device != "" && len(n.scopes) > h.opts.Bounds.DevicesPerNode && !h.dropScope(n) {
			return nil
		}
		s = &scope{device: device, since: now.UnixMilli()}
		if !h.makeRoom(o, n, s.ownBytes(), now) {
			return nil
		}
		h.sessionBytes += s.ownBytes()
		n.scopes[device] = s
	}
	return s
}

// dropScope makes room by dropping a device that is offline.
func (h *Host) dropScope(n *node) bool {
	for name, s := range n.scopes {
		if name != "" && !s.born && !s.told {
			delete(n.scopes, name)
			h.sessionBytes -= s.ownBytes()
			return true
		}
	}
	return false
}

// metricBytes is what a defined metric takes beside its name.
const metricBytes = 160

// define takes the metrics of a birth.
func (h *Host) define(o *outbox, n *node, s *scope, msg *message, now time.Time) *problem {
	metrics := msg.payload.Metrics
	var size int64
	for _, m := range metrics {
		size += metricBytes + int64(len(m.GetName()))
	}
	if n.metrics+len(metrics) > h.opts.Bounds.MetricsPerNode {
		return &problem{wire.ReasonTooLarge, fmt.Sprintf("more than %d metrics of one edge node", h.opts.Bounds.MetricsPerNode)}
	}
	if !h.makeRoom(o, n, size, now) {
		return &problem{wire.ReasonTooLarge, "no room for the metrics of another birth"}
	}
	n.metrics += len(metrics)
	h.sessionBytes += size
	s.defined, s.memBytes = len(metrics), size
	h.bind(o, n, s, msg)
	s.byName = make(map[string]*metric, len(metrics))
	s.byAlias = make(map[uint64]*metric)
	for _, m := range metrics {
		if m.GetName() == "" {
			continue // translate refuses it
		}
		d := s.metric(m.GetName(), tahu.DataType(m.GetDatatype()))
		s.byName[d.name] = d
		if m.Alias == nil {
			continue
		}
		if other := s.byAlias[*m.Alias]; other != nil && other.name != d.name {
			d.ambiguous, other.ambiguous = true, true
		}
		s.byAlias[*m.Alias] = d
	}
	return nil
}

// metric defines a metric of s.
func (s *scope) metric(name string, dt tahu.DataType) *metric {
	d := &metric{name: name, datatype: dt, to: s.targets[name]}
	d.ignored = d.to == nil && (controls(name) || s.rule != nil && s.rule.ignores(name))
	return d
}

// controls reports whether a metric belongs to the protocol, not to the device.
func controls(name string) bool {
	return name == bdSeqMetric || strings.HasPrefix(name, "Node Control/") || strings.HasPrefix(name, "Device Control/")
}

// bind finds out which device of fleetwatt s is. If it was another one before,
// that one is offline now.
func (h *Host) bind(o *outbox, n *node, s *scope, msg *message) {
	rule := match(h.rules, n.key, s.device)
	var ref devices.Ref
	var unfit *problem
	if rule != nil {
		ref, unfit = rule.ref(n.key, s.device, msg.payload)
	}
	if ref != s.ref {
		m := msg.Message
		m.Done = nil
		if d, told := h.offline(s, m, h.eventTime(msg.time(), msg.ReceivedMS), msg.topic); told {
			o.notify(m, []delivery{d})
		}
		h.unclaim(n, s)
		s.told = false
	}
	s.rule, s.ref, s.unfit, s.targets = rule, ref, unfit, nil
	if rule != nil && unfit == nil {
		s.targets = rule.kinds[ref.Kind]
	}
}

// ref is the device that the rule makes of a Sparkplug device.
func (r *rule) ref(k nodeKey, device string, birth *tahu.Payload) (devices.Ref, *problem) {
	kind, err := r.kind(birth)
	if err != nil {
		return devices.Ref{}, &problem{wire.ReasonUnknownDevice, fmt.Sprintf("rule %s: %v", r.Name, err)}
	}
	id := r.id(k, device)
	if !devices.ValidID(id) {
		return devices.Ref{}, &problem{wire.ReasonUnknownDevice, fmt.Sprintf("rule %s: %.80q is no id: want 1–64 of A-Za-z0-9._:-", r.Name, id)}
	}
	return devices.Ref{Kind: kind, ID: id}, nil
}

func (r *rule) kind(birth *tahu.Payload) (devices.Kind, error) {
	if r.Kind != "" {
		return devices.ParseKind(r.Kind)
	}
	for _, m := range birth.Metrics {
		if r.KindMetric != "" && m.GetName() == r.KindMetric {
			return devices.ParseKind(m.GetStringValue())
		}
		if r.KindProperty == "" {
			continue
		}
		if p := property(m, r.KindProperty); p != nil {
			return devices.ParseKind(p.GetStringValue())
		}
	}
	return "", fmt.Errorf("the birth has no %s%s, which says the kind", r.KindMetric, r.KindProperty)
}
