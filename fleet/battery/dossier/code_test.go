package dossier

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// anyReadings are some days of readings, with holes and values that are missing.
func anyReadings(t *rapid.T, days int) []Reading {
	var out []Reading
	step := int64(rapid.SampledFrom([]int{60, 300, 900, 1800}).Draw(t, "step")) * 1000
	amps := 0.0
	soc := 80.0
	lost := rapid.IntRange(0, 8).Draw(t, "lost")
	for ts := int64(0); ts < int64(days)*dayMS; ts += step {
		k := ts / step
		if (k/8)%3 == 0 {
			amps = []float64{-10, 0, 12, 0, -20, 0.1}[int(k/24)%6]
		}
		soc = max(0, min(100, soc+amps*float64(step)/3.6e6/40*100))
		if lost > 0 && int(k*7)%(20+lost) < lost {
			continue
		}
		x := Reading{
			Sample:   battery.Sample{TS: ts, VoltageV: 48 + amps/20 + soc/50, CurrentA: amps, SoCPct: math.Round(soc*10) / 10, TemperatureC: 25 + float64(k%40)},
			CellMinV: 3.1, CellMaxV: 3.1 + float64(k%9)/1000, ResistanceMOhm: 40 + float64(k%5), Cycles: float64(k) / 100,
			State: []string{"riding", "charging", "", "parked"}[int(k/5)%4],
		}
		if k%13 == 0 {
			x.SoCPct, x.TemperatureC, x.CellMinV = math.NaN(), math.NaN(), math.NaN()
		}
		out = append(out, x)
	}
	return out
}

func sheet() Sheet {
	return Sheet{Ratings: battery.Ratings{CapacityAh: 40, CutoffVoltageV: 42}, RatedEnergyWh: 2000, Chemistry: "LFP"}
}

func dayOf(readings []Reading, day int64) Day {
	from := slices.IndexFunc(readings, func(x Reading) bool { return x.TS >= startOf(day)-Lookback })
	to := slices.IndexFunc(readings, func(x Reading) bool { return x.TS >= startOf(day+1) })
	if to < 0 {
		to = len(readings)
	}
	return Measure(day, readings[max(0, from):to], sheet(), DefaultRules())
}

// What is stored comes back as it was, byte for byte and value for value.
func TestStoredComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const days = 9
		readings := anyReadings(t, days)
		x, r := New(rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "id")), DefaultRules()
		var points []battery.HealthPoint
		var found []Finding
		for day := range int64(days) {
			d := dayOf(readings, day)
			use, what := d.AppendUse(nil), d.AppendFound(nil)
			again, err := DecodeDay(day, use, what)
			if err != nil {
				t.Fatal(err)
			}
			if got := again.AppendUse(nil); !slices.Equal(got, use) || !slices.Equal(again.AppendFound(nil), what) {
				t.Fatalf("day %d comes back as another", day)
			}
			if diff := cmp.Diff(d.Found, again.Found, cmpopts.EquateNaNs()); diff != "" {
				t.Fatalf("day %d (-stored +back):\n%s", day, diff)
			}
			if p := x.Add(d, sheet(), r); p != nil {
				points = append(points, *p)
			}
			found = append(found, Finding{Day: day, Found: d.Found})
			x.Report(found, points, sheet(), r)
			b := x.Append(nil)
			y, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(y.Append(nil), b) {
				t.Fatalf("the dossier of day %d comes back as another", day)
			}
			x = y // goes on as well
		}
		b := AppendPoints(nil, points)
		if again, err := DecodePoints(b); err != nil || len(again) != len(points) || !slices.Equal(AppendPoints(nil, again), b) {
			t.Fatalf("points come back as others: %v", err)
		}
		today := NewToday(3)
		for _, q := range readings {
			today.Add(q, sheet(), r)
		}
		b = today.Append(nil)
		if again, err := DecodeToday(b); err != nil || !slices.Equal(again.Append(nil), b) {
			t.Fatalf("today comes back as another: %v", err)
		}
		record := x.Standing("b", 3, sheet(), r).Record()
		b = record.Append(nil)
		if again, err := DecodeRecord(record.Day, b); err != nil || !slices.Equal(again.Append(nil), b) {
			t.Fatalf("a record comes back as another: %v", err)
		}
	})
}

// Bytes that are cut off, or are anything, are an error and nothing worse.
func TestCorruptBytes(t *testing.T) {
	decoders := map[string]func([]byte) error{
		"day":     func(b []byte) error { _, err := DecodeDay(1, b, b); return err },
		"found":   func(b []byte) error { _, err := DecodeFound(b); return err },
		"dossier": func(b []byte) error { _, err := Decode(b); return err },
		"points":  func(b []byte) error { _, err := DecodePoints(b); return err },
		"today":   func(b []byte) error { _, err := DecodeToday(b); return err },
		"record":  func(b []byte) error { _, err := DecodeRecord(1, b); return err },
	}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
		if len(b) > 0 && rapid.Bool().Draw(t, "right layout") {
			b[0] = layout
		}
		for name, decode := range decoders {
			if err := decode(b); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: got %v, want ErrCorrupt", name, err)
			}
		}
	})
	whole := New("b").Append(nil)
	for k := range whole {
		if err := decoders["dossier"](whole[:k]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut off at %d of %d: got %v, want ErrCorrupt", k, len(whole), err)
		}
	}
	if err := decoders["dossier"](append(whole, 0)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte too many: got %v, want ErrCorrupt", err)
	}
}

// The days add up to what all readings at once say: what is found is found once,
// whichever midnight it goes over.
func TestDaysAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const days = 5
		readings := anyReadings(t, days)
		r := DefaultRules()
		terms := r.terms(sheet())
		var total, whole battery.Usage
		var samples []battery.Sample
		for _, x := range readings {
			whole.Add(x.Sample, terms)
			samples = append(samples, x.Sample)
		}
		var got []battery.Capacity
		for day := range int64(days) {
			d := dayOf(readings, day)
			total.Join(d.Usage, terms)
			got = append(got, d.Capacities...)
		}
		for _, p := range [][2]float64{{total.InAh, whole.InAh}, {total.OutWh, whole.OutWh}, {total.CoveredS, whole.CoveredS}} {
			if math.Abs(p[0]-p[1]) > 1e-5*(1+p[1]) {
				t.Fatalf("got %v in all, want %v", p[0], p[1])
			}
		}
		for _, want := range battery.Capacities(samples, sheet().Ratings, r.Measure) {
			if want.To+int64(1000*r.Measure.MaxGapS) >= days*dayMS || want.To-want.From > Lookback/2 {
				continue // not over yet, or longer than is looked back on
			}
			n := 0
			for _, c := range got {
				if c.From == want.From && c.To == want.To && c.Method == want.Method && math.Abs(c.CapacityAh/want.CapacityAh-1) < 1e-6 {
					n++
				}
			}
			if n != 1 {
				t.Fatalf("%s from %d to %d was found %d times by day", want.Method, want.From, want.To, n)
			}
		}
	})
}

// A rest over several midnights is one rest.
func TestRestOverMidnight(t *testing.T) {
	var readings []Reading
	soc := 80.0
	for ts := int64(6 * 3600_000); ts < 6*dayMS; ts += 3600_000 {
		x := Reading{Sample: battery.Sample{TS: ts, VoltageV: 50, SoCPct: soc, TemperatureC: 20}, CellMinV: math.NaN(), CellMaxV: math.NaN(), ResistanceMOhm: math.NaN(), Cycles: math.NaN()}
		if ts < 8*3600_000 || ts > 5*dayMS {
			x.CurrentA = -10
		}
		soc -= 0.01
		readings = append(readings, x)
	}
	x := New("b")
	for day := range int64(6) {
		x.Add(dayOf(readings, day), sheet(), DefaultRules())
	}
	if len(x.Rests) != 1 {
		t.Fatalf("got %d rests, want 1", len(x.Rests))
	}
	got := x.Rests[0]
	// It rests from 8:00 on the first day, settles for an hour, and ends at the
	// last midnight.
	if got.From != 9*3600_000 || got.To != 5*dayMS {
		t.Errorf("got a rest from %d to %d, want %d to %d", got.From, got.To, 9*3600_000, 5*dayMS)
	}
	if rate := (got.FromPct - got.ToPct) / float64(got.To-got.From) * dayMS; math.Abs(rate-0.24) > 1e-3 {
		t.Errorf("got %v %% a day, want 0.24", rate)
	}
}
