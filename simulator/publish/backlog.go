package publish

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// Backlog packs the records of many devices, as they come, into full messages
// for each. It is not safe for concurrent use.
type Backlog struct {
	fleet *Fleet
	piles map[place]*pile
	order []place // of the piles, by their first record
	bytes int
}

type place struct {
	ref     devices.Ref
	channel wire.Channel
}

// maxPiled bounds what lies in piles. Beyond it everything is sent, full or
// not.
const maxPiled = 32 << 20

// Backlog starts an empty one.
func (f *Fleet) Backlog() *Backlog {
	return &Backlog{fleet: f, piles: make(map[place]*pile)}
}

// Reading adds a reading, which is not kept, and publishes the pile it makes
// full, under the terms of Publish.
func (b *Backlog) Reading(ctx context.Context, r telemetry.Reading) error {
	return b.add(ctx, place{r.Ref(), wire.Telemetry}, func(p *pile) bool { return p.reading(&r) })
}

// Event adds an event, likewise.
func (b *Backlog) Event(ctx context.Context, e telemetry.Event) error {
	return b.add(ctx, place{e.Ref(), wire.Event}, func(p *pile) bool { return p.event(&e) })
}

func (b *Backlog) add(ctx context.Context, at place, put func(*pile) bool) error {
	p := b.piles[at]
	if p == nil {
		p = newPile(at.ref, at.channel, b.fleet.ledger != nil)
		b.piles[at] = p
		b.order = append(b.order, at)
	}
	before := len(p.payload)
	if !put(p) {
		b.bytes -= before
		before = 0
		full := p.seal()
		p = newPile(at.ref, at.channel, b.fleet.ledger != nil)
		b.piles[at] = p
		put(p)
		if err := b.fleet.send(ctx, full); err != nil {
			return err
		}
	}
	b.bytes += len(p.payload) - before
	if b.bytes > maxPiled {
		return b.Send(ctx)
	}
	return nil
}

// Send publishes everything that is piled up, under the terms of Publish.
func (b *Backlog) Send(ctx context.Context) error {
	for i, at := range b.order {
		p := b.piles[at]
		delete(b.piles, at)
		b.bytes -= len(p.payload)
		if err := b.fleet.send(ctx, p.seal()); err != nil {
			b.order = b.order[i+1:]
			return err
		}
	}
	b.order, b.bytes = b.order[:0], 0
	return nil
}
