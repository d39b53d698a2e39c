// Package aging holds published laws of how lithium-ion cells lose capacity and
// gain resistance, as pure functions, and brings a cell's losses forward under
// changing conditions. It knows nothing of packs, fleets or readings.
package aging

import "math"

const (
	gasConstant  = 8.314  // J/(mol·K), as Naumann's capacity law was fitted
	gasConstant4 = 8.3144 // J/(mol·K), as the resistance law was
	zeroC        = 273.15
	referenceK   = 298.15 // 25 °C
	daySeconds   = 86400
)

// Stress is how a cell was treated over a stretch of time.
type Stress struct {
	Seconds float64
	Celsius float64 // mean
	SoC     float64 // mean, 0…1
	Volts   float64 // mean at rest, of the cell
	RMS     float64 // root mean square of the same
	FEC     float64 // full equivalent cycles: charge moved over twice the rated one
	Rate    float64 // mean current while there is one, over the rated charge in an hour, 1/h
	Depth   float64 // of the cycles, 0…1
}

// State is what ageing has done to a cell: shares of its first capacity that
// are lost, and of its first resistance that were gained.
type State struct {
	CalendarLoss, CyclicLoss float64
	CalendarGain, CyclicGain float64
}

// Loss is the share of capacity lost in all.
func (s State) Loss() float64 { return s.CalendarLoss + s.CyclicLoss }

// Gain is the share by which the resistance grew in all.
func (s State) Gain() float64 { return s.CalendarGain + s.CyclicGain }

// Law brings a state forward through a stretch of stress. wear, about 1, is how
// fast this cell ages against the law.
type Law interface {
	After(s State, x Stress, wear float64) State
}

// Advance carries y = k·x^power on by dx under a new k: it finds the x at which
// this k would have led to y, and goes on from there (virtual time). A k of 0
// or less leaves y as it is. Taking dx in parts gives the same as at once.
func Advance(y, k, power, dx float64) float64 {
	if k <= 0 || dx <= 0 {
		return y
	}
	switch power {
	case 1:
		return y + k*dx
	case 0.5:
		x := y / k
		return max(y, k*math.Sqrt(x*x+dx))
	}
	// Rounding must not give back what was lost.
	return max(y, k*math.Pow(math.Pow(y/k, 1/power)+dx, power))
}

func cube(x float64) float64 { return x * x * x }
