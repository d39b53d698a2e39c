package aging

import "math"

// Schmalstieg is the ageing of NMC–graphite cells, fitted to Sanyo's UR18650E
// of 2.15 Ah: Schmalstieg et al., J. Power Sources 257 (2014) 325. Cycling was
// measured at 35 °C and 1C and depends on neither here.
type Schmalstieg struct{}

// SchmalstiegAh is the capacity of the cell that the law was fitted to, in
// whose ampere-hours it counts.
const SchmalstiegAh = 2.15

// SchmalstiegCalendar is the loss per day^0.75 at rest at a cell voltage, in
// the shares of capacity that a day's first power costs:
//
//	(7.543·V − 23.75)·10⁶ · exp(−6976/T)
//
// At 35 °C and 3.7 V: 0.00061277. Below 3.149 V the equation turns negative.
func SchmalstiegCalendar(volts, celsius float64) float64 {
	return (7.543*volts - 23.75) * 1e6 * math.Exp(-6976/(celsius+zeroC))
}

// SchmalstiegCyclic is the loss per square root of an ampere-hour moved, with
// the root mean square of the voltage and the depth of the cycles:
//
//	7.348e-3·(V − 3.667)² + 7.6e-4 + 4.081e-3·D
//
// At 3.667 V and a depth of 1: 0.004841.
func SchmalstiegCyclic(rms, depth float64) float64 {
	return 7.348e-3*(rms-3.667)*(rms-3.667) + 7.6e-4 + 4.081e-3*depth
}

// SchmalstiegResistanceCalendar is the gain of resistance per day^0.75:
//
//	(5.270·V − 16.32)·10⁵ · exp(−5986/T)
//
// At 35 °C and 3.7 V: 0.0011637.
func SchmalstiegResistanceCalendar(volts, celsius float64) float64 {
	return (5.270*volts - 16.32) * 1e5 * math.Exp(-5986/(celsius+zeroC))
}

// SchmalstiegResistanceCyclic is the gain of resistance per ampere-hour moved:
//
//	2.153e-4·(V − 3.725)² − 1.521e-5 + 2.798e-4·D
//
// At 3.725 V and a depth of 1: 0.00026459.
func SchmalstiegResistanceCyclic(rms, depth float64) float64 {
	return 2.153e-4*(rms-3.725)*(rms-3.725) - 1.521e-5 + 2.798e-4*depth
}

// After is a Law.
func (Schmalstieg) After(s State, x Stress, wear float64) State {
	days := x.Seconds / daySeconds
	s.CalendarLoss = Advance(s.CalendarLoss, wear*SchmalstiegCalendar(x.Volts, x.Celsius), 0.75, days)
	s.CalendarGain = Advance(s.CalendarGain, wear*SchmalstiegResistanceCalendar(x.Volts, x.Celsius), 0.75, days)
	if x.FEC > 0 {
		ah := x.FEC * 2 * SchmalstiegAh
		s.CyclicLoss = Advance(s.CyclicLoss, wear*SchmalstiegCyclic(x.RMS, x.Depth), 0.5, ah)
		s.CyclicGain = Advance(s.CyclicGain, wear*SchmalstiegResistanceCyclic(x.RMS, x.Depth), 1, ah)
	}
	return s
}
