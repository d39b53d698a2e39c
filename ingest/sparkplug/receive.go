package sparkplug

import (
	"context"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// turn is a lock that is waited for no longer than a context lasts.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// Receive takes a message whose topic Handles reports. It returns the error of
// Submit where what became of the message could not be handed on, or that of the
// context; the message then stays unacknowledged. A message that has to wait for
// another one is handed on later, by Receive or by Run.
//
// Messages of one edge node must be received one after the other, in the order in
// which the server delivered them. Those of others may be received meanwhile.
func (h *Host) Receive(ctx context.Context, m ingest.Message) error {
	return h.unpacked(ctx, m, func(o *outbox, msg *message, fault *wire.Fault) {
		h.take(o, msg, fault, h.opts.Now())
	})
}

// unpacked takes a message apart before its turn, so that one sender's large
// payloads hold up nobody else, and then changes the state by it.
func (h *Host) unpacked(ctx context.Context, m ingest.Message, change func(*outbox, *message, *wire.Fault)) error {
	select {
	case h.opening <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.opening }()
	msg, fault := h.open(m)
	return h.inTurn(ctx, func(o *outbox) { change(o, msg, fault) })
}

// inTurn changes the state and hands on what comes of it.
func (h *Host) inTurn(ctx context.Context, change func(*outbox)) error {
	if err := h.turn.take(ctx); err != nil {
		return err
	}
	defer h.turn.give()
	o := outbox{ctx: ctx}
	h.mu.Lock()
	change(&o)
	h.mu.Unlock()
	h.send(&o)
	return o.err
}

// open takes a message apart; only edge nodes' have a payload. It needs no lock.
func (h *Host) open(m ingest.Message) (*message, *wire.Fault) {
	msg := &message{Message: m}
	var err error
	if msg.topic, err = ParseTopic(m.Topic); err != nil {
		return msg, &wire.Fault{Reason: wire.ReasonUnknownTopic, Detail: err.Error(), Raw: m.Payload}
	}
	if !msg.topic.Verb.fromNode() {
		return msg, nil
	}
	p, fault := h.payloads.decode(m.Payload)
	if fault != nil {
		return msg, fault
	}
	msg.payload = p
	msg.ts, msg.dated = milliseconds(p.Timestamp)
	return msg, nil
}

func (h *Host) take(o *outbox, msg *message, fault *wire.Fault, now time.Time) {
	h.counts.Received++
	switch {
	case fault != nil:
		o.refuse(msg.Message, fault)
	case msg.topic.Verb.fromNode():
		h.edge(o, msg, now)
	case msg.topic.Verb == State && msg.topic.Host == h.opts.HostID:
		if p, needed := h.presence.answer(msg.Payload); needed {
			o.publish(p)
		}
		o.acknowledge(msg.Message)
	default: // another host's, or a command, for edge nodes
		o.acknowledge(msg.Message)
	}
}

// outbox gathers what is to be handed on and published once the state is
// settled, or flushed.
type outbox struct {
	ctx          context.Context // of the call that the outbox is made for
	unheard      bool            // there is nobody to publish to
	err          error           // of Submit; nothing is handed on after it
	deliveries   []delivery
	publications []Publication
}

type delivery struct {
	msg ingest.Message
	t   ingest.Translated
}

func (o *outbox) publish(p Publication) {
	if !o.unheard {
		o.publications = append(o.publications, p)
	}
}

func (o *outbox) deliver(m ingest.Message, ref devices.Ref, d wire.Decoded) {
	if d.Records() == 0 {
		ref = devices.Ref{}
	}
	o.deliveries = append(o.deliveries, delivery{m, ingest.Translated{Device: ref, Decoded: d}})
}

// acknowledge hands on a message that holds no record.
func (o *outbox) acknowledge(m ingest.Message) { o.deliver(m, devices.Ref{}, wire.Decoded{}) }

// refuse hands on a message as one fault of no known device.
func (o *outbox) refuse(m ingest.Message, f *wire.Fault) {
	o.deliver(m, devices.Ref{}, wire.Decoded{Faults: []wire.Fault{*f}})
}

// flush hands on what has gathered so far: after each of a row of messages that
// have waited, so that no more than one of them is unpacked. It lets go of mu, not
// of the turn: nothing changes meanwhile, but the state may be read.
func (h *Host) flush(o *outbox) {
	if len(o.deliveries) == 0 {
		return
	}
	h.mu.Unlock()
	h.send(o)
	h.mu.Lock()
}

// send publishes first: what is handed on may have to wait for the store.
func (h *Host) send(o *outbox) {
	for _, p := range o.publications {
		err := h.opts.Publish(o.ctx, p)
		if err != nil && !h.mute {
			// A request for a rebirth is repeated while the node goes on; a birth
			// is published anew on the next connection.
			h.opts.Logger.Warn("publish for Sparkplug; saying no more of it until it succeeds", "topic", p.Topic, "err", err)
		}
		h.mute = err != nil
	}
	for _, d := range o.deliveries {
		if o.err != nil {
			break
		}
		if err := h.opts.Submit(o.ctx, d.msg, d.t); err != nil {
			o.err = fmt.Errorf("hand on a Sparkplug message: %w", err)
		}
	}
	o.publications, o.deliveries = nil, nil
}
