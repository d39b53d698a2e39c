package sparkplug

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// Replay takes a record of the quarantine in again, once the mapping or the
// schema is mended. It has no effect on any session. What was quarantined for
// its values names its metrics and their datatypes, so that it needs no birth;
// what has aliases alone is refused as it was. It returns the error of Submit.
func (h *Host) Replay(ctx context.Context, m ingest.Message) error {
	return h.unpacked(ctx, m, h.replay)
}

func (h *Host) replay(o *outbox, msg *message, fault *wire.Fault) {
	m, p := msg.Message, msg.payload
	switch {
	case fault != nil:
		o.refuse(m, fault)
		return
	case p == nil:
		o.refuse(m, &wire.Fault{Reason: wire.ReasonUnknownTopic, Detail: m.Topic + ": not what an edge node publishes", Raw: m.Payload})
		return
	}
	t := translation{host: h, scope: h.mapped(msg.topic, p), msg: msg, byName: true, at: make(map[int64]int, 1)}
	switch {
	case t.scope.rule == nil:
		o.refuse(m, &wire.Fault{Reason: wire.ReasonUnknownDevice, Detail: "no rule matches the device", Raw: m.Payload})
		return
	case t.scope.unfit != nil:
		o.deliver(m, t.scope.ref, t.refuse(t.scope.unfit))
		return
	}
	var d wire.Decoded
	for i, metric := range p.Metrics {
		t.metric(i, metric)
	}
	t.finish(&d)
	o.deliver(m, t.scope.ref, d)
}

// mapped is a scope of no session: with what the present mapping and, where
// there is one, the device's last birth say.
func (h *Host) mapped(topic Topic, p *tahu.Payload) *scope {
	s := &scope{device: topic.Device}
	if n := h.nodes[topic.node()]; n != nil {
		if known := n.scopes[topic.Device]; known != nil {
			s.ref, s.byName = known.ref, known.byName
		}
	}
	if s.rule = match(h.rules, topic.node(), topic.Device); s.rule == nil {
		return s
	}
	if ref, unfit := s.rule.ref(topic.node(), topic.Device, p); unfit == nil {
		s.ref = ref
	} else if s.ref.ID == "" {
		s.unfit = unfit
	}
	s.targets = s.rule.kinds[s.ref.Kind]
	return s
}
