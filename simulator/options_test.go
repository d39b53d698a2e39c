package simulator

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// A retrofit saves its share of what the building uses, and nothing before its
// day.
func TestRetrofitSavesItsShare(t *testing.T) {
	cfg := Config{Seed: 2, Start: start(), Step: time.Hour, Owners: 1, Sites: 1, Buildings: 2}
	cfg.Retrofits = []Retrofit{{Building: 1, At: start().AddDate(0, 0, 100), Share: 0.2}}
	f := newFleet(t, cfg)
	run(f, 100*24, nil, nil)
	before := f.Truth().Buildings
	for _, b := range before {
		if b.SavedWh != 0 || b.SavedGasWh != 0 || b.KeptOfUse != 1 {
			t.Errorf("before the retrofit: %+v", b)
		}
	}
	run(f, 265*24, nil, nil)
	after := f.Truth().Buildings
	plain, gas := after[0].PlainWh-before[0].PlainWh, after[0].PlainGasWh-before[0].PlainGasWh
	if got := after[0].SavedGasWh / gas; !near(got, 0.2, 1e-9) {
		t.Errorf("saved %v of the gas, want 0.2", got)
	}
	// With panels on the roof less is imported than used, so the share of the
	// import is a little higher.
	if got := after[0].SavedWh / plain; got < 0.2 || got > 0.3 {
		t.Errorf("saved %v of the import, want 0.2 and a little more", got)
	}
	if after[1].SavedWh != 0 {
		t.Errorf("the other building saved %v Wh", after[1].SavedWh)
	}
}

// A pack beyond its knee loses capacity faster; all others stay as they are.
func TestKnee(t *testing.T) {
	capacity := func(share float64) (total, knee float64) {
		cfg := Demo(4, start())
		cfg.Step, cfg.KneeShare = time.Hour, share
		cfg.Owners, cfg.Sites, cfg.Stations, cfg.Batteries = 1, 1, 1, 12
		f := newFleet(t, cfg)
		run(f, 365*24, nil, nil)
		for _, b := range f.Truth().Batteries {
			total += b.CapacityAh
			knee += b.KneeLoss
		}
		return total, knee
	}
	plain, none := capacity(0)
	kneed, some := capacity(1)
	if none != 0 || some == 0 || kneed >= plain {
		t.Errorf("got %v Ah and %v without, %v Ah and %v with knees", plain, none, kneed, some)
	}
}

// Sensors err as configured, and change nothing but the readings.
func TestSensorsErrAsConfigured(t *testing.T) {
	read := func(s Sensors) (volts []float64, truth Truth) {
		cfg := Demo(8, start())
		cfg.Sensors = s
		f := newFleet(t, cfg)
		run(f, 96*5, func(r telemetry.Reading) {
			if r.Kind == devices.KindBattery {
				v, _ := r.Num("voltage_v")
				volts = append(volts, v)
			}
		}, nil)
		return volts, f.Truth()
	}
	want, truth := read(Sensors{})
	got, same := read(Sensors{Volts: Sensor{Noise: 0.3}, Amps: Sensor{Offset: 1}})
	if diff := cmp.Diff(truth, same); diff != "" {
		t.Fatalf("the truth changed: %s", diff)
	}
	var sum, square float64
	for i := range want {
		d := got[i] - want[i]
		sum += d
		square += d * d
	}
	n := float64(len(want))
	if sd := math.Sqrt(square / n); math.Abs(sum/n) > 0.01 || math.Abs(sd-0.3) > 0.01 {
		t.Errorf("errors of mean %.4f and deviation %.4f, want 0 and 0.3", sum/n, sd)
	}
}

// A station that is down swaps nothing, and says so.
func TestBreakdowns(t *testing.T) {
	cfg := Demo(3, start())
	cfg.Breakdowns = Breakdowns{StationPerYear: 50, StationHours: 12, SlotPerYear: 20, SlotHours: 24}
	f := newFleet(t, cfg)
	told := map[string]int{}
	down, faults := 0, 0.0
	const steps = 60 * 96
	run(f, steps, func(r telemetry.Reading) {
		if r.Kind != devices.KindStation {
			return
		}
		if s, _ := r.Get("state"); s.Text == "out_of_service" {
			down++
			if p, _ := r.Num("power_w"); p > 4*12*2000 {
				t.Errorf("%s draws %v W", r.Device, p)
			}
		}
		n, _ := r.Num("slots_fault")
		faults += n
	}, func(e telemetry.Event) { told[e.Type]++ })
	var hours float64
	for _, s := range f.Truth().Stations {
		hours += s.Down.Hours()
	}
	if got := float64(down) / 4; math.Abs(got-hours) > 10 {
		t.Errorf("out of service for %.1f h by the readings, %.1f h in truth", got, hours)
	}
	// 4 stations for 60 days: 33 outages of 12 h expected.
	if hours < 100 || hours > 900 || faults == 0 {
		t.Errorf("%.0f h down and %v readings of slots out of order", hours, faults)
	}
	if open, closed := told["fault.opened"], told["fault.closed"]; open == 0 || closed > open || open-closed > 4+48 {
		t.Errorf("told of %d faults opened and %d closed", open, closed)
	}
}

// A file of temperature is followed, and its year left when it ends.
func TestWeatherFromAFile(t *testing.T) {
	cfg := Config{Seed: 2, Start: start(), Step: time.Hour, Owners: 1, Sites: 1, Buildings: 1}
	cfg.Weather = &Series{Start: start(), Step: time.Hour, Celsius: []float64{-3, -1, 4, 4, 4}}
	var got []float64
	run(newFleet(t, cfg), 6, func(r telemetry.Reading) {
		c, _ := r.Num("outdoor_c")
		got = append(got, c)
	}, nil)
	if diff := cmp.Diff([]float64{-1, 4, 4, 4}, got[:4]); diff != "" {
		t.Error(diff)
	}
	if got[5] == 4 {
		t.Errorf("after the file ended: %v", got)
	}
}

func TestTimeOfUse(t *testing.T) {
	tariff := TimeOfUse(10, 20, 30)
	for hour, want := range map[float64]float64{0: 10, 6.99: 10, 7: 20, 16.5: 20, 17: 30, 20.9: 30, 21: 20, 23.5: 10} {
		if got := tariff.cost(clock{hour: hour}, 1000); got != want {
			t.Errorf("at %v h: got %v want %v", hour, got, want)
		}
	}
}

// A station that waits for cheap hours pays less for a kilowatt-hour and serves
// as many riders, within one in a hundred.
func TestReserveMovesChargesToCheapHours(t *testing.T) {
	year := func(reserve int) (price float64, swaps, refusals int) {
		cfg := Demo(5, start())
		cfg.Tariff, cfg.Reserve, cfg.Batteries = TimeOfUse(10, 20, 40), reserve, 90
		f := newFleet(t, cfg)
		run(f, 96*120, nil, nil)
		var wh, cost float64
		for _, s := range f.Truth().Stations {
			wh, cost = wh+s.DrawnWh, cost+s.Cost
			swaps, refusals = swaps+s.Swaps, refusals+s.Refusals
		}
		return 1000 * cost / wh, swaps, refusals
	}
	plain, swaps, _ := year(0)
	thrifty, served, _ := year(4)
	if thrifty > 0.95*plain {
		t.Errorf("got %v a kWh with a reserve, %v without, want it cheaper", thrifty, plain)
	}
	if served < swaps*99/100 {
		t.Errorf("got %d swaps with a reserve, %d without", served, swaps)
	}
	t.Logf("%.2f a kWh and %d swaps with a reserve, %.2f and %d without", thrifty, served, plain, swaps)
}
