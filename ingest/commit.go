package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// ErrRefused is a journal's error where one of the events is such that it will
// never take it.
var ErrRefused = errors.New("an event will never be taken")

// group is what a batch of messages adds up to.
type group struct {
	readings []telemetry.Reading
	topics   []int // for each reading, the index of its message in the batch
	events   []telemetry.Event
	from     []int // for each event, the index of its message in the batch
	rejected []Rejected
	days     []telemetry.DeviceDay
	enroll   []devices.Ref
}

// commit puts a batch on disk, step by step, and then acknowledges it. A step
// that fails is repeated until it succeeds: its messages stay unacknowledged
// meanwhile, and later ones wait in their senders once the budget is full. The
// steps are safe to repeat, also by the redelivery after a crash between two of
// them.
func (p *Pipeline) commit(ctx context.Context, batch []item) error {
	began := p.opts.Now()
	g := p.gather(batch)
	var appended telemetry.Appended
	var journalled journalled
	mark := func() error { return p.opts.Journal.MarkDirty(ctx, g.days) }
	steps := []step{
		// First, because the correction is part of a reading's identity.
		{"clock", p.opts.Clock != nil && p.opts.Clock.Unpersisted(), func() error { return p.opts.Clock.Persist(ctx) }},
		{"registry", len(g.enroll) > 0, func() error { return p.opts.Directory.Enroll(ctx, g.enroll) }},
		// Before readings and events, for a crash between the two: a sender at QoS 0
		// delivers nothing again. And after them, for a job that takes the day
		// off the list between the two. Marking what is marked costs nothing.
		{"journal", len(g.days) > 0, mark},
		{"store", len(g.readings) > 0, func() (err error) {
			appended, err = p.opts.Store.Append(ctx, g.readings)
			return err
		}},
		{"journal", len(g.events) > 0, func() (err error) {
			journalled, err = p.journal(ctx, g.events)
			return err
		}},
		{"journal", len(g.days) > 0, mark},
	}
	for _, s := range steps {
		if err := p.persist(ctx, s); err != nil {
			return err
		}
	}
	for _, r := range appended.Rejected {
		it := &batch[g.topics[r.Index]]
		it.refusals++
		g.rejected = append(g.rejected, refusedByStore(it, &g.readings[r.Index], r.Reason))
	}
	for _, r := range journalled.refused {
		it := &batch[g.from[r.index]]
		it.refusals++
		g.rejected = append(g.rejected, it.reject(wire.Fault{Reason: wire.ReasonRefused, Detail: r.why.Error(), Raw: g.events[r.index].Data}))
	}
	if err := p.persist(ctx, step{"quarantine", len(g.rejected) > 0, func() error { return p.opts.Quarantine.Put(ctx, g.rejected) }}); err != nil {
		return err
	}
	stored, merged := appended.New+journalled.inserted, appended.Merged+len(g.events)-len(journalled.refused)-journalled.inserted
	p.books.settle(stored, merged, len(g.rejected))
	p.acknowledge(batch)
	p.observe(batch)
	p.opts.Metrics.committed(batch, &g, began, p.opts.Now())
	return nil
}

// journalled is what became of the events of a batch.
type journalled struct {
	inserted int
	refused  []refusal
}

// refusal is an event, by its index, that the journal will never take.
type refusal struct {
	index int
	why   error
}

// journal commits the events. Where the journal refuses some, it halves them
// until it has found each: one event that can't be stored must not keep all the
// others from it.
func (p *Pipeline) journal(ctx context.Context, events []telemetry.Event) (journalled, error) {
	n, err := p.opts.Journal.AppendEvents(ctx, events)
	switch {
	case err == nil:
		return journalled{inserted: n}, nil
	case !errors.Is(err, ErrRefused):
		return journalled{}, err
	case len(events) == 1:
		return journalled{refused: []refusal{{0, err}}}, nil
	}
	half := len(events) / 2
	all, err := p.journal(ctx, events[:half])
	if err != nil {
		return journalled{}, err
	}
	rest, err := p.journal(ctx, events[half:])
	if err != nil {
		return journalled{}, err
	}
	for _, r := range rest.refused {
		all.refused = append(all.refused, refusal{half + r.index, r.why})
	}
	all.inserted += rest.inserted
	return all, nil
}

func (p *Pipeline) acknowledge(batch []item) {
	var cost int64
	for i := range batch {
		cost += batch[i].cost
		if done := batch[i].msg.Done; done != nil {
			d := &batch[i].decoded
			done(Outcome{Refused: batch[i].refused, Records: d.Records(), Quarantined: len(d.Faults) + batch[i].refusals})
		}
	}
	p.budget.Release(cost)
	p.held.Add(-cost)
	p.waiting.Add(-int64(len(batch)))
}

func (p *Pipeline) observe(batch []item) {
	if p.opts.Observer == nil {
		return
	}
	for i := range batch {
		it := &batch[i]
		if it.known || it.enroll {
			p.opts.Observer.Observe(it.device, it.msg.ReceivedMS, &it.decoded)
		}
	}
}

func (p *Pipeline) gather(batch []item) group {
	n := 0
	for i := range batch {
		n += len(batch[i].decoded.Readings)
	}
	g := group{readings: make([]telemetry.Reading, 0, n), topics: make([]int, 0, n)}
	days := make(map[telemetry.DeviceDay]struct{})
	enroll := make(map[devices.Ref]struct{})
	for i := range batch {
		it := &batch[i]
		last := telemetry.DeviceDay{}
		for _, r := range it.decoded.Readings {
			g.readings = append(g.readings, r)
			g.topics = append(g.topics, i)
			if d := (telemetry.DeviceDay{Kind: r.Kind, Device: r.Device, Day: telemetry.DayOf(r.TS)}); d != last {
				days[d] = struct{}{}
				last = d
			}
		}
		g.events = append(g.events, it.decoded.Events...)
		for k := range it.decoded.Events {
			g.from = append(g.from, i)
			if e := &it.decoded.Events[k]; counts(e) {
				days[telemetry.DeviceDay{Kind: e.Kind, Device: e.Device, Day: telemetry.DayOf(e.TS)}] = struct{}{}
			}
		}
		for _, f := range it.decoded.Faults {
			g.rejected = append(g.rejected, it.reject(f))
		}
		if it.enroll {
			enroll[it.device] = struct{}{}
		}
	}
	for d := range days {
		g.days = append(g.days, d)
	}
	for ref := range enroll {
		g.enroll = append(g.enroll, ref)
	}
	return g
}

// counts reports whether results are made of an event. Coming online and going
// offline says nothing of the day.
func counts(e *telemetry.Event) bool { return !strings.HasPrefix(e.Type, "status.") }

func (it *item) reject(f wire.Fault) Rejected {
	device := ""
	if it.device != (devices.Ref{}) {
		device = it.device.String()
	}
	return Rejected{
		ReceivedAt: time.UnixMilli(it.msg.ReceivedMS).UTC(),
		Topic:      it.msg.Topic,
		Device:     device,
		Principal:  it.msg.Principal,
		Reason:     f.Reason,
		Detail:     f.Detail,
		Payload:    f.Raw,
	}
}

func refusedByStore(it *item, r *telemetry.Reading, reason string) Rejected {
	return it.reject(wire.Fault{Reason: wire.ReasonRefused, Detail: reason, Raw: wire.AppendReading(nil, r)})
}

// step is one write of a commit, and what it writes to.
type step struct {
	to     string
	needed bool
	do     func() error
}

// The pauses between two tries of a step.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 5 * time.Second
)

// persist repeats s until it succeeds or ctx ends.
func (p *Pipeline) persist(ctx context.Context, s step) error {
	if !s.needed {
		return nil
	}
	began := p.opts.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := s.do()
		if err == nil {
			p.opts.Metrics.stepped(s.to, p.opts.Now().Sub(began))
			if p.trouble.clear() {
				p.opts.Logger.Info("commit resumed", "to", s.to)
			}
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("commit to %s: %w", s.to, ctx.Err())
		}
		if p.trouble.set(fmt.Sprintf("%s: %v", s.to, err), p.opts.Now()) {
			p.opts.Logger.Error("commit is stuck; nothing is acknowledged until it succeeds", "to", s.to, "err", err)
		}
		p.opts.Metrics.retried(s.to)
		wait := pause
		var advice *telemetry.RetryAfter
		if errors.As(err, &advice) && advice.After > wait {
			wait = min(advice.After, time.Minute)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("commit to %s: %w", s.to, ctx.Err())
		}
	}
}
