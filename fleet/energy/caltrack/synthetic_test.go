package caltrack

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// synthetic are days of a building with both heating and cooling, and noise.
func synthetic(days int, noise float64) []energy.Row {
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for d := range days {
		temp := 55 - 30*math.Cos(2*math.Pi*float64(d)/365) + 5*rng.NormFloat64()
		use := 20 + 1.5*max(58-temp, 0) + 2.5*max(temp-68, 0) + noise*rng.NormFloat64()
		rows = append(rows, energy.Row{
			Start: start.AddDate(0, 0, d), End: start.AddDate(0, 0, d+1), Use: use, TempF: temp, TempCoverage: 1,
		})
	}
	return rows
}
