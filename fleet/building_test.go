package fleet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// heap is a telemetry store of buildings in memory.
type heap struct {
	telemetry.Reader
	readings map[string]map[int64]telemetry.Reading
	asked    int // readings yielded
}

func (h *heap) put(all []telemetry.Reading) {
	for _, r := range all {
		if h.readings[r.Device] == nil {
			h.readings[r.Device] = map[int64]telemetry.Reading{}
		}
		h.readings[r.Device][r.TS] = r
	}
}

func (h *heap) Range(_ context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	for _, id := range q.Devices {
		var found []telemetry.Reading
		for ts, r := range h.readings[id] {
			if q.Window.Contains(ts) {
				found = append(found, r)
			}
		}
		slices.SortFunc(found, telemetry.Compare)
		for _, r := range found {
			h.asked++
			if err := yield(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneSite has every building on one site, in Berlin.
type oneSite struct{}

func (oneSite) GetBuilding(_ context.Context, id string) (devices.Building, error) {
	return devices.Building{Asset: devices.Asset{ID: id, SiteID: "s"}, FloorAreaM2: 500}, nil
}

func (oneSite) GetSite(context.Context, string) (devices.Site, error) {
	return devices.Site{ID: "s", TimeZone: "Europe/Berlin"}, nil
}

// plant is one building with its job.
type plant struct {
	t       *testing.T
	store   *heap
	ledger  *ledger.Ledger
	path    string // of the ledger
	fleet   *fleet.Buildings
	job     fleet.Job
	changes int // of the last run
	worked  int // results worked out in it
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	led, err := ledger.Open(t.Context(), path, ledger.Options{Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = led.Close() })
	p := &plant{t: t, path: path, store: &heap{readings: map[string]map[int64]telemetry.Reading{}}, ledger: led}
	b := &fleet.Buildings{Telemetry: p.store, Sites: oneSite{}, Entries: led, Store: led, Rules: building.DefaultRules()}
	p.fleet, p.job = b, b.Job("0 0 * * *")
	return p
}

func (p *plant) enter(c ledger.Collection, scope, id string, v any) {
	p.t.Helper()
	if _, err := p.ledger.PutEntry(p.t.Context(), c, scope, id, "", v); err != nil {
		p.t.Fatal(err)
	}
}

// deliver stores readings, and runs the job over their days and whatever was
// marked beside them.
func (p *plant) deliver(readings []telemetry.Reading) {
	p.t.Helper()
	p.store.put(readings)
	var days []telemetry.DeviceDay
	for _, r := range readings {
		d := telemetry.DeviceDay{Kind: r.Kind, Device: r.Device, Day: telemetry.DayOf(r.TS)}
		if !slices.Contains(days, d) {
			days = append(days, d)
		}
	}
	if err := p.ledger.MarkDirty(p.t.Context(), days); err != nil {
		p.t.Fatal(err)
	}
	p.run()
}

func (p *plant) run() {
	p.t.Helper()
	ctx := p.t.Context()
	mark, err := p.ledger.Watermark(ctx, p.job.Name)
	if err != nil {
		p.t.Fatal(err)
	}
	dirty, upTo, err := p.ledger.Dirty(ctx, mark.Seq)
	if err != nil {
		p.t.Fatal(err)
	}
	byDevice := map[devices.Ref][]int64{}
	for _, d := range dirty {
		byDevice[d.Ref()] = append(byDevice[d.Ref()], d.Day)
	}
	p.changes, p.worked, p.store.asked = 0, 0, 0
	for ref, days := range byDevice {
		c, _, err := p.job.Compute(ctx, ref, days)
		if err != nil {
			p.t.Fatal(err)
		}
		p.changes += len(c.Parts)
		for _, part := range c.Parts {
			if change, ok := part.(*ledger.BuildingChange); ok && change.Evaluated() {
				p.worked++
			}
		}
		c.Job = p.job.Name
		if err := p.ledger.Commit(ctx, c); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.ledger.Commit(ctx, ledger.Changes{Job: p.job.Name, Watermark: &ledger.Watermark{Seq: upTo}}); err != nil {
		p.t.Fatal(err)
	}
}

// results are the bytes of everything kept of the building.
func (p *plant) results(id string) string {
	p.t.Helper()
	r, found, err := p.ledger.BuildingResult(p.t.Context(), id)
	if err != nil || !found {
		p.t.Fatalf("no result: %v", err)
	}
	days, err := p.ledger.BuildingDays(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		p.t.Fatal(err)
	}
	return string(raw) + fmt.Sprint(days)
}

func field(t *testing.T, name string) *devices.Field {
	t.Helper()
	s, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s.Field(devices.KindBuilding, name)
}

// house draws readings every half hour: an electricity register that drops by a
// fifth after a day, a water register that is reset once, and the weather.
func house(t *testing.T, id string, from time.Time, days, measure int) []telemetry.Reading {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	electricity, water, outdoor := field(t, "energy_wh"), field(t, "water_l"), field(t, "outdoor_c")
	var out []telemetry.Reading
	var wh, litres, weather float64
	for i := range days * 48 {
		at := from.Add(time.Duration(i) * 30 * time.Minute)
		weather = 0.98*weather + 0.4*rng.NormFloat64()
		c := 10 - 11*math.Cos(2*math.Pi*float64(at.YearDay()-20)/365) - 3*math.Cos(2*math.Pi*float64(at.Hour()-3)/24) + weather
		r := telemetry.Reading{Kind: devices.KindBuilding, Device: id, TS: at.UnixMilli()}
		r.Set(telemetry.Value{Field: outdoor, Num: math.Round(10*c) / 10})
		r.Set(telemetry.Value{Field: electricity, Num: math.Round(wh)})
		r.Set(telemetry.Value{Field: water, Num: math.Round(litres)})
		out = append(out, r)
		load := 3000 + 300*max(16-c, 0) + 200*rng.NormFloat64()
		if h := at.Hour(); h >= 7 && h < 19 {
			load += 4000
		}
		if i >= measure*48 {
			load *= 0.8
		}
		wh += max(load, 0) / 2
		litres += 10 + 5*rng.Float64()
		if i == days*24 {
			litres = 0
		}
	}
	return out
}

var berlin = time.Date(2023, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))

func retrofit(p *plant, id string) {
	expected := 0.2
	p.enter(ledger.Interventions, id, "led", building.Intervention{
		ID: "led", Title: "LED", Concerns: []building.Meter{building.Electricity, building.Water}, Start: "2024-01-11", Expected: &expected,
	})
	p.enter(ledger.Settings, id, "", building.Settings{Meters: map[building.Meter]*building.MeterOptions{
		building.Electricity: {Model: "caltrack-daily"}, building.Water: {Model: "changepoint-mean"},
	}})
}

// Readings that come late, shuffled and in halves give the same bytes as those
// that came in order.
func TestLateReadingsSameBuilding(t *testing.T) {
	all := house(t, "b", berlin, 560, 375)
	clean := newPlant(t)
	retrofit(clean, "b")
	clean.deliver(all)
	want := clean.results("b")
	r, _, err := clean.ledger.BuildingResult(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Savings[0]; s.Status != building.OK || math.Abs(*s.Assessment.Avoided.Fraction-0.2) > 0.03 {
		t.Fatalf("electricity: got %+v, want a fifth", s.Basis)
	}

	messy := newPlant(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var early, late []telemetry.Reading
	for _, r := range all {
		half := &early
		if rng.IntN(2) == 0 {
			half = &late
		}
		*half = append(*half, r)
	}
	for _, half := range [][]telemetry.Reading{early, late, early[:100]} {
		rng.Shuffle(len(half), func(a, b int) { half[a], half[b] = half[b], half[a] })
		messy.deliver(half)
		retrofit(messy, "b") // entered while half of the readings are there
	}
	messy.run()
	if diff := cmp.Diff(want, messy.results("b")); diff != "" {
		t.Errorf("differs (-clean +messy):\n%.2000s", diff)
	}
}

// A building that chooses its models keeps what it chose from night to night, and
// has the bytes of one that works everything out at once; late data of the baseline
// makes it choose anew.
func TestKeptBaselinesSameBuilding(t *testing.T) {
	const days, measure, nights = 860, 380, 5
	all := house(t, "b", berlin, days, measure)
	enter := func(p *plant) {
		p.enter(ledger.Interventions, "b", "led", building.Intervention{
			ID: "led", Title: "LED", Concerns: []building.Meter{building.Electricity}, Start: "2024-01-16",
		})
		p.enter(ledger.Settings, "b", "", building.Settings{Meters: map[building.Meter]*building.MeterOptions{
			building.Electricity: {}, building.Water: {Model: "changepoint-mean"},
		}})
	}
	kept := func(p *plant) []string {
		r, found, err := p.ledger.BuildingResult(t.Context(), "b", ledger.PartKept)
		if err != nil || !found {
			t.Fatalf("got %v, %v", found, err)
		}
		return slices.Sorted(maps.Keys(r.Kept))
	}
	late := func(r telemetry.Reading) bool { // two days of the baseline
		return r.TS >= berlin.AddDate(0, 0, 200).UnixMilli() && r.TS < berlin.AddDate(0, 0, 202).UnixMilli()
	}
	nightly := newPlant(t)
	enter(nightly)
	nightly.deliver(slices.DeleteFunc(slices.Clone(all[:(days-nights)*48]), late))
	before := kept(nightly)
	for n := range nights {
		nightly.deliver(all[(days-nights+n)*48 : (days-nights+n+1)*48])
		if nightly.worked != 1 {
			t.Fatalf("night %d: got %d results, want one", n, nightly.worked)
		}
	}
	// The baseline, its hours, and the year on which the present model was chosen.
	if after := kept(nightly); len(before) < 3 || !slices.Equal(after, before) {
		t.Errorf("got %v kept after nights that change no baseline, want %v", after, before)
	}
	nightly.deliver(slices.DeleteFunc(slices.Clone(all), func(r telemetry.Reading) bool { return !late(r) }))
	after := kept(nightly)
	both := slices.DeleteFunc(slices.Clone(after), func(d string) bool { return !slices.Contains(before, d) })
	if len(after) != len(before) || len(both) > len(before)-2 {
		t.Errorf("late data of the baseline: got %v kept, want all but the year of the present model new beside %v", after, before)
	}
	clean := newPlant(t)
	enter(clean)
	clean.deliver(all)
	if diff := cmp.Diff(clean.results("b"), nightly.results("b")); diff != "" {
		t.Errorf("differs (-clean +nightly):\n%.2000s", diff)
	}
}

// A run reads the readings of the days that changed, and no others; one without
// changes works out nothing.
func TestNightlyRunReadsWhatChanged(t *testing.T) {
	all := house(t, "b", berlin, 430, 375)
	p := newPlant(t)
	retrofit(p, "b")
	last := len(all) - 95 // the second reading of a local day
	p.deliver(all[:last])
	before := p.results("b")
	p.deliver(all[last : last+8])
	if p.changes == 0 || p.worked != 0 {
		t.Errorf("got %d changes and %d results of a day that is not over, want its readings kept and no result", p.changes, p.worked)
	}
	p.deliver(all[last+8:])
	if p.store.asked > 3*48 {
		t.Errorf("got %d readings read, want those of the days that changed", p.store.asked)
	}
	if p.results("b") == before {
		t.Error("the result is as before")
	}
	after := p.results("b")
	p.deliver(all[1000:1010]) // seen before
	if p.changes != 0 || p.results("b") != after {
		t.Errorf("got %d changes of readings that were there", p.changes)
	}
	p.enter(ledger.Adjustments, "b", "a", building.Adjustment{
		ID: "a", Meter: building.Electricity, From: "2024-02-01", To: "2024-02-11", Amount: 500, Reason: "a trade fair",
	})
	p.run()
	r, _, err := p.ledger.BuildingResult(t.Context(), "b", ledger.PartSavings)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Savings[0].Assessment.Avoided.Adjusted; math.Abs(got-500) > 1e-6 {
		t.Errorf("got adjustments of %g kWh, want 500", got)
	}
	if p.store.asked > 48 {
		t.Errorf("got %d readings read for an entry, want one day's", p.store.asked)
	}
}
