package aging

import "math"

// Naumann is the ageing of LFP–graphite cells: calendar ageing by Naumann et
// al., J. Energy Storage 17 (2018) 153, cycling by Naumann et al., J. Power
// Sources 451 (2020) 227666.
type Naumann struct{}

// NaumannCalendar is the loss per square root of a second at rest:
//
//	1.2571e-5 · exp(−17126/R·(1/T − 1/298.15)) · (2.8575·(z−0.5)³ + 0.60225)
//
// One year at 25 °C and half charge costs 0.042516 of the capacity. Fitted for
// 0 to 60 °C.
func NaumannCalendar(celsius, soc float64) float64 {
	k := math.Exp(-17126 / gasConstant * (1/(celsius+zeroC) - 1/referenceK))
	return 1.2571e-5 * k * (2.8575*cube(soc-0.5) + 0.60225)
}

// NaumannCyclic is the loss per square root of a full equivalent cycle at a
// mean rate in 1/h and a depth of discharge:
//
//	(0.0630·C + 0.0971) · (4.0253·(D−0.6)³ + 1.0923) / 100
//
// 1,000 cycles at 0.5C and a depth of 0.7 cost 0.044584 of the capacity.
func NaumannCyclic(rate, depth float64) float64 {
	return (0.0630*rate + 0.0971) * (4.0253*cube(depth-0.6) + 1.0923) / 100
}

// NaumannResistanceCalendar is the gain of resistance per second at rest:
//
//	3.4194e-10 · exp(−71827/R·(1/T − 1/298.15)) · (−3.3903·(z−0.5)³ + 1.5604)
//
// One year at 25 °C and half charge adds 0.016826.
func NaumannResistanceCalendar(celsius, soc float64) float64 {
	return naumannHeat(celsius) * naumannCharge(soc)
}

func naumannHeat(celsius float64) float64 {
	return 3.4194e-10 * math.Exp(-71827/gasConstant4*(1/(celsius+zeroC)-1/referenceK))
}

func naumannCharge(soc float64) float64 { return -3.3903*cube(soc-0.5) + 1.5604 }

// NaumannResistanceCyclic is the gain of resistance per full equivalent cycle:
//
//	(−0.0020·C + 0.0021) · (6.8477·(D−0.5)³ + 0.91882) / 100
//
// Fitted for rates up to 1C; beyond 1.05C the equation would heal the cell.
func NaumannResistanceCyclic(rate, depth float64) float64 {
	return (-0.002*rate + 0.0021) * (6.8477*cube(depth-0.5) + 0.91882) / 100
}

// After is a Law.
func (Naumann) After(s State, x Stress, wear float64) State {
	s.CalendarLoss = Advance(s.CalendarLoss, wear*NaumannCalendar(x.Celsius, x.SoC), 0.5, x.Seconds)
	s.CalendarGain = Advance(s.CalendarGain, wear*NaumannResistanceCalendar(x.Celsius, x.SoC), 1, x.Seconds)
	if x.FEC > 0 {
		s.CyclicLoss = Advance(s.CyclicLoss, wear*NaumannCyclic(x.Rate, x.Depth), 0.5, x.FEC)
		s.CyclicGain = Advance(s.CyclicGain, wear*NaumannResistanceCyclic(x.Rate, x.Depth), 1, x.FEC)
	}
	return s
}
