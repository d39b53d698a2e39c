package battery_test

import (
	"fmt"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Days are counted apart, stored, and joined when they are asked for.
func ExampleUsage_Join() {
	terms := battery.Terms{
		Ratings: battery.Ratings{CapacityAh: 40}, Rules: battery.DefaultRules(), Limits: battery.DefaultLimits(),
	}
	const minute = 60_000
	leg := func(from int64, minutes int, amps, soc float64) []battery.Sample {
		var out []battery.Sample
		for k := range minutes {
			out = append(out, battery.Sample{
				TS: from + int64(k)*minute, VoltageV: 51, CurrentA: amps, TemperatureC: 25, SoCPct: soc + amps/40*100/60*float64(k),
			})
		}
		return out
	}
	// 20 A out for an hour and a half before midnight, and in again after it.
	before := battery.Measure(leg(0, 90, -20, 90), terms)
	after := battery.Measure(leg(90*minute, 90, 20, 15), terms)
	before.Join(after, terms)
	r := before.Report(0, 180*minute, terms.Ratings)
	fmt.Printf("%.1f Ah moved, %.2f equivalent full cycles, %.0f%% of the time seen\n", r.ChargeAh, *r.EquivalentFullCycles, *r.Coverage*100)
	// Output: 59.5 Ah moved, 0.74 equivalent full cycles, 99% of the time seen
}

func ExampleRainflow() {
	var r battery.Rainflow
	closed := func(c battery.Cycle) { fmt.Printf("a cycle of %g\n", c.Range) }
	for at, v := range []float64{-2, 1, -3, 5, -1, 3, -4, 4, -2} {
		r.Push(int64(at), v, closed)
	}
	fmt.Println(len(r.Residue()), "halves are open")
	// Output:
	// a cycle of 4
	// 6 halves are open
}
