package simulator

import (
	"hash/fnv"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func newFleet(tb testing.TB, cfg Config) *Fleet {
	tb.Helper()
	f, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// run steps the fleet and calls see with every reading.
func run(f *Fleet, steps int, see func(telemetry.Reading), event func(telemetry.Event)) {
	for range steps {
		f.Step(see, event)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	err := Config{
		Start: start(), Step: time.Microsecond, Owners: 2, Sites: 1, Batteries: 3, Slots: 1, Stations: 1,
		Dispersion: -1, KneeShare: 2, Reserve: -1, Sensors: Sensors{Amps: Sensor{Noise: -1}}, Breakdowns: Breakdowns{SlotHours: -1},
		Retrofits: []Retrofit{{Building: 7, Share: 3}}, Weather: &Series{},
	}.Validate()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"step 1µs", "sites 1", "stations 1", "slots 1", "ready soc 0", "dispersion", "knee", "reserve", "amps", "breakdowns", "retrofit", "weather"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to name %q", err, want)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New took an empty configuration")
	}
	if err := Demo(1, start()).Validate(); err != nil {
		t.Errorf("the demo: %v", err)
	}
}

func TestInventoryOfTheDemo(t *testing.T) {
	f := newFleet(t, Demo(1, start()))
	inv := f.Inventory()
	got := []int{len(inv.Owners), len(inv.Sites), len(inv.Stations), len(inv.Batteries), len(inv.Buildings)}
	if diff := cmp.Diff([]int{2, 2, 4, 60, 2}, got); diff != "" {
		t.Errorf("owners, sites, stations, batteries, buildings: %s", diff)
	}
	known := map[devices.Ref]bool{}
	owners := map[string]int{}
	add := func(k devices.Kind, a devices.Asset) {
		known[devices.Ref{Kind: k, ID: a.ID}] = true
		owners[a.OwnerID]++
		if !devices.ValidID(a.ID) || a.Commissioned == nil || a.Commissioned.After(start()) {
			t.Errorf("%s %+v", k, a)
		}
	}
	for _, s := range inv.Stations {
		add(devices.KindStation, s.Asset)
	}
	for _, b := range inv.Batteries {
		add(devices.KindBattery, b.Asset)
		if b.RatedCapacityAh <= 0 || b.CutoffVoltageV <= 0 || b.RatedVoltageV <= b.CutoffVoltageV {
			t.Errorf("ratings of %+v", b)
		}
	}
	for _, b := range inv.Buildings {
		add(devices.KindBuilding, b.Asset)
	}
	if diff := cmp.Diff(map[string]int{"owner-01": 33, "owner-02": 33}, owners); diff != "" {
		t.Errorf("assets by owner: %s", diff)
	}
	seen := map[devices.Ref]int{}
	run(f, 2, func(r telemetry.Reading) { seen[r.Ref()]++ }, nil)
	for ref, n := range seen {
		if !known[ref] || n != 2 {
			t.Errorf("%s: %d readings in two steps, known %v", ref, n, known[ref])
		}
	}
	if len(seen) != len(known) {
		t.Errorf("got readings of %d devices want %d", len(seen), len(known))
	}
}

// digest is a fingerprint of everything that a fleet says, as it would be sent.
func digest(f *Fleet, steps int) uint64 {
	h := fnv.New64a()
	var buf []byte
	run(f, steps, func(r telemetry.Reading) {
		buf = wire.AppendReading(append(buf[:0], r.Ref().String()...), &r)
		h.Write(buf)
	}, func(e telemetry.Event) {
		buf = wire.AppendEvent(append(buf[:0], e.Ref().String()...), &e)
		h.Write(buf)
	})
	return h.Sum64()
}

func TestSameSeedSameFleet(t *testing.T) {
	of := func(seed uint64) uint64 { return digest(newFleet(t, Demo(seed, start())), 4*24*4) }
	if a, b := of(7), of(7); a != b {
		t.Errorf("seed 7 gave %x and %x", a, b)
	}
	if a, b := of(7), of(8); a == b {
		t.Errorf("seeds 7 and 8 both gave %x", a)
	}
}

func TestMoreBatteriesLeaveTheOthersAsMade(t *testing.T) {
	made := func(n int) []BatteryTruth {
		cfg := Demo(3, start())
		cfg.Batteries = n
		return newFleet(t, cfg).Truth().Batteries
	}
	few, many := made(60), made(64)
	if diff := cmp.Diff(few, many[:60]); diff != "" {
		t.Error(diff)
	}
}

// Whatever the fleet and the step, what it says is within the schema, in
// order, on the grid, and its registers only grow.
func TestReadingsKeepTheContract(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Demo(rapid.Uint64().Draw(t, "seed"), start().AddDate(0, rapid.IntRange(0, 11).Draw(t, "month"), 0))
		cfg.Owners = rapid.IntRange(1, 3).Draw(t, "owners")
		cfg.Sites = cfg.Owners + rapid.IntRange(0, 3).Draw(t, "more sites")
		cfg.Stations = cfg.Owners + rapid.IntRange(0, 3).Draw(t, "more stations")
		cfg.Slots = rapid.IntRange(2, 20).Draw(t, "slots")
		cfg.Batteries = rapid.IntRange(0, 40).Draw(t, "batteries")
		cfg.Buildings = rapid.IntRange(0, 4).Draw(t, "buildings")
		cfg.SwapsPerDay = rapid.Float64Range(0, 200).Draw(t, "swaps")
		cfg.Step = rapid.SampledFrom([]time.Duration{100 * time.Millisecond, 10 * time.Second, 90 * time.Second, 15 * time.Minute, time.Hour}).Draw(t, "step")
		if rapid.Bool().Draw(t, "breakdowns") {
			cfg.Breakdowns = Breakdowns{StationPerYear: 1000, StationHours: 2, SlotPerYear: 1000, SlotHours: 4}
		}
		if rapid.Bool().Draw(t, "sensors") {
			bad := Sensor{Noise: 1, Offset: 3, Drift: 10}
			cfg.Sensors = Sensors{Volts: bad, Amps: bad, Celsius: bad, SoC: bad}
		}
		f, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		last := map[devices.Ref]map[string]float64{}
		seen := 0
		want := cfg.Start
		check := func(r telemetry.Reading) {
			seen++
			if r.TS != want.UnixMilli() {
				t.Fatalf("%s at %d want %d", r.Ref(), r.TS, want.UnixMilli())
			}
			if last[r.Ref()] == nil {
				last[r.Ref()] = map[string]float64{}
			}
			index := -1
			for _, v := range r.Values {
				if v.Field.Index <= index {
					t.Fatalf("%s: %s out of order", r.Ref(), v.Field.Name)
				}
				index = v.Field.Index
				if !v.Field.Numeric() {
					continue
				}
				if !(v.Num >= v.Field.Min && v.Num <= v.Field.Max) || v.Field.Type == devices.Integer && v.Num != math.Trunc(v.Num) {
					t.Fatalf("%s: %s = %v", r.Ref(), v.Field.Name, v.Num)
				}
				if v.Field.Role == devices.Counter {
					if v.Num < last[r.Ref()][v.Field.Name] {
						t.Fatalf("%s: %s fell from %v to %v", r.Ref(), v.Field.Name, last[r.Ref()][v.Field.Name], v.Num)
					}
					last[r.Ref()][v.Field.Name] = v.Num
				}
			}
		}
		ids := map[string]bool{}
		event := func(e telemetry.Event) {
			if k := e.Ref().String() + "/" + e.ID; ids[k] {
				t.Fatalf("event %s twice", k)
			} else {
				ids[k] = true
			}
		}
		const steps = 80
		for range steps {
			want = want.Add(cfg.Step)
			f.Step(check, event)
			checkPlaces(t, f)
		}
		if wantSeen := steps * (cfg.Batteries + cfg.Stations + cfg.Buildings); seen != wantSeen {
			t.Fatalf("got %d readings want %d", seen, wantSeen)
		}
	})
}

// checkPlaces holds that every pack is in exactly one place.
func checkPlaces(t interface{ Fatalf(string, ...any) }, f *Fleet) {
	at := map[*pack]int{}
	for _, s := range f.stations {
		running := 0
		for i, k := range s.slots {
			p := k.pack
			if p == nil {
				continue
			}
			if p.duty.state == stateCharging {
				running++
			}
			at[p]++
			if p.duty.station != s || p.duty.slot != i+1 {
				t.Fatalf("%s is in slot %d of %s and thinks otherwise", p.id, i+1, s.id)
			}
		}
		if running != s.running {
			t.Fatalf("%s counts %d chargers at work, there are %d", s.id, s.running, running)
		}
	}
	for _, h := range f.shards {
		for _, p := range h.riding {
			at[p]++
		}
	}
	for _, p := range f.packs {
		if p.atMS != f.Now().UnixMilli() {
			t.Fatalf("%s was left at %d", p.id, p.atMS)
		}
		if at[p] != 1 {
			t.Fatalf("%s is in %d places", p.id, at[p])
		}
	}
}

// anyYear is a small fleet of any use, with whatever may break.
func anyYear(t *rapid.T) Config {
	cfg := Demo(rapid.Uint64().Draw(t, "seed"), start())
	cfg.Owners = rapid.IntRange(1, 2).Draw(t, "owners")
	cfg.Sites, cfg.Stations, cfg.Slots, cfg.Batteries, cfg.Buildings = cfg.Owners, cfg.Owners, 6, 8, 1
	cfg.SwapsPerDay = rapid.Float64Range(0, 60).Draw(t, "swaps")
	cfg.Dispersion = rapid.Float64Range(0, 8).Draw(t, "dispersion")
	cfg.KneeShare = rapid.Float64Range(0, 1).Draw(t, "knees")
	cfg.Breakdowns = Breakdowns{StationPerYear: 20, StationHours: 10, SlotPerYear: 20, SlotHours: 30}
	cfg.Tariff = TimeOfUse(10, 10, 10)
	cfg.Retrofits = []Retrofit{{At: start().AddDate(0, 6, 0), Share: 0.1}}
	cfg.Step = time.Hour
	return cfg
}

// The books of every pack and station balance to 1e-6 over a year of any fleet,
// charge stays between empty and full, and losses only grow.
func TestAYearBalances(t *testing.T) {
	fleets := rapid.Custom(anyYear)
	for i := range 5 { // a year takes a while
		cfg := fleets.Example(i)
		f := newFleet(t, cfg)
		before := f.Truth()
		lossOf := map[string]float64{}
		for range 12 {
			for range 365 * 2 {
				f.Step(nil, nil)
				for _, p := range f.packs {
					if s := p.soc(); !(s >= 0 && s <= 1) {
						t.Fatalf("%s: state of charge %v", p.id, s)
					}
				}
			}
			for _, p := range f.packs {
				if p.loss() < lossOf[p.id] {
					t.Fatalf("%s: lost %v, before %v", p.id, p.loss(), lossOf[p.id])
				}
				lossOf[p.id] = p.loss()
			}
		}
		after := f.Truth()
		var out float64
		for i, b := range after.Batteries {
			k := b.Books
			if want := k.StartAh + k.ChargeInAh*k.Efficiency - k.ChargeOutAh - k.FadedAh; !near(k.StoredAh, want, 1e-6*(k.ChargeInAh+1)) {
				t.Fatalf("%s: stored %v Ah, the books say %v", b.ID, k.StoredAh, want)
			}
			if got, want := k.EnergyInWh-k.EnergyOutWh, k.ChemicalWh+k.PolarisedWh+k.HeatWh; !near(got, want, 1e-6*(k.EnergyInWh+1)) {
				t.Fatalf("%s: %v Wh at the terminals, the books say %v", b.ID, got, want)
			}
			out += k.EnergyInWh - before.Batteries[i].Books.EnergyInWh
		}
		// What the meters of the stations drew went into packs, over the chargers,
		// and into the stations themselves.
		hours := f.Now().Sub(cfg.Start).Hours()
		want := out/chargerEfficiency + auxiliaryW*hours*float64(cfg.Stations)
		var drawn float64
		for _, s := range after.Stations {
			drawn += s.DrawnWh
			if !near(s.Cost, s.DrawnWh/100, 1e-6*s.Cost) {
				t.Fatalf("%s: %v Wh cost %v", s.ID, s.DrawnWh, s.Cost)
			}
		}
		if !near(drawn, want, 1e-6*want) {
			t.Fatalf("the stations drew %v Wh, the packs and stations took %v", drawn, want)
		}
		checkPlaces(t, f)
	}
}

func TestSwapsHappenAndAreTold(t *testing.T) {
	f := newFleet(t, Demo(2, start()))
	told := map[string]int{}
	const days = 45
	run(f, days*96, nil, func(e telemetry.Event) { told[e.Type]++ })
	var swaps, refusals int
	for _, s := range f.Truth().Stations {
		swaps += s.Swaps
		refusals += s.Refusals
	}
	if told["swap.completed"] != swaps || told["swap.failed"] != refusals {
		t.Errorf("told %v, truth %d swaps and %d refusals", told, swaps, refusals)
	}
	// 4 stations with 9 to 21 arrivals a day each; some find no rider waiting.
	if swaps < 4*days*9 || swaps > 4*days*21 {
		t.Errorf("got %d swaps in %d days", swaps, days)
	}
	if n := told["maintenance.done"]; n < 60 || n > 2*60 {
		t.Errorf("got %d maintenance discharges of 60 batteries in %d days, want one in 30 days", n, days)
	}
	if refusals == 0 {
		t.Error("no rider was ever refused")
	}
}
