package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Buildings works out what the measures of buildings save.
type Buildings struct {
	Telemetry telemetry.Reader
	Sites     Sites
	Entries   BuildingEntries
	Store     BuildingStore
	Rules     building.Rules
}

// Job is the job that does so for every building whose readings or entries have
// changed. It reads the telemetry of the changed days alone; the others it has
// kept, thinned. A station or a building whose temperature others take makes
// them be looked at again.
func (b *Buildings) Job(schedule string) Job {
	return Job{
		Name: "buildings", Schedule: schedule, Kinds: []devices.Kind{devices.KindBuilding, devices.KindStation},
		Compute: b.compute,
	}
}

func (b *Buildings) compute(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error) {
	var c ledger.Changes
	users, err := b.Entries.WeatherUsers(ctx, ref)
	if err != nil {
		return c, 0, err
	}
	if ref.Kind == devices.KindStation {
		c.Parts = dirtyOf(users, days)
		return c, 0, nil
	}
	plan, err := b.plan(ctx, ref.ID)
	if err != nil {
		return c, 0, err
	}
	w, err := b.prepare(ctx, plan, days)
	if err != nil {
		return c, w.rows, err
	}
	if len(w.outdoor) > 0 {
		c.Parts = dirtyOf(users, w.outdoor)
	}
	in := plan.input(w.days)
	evaluated, err := plan.fingerprint(&in)
	if err != nil {
		return c, w.rows, err
	}
	now := ledger.BuildingState{Prepared: plan.prepared(), Evaluated: evaluated}
	if len(w.changed) == 0 && w.state == now {
		return c, w.rows, nil
	}
	change := &ledger.BuildingChange{Building: ref.ID, Days: w.changed, State: now}
	// Readings of a day that is not over are kept, and change no result yet.
	if w.state.Evaluated != evaluated {
		if change.Result, err = b.evaluate(ctx, ref.ID, in); err != nil {
			return c, w.rows, err
		}
		if err := change.Pack(); err != nil {
			return c, w.rows, err
		}
	}
	c.Parts = append(c.Parts, change)
	return c, w.rows, nil
}

// evaluate works out the result of a building with what its last run has kept. A
// Kept that would be the same is left out.
func (b *Buildings) evaluate(ctx context.Context, id string, in building.Input) (*building.Result, error) {
	before, _, err := b.Store.BuildingResult(ctx, id, ledger.PartKept)
	if err != nil {
		return nil, err
	}
	in.Kept = before.Kept
	r, err := building.Evaluate(in)
	if err == nil && maps.EqualFunc(before.Kept, r.Kept, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		r.Kept = nil
	}
	return r, err
}

// dirtyOf marks the days of the buildings that take their weather from a device.
func dirtyOf(users []string, days []int64) []ledger.Part {
	var marks ledger.BuildingDirty
	for _, id := range users {
		for _, day := range days {
			marks = append(marks, telemetry.DeviceDay{Kind: devices.KindBuilding, Device: id, Day: day})
		}
	}
	if len(marks) == 0 {
		return nil
	}
	return []ledger.Part{marks}
}

// prepared is the days of a building, and what has changed of them.
type prepared struct {
	state   ledger.BuildingState
	days    []building.Day
	changed []building.Day
	outdoor []int64 // of those, the days whose own temperature has changed
	rows    int
}

// prepare brings the kept days up to date with the telemetry of those given, or
// of all where they were made for another zone or another source of weather. A
// kept day that cannot be read is made anew, too.
func (b *Buildings) prepare(ctx context.Context, p *buildingPlan, days []int64) (w prepared, err error) {
	if w.state, err = b.Store.BuildingState(ctx, p.Building); err != nil {
		return w, err
	}
	payloads, err := b.Store.BuildingDays(ctx, p.Building)
	if err != nil {
		return w, err
	}
	kept, damaged := decodeDays(payloads)
	if w.state.Prepared != p.prepared() {
		if days, err = b.allDays(ctx, p, days); err != nil {
			return w, err
		}
	}
	days = append(slices.Clone(days), damaged...)
	slices.Sort(days)
	days = slices.Compact(days)
	fresh, rows, err := b.fold(ctx, p, days)
	w.rows = rows
	if err != nil {
		return w, err
	}
	for number, d := range kept {
		if _, again := fresh[number]; !again {
			w.days = append(w.days, d)
		}
	}
	for _, number := range days {
		d := fresh[number]
		before, was := kept[number]
		if d.Empty() && was {
			// Nothing deletes a reading but retention, and what was made of it stays.
			d = &before
		}
		w.days = append(w.days, *d)
		if _, stored := payloads[number]; !stored && d.Empty() || bytes.Equal(d.Encode(), payloads[number]) {
			continue
		}
		w.changed = append(w.changed, *d)
		if !was || !slices.Equal(p.own(&before), p.own(d)) {
			w.outdoor = append(w.outdoor, number)
		}
	}
	return w, nil
}

// own is what the building's own sensor says of a day.
func (p *buildingPlan) own(d *building.Day) []building.Mean {
	if p.weather == (devices.Ref{}) {
		return d.Outdoor
	}
	return d.Own
}

// decodeDays reads kept days, and says which cannot be read.
func decodeDays(payloads map[int64][]byte) (days map[int64]building.Day, damaged []int64) {
	days = make(map[int64]building.Day, len(payloads))
	for number, payload := range payloads {
		d, err := building.Decode(payload)
		if err != nil {
			damaged = append(damaged, number)
			continue
		}
		days[number] = d
	}
	return days, damaged
}

// allDays are all between the first and the last that the building, or the source
// of its weather, has data of.
func (b *Buildings) allDays(ctx context.Context, p *buildingPlan, days []int64) ([]int64, error) {
	first, last := days[0], days[len(days)-1]
	spans, err := b.Store.Spans(ctx, devices.KindBuilding)
	if err != nil {
		return nil, err
	}
	if s, ok := spans[p.Building]; ok {
		first, last = min(first, s.First), max(last, s.Last)
	}
	var all []int64
	for d := first; d <= last; d++ {
		all = append(all, d)
	}
	return all, nil
}

// fold thins the telemetry of days.
func (b *Buildings) fold(ctx context.Context, p *buildingPlan, days []int64) (map[int64]*building.Day, int, error) {
	fresh := make(map[int64]*building.Day, len(days))
	own := span{ref: devices.Ref{Kind: devices.KindBuilding, ID: p.Building}, fields: building.Fields()}
	rows, err := own.eachDay(ctx, b.Telemetry, days, func(day int64, readings []telemetry.Reading) {
		d := building.Fold(day, readings, p.loc, p.tolerance)
		fresh[day] = &d
	})
	if err != nil || p.weather == (devices.Ref{}) {
		return fresh, rows, err
	}
	field := "outdoor_c"
	if p.weather.Kind == devices.KindStation {
		field = "ambient_c"
	}
	shared := span{ref: p.weather, fields: []string{field}}
	more, err := shared.eachDay(ctx, b.Telemetry, days, func(day int64, readings []telemetry.Reading) {
		d := fresh[day]
		d.Own, d.Outdoor = d.Outdoor, building.FoldWeather(readings, field, p.loc)
	})
	return fresh, rows + more, err
}

// errNoZone is wrapped where the zone of a site is not one.
var errNoZone = errors.New("unknown time zone")

// fingerprint tells one set of inputs from another. It stands for the imported
// series by their revisions.
func (p *buildingPlan) fingerprint(in *building.Input) (string, error) {
	measured, err := in.Digest()
	if err != nil {
		return "", err
	}
	plan := *p.Plan
	plan.Tariffs, plan.Grids = nil, nil
	raw, err := json.Marshal(struct {
		Version   string
		Plan      building.Plan
		Revisions map[string]int64
		Measured  string
	}{building.Version, plan, p.revisions, measured})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16]), nil
}

// prepared tells what days are thinned by.
func (p *buildingPlan) prepared() string {
	return fmt.Sprintf("%s %s %s %g", building.DayVersion, p.loc, p.weather, p.tolerance)
}

// input is the plan with the days that it is held against.
func (p *buildingPlan) input(days []building.Day) building.Input {
	in := building.Input{Plan: p.Plan, Series: building.Join(days), Typical: p.typical}
	if p.imported != nil {
		in.Series.Outdoor = p.imported
	}
	return in
}

// zoneOf is the zone of a site; UTC where none is named.
func zoneOf(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoZone, err)
	}
	return loc, nil
}
