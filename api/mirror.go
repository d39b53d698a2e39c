package api

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BatteryChanges tell which batteries of the registry were changed since.
type BatteryChanges interface {
	// Revision grows with every change.
	Revision(context.Context) (int64, error)
	// Writes has grown when a call that writes returns; where alone, nothing has
	// changed as long as it is the same.
	Writes() (n int64, alone bool)
	// BatteriesSince returns what was changed after the revision, by id, with what
	// is deleted; all: that is every battery.
	BatteriesSince(ctx context.Context, revision int64) (changed []devices.Battery, all bool, err error)
}

// ResultChanges tell which batteries have other results since.
type ResultChanges interface {
	Revisions(context.Context) (ledger.Revisions, error)
	Writes() (n int64, alone bool)
	// BatteriesSince returns what was changed after the revision, by id.
	BatteriesSince(ctx context.Context, revision int64) ([]ledger.BatteryChange, error)
	// SpansSince returns the first and last of the days that were marked since.
	SpansSince(ctx context.Context, kind devices.Kind, after int64) (map[string]ledger.DaySpan, error)
}

// mirror keeps what lists of batteries are made of in memory. It is below the
// scopes: it knows every battery, and fleetView says which of them a caller sees.
//
// What current returns has every change in it that was made before the call.
// With one process that costs nothing; where others write too, it costs asking
// for the numbers of their changes. Changes are taken in by themselves, once for
// all who wait.
type mirror struct {
	registry  Registry // without changes: all is read for each question
	results   Results
	batteries BatteryResults

	changed  BatteryChanges // nil: nothing is kept
	computed ResultChanges

	now  atomic.Pointer[mirrored]
	turn chan struct{} // held by the one who takes changes in
}

// mirrored is a state of the mirror.
type mirrored struct {
	*snapshot
	marks
}

// marks say up to where a state has the changes.
type marks struct {
	registryWrites, ledgerWrites int64
	registry                     int64
	ledger                       ledger.Revisions
}

func newMirror(o *Options) *mirror {
	return &mirror{
		registry: o.Registry, results: o.Results, batteries: o.Batteries,
		changed: o.BatteryChanges, computed: o.ResultChanges, turn: make(chan struct{}, 1),
	}
}

func (m *mirror) current(ctx context.Context) (*snapshot, error) {
	if m.changed == nil {
		return m.read(ctx)
	}
	if s, _, err := m.fresh(ctx); s != nil || err != nil {
		return s, err
	}
	// It goes on when who asked has left: the next one would have to begin again.
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), advanceTime)
	defer cancel()
	return m.catchUp(ctx, working)
}

// catchUp takes in the changes, unless another does so as long as waiting lasts.
func (m *mirror) catchUp(waiting, working context.Context) (*snapshot, error) {
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-waiting.Done():
		return nil, waiting.Err()
	}
	s, to, err := m.fresh(waiting)
	if s != nil || err != nil {
		return s, err
	}
	return m.advance(working, to)
}

// start reads everything before anybody asks, until it could or ctx ends.
func (m *mirror) start(ctx context.Context, log *slog.Logger) {
	for m.changed != nil {
		_, err := m.catchUp(ctx, ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.WarnContext(ctx, "batteries can't be read yet", "err", err)
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
		}
	}
}

// startPause is how long start waits after an error.
const startPause = time.Second

// ready reports whether there is a state, so that nobody has to wait for the first.
func (m *mirror) ready() bool { return m.changed == nil || m.now.Load() != nil }

// fresh is the state, where it is up to date, and otherwise up to where it is to
// be brought.
func (m *mirror) fresh(ctx context.Context) (*snapshot, marks, error) {
	var (
		to                      marks
		err                     error
		aloneThere, aloneInside bool
	)
	// Before the revisions: a write between the two is found the next time.
	to.registryWrites, aloneThere = m.changed.Writes()
	to.ledgerWrites, aloneInside = m.computed.Writes()
	have := m.now.Load()
	if have != nil && aloneThere && aloneInside && have.registryWrites == to.registryWrites && have.ledgerWrites == to.ledgerWrites {
		return have.snapshot, to, nil
	}
	if to.registry, err = m.changed.Revision(ctx); err != nil {
		return nil, to, err
	}
	if to.ledger, err = m.computed.Revisions(ctx); err != nil {
		return nil, to, err
	}
	if have != nil && have.registry == to.registry && have.ledger == to.ledger {
		m.now.CompareAndSwap(have, &mirrored{have.snapshot, to})
		return have.snapshot, to, nil
	}
	return nil, to, nil
}

// advanceTime is how long taking changes in may last.
const advanceTime = 5 * time.Minute

// advance takes in the changes up to the marks; there may be newer ones among
// them, which are then taken in again.
func (m *mirror) advance(ctx context.Context, to marks) (*snapshot, error) {
	from, next := marks{}, newSnapshot(&spans{})
	if have := m.now.Load(); have != nil {
		from, next = have.marks, have.snapshot
	}
	if from.ledger.Days != to.ledger.Days || m.now.Load() == nil {
		found, err := m.computed.SpansSince(ctx, devices.KindBattery, from.ledger.Days)
		if err != nil {
			return nil, err
		}
		next.spans.merge(found)
	}
	if from.registry != to.registry || from.ledger.Batteries != to.ledger.Batteries {
		batteries, all, err := m.changed.BatteriesSince(ctx, from.registry)
		if err != nil {
			return nil, err
		}
		results, err := m.computed.BatteriesSince(ctx, from.ledger.Batteries)
		if err != nil {
			return nil, err
		}
		next = next.with(batteries, all, results)
	}
	m.now.Store(&mirrored{next, to})
	return next, nil
}

// read makes a state of all that the ports have.
func (m *mirror) read(ctx context.Context) (*snapshot, error) {
	batteries, _, err := m.registry.ListBatteries(ctx, registry.Filter{Deleted: true})
	if err != nil {
		return nil, err
	}
	standings, err := m.batteries.Standings(ctx)
	if err != nil {
		return nil, fmt.Errorf("read standings: %w", err)
	}
	newest, err := m.results.LatestCapacities(ctx, devices.KindBattery)
	if err != nil {
		return nil, fmt.Errorf("read latest capacities: %w", err)
	}
	found, err := m.results.Spans(ctx, devices.KindBattery)
	if err != nil {
		return nil, fmt.Errorf("read spans: %w", err)
	}
	results := map[string]*ledger.BatteryChange{}
	for k := range standings {
		results[standings[k].Device] = &ledger.BatteryChange{Device: standings[k].Device, Standing: &standings[k]}
	}
	for id, of := range newest {
		if results[id] == nil {
			results[id] = &ledger.BatteryChange{Device: id}
		}
		results[id].Health = battery.Assess(of, 0)
	}
	var list []ledger.BatteryChange
	for _, r := range results {
		list = append(list, *r)
	}
	s := newSnapshot(&spans{})
	s.spans.merge(found)
	return s.with(batteries, true, list), nil
}

// mirroredRegistry answers from the mirror what is asked for batteries.
type mirroredRegistry struct {
	Registry
	mirror *mirror
}

// GetBattery leaves it to the registry to say that there is none.
func (r mirroredRegistry) GetBattery(ctx context.Context, id string) (devices.Battery, error) {
	s, err := r.mirror.current(ctx)
	if err != nil {
		return devices.Battery{}, err
	}
	if b := s.find(id); b != nil {
		return b.Battery, nil
	}
	return r.Registry.GetBattery(ctx, id)
}

func (r mirroredRegistry) ListBatteries(ctx context.Context, f registry.Filter) ([]devices.Battery, int, error) {
	s, err := r.mirror.current(ctx)
	if err != nil {
		return nil, 0, err
	}
	part := s.part(f)
	total := len(part)
	part = part[min(max(0, f.Offset), total):]
	if f.Limit > 0 {
		part = part[:min(f.Limit, len(part))]
	}
	list := make([]devices.Battery, len(part))
	for k, b := range part {
		list[k] = b.Battery
	}
	return list, total, nil
}
