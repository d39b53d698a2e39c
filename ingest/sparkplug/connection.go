package sparkplug

import (
	"context"
	"fmt"
	"time"
)

// Connecting begins a connection to the MQTT server: the publication is the
// will to connect with. It carries the present time, so it must be called anew
// for every try to connect. Sessions are clean: MQTT 3.1.1's clean session
// true, or MQTT 5's clean start true and session expiry 0.
func (h *Host) Connecting() Publication { return h.presence.will(h.opts.Now()) }

// Connected publishes the host's birth. It is called once the connection of the
// last call of Connecting has subscribed to Filters, and before anything else
// is published on it.
func (h *Host) Connected(ctx context.Context) error {
	if err := h.opts.Publish(ctx, h.presence.birth()); err != nil {
		h.presence.lost()
		return fmt.Errorf("publish STATE birth: %w", err)
	}
	return nil
}

// Disconnecting publishes the host's death, to be called before an intended
// disconnect.
func (h *Host) Disconnecting(ctx context.Context) error {
	if err := h.opts.Publish(ctx, h.presence.death(h.opts.Now())); err != nil {
		return fmt.Errorf("publish STATE death: %w", err)
	}
	return nil
}

// Lost tells the host that the connection is gone. What nodes say meanwhile is
// missed, so every value is stale, and every session unknown until the node's
// next birth, which is requested when the node is heard again. No device is
// reported offline: nothing is known about it.
func (h *Host) Lost(ctx context.Context) error {
	h.presence.lost()
	return h.inTurn(ctx, func(o *outbox) {
		o.unheard = true
		now := h.opts.Now()
		for _, n := range h.nodes {
			if n.born {
				h.settle(o, n, now)
				h.end(n, now)
			}
			n.wantsBirth, n.asked, n.askAfter = false, 0, time.Time{}
			h.schedule(n)
		}
	})
}

// Drain hands on everything that still waits for a missing message, for the
// end: called when Run has returned, before the pipeline is closed. What could
// not be handed on before ctx ended stays unacknowledged.
func (h *Host) Drain(ctx context.Context) error {
	return h.inTurn(ctx, func(o *outbox) {
		now := h.opts.Now()
		for _, n := range h.nodes {
			if n.born {
				h.settle(o, n, now)
			}
			h.dismiss(o, n, func(*waiting) bool { return true }, "the server ended before the birth came")
			h.schedule(n)
		}
	})
}
