package simulator

import "math"

const (
	gasConstant = 8.314 // J/(mol·K)
	zeroC       = 273.15
	referenceK  = 298.15
)

// ageing is a law of capacity loss. Both parts grow with the square root of
// what drives them; the factor depends on how the battery is treated.
type ageing interface {
	// calendar is the loss per square root of a second at rest, as a share of
	// the first capacity.
	calendar(celsius, soc float64) float64
	// cyclic is the loss per square root of a full equivalent cycle, as a share
	// of the first capacity, at a mean rate in 1/h and a depth of discharge in
	// [0, 1].
	cyclic(rate, depth float64) float64
}

// naumann is the ageing of LFP-graphite cells.
//
// Calendar: Naumann et al., J. Energy Storage 17 (2018) 153:
//
//	1.2571e-5 · exp(−17126/R·(1/T − 1/298.15)) · (2.8575·(z−0.5)³ + 0.60225) · √t
//
// with t in s. Cyclic: Naumann et al., J. Power Sources 451 (2020) 227666:
//
//	(0.0630·C + 0.0971) · (4.0253·(D−0.6)³ + 1.0923) · √FEC / 100
//
// One year at 25 °C and half charge costs 0.042516; 1,000 full cycles at 0.5C
// and a depth of 0.7 cost 0.044584.
type naumann struct{}

func (naumann) calendar(celsius, soc float64) float64 {
	k := math.Exp(-17126 / gasConstant * (1/(celsius+zeroC) - 1/referenceK))
	return 1.2571e-5 * k * (2.8575*cube(soc-0.5) + 0.60225)
}

func (naumann) cyclic(rate, depth float64) float64 {
	return (0.0630*rate + 0.0971) * (4.0253*cube(depth-0.6) + 1.0923) / 100
}

// simpleNMC is a placeholder with the shape, not the fit, of a published law:
// 4 % in the first year at 25 °C and half charge, doubling with each 12 K or
// so (50 kJ/mol) and rising in proportion to 0.5 + z; 5 % in the first 500
// full cycles at 0.5C and full depth, falling to half of it for shallow cycles.
type simpleNMC struct{}

func (simpleNMC) calendar(celsius, soc float64) float64 {
	k := math.Exp(-50e3 / gasConstant * (1/(celsius+zeroC) - 1/referenceK))
	return 0.04 / math.Sqrt(yearSeconds) * k * (0.5 + soc)
}

func (simpleNMC) cyclic(rate, depth float64) float64 {
	return 0.05 / math.Sqrt(500) * (0.75 + 0.5*rate) * (0.5 + 0.5*depth)
}

const yearSeconds = 365 * 86400

// advance carries a loss that grows as k·√x on by dx under a new factor: it
// finds the x at which this factor would have caused the loss so far, and goes
// on from there (virtual time).
func advance(loss, k, dx float64) float64 {
	if k <= 0 {
		return loss
	}
	x := loss / k
	return k * math.Sqrt(x*x+dx)
}

func cube(x float64) float64 { return x * x * x }
