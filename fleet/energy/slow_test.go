package energy

import (
	"math"
	"math/rand/v2"
	"testing"
)

// remembering is noise of variance one, of which each value keeps a share of the
// last.
func remembering(seed uint64, n int, rho float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 11))
	out := make([]float64, n)
	last := rng.NormFloat64()
	for i := range out {
		last = rho*last + math.Sqrt(1-rho*rho)*rng.NormFloat64()
		out[i] = last
	}
	return out
}

func TestSlowSumsHoursToDays(t *testing.T) {
	hours, zero := remembering(1, 8760, 0.99), make([]float64, 8760)
	for i := range hours { // an hour's own noise hides what lasts
		hours[i] += 3 * remembering(uint64(i)+9, 1, 0)[0]
	}
	s := Measure(hours, zero, 0)
	if s.Slow == nil || s.Slow.Rows != 24 || s.Slow.Sums != 365 {
		t.Fatalf("got %+v, want the 365 days", s.Slow)
	}
	if *s.Autocorrelation > 0.2 || s.Slow.Autocorrelation < 0.5 {
		t.Errorf("got ρ %g by the hour and %g by the day, want below 0.2 and above 0.5", *s.Autocorrelation, s.Slow.Autocorrelation)
	}
	if s := Measure(hours[:59], zero[:59], 0); s.Slow != nil {
		t.Errorf("59 rows: got %+v, want nil", s.Slow)
	}
}

// The interval holds a sum of the same noise about nine times in ten, or is
// withheld.
func TestSlowOver(t *testing.T) {
	var none *Slow
	if got := none.Over(365, 0.9); got != 0 {
		t.Errorf("none: got %g, want 0", got)
	}
	for _, rho := range []float64{0, 0.5, 0.8, 0.98} {
		missed, told := 0, 0
		for seed := range uint64(400) {
			noise := remembering(seed, 730, rho)
			mean := 0.0
			for _, x := range noise[:365] {
				mean += x / 365
			}
			level := make([]float64, 365)
			for i := range level {
				level[i] = mean
			}
			plus := Measure(noise[:365], level, 0).Slow.Over(365, 0.9)
			if math.IsInf(plus, 1) {
				continue
			}
			told++
			sum := 0.0
			for _, x := range noise[365:] {
				sum += x - mean
			}
			if math.Abs(sum) > plus {
				missed++
			}
		}
		switch {
		case rho == 0.98 && told > 20:
			t.Errorf("ρ %g: got %d of 400 told, want next to none", rho, told)
		case rho < 0.9 && (told < 300 || missed*100 > told*14):
			t.Errorf("ρ %g: got %d missed of %d told, want about a tenth of 400", rho, missed, told)
		}
	}
}
