package simulator

import (
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// Breakdowns say how often stations fail. Both kinds come as a Poisson process
// and last an exponentially distributed time.
type Breakdowns struct {
	StationPerYear float64 `yaml:"station_per_year"` // outages of a whole station
	StationHours   float64 `yaml:"station_hours"`    // their mean length
	SlotPerYear    float64 `yaml:"slot_per_year"`    // faults of one slot
	SlotHours      float64 `yaml:"slot_hours"`       // their mean length
}

// failing is the process of one part that works and fails in turn.
type failing struct {
	down     bool
	changeMS int64
}

// step moves the process on to nowMS and reports whether it changed. A part
// that never fails has perYear 0.
func (f *failing) step(nowMS int64, perYear, hours float64, rng *rand.Rand) bool {
	if perYear <= 0 {
		return false
	}
	if f.changeMS == 0 {
		f.changeMS = nowMS + draw.Wait(rng, perYear)
	}
	if nowMS < f.changeMS {
		return false
	}
	f.down = !f.down
	wait := draw.Wait(rng, perYear)
	if f.down {
		wait = int64(rng.ExpFloat64() * hours * 3600e3)
	}
	f.changeMS = nowMS + 1 + wait
	return true
}
