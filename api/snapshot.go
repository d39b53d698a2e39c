package api

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unique"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// maxRemembered bounds what a snapshot remembers of what it was asked, in
// references to batteries: 32 MiB, and as much of what the one before remembered.
const maxRemembered = 4 << 20

// known is all that lists show of a battery, as small as it can be: there are
// 100,000 of them. It is not changed.
type known struct {
	devices.Battery
	standing *dossier.Standing // to seven digits; nil: no day of it has been worked off yet
	measured float64           // Ah, by the newest measurements; 0: not measured

	// The same to seven digits, with what follows from the rating.
	capacityAh, sohPct float64 // sohPct 0: not known
	measuredAt         int64   // Unix milliseconds
}

// snapshot is every battery at one state of registry and ledger, and answers that
// were worked out of it. Only the spans, which nothing is sorted by, go on with
// time. Goroutines may share it.
type snapshot struct {
	all   []*known // by id, with those that are deleted
	spans *spans
	// orphans are results of batteries that the registry does not have.
	orphans map[string]ledger.BatteryChange

	changes []change // since the snapshot before, of which before has the answers

	mu         sync.Mutex
	answers    map[string]*workedOut
	before     map[string]any
	remembered int
}

type workedOut struct {
	once  sync.Once
	value any
	// leads tells that the snapshot after this one can follow it; guarded by mu.
	leads bool
}

func newSnapshot(s *spans) *snapshot { return &snapshot{spans: s, answers: map[string]*workedOut{}} }

// of is the battery with the results that are known of it; nil: none.
func (b *known) of(asset devices.Battery) *known {
	for _, text := range []*string{&asset.OwnerID, &asset.SiteID, &asset.Gateway, &asset.Chemistry, (*string)(&asset.Status)} {
		*text = unique.Make(*text).Value()
	}
	if b == nil {
		return &known{Battery: asset}
	}
	next := &known{Battery: asset, standing: b.standing}
	next.measure(b.measured, b.measuredAt)
	return next
}

// measure enters the capacity.
func (b *known) measure(ah float64, at int64) {
	b.measured, b.measuredAt = ah, at
	h := battery.Health{CapacityAh: &ah}.Rated(b.RatedCapacityAh)
	if b.capacityAh = figures(ah); h.SoHPct != nil {
		b.sohPct = figures(*h.SoHPct)
	}
}

// with is the battery with other results.
func (b *known) with(r ledger.BatteryChange) *known {
	next := &known{Battery: b.Battery}
	if r.Standing != nil {
		s := *r.Standing
		for _, text := range []*string{&s.Status, &s.Reason, &s.OutlookStatus, &s.OutlookReason, &s.WarrantyState} {
			*text = unique.Make(*text).Value()
		}
		s.Device, next.standing = b.ID, &s
		toFigures(&s)
	}
	if h := r.Health; h.CapacityAh != nil {
		next.measure(*h.CapacityAh, *h.MeasuredAt)
	}
	return next
}

// toFigures rounds what measurements are the ground of to the digits that these
// have.
func toFigures(s *dossier.Standing) {
	for _, v := range []**float64{
		&s.HealthScore, &s.Confidence, &s.CapacityAh, &s.SoHPct, &s.SoHErrPct, &s.EnergySoHPct, &s.ResistanceMOhm, &s.ResistanceIncreasePct,
		&s.ImbalanceMV, &s.SelfDischargePct, &s.RoundTripPct, &s.CalendarShare, &s.EquivalentFullCycles, &s.EFCPerDay,
		&s.Utilization, &s.Idle, &s.Availability, &s.SwapsPerDay, &s.EnergyPerSwapWh,
		&s.RULDays.Low, &s.RULDays.Median, &s.RULDays.High, &s.RULCycles.Low, &s.RULCycles.Median, &s.RULCycles.High,
	} {
		*v = figuresOf(*v)
	}
	s.UseCoverage, s.ThroughputWh = figures(s.UseCoverage), math.Round(s.ThroughputWh*1000)/1000
}

// health is the battery's, by its rating.
func (b *known) health() HealthSummary {
	h := HealthSummary{Status: string(battery.HealthInsufficient)}
	if b.measuredAt != 0 {
		h.CapacityAh, h.MeasuredAt = &b.capacityAh, (*Time)(&b.measuredAt)
	}
	if b.sohPct != 0 {
		h.Status, h.SoHPct = string(battery.HealthOK), &b.sohPct
	}
	return h
}

// with is the snapshot after changes of the registry, which are all of its
// batteries or some, and of results.
func (s *snapshot) with(batteries []devices.Battery, all bool, results []ledger.BatteryChange) *snapshot {
	next := newSnapshot(s.spans)
	changed, orphans := make(map[string]ledger.BatteryChange, len(results)), map[string]ledger.BatteryChange{}
	for id, r := range s.orphans {
		changed[id], orphans[id] = r, r
	}
	for _, r := range results {
		changed[r.Device], orphans[r.Device] = r, r
	}
	var changes []change
	// take adds a battery that was, with its results of now.
	take := func(was, b *known) {
		if r, ok := changed[b.ID]; ok {
			delete(orphans, b.ID)
			b = b.with(r)
		}
		if b != was {
			changes = append(changes, change{was, b})
		}
		next.all = append(next.all, b)
	}
	next.all = make([]*known, 0, max(len(s.all), len(batteries)))
	old := s.all
	for _, b := range batteries {
		for len(old) > 0 && old[0].ID < b.ID {
			if all {
				changes = append(changes, change{was: old[0]})
			} else {
				take(old[0], old[0])
			}
			old = old[1:]
		}
		var was *known
		if len(old) > 0 && old[0].ID == b.ID {
			was, old = old[0], old[1:]
		}
		take(was, was.of(b))
	}
	for ; len(old) > 0 && !all; old = old[1:] {
		take(old[0], old[0])
	}
	for _, b := range old {
		changes = append(changes, change{was: b})
	}
	next.orphans = orphans
	s.handOn(next, changes)
	return next
}

// find is the battery of the id, also one that is deleted; nil: there is none.
func (s *snapshot) find(id string) *known {
	k, ok := slices.BinarySearchFunc(s.all, id, func(b *known, id string) int { return strings.Compare(b.ID, id) })
	if !ok {
		return nil
	}
	return s.all[k]
}

// part are the batteries that the filter selects, by id, but for its page. They
// must not be changed.
func (s *snapshot) part(f registry.Filter) []*known {
	in := keeps(f)
	return recall(s, "part "+question(f), inOrder(in, compareIDs), func() ([]*known, int) {
		var part []*known
		of := s.all
		if f.OwnerID != "" {
			of = s.owned()[f.OwnerID]
		}
		for _, b := range of {
			if in(b) {
				part = append(part, b)
			}
		}
		return part, len(part)
	})
}

// owned are the batteries of each owner, by id. Most who ask are owners.
func (s *snapshot) owned() map[string][]*known {
	return recall(s, "owned", nil, func() (map[string][]*known, int) {
		of := map[string][]*known{}
		for _, b := range s.all {
			of[b.OwnerID] = append(of[b.OwnerID], b)
		}
		return of, len(s.all)
	})
}

// question is a filter as a part of one.
func question(f registry.Filter) string {
	return fmt.Sprintf("%q %q %q %t", f.OwnerID, f.SiteID, f.Status, f.Deleted)
}

// recall returns what build returns for the question, which names all that the
// answer depends on but for the snapshot. It is built once for all who ask at a
// time, or, where the snapshot before had an answer, made of that by fn; nil: it can't
// be. build says how many references the answer holds on to.
func recall[V any](s *snapshot, question string, fn follow[V], build func() (V, int)) V {
	s.mu.Lock()
	a := s.answers[question]
	if a == nil {
		a = &workedOut{}
		s.answers[question] = a
	}
	s.mu.Unlock()
	a.once.Do(func() {
		value, size, ok := followed(s, question, fn)
		if !ok {
			value, size = build()
		}
		a.value = value
		s.weigh(a, size+100, fn != nil)
	})
	return a.value.(V)
}

// attempt is recall for what may fail. A failure is not remembered, nor is it told
// to others: it may be that of the one who asked first.
func attempt[V any](s *snapshot, question string, build func() (V, error)) (V, error) {
	type tried struct {
		value V
		err   error
	}
	first := false
	t := recall(s, question, nil, func() (tried, int) {
		first = true
		v, err := build()
		return tried{v, err}, 0
	})
	if t.err == nil {
		return t.value, nil
	}
	s.mu.Lock()
	delete(s.answers, question)
	s.mu.Unlock()
	if first {
		return t.value, t.err
	}
	return build()
}

// weigh takes an answer of so many references in, and forgets all answers once they
// are too much. Who has one keeps it.
func (s *snapshot) weigh(a *workedOut, size int, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.leads = leads
	if s.remembered += size; s.remembered > maxRemembered {
		clear(s.answers)
		s.before, s.remembered = nil, 0
	}
}

// spans are the days with data of each battery. They only grow.
type spans struct {
	mu      sync.RWMutex
	of      map[string]ledger.DaySpan
	outer   ledger.DaySpan // of all of them
	changes int
}

func (s *spans) merge(found map[string]ledger.DaySpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[string]ledger.DaySpan, len(found))
	}
	for id, f := range found {
		if len(s.of) == 0 {
			s.outer = f
		}
		s.outer = ledger.DaySpan{First: min(s.outer.First, f.First), Last: max(s.outer.Last, f.Last)}
		was, ok := s.of[id]
		if now := (ledger.DaySpan{First: min(was.First, f.First), Last: max(was.Last, f.Last)}); ok {
			f = now
		}
		if !ok || f != was {
			s.of[id] = f
			s.changes++
		}
	}
}

// bounds are the outermost days of all batteries, and a number that is another
// after every change of any.
func (s *spans) bounds() (outer telemetry.Window, version int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return telemetry.Window{From: s.outer.First * telemetry.Day, To: (s.outer.Last + 1) * telemetry.Day}, s.changes
}

// get is the time of the days with data that the owner of the battery sees, or who
// sees it whole; false: there are none.
func (s *spans) get(b *known, whole bool) (telemetry.Window, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.of[b.ID]
	d.First = max(d.First, wholeDay(beginning(&b.Asset, whole)))
	return telemetry.Window{From: d.First * telemetry.Day, To: (d.Last + 1) * telemetry.Day}, ok && d.First <= d.Last
}
