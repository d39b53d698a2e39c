package simulator

import (
	"math"

	"github.com/fleetwatt/fleetwatt/simulator/aging"
)

const (
	zeroC      = 273.15
	referenceK = 298.15
)

// chemistry holds what all packs of one cell chemistry have in common. The
// values are typical of light-vehicle packs; single packs spread around them.
type chemistry struct {
	name     string
	series   int     // cells in series
	ratedAh  float64 //
	nominalV float64 // per cell
	maxV     float64 // per cell, at which the charger holds the voltage
	cutoffV  float64 // per cell, end of discharge
	r0       float64 // Ω per cell, fresh, at 25 °C
	r1       float64 // Ω per cell, of the RC element
	tau      float64 // s, of the RC element
	coulomb  float64 // share of the charge put in that can be taken out
	heat     float64 // J/K of the whole pack
	cooling  float64 // W/K to the surroundings
	law      aging.Law
	wear     float64 // how fast these cells age against those the law was fitted to
	cycles   float64 // that the maker says they last
	years    float64 // the same

	// ocv is the open-circuit voltage of a cell in steps of 1 % from empty to
	// full. Between the points it is linear, so that its integral, the energy
	// in the cell, is known exactly.
	ocv [ocvPoints]float64

	// cold is the factor of the ohmic resistance at coldest, a degree warmer, and
	// so on.
	cold [coldPoints]float64
}

const (
	ocvPoints  = 101
	ocvSteps   = ocvPoints - 1
	coldest    = -60 // °C
	coldPoints = 181
)

// curve is an open-circuit curve from points in steps of 5 %.
func curve(points [21]float64) (all [ocvPoints]float64) {
	const each = ocvSteps / 20
	for i := range all {
		k := min(i/each, 19)
		all[i] = points[k] + (points[k+1]-points[k])*float64(i-k*each)/each
	}
	return all
}

// chill fills in cold: the resistance follows the temperature with 15 kJ/mol.
func (c *chemistry) chill() *chemistry {
	for i := range c.cold {
		c.cold[i] = math.Exp(1800 * (1/(coldest+float64(i)+zeroC) - 1/referenceK))
	}
	return c
}

// coldAt is the factor at a temperature, linear between whole degrees, which is
// less than 1e-4 off.
func (c *chemistry) coldAt(celsius float64) float64 {
	x := clamp(celsius-coldest, 0, coldPoints-1)
	i := min(int(x), coldPoints-2)
	return c.cold[i] + (c.cold[i+1]-c.cold[i])*(x-float64(i))
}

// lfp is a 51.2 V pack of lithium iron phosphate cells: a flat curve with a
// steep rise at either end.
func lfp() *chemistry {
	c := &chemistry{
		name: "LFP", series: 16, ratedAh: 40, nominalV: 3.2, maxV: 3.60, cutoffV: 2.50,
		r0: 1.2e-3, r1: 0.8e-3, tau: 90, coulomb: 0.9985, heat: 16e3, cooling: 1.6,
		law: aging.Naumann{}, wear: 1, cycles: 3000, years: 10,
		ocv: curve([21]float64{
			2.45, 3.05, 3.19, 3.22, 3.24, 3.26, 3.27, 3.28, 3.285, 3.29, 3.293,
			3.296, 3.30, 3.305, 3.315, 3.325, 3.33, 3.333, 3.336, 3.345, 3.60,
		}),
	}
	return c.chill()
}

// nmc is a 72 V pack of nickel manganese cobalt cells: a sloping curve.
func nmc() *chemistry {
	c := &chemistry{
		name: "NMC", series: 20, ratedAh: 35, nominalV: 3.6, maxV: 4.20, cutoffV: 2.80,
		r0: 1.4e-3, r1: 1.0e-3, tau: 60, coulomb: 0.9990, heat: 15e3, cooling: 1.6,
		law: aging.Schmalstieg{}, wear: 0.4, cycles: 1500, years: 8,
		ocv: curve([21]float64{
			2.74, 3.35, 3.45, 3.51, 3.55, 3.58, 3.60, 3.62, 3.64, 3.66, 3.69,
			3.73, 3.78, 3.83, 3.88, 3.93, 3.98, 4.03, 4.07, 4.12, 4.20,
		}),
	}
	return c.chill()
}

func (c *chemistry) ratedV() float64  { return c.nominalV * float64(c.series) }
func (c *chemistry) cutoff() float64  { return c.cutoffV * float64(c.series) }
func (c *chemistry) maximum() float64 { return c.maxV * float64(c.series) }

// openCircuit is the voltage of the resting pack at a state of charge in
// [0, 1].
func (c *chemistry) openCircuit(soc float64) float64 {
	x := clamp(soc, 0, 1) * ocvSteps
	i := min(int(x), ocvSteps-1)
	return (c.ocv[i] + (c.ocv[i+1]-c.ocv[i])*(x-float64(i))) * float64(c.series)
}

// socAt is the lowest state of charge at which the resting pack shows volts.
func (c *chemistry) socAt(volts float64) float64 {
	v := volts / float64(c.series)
	if v <= c.ocv[0] {
		return 0
	}
	for i := range ocvSteps {
		if v <= c.ocv[i+1] {
			return (float64(i) + (v-c.ocv[i])/(c.ocv[i+1]-c.ocv[i])) / ocvSteps
		}
	}
	return 1
}

func clamp(x, low, high float64) float64 { return max(low, min(high, x)) }
