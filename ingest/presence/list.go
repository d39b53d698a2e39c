package presence

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Presence is what is known of one device. Times are Unix milliseconds by the
// server's clock, 0 where there is none.
type Presence struct {
	Device  devices.Ref
	State   State
	First   int64         // the first sign of life
	Last    int64         // the last sign of life
	Newest  int64         // time of the newest reading or event
	Since   int64         // when it came; of a device that is offline: when it last came
	Left    int64         // when it was last reported offline
	Allowed time.Duration // silence after which it is offline
	Clock   *Estimate     // nil: no message carried a time of sending
}

// Estimate is what is known of a device's clock. Milliseconds are to be added to
// the device's times: negative ones are of a clock that is ahead.
type Estimate struct {
	OffsetMS int64 // that is added
	SinceMS  int64 // when that was found, Unix ms; 0: always
	// ObservedMS is the least difference between arrival and sending within the
	// last two hours with messages: the clock's error and the network's delay.
	ObservedMS int64
	Known      bool  // ObservedMS is known: there was such a record since the start of the process
	Samples    int64 // records with a time of sending since the start of the process
	Spells     int   // how many offsets are remembered
}

// Filter selects and pages devices. Empty conditions select everything.
type Filter struct {
	Kind   devices.Kind
	State  State
	Limit  int // at most so many; 0 or less: all
	Offset int // skip so many
}

// Get is the presence of one device; Never where nothing was received.
func (t *Tracker) Get(ref devices.Ref) Presence {
	now := t.opts.Now().UnixMilli()
	p := t.part(ref)
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.view(ref, p.devices[ref], now)
}

// List returns a page of devices, by kind and id, and how many the filter
// selects: the registered ones and those that were heard.
func (t *Tracker) List(ctx context.Context, f Filter) ([]Presence, int, error) {
	refs, err := t.refs(ctx, f.Kind)
	if err != nil {
		return nil, 0, err
	}
	now := t.opts.Now().UnixMilli()
	if f.State != "" {
		refs = slices.DeleteFunc(refs, func(ref devices.Ref) bool { return t.state(ref, now) != f.State })
	}
	slices.SortFunc(refs, func(a, b devices.Ref) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	total := len(refs)
	refs = refs[min(max(f.Offset, 0), total):]
	if f.Limit > 0 {
		refs = refs[:min(f.Limit, len(refs))]
	}
	page := make([]Presence, len(refs))
	for i, ref := range refs {
		p := t.part(ref)
		p.mu.Lock()
		page[i] = t.view(ref, p.devices[ref], now)
		p.mu.Unlock()
	}
	return page, total, nil
}

// Counts is how many devices of each kind are in each state, zeros included.
func (t *Tracker) Counts(ctx context.Context) (map[devices.Kind]map[State]int, error) {
	refs, err := t.refs(ctx, "")
	if err != nil {
		return nil, err
	}
	counts := make(map[devices.Kind]map[State]int)
	for _, k := range devices.Kinds() {
		counts[k] = make(map[State]int)
		for _, s := range States() {
			counts[k][s] = 0
		}
	}
	now := t.opts.Now().UnixMilli()
	for _, ref := range refs {
		if of := counts[ref.Kind]; of != nil {
			of[t.state(ref, now)]++
		}
	}
	return counts, nil
}

// refs are the devices of a kind, each once, in no order.
func (t *Tracker) refs(ctx context.Context, kind devices.Kind) ([]devices.Ref, error) {
	var refs []devices.Ref
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		for ref := range p.devices {
			if kind == "" || ref.Kind == kind {
				refs = append(refs, ref)
			}
		}
		p.mu.Unlock()
	}
	if t.opts.Registered == nil {
		return refs, nil
	}
	registered, err := t.opts.Registered(ctx)
	if err != nil {
		return nil, fmt.Errorf("list registered devices: %w", err)
	}
	heard := make(map[devices.Ref]struct{}, len(refs))
	for _, ref := range refs {
		heard[ref] = struct{}{}
	}
	for _, ref := range registered {
		if _, ok := heard[ref]; !ok && (kind == "" || ref.Kind == kind) {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

func (t *Tracker) state(ref devices.Ref, now int64) State {
	p := t.part(ref)
	p.mu.Lock()
	defer p.mu.Unlock()
	dev := p.devices[ref]
	if dev == nil {
		return Never
	}
	return dev.seen.state(now, t.fixed(ref.Kind), t.opts.StaleAfter.Milliseconds())
}

// view shows a device, nil for one that was never heard. Its part is locked.
func (t *Tracker) view(ref devices.Ref, dev *device, now int64) Presence {
	if dev == nil {
		dev = &device{}
	}
	s := &dev.seen
	allowed := t.preset
	if fixed := t.fixed(ref.Kind); fixed > 0 || s.last > 0 {
		allowed = s.allowed(fixed)
	}
	p := Presence{
		Device: ref, State: s.state(now, t.fixed(ref.Kind), t.opts.StaleAfter.Milliseconds()),
		First: s.first, Last: s.last, Newest: s.newest, Since: s.since, Left: s.offline,
		Allowed: time.Duration(allowed) * time.Millisecond,
	}
	if dev.clock != nil {
		p.Clock = dev.clock.estimate()
	}
	return p
}

func (c *clock) estimate() *Estimate {
	s := c.present()
	e := &Estimate{OffsetMS: s.Offset, SinceMS: s.Since, Samples: c.samples, Spells: len(c.spells)}
	if observed := min(c.floor[0], c.floor[1]); observed != forever {
		e.ObservedMS, e.Known = observed, true
	}
	return e
}
