package broker

import (
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// How a subscriber wants what is retained (MQTT 5 §3.8.3.1); MQTT 3.1.1 knows
// the first.
const (
	retainedAlways = iota
	retainedIfNew
	retainedNever
)

// OnSubscribe makes the filters beyond the limit such as mochi refuses. It grants
// QoS 0, at which everything is delivered, and takes upon itself to deliver what
// is retained, in one order with what comes after it.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	s, ok := sessionOf(cl)
	if !ok {
		return pk
	}
	s.greetings = s.greetings[:0]
	room := h.opts.MaxSubscriptions - cl.State.Subscriptions.Len()
	for i := range pk.Filters {
		sub := &pk.Filters[i]
		if i >= room {
			sub.Filter = ""
		}
		sub.Qos = 0
		wanted := sub.RetainHandling
		sub.RetainHandling = retainedNever
		_, existed := cl.State.Subscriptions.Get(sub.Filter)
		if mqtt.IsSharedFilter(sub.Filter) || wanted == retainedNever || wanted == retainedIfNew && existed {
			continue
		}
		s.greetings = append(s.greetings, greeting{index: i, sub: *sub})
	}
	return pk
}

// greeting is a filter whose retained messages are wanted.
type greeting struct {
	index int // within the SUBSCRIBE
	sub   packets.Subscription
}

// OnSubscribed notes that there may be somebody to pass messages on to, and which
// filters were granted.
func (h *hook) OnSubscribed(cl *mqtt.Client, _ packets.Packet, codes []byte) {
	h.fan.generation.Add(1)
	if s, ok := sessionOf(cl); ok {
		granted := s.greetings[:0]
		for _, g := range s.greetings {
			if codes[g.index] < packets.ErrUnspecifiedError.Code {
				granted = append(granted, g)
			}
		}
		s.greetings = granted
	}
}

// OnPacketProcessed delivers what is retained, behind the SUBACK.
func (h *hook) OnPacketProcessed(cl *mqtt.Client, pk packets.Packet, err error) {
	if pk.FixedHeader.Type != packets.Subscribe || err != nil {
		return
	}
	if s, ok := sessionOf(cl); ok {
		for _, g := range s.greetings {
			h.fan.greet(s, g.sub)
		}
		s.greetings = nil
	}
}

// OnUnsubscribed notes that there may be nobody any more. mochi calls it for
// each client that goes.
func (h *hook) OnUnsubscribed(_ *mqtt.Client, pk packets.Packet) {
	if len(pk.Filters) > 0 {
		h.fan.generation.Add(1)
	}
}
