package fleet

import (
	"cmp"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// truthSize is what TestBatteriesAgainstTruth simulates: a city in small, or, with
// FLEETWATT_TRUTH=full, 240 batteries for longer.
type truthSize struct {
	stations, batteries int
	toldAt, until       int // days
}

func sizeOfTruth() truthSize {
	if os.Getenv("FLEETWATT_TRUTH") == "full" {
		return truthSize{12, 240, 365, 600}
	}
	return truthSize{2, 24, 250, 330}
}

// city is the fleet of the scenario of that name, with its sensors, in small.
func city(s truthSize) simulator.Config {
	return simulator.Config{
		Seed: 3, Start: newYear, Step: 15 * time.Minute, Owners: 2, Sites: 2, Stations: s.stations, Slots: 12, Batteries: s.batteries,
		SwapsPerDay: 20, Dispersion: 1.5, ReadySoC: 0.9,
		Sensors: simulator.Sensors{
			Volts: simulator.Sensor{Noise: 0.01, Offset: 0.02}, Amps: simulator.Sensor{Noise: 0.05, Offset: 0.02},
			Celsius: simulator.Sensor{Noise: 0.1, Offset: 0.3}, SoC: simulator.Sensor{Noise: 0.1},
		},
	}
}

// witness follows a simulated fleet, lets the jobs run over it, and keeps the
// truth of each day.
type witness struct {
	lab   *lab
	fleet *simulator.Fleet
	// offsetA is the standard deviation of the offsets of the current sensors.
	offsetA float64
	step    time.Duration
	day     int                                 // next
	truth   map[string][]simulator.BatteryTruth // at the end of each day
	states  map[string]map[int64]map[string]int // by battery, day and state: readings
	swaps   map[string]map[int64]int            // handed out, by battery and day
}

func watch(t *testing.T, cfg simulator.Config) *witness {
	t.Helper()
	f, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	assets := batteryList{}
	for _, b := range f.Inventory().Batteries {
		assets[b.ID] = b
	}
	return &witness{
		lab: newLab(t, assets, dossier.DefaultRules()), fleet: f, offsetA: cfg.Sensors.Amps.Offset, step: cfg.Step, truth: map[string][]simulator.BatteryTruth{},
		states: map[string]map[int64]map[string]int{}, swaps: map[string]map[int64]int{},
	}
}

// until goes on for some days, and has the jobs run every few nights.
func (w *witness) until(day int) {
	w.lab.t.Helper()
	first := telemetry.DayOf(newYear.UnixMilli())
	var readings []telemetry.Reading
	var events []telemetry.Event
	for ; w.day < day; w.day++ {
		for range int(24 * time.Hour / w.step) {
			w.fleet.Step(func(r telemetry.Reading) {
				if r.Kind == devices.KindBattery {
					r.Values = slices.Clone(r.Values)
					readings = append(readings, r)
					w.saw(r)
				}
			}, func(e telemetry.Event) { events = append(events, e) })
		}
		for _, b := range w.fleet.Truth().Batteries {
			w.truth[b.ID] = append(w.truth[b.ID], b)
		}
		if (w.day+1)%10 != 0 && w.day+1 != day {
			continue
		}
		w.lab.today = first + int64(w.day) + 1
		w.lab.happened(events)
		w.lab.deliver(readings)
		w.lab.run("battery-swaps")
		w.lab.run("battery")
		for _, e := range events {
			w.swapped(e)
		}
		for id := range w.lab.assets { // as far as the jobs look back
			w.lab.store.drop(id, (w.lab.today-1)*telemetry.Day)
		}
		readings, events = nil, nil
	}
}

// saw counts the reading for its state.
func (w *witness) saw(r telemetry.Reading) {
	day := telemetry.DayOf(r.TS)
	if w.states[r.Device] == nil {
		w.states[r.Device] = map[int64]map[string]int{}
	}
	if w.states[r.Device][day] == nil {
		w.states[r.Device][day] = map[string]int{}
	}
	v, _ := r.Get("state")
	w.states[r.Device][day][v.Text]++
}

func (w *witness) swapped(e telemetry.Event) {
	if e.Type != SwapCompleted {
		return
	}
	day := telemetry.DayOf(e.TS)
	for id, n := range countSwaps([]telemetry.Event{e}, day) {
		if w.swaps[id] == nil {
			w.swaps[id] = map[int64]int{}
		}
		w.swaps[id][day] += n.Out
	}
}

// happened appends events, and marks the days of their stations.
func (b *lab) happened(events []telemetry.Event) {
	b.t.Helper()
	if _, err := b.ledger.AppendEvents(b.t.Context(), events); err != nil {
		b.t.Fatal(err)
	}
	var days []telemetry.DeviceDay
	for _, e := range events {
		days = append(days, telemetry.DeviceDay{Kind: e.Kind, Device: e.Device, Day: telemetry.DayOf(e.TS)})
	}
	if err := b.ledger.MarkDirty(b.t.Context(), days); err != nil {
		b.t.Fatal(err)
	}
}

// What the jobs tell of a simulated city, against its truth: capacity within 1 %
// in the median and 3 % for 95 of 100, the order of health as it is, the share of
// time earning and the swaps exactly as the readings and events have them.
func TestBatteriesAgainstTruth(t *testing.T) {
	size := sizeOfTruth()
	w := watch(t, city(size))
	w.until(size.toldAt)
	standings, err := w.lab.ledger.Standings(t.Context())
	if err != nil || len(standings) != size.batteries {
		t.Fatalf("got %d standings, %v, want %d", len(standings), err, size.batteries)
	}
	var off, cycles, scores, truths []float64
	for _, s := range standings {
		if s.HealthScore == nil || s.SoHPct == nil || s.EquivalentFullCycles == nil {
			t.Errorf("%s: %s", s.Device, s.Reason)
			continue
		}
		told := w.truth[s.Device][s.ToldDay-s.First]
		off = append(off, math.Abs(*s.CapacityAh/told.CapacityAh-1))
		scores, truths = append(scores, *s.HealthScore), append(truths, told.SoH)
		now, then := w.truth[s.Device][s.Day-s.First], w.truth[s.Device][0]
		cycles = append(cycles, math.Abs((*s.EquivalentFullCycles)/(now.Cycles-then.Cycles)*float64(s.Day-s.First)/float64(s.Day-s.First+1)-1))
		w.checkUse(t, s)
	}
	slices.Sort(off)
	slices.Sort(cycles)
	n := len(off)
	order := spearman(scores, truths)
	t.Logf("%d batteries after %d days: capacity off by %.2f %% (median), %.2f %% (95th percentile); cycles by %.2f %%, %.2f %%; order of health %.3f",
		n, size.toldAt, 100*off[n/2], 100*off[n*95/100], 100*cycles[n/2], 100*cycles[n*95/100], order)
	if off[n/2] > 0.01 || off[n*95/100] > 0.03 {
		t.Error("the capacity is too far off")
	}
	if cycles[n/2] > 0.02 || cycles[n*95/100] > 0.06 {
		t.Error("the cycles are too far off")
	}
	if order < 0.9 {
		t.Error("the score does not rank batteries as the truth does")
	}
	w.checkOutlook(t, size)
}

// checkUse counts swaps and time anew, from the events and readings themselves.
func (w *witness) checkUse(t *testing.T, s dossier.Standing) {
	t.Helper()
	swaps, earning, all := 0, 0, 0
	for day := s.Day - 29; day <= s.Day; day++ {
		swaps += w.swaps[s.Device][day]
		for state, n := range w.states[s.Device][day] {
			all += n
			if state == "riding" {
				earning += n
			}
		}
	}
	if s.Swaps != swaps {
		t.Errorf("%s: got %d swaps, want %d", s.Device, s.Swaps, swaps)
	}
	// Each reading stands for a quarter of an hour; those at the ends of the 30
	// days may stand for a part of one.
	if want := float64(earning) / float64(all); s.Utilization == nil || math.Abs(*s.Utilization-want) > 1.0/float64(all) {
		t.Errorf("%s: got a utilization of %v, want %v", s.Device, s.Utilization, want)
	}
}

// checkOutlook goes on, and sees when each battery's health falls by a little more
// than it had by then: the remaining life told for that.
func (w *witness) checkOutlook(t *testing.T, size truthSize) {
	t.Helper()
	type told struct {
		id        string
		eol       float64
		low, high float64 // days; NaN: not told
	}
	var all []told
	asked := 0
	asOf := w.lab.today - 1
	for _, id := range slices.Sorted(ids(w.lab.assets)) {
		bias := w.sensorErr(t, id, asOf)
		for _, ahead := range []float64{0.004, 0.008} {
			asked++
			rules := dossier.DefaultRules()
			rules.Degradation.BiasErr = bias
			rules.Outlook.Life.EndOfLife = w.truth[id][size.toldAt-1].SoH - ahead
			a, ok, err := NewBatteryBook(w.lab.ledger, w.lab.assets, rules).Assessment(t.Context(), id, asOf)
			if err != nil || !ok {
				t.Fatalf("%s: %v", id, err)
			}
			if o := a.Outlook; o.OK() && !o.Ended {
				x := told{id, rules.Outlook.Life.EndOfLife, 0, math.Inf(1)}
				since := float64(asOf - a.Report.Day)
				if o.Days.Low != nil {
					x.low = *o.Days.Low - since
				}
				if o.Days.High != nil {
					x.high = *o.Days.High - since
				}
				all = append(all, x)
			}
		}
	}
	w.until(size.until)
	inside, decided := 0, 0
	for _, x := range all {
		end := slices.IndexFunc(w.truth[x.id], func(b simulator.BatteryTruth) bool { return b.SoH < x.eol })
		days := float64(end - size.toldAt + 1)
		switch {
		case end < 0 && x.high > float64(size.until-size.toldAt):
			continue // it may be right yet
		case end >= 0 && days >= x.low && days <= x.high:
			inside++
		}
		decided++
	}
	t.Logf("remaining life: %d of %d questions answered, %d of %d intervals of 90 %% hold the truth", len(all), asked, inside, decided)
	// Both questions of a battery go together, so it is batteries that count.
	share, slack := float64(inside)/float64(max(1, decided)), 2*math.Sqrt(0.9*0.1/float64(size.batteries))
	if decided > 0 && (share < 0.85-slack || share > 0.95+slack) {
		t.Error("too few or too many intervals hold the truth")
	}
}

// sensorErr is what the current sensors of the fleet are declared to be off by, as
// a share of the battery's mean current.
func (w *witness) sensorErr(t *testing.T, id string, asOf int64) float64 {
	t.Helper()
	a, ok, err := NewBatteryBook(w.lab.ledger, w.lab.assets, dossier.DefaultRules()).Assessment(t.Context(), id, asOf)
	if err != nil || !ok || a.Lifetime.MeanChargeRateC == nil || a.Lifetime.MeanDischargeRateC == nil {
		t.Fatalf("%s: %v", id, err)
	}
	mean := (*a.Lifetime.MeanChargeRateC + *a.Lifetime.MeanDischargeRateC) / 2 * w.lab.assets[id].RatedCapacityAh
	return w.offsetA / mean
}

func ids(m batteryList) func(func(string) bool) {
	return func(yield func(string) bool) {
		for id := range m {
			if !yield(id) {
				return
			}
		}
	}
}

// spearman is the correlation of the ranks.
func spearman(a, b []float64) float64 {
	ra, rb := ranks(a), ranks(b)
	mean := float64(len(a)-1) / 2
	var ab, aa, bb float64
	for k := range ra {
		ab += (ra[k] - mean) * (rb[k] - mean)
		aa += (ra[k] - mean) * (ra[k] - mean)
		bb += (rb[k] - mean) * (rb[k] - mean)
	}
	return ab / math.Sqrt(aa*bb)
}

// ranks are from 0 on; those that are equal share the mean of theirs.
func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(i, k int) int { return cmp.Compare(v[i], v[k]) })
	out := make([]float64, len(v))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && v[order[to]] == v[order[from]] {
			to++
		}
		for _, k := range order[from:to] {
			out[k] = float64(from+to-1) / 2
		}
		from = to
	}
	return out
}
