package battery

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

// nasaCycles reads B0005's discharges, one slice a cycle, the time of each
// starting at zero.
func nasaCycles(t testing.TB) [][]Sample {
	t.Helper()
	f, err := os.Open(measured.File(t, "battery", "nasa", "B0005_discharge_raw.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	if _, err := r.Read(); err != nil { // cycle,time_s,voltage_v,current_a,temperature_c,…
		t.Fatal(err)
	}
	var cycles [][]Sample
	for {
		row, err := r.Read()
		if err == io.EOF {
			return cycles
		}
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(row[0])
		if n > len(cycles) {
			cycles = append(cycles, nil)
		}
		num := func(i int) float64 {
			v, err := strconv.ParseFloat(row[i], 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		cycles[n-1] = append(cycles[n-1], Sample{
			TS: int64(math.Round(num(1) * 1000)), VoltageV: num(2), CurrentA: num(3), TemperatureC: num(4), SoCPct: math.NaN(),
		})
	}
}

// laidOut puts the cycles one after the other, each start a spacing after the
// one before.
func laidOut(cycles [][]Sample, spacingMS int64) []Sample {
	var all []Sample
	for n, c := range cycles {
		for _, s := range c {
			s.TS += 1_200_000_000_000 + int64(n)*spacingMS
			all = append(all, s)
		}
	}
	return all
}

// The published capacities of NASA's B0005, all 168 cycles, to 2e-5: the table
// is reached by the trapezoidal rule to the cut-off voltage of 2.7 V.
func TestCapacitiesNASA(t *testing.T) {
	cycles, want := nasaCycles(t), measured.NASACapacities(t, "B0005")
	tests := []struct {
		name    string
		spacing int64
		ratings Ratings
		method  Method
	}{
		{"six hours apart", 6 * 3600_000, Ratings{CapacityAh: 2, CutoffVoltageV: 2.7}, FullDischarge},
		{"a minute between the end of one and the next", 3_750_000, Ratings{CapacityAh: 2, CutoffVoltageV: 2.7}, FullDischarge},
		{"rated capacity unknown", 6 * 3600_000, Ratings{CutoffVoltageV: 2.7}, FullDischarge},
		{"cut-off unknown", 6 * 3600_000, Ratings{}, DischargeToRest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Capacities(laidOut(cycles, tt.spacing), tt.ratings, DefaultRules())
			if len(got) != len(want) {
				t.Fatalf("got %d cycles, want %d", len(got), len(want))
			}
			worst, below := 0.0, 0
			for n, c := range got {
				if c.Method != tt.method {
					t.Fatalf("cycle %d: got method %s, want %s", n+1, c.Method, tt.method)
				}
				worst = max(worst, math.Abs(c.CapacityAh/want[n]-1))
				if below == 0 && c.CapacityAh < 1.4 {
					below = n + 1
				}
			}
			if worst > 2e-5 {
				t.Errorf("worst relative error %.2g, want at most 2e-5", worst)
			}
			if below != 125 {
				t.Errorf("first cycle below 1.4 Ah is %d, want 125", below)
			}
			t.Logf("worst relative error over %d cycles: %.3g", len(got), worst)
		})
	}
}

func TestAssessNASA(t *testing.T) {
	got := Assess(Capacities(laidOut(nasaCycles(t), 6*3600_000), Ratings{2, 2.7}, DefaultRules()), 2)
	if got.Status != HealthOK || math.Abs(*got.SoHPct-1.325079/2*100) > 0.01 {
		b, _ := json.Marshal(got)
		t.Errorf("got %s, want a state of health of 66.25 %%", b)
	}
}

// bench makes samples every step seconds from pieces of constant current; a
// piece's state of charge runs from its soc to the next one's.
type piece struct {
	hours, amps, soc float64
}

func bench(step float64, pieces ...piece) []Sample {
	var out []Sample
	t := 0.0
	for n, p := range pieces[:len(pieces)-1] {
		end := t + p.hours*3600
		for s := t; s < end-1e-6; s += step {
			x := (s - t) / (end - t)
			out = append(out, Sample{
				TS: int64(s * 1000), CurrentA: p.amps, TemperatureC: 25,
				SoCPct:   p.soc + (pieces[n+1].soc-p.soc)*x,
				VoltageV: 40 + (p.soc+(pieces[n+1].soc-p.soc)*x)/10, // 40 V empty, 50 V full
			})
		}
		t = end
	}
	return out
}

// with changes one sample.
func with(samples []Sample, at int, change func(*Sample)) []Sample {
	change(&samples[at])
	return samples
}

func TestCapacitiesRules(t *testing.T) {
	rated := Ratings{CapacityAh: 10, CutoffVoltageV: 40.05} // reached just before 0 %
	noSoC := func(s []Sample) []Sample {
		for i := range s {
			s[i].SoCPct = math.NaN()
		}
		return s
	}
	tests := []struct {
		name    string
		samples []Sample
		want    map[Method]int
		ah      float64 // of each; relative tolerance 1 %
	}{
		{"full discharge from rest at full", bench(10, piece{1, 0, 100}, piece{2, -5, 100}, piece{1, 0, 0}, piece{0, 0, 0}),
			map[Method]int{FullDischarge: 1, SoCWindow: 1}, 10},
		{"a discharge from half is only a window", bench(10, piece{1, 0, 50}, piece{1, -5, 50}, piece{1, 0, 0}, piece{0, 0, 0}),
			map[Method]int{SoCWindow: 1}, 10},
		{"without a state of charge a discharge from rest counts", noSoC(bench(10, piece{1, 0, 100}, piece{2, -5, 100}, piece{1, 0, 0}, piece{0, 0, 0})),
			map[Method]int{FullDischarge: 1}, 10},
		{"not seen to start, no state of charge", noSoC(bench(10, piece{2, -5, 100}, piece{1, 0, 0}, piece{0, 0, 0})), nil, 0},
		{"broken off by a charge", bench(10, piece{1, 0, 100}, piece{0.6, -5, 100}, piece{0.5, 5, 70}, piece{1, 0, 95}, piece{0, 0, 95}), nil, 0},
		{"a pause under way", bench(10, piece{1, 0, 100}, piece{1, -5, 100}, piece{2, 0, 50}, piece{1, -5, 50}, piece{1, 0, 0}, piece{0, 0, 0}),
			map[Method]int{FullDischarge: 1, SoCWindow: 2}, 10},
		{"quarter-hourly charge", bench(900, piece{1, 0, 20}, piece{3, 2.5, 20}, piece{1, 0, 95}, piece{0, 0, 95}),
			map[Method]int{SoCWindow: 1}, 10},
		{"a dip of the voltage at rest is no end", with(bench(10, piece{1, 0, 100}, piece{0.5, -5, 100}, piece{1, 0, 75}, piece{0, 0, 75}), 700, func(s *Sample) { s.VoltageV = 0 }), nil, 0},
		{"a sag under load far from empty is no end", with(bench(10, piece{1, 0, 100}, piece{0.5, -5, 100}, piece{1, 0, 75}, piece{0, 0, 75}), 450, func(s *Sample) { s.VoltageV = 38 }), nil, 0},
		{"pulses of an empty battery are no discharges", noSoC(bench(10, piece{1, 0, 100}, piece{2, -5, 100}, piece{0.1, 0, 0}, piece{0.01, -5, 0}, piece{0.5, 0, 0}, piece{0.01, -5, 0}, piece{0.5, 0, 0}, piece{0, 0, 0})),
			map[Method]int{FullDischarge: 1}, 10},
		{"braking returns a little", with(bench(10, piece{1, 0, 100}, piece{2, -5, 100}, piece{1, 0, 0}, piece{0, 0, 0}), 600, func(s *Sample) { s.CurrentA = 5 }),
			map[Method]int{FullDischarge: 1, SoCWindow: 1}, 10},
		{"a state of charge that is corrected on the way", with(bench(10, piece{1, 0, 100}, piece{1, -5, 100}, piece{1, 0, 50}, piece{0, 0, 50}), 500, func(s *Sample) { s.SoCPct = 20 }), nil, 0},
		{"a state of charge that moves the wrong way", bench(10, piece{1, 0, 30}, piece{1, -5, 30}, piece{1, 0, 80}, piece{0, 0, 80}), nil, 0},
		{"too small a window", bench(900, piece{1, 0, 20}, piece{1.5, 2.5, 20}, piece{1, 0, 57.5}, piece{0, 0, 57.5}), nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[Method]int{}
			for _, c := range Capacities(tt.samples, rated, DefaultRules()) {
				got[c.Method]++
				if math.Abs(c.CapacityAh/tt.ah-1) > 0.01 {
					t.Errorf("%s: got %.3f Ah, want %.3f", c.Method, c.CapacityAh, tt.ah)
				}
			}
			for _, m := range []Method{FullDischarge, SoCWindow, DischargeToRest} {
				if got[m] != tt.want[m] {
					t.Errorf("%s: got %d, want %d", m, got[m], tt.want[m])
				}
			}
		})
	}
}

func TestGapBreaksADischarge(t *testing.T) {
	s := bench(10, piece{1, 0, 100}, piece{2, -5, 100}, piece{1, 0, 0}, piece{0, 0, 0})
	cut := append([]Sample{}, s[:400]...) // half an hour is missing under load
	cut = append(cut, s[580:]...)
	for _, c := range Capacities(cut, Ratings{10, 40.05}, DefaultRules()) {
		if c.Method == FullDischarge {
			t.Errorf("got a full discharge over a gap of %v s", c.MaxGapSeconds)
		}
	}
}

func TestAssess(t *testing.T) {
	window := func(ah float64) Capacity { return Capacity{Method: SoCWindow, CapacityAh: ah, To: 7} }
	tests := []struct {
		name     string
		measured []Capacity
		rated    float64
		status   HealthStatus
		ah       float64
		stdErr   float64
	}{
		{"nothing measured", nil, 10, HealthInsufficient, 0, 0},
		{"median of windows", []Capacity{window(9), window(10), window(14)}, 20, HealthOK, 10, 1.0728},
		{"a full discharge beats windows", []Capacity{{Method: FullDischarge, CapacityAh: 8, StdErrAh: 0.1}, window(9)}, 10, HealthOK, 8, 0.1},
		{"an old full discharge gives way to windows", []Capacity{{Method: FullDischarge, CapacityAh: 12, To: -61 * 24 * 3600 * 1000}, window(9)}, 10, HealthOK, 9, 0},
		{"no rating", []Capacity{window(9)}, 0, HealthInsufficient, 9, 0},
		{"a discharge to rest is no capacity", []Capacity{{Method: DischargeToRest, CapacityAh: 3}}, 10, HealthInsufficient, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Assess(tt.measured, tt.rated)
			if got.Status != tt.status {
				t.Errorf("got status %s (%s), want %s", got.Status, got.Reason, tt.status)
			}
			if tt.ah == 0 {
				if got.CapacityAh != nil {
					t.Errorf("got a capacity of %v, want none", *got.CapacityAh)
				}
				return
			}
			if *got.CapacityAh != tt.ah {
				t.Errorf("got %v Ah, want %v", *got.CapacityAh, tt.ah)
			}
			if tt.stdErr > 0 && math.Abs(*got.StdErrAh-tt.stdErr) > 1e-4 {
				t.Errorf("got a standard error of %v, want %v", *got.StdErrAh, tt.stdErr)
			}
			if (got.Status != HealthOK) != (got.Reason != "") {
				t.Errorf("status %s with reason %q", got.Status, got.Reason)
			}
		})
	}
}

// A gauge that falls from full to nothing with the first load gives no capacity,
// which would be endless.
func TestCapacityOfAGaugeThatFalls(t *testing.T) {
	s := []Sample{
		{TS: 0, VoltageV: 54, SoCPct: 100, TemperatureC: 25},
		{TS: 1000, VoltageV: 50, CurrentA: -10, SoCPct: 0, TemperatureC: 25},
		{TS: 901_000, VoltageV: 40, CurrentA: -10, SoCPct: 0, TemperatureC: 25},
		{TS: 902_000, VoltageV: 44, SoCPct: 0, TemperatureC: 25},
	}
	for _, c := range Capacities(s, Ratings{CapacityAh: 10, CutoffVoltageV: 42}, DefaultRules()) {
		if math.IsInf(c.CapacityAh, 0) || math.IsNaN(c.CapacityAh) {
			t.Errorf("got %+v", c)
		}
	}
}
