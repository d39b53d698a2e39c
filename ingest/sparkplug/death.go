package sparkplug

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// nodeDeath ends the session that the death belongs to. It came from the
// server, so the time is the host's.
func (h *Host) nodeDeath(o *outbox, msg *message, now time.Time) {
	number, ok := birthDeath(msg.payload)
	n := h.nodes[msg.topic.node()]
	switch {
	case !ok && (n == nil || !n.born || n.hasBdSeq):
		o.refuse(msg.Message, &wire.Fault{Reason: wire.ReasonMalformed, Detail: "NDEATH without bdSeq", Raw: msg.Payload})
		return
	case n == nil || !n.born || ok && n.hasBdSeq && number != n.bdSeq:
		h.counts.StaleDeaths++ // of a session that is over
		o.acknowledge(msg.Message)
		return
	}
	h.counts.Deaths++
	h.settle(o, n, now)
	var notices []delivery
	for _, name := range slices.Sorted(maps.Keys(n.scopes)) {
		if d, told := h.offline(n.scopes[name], msg.Message, now.UnixMilli(), msg.topic); told {
			notices = append(notices, d)
		}
	}
	h.end(n, now)
	o.notify(msg.Message, notices)
	h.schedule(n)
}

// deviceDeath makes one device's values stale, at the time that its edge node
// says.
func (h *Host) deviceDeath(o *outbox, n *node, msg *message) {
	s := n.scopes[msg.topic.Device]
	if s == nil || !s.born && !s.told {
		h.counts.StaleDeaths++
		o.acknowledge(msg.Message)
		return
	}
	h.counts.Deaths++
	ts := h.eventTime(msg.time(), msg.ReceivedMS)
	d, told := h.offline(s, msg.Message, ts, msg.topic)
	h.unclaim(n, s)
	h.undefine(n, s)
	s.born, s.told, s.since = false, false, ts
	if told {
		o.notify(msg.Message, []delivery{d})
		return
	}
	o.acknowledge(msg.Message)
}

// orphaned gives up the devices that were not born again after their node was.
func (h *Host) orphaned(o *outbox, n *node, now time.Time) {
	n.orphans = time.Time{}
	for _, name := range slices.Sorted(maps.Keys(n.scopes)) {
		s := n.scopes[name]
		if name == "" || s.born || !s.told {
			continue
		}
		topic := Topic{Verb: DDeath, Group: n.key.group, Node: n.key.node, Device: name}
		m := ingest.Message{Topic: topic.String(), ReceivedMS: now.UnixMilli(), Principal: n.principal}
		if d, told := h.offline(s, m, now.UnixMilli(), topic); told {
			o.notify(m, []delivery{d})
		}
		h.unclaim(n, s)
		s.told = false
	}
}

// notify hands on what one message told of several devices. The message itself
// is done with the last.
func (o *outbox) notify(m ingest.Message, notices []delivery) {
	if len(notices) == 0 {
		o.acknowledge(m)
		return
	}
	for i := range notices[:len(notices)-1] {
		notices[i].msg.Done = nil
	}
	o.deliveries = append(o.deliveries, notices...)
}

// offline is the event that the device of s is offline; told is false where it
// was not known to be online. The values stay what they were, and are stale.
func (h *Host) offline(s *scope, m ingest.Message, ts int64, topic Topic) (_ delivery, told bool) {
	if !s.told {
		return delivery{}, false
	}
	e := statusEvent(wire.StatusOffline, s, ts, topic)
	return delivery{m, ingest.Translated{Device: s.ref, Decoded: wire.Decoded{Events: []telemetry.Event{e}}}}, true
}

// eventTime is ts where it can be stored, otherwise the time of receipt: that
// something happened matters more than a wrong clock.
func (h *Host) eventTime(ts, receivedMS int64) int64 {
	if h.clock.check(ts, receivedMS) != nil {
		return receivedMS
	}
	return ts
}

// statusEvent is an event as (*wire.Decoder).Status makes it, which also says
// where it comes from.
func statusEvent(kind string, s *scope, ts int64, topic Topic) telemetry.Event {
	e := telemetry.Event{Kind: s.ref.Kind, Device: s.ref.ID, TS: ts, Type: kind}
	e.ID = kind + "@" + strconv.FormatInt(ts, 10)
	source := struct {
		Topic string `json:"sparkplug"`
	}{topic.String()}
	if data, err := json.Marshal(source); err == nil {
		e.Data = data
	}
	e.Data = wire.AppendEvent(nil, &e)
	return e
}
