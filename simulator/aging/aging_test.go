package aging

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

func TestLawsMatchPublishedNumbers(t *testing.T) {
	const year = 365 * daySeconds
	for _, c := range []struct {
		name string
		got  float64
		want float64
		tol  float64
	}{
		{"naumann: one year at 25 °C and 50 %", NaumannCalendar(25, 0.5) * math.Sqrt(year), 0.042516, 1e-6},
		{"naumann: 1,000 cycles, 0.5C, depth 0.7", NaumannCyclic(0.5, 0.7) * math.Sqrt(1000), 0.044584, 1e-6},
		{"naumann: resistance of one year", NaumannResistanceCalendar(25, 0.5) * year, 0.016826, 1e-6},
		{"naumann: resistance per cycle, 0.5C, depth 0.5", NaumannResistanceCyclic(0.5, 0.5), 0.0011 * 0.91882 / 100, 1e-12},
		{"schmalstieg: 35 °C, 3.7 V", SchmalstiegCalendar(3.7, 35), 0.00061277, 1e-8},
		{"schmalstieg: least cycling", SchmalstiegCyclic(3.667, 1), 0.004841, 1e-12},
		{"schmalstieg: resistance at 35 °C, 3.7 V", SchmalstiegResistanceCalendar(3.7, 35), 0.0011637, 1e-7},
		{"schmalstieg: resistance per Ah", SchmalstiegResistanceCyclic(3.725, 1), 0.00026459, 1e-12},
	} {
		if !near(c.got, c.want, c.tol) {
			t.Errorf("%s: got %.9f want %v", c.name, c.got, c.want)
		}
	}
}

func TestAdvanceInPartsEqualsAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		power := rapid.SampledFrom([]float64{0.5, 0.75, 1}).Draw(t, "power")
		k := rapid.Float64Range(1e-8, 1e-2).Draw(t, "k")
		parts := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 1, 20).Draw(t, "parts")
		y, total := 0.0, 0.0
		for _, dx := range parts {
			y = Advance(y, k, power, dx)
			total += dx
		}
		if want := k * math.Pow(total, power); !near(y, want, 1e-9*want) {
			t.Fatalf("got %v want %v", y, want)
		}
	})
}

// A law never gives back capacity, whatever a pack goes through, and wears
// faster with more wear.
func TestLossOnlyGrows(t *testing.T) {
	for name, law := range map[string]Law{"naumann": Naumann{}, "schmalstieg": Schmalstieg{}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				var slow, fast State
				for range rapid.IntRange(1, 30).Draw(t, "stretches") {
					x := Stress{
						Seconds: rapid.Float64Range(0, 1e6).Draw(t, "seconds"),
						Celsius: rapid.Float64Range(-20, 60).Draw(t, "celsius"),
						SoC:     rapid.Float64Range(0, 1).Draw(t, "soc"),
						Volts:   rapid.Float64Range(2.5, 4.2).Draw(t, "volts"),
						FEC:     rapid.Float64Range(0, 20).Draw(t, "fec"),
						Rate:    rapid.Float64Range(0, 3).Draw(t, "rate"),
						Depth:   rapid.Float64Range(0, 1).Draw(t, "depth"),
					}
					x.RMS = x.Volts
					next := law.After(slow, x, 1)
					if next.CalendarLoss < slow.CalendarLoss || next.CyclicLoss < slow.CyclicLoss || next.Gain() < slow.Gain() {
						t.Fatalf("%+v became %+v", slow, next)
					}
					slow, fast = next, law.After(fast, x, 1.3)
				}
				if fast.Loss() < slow.Loss() {
					t.Fatalf("a wear of 1.3 lost %v, one of 1 lost %v", fast.Loss(), slow.Loss())
				}
			})
		})
	}
}
