package battery

import "math"

// step counts what happened between the last sample, if there is one, and the
// next, whose values are those that limits are set for.
func (u *Usage) step(next edge, values [negatives]float64, t Terms) {
	if u.Samples == 0 || float64(next.TS-u.Last.TS)/1000 > t.Rules.MaxGapS {
		u.episodes(0, 0, next, values)
		return
	}
	u.interval(u.Last, next, t)
	u.episodes(u.Last.Beyond, float64(next.TS-u.Last.TS)/1000, next, values)
}

func (t Terms) beyond(e edge) (uint8, [negatives]float64) {
	return t.Limits.beyond(e, t.Rules.idle(t.Ratings.CapacityAh), t.Ratings.CapacityAh)
}

// seam counts the interval between two stretches that were counted apart. Events
// that go on over it were counted on both sides, and are one. What is on which
// side says the mark made when it was counted there, so that no more is taken
// back than was counted.
func (u *Usage) seam(last, next edge, t Terms) {
	dt := float64(next.TS-last.TS) / 1000
	if dt <= 0 || dt > t.Rules.MaxGapS {
		return
	}
	u.interval(last, next, t)
	for bit, k := range Negatives() {
		before, after := last.Beyond>>bit&1 == 1, next.Beyond>>bit&1 == 1
		if !before && !after {
			continue
		}
		e := u.Events[k]
		e.Seconds += shared(before, after, dt)
		if before && after {
			e.Count--
		}
		u.event(k, e)
	}
}

// interval integrates between two samples by the trapezoidal rule. Where the
// current changes its sign it is cut in two at the crossing.
func (u *Usage) interval(a, b edge, t Terms) {
	dt := float64(b.TS-a.TS) / 1000
	in, out := halves(a.I, b.I, dt)
	u.InAh += in / 3600
	u.OutAh += out / 3600
	in, out = halves(a.I*a.V, b.I*b.V, dt)
	u.InWh += in / 3600
	u.OutWh += out / 3600

	u.CoveredS += dt
	rate := (a.I + b.I) / 2
	switch idle := t.Rules.idle(t.Ratings.CapacityAh); {
	case rate > idle:
		u.ChargingS += dt
		u.rate(&u.ChargeRateS, rate, dt, t)
	case rate < -idle:
		u.DischargingS += dt
		u.rate(&u.DischargeRateS, -rate, dt, t)
	default:
		u.RestingS += dt
	}
	if c := float64(a.T+b.T) / 2; !math.IsNaN(c) {
		u.TemperatureS[bin(c, temperatureFloor, temperatureStep, TemperatureBins)] += dt
		u.TemperatureKS += c * dt
	}
	if z := float64(a.SoC+b.SoC) / 2; !math.IsNaN(z) {
		u.SoCS[bin(z, 0, socStep, SoCBins)] += dt
		u.SoCPctS += z * dt
	}
}

func (u *Usage) rate(h *[RateBins]float64, amps, dt float64, t Terms) {
	if rated := t.Ratings.CapacityAh; rated > 0 {
		h[bin(amps/rated, 0, rateStep, RateBins)] += dt
	}
}

// halves is the integral over dt of the positive and of the negative part of
// what runs straight from a to b, both as positive numbers.
func halves(a, b, dt float64) (positive, negative float64) {
	switch {
	case a >= 0 && b >= 0:
		return (a + b) / 2 * dt, 0
	case a <= 0 && b <= 0:
		return 0, -(a + b) / 2 * dt
	}
	x := math.Abs(a) / (math.Abs(a) + math.Abs(b)) // share of dt before the crossing
	first, second := math.Abs(a)/2*x*dt, math.Abs(b)/2*(1-x)*dt
	if a > 0 {
		return first, second
	}
	return second, first
}

// episodes follows the negative events over one step of dt seconds; was holds
// those of the sample before, none after a gap.
func (u *Usage) episodes(was uint8, dt float64, next edge, values [negatives]float64) {
	is := next.Beyond
	if was|is == 0 {
		return
	}
	for bit, k := range Negatives() {
		before, after := was>>bit&1 == 1, is>>bit&1 == 1
		if !before && !after {
			continue
		}
		e := u.Events[k]
		e.Seconds += shared(before, after, dt)
		if after {
			if e.Count == 0 {
				e.FirstAt, e.Worst = next.TS, values[bit]
			}
			if !before {
				e.Count++
			}
			e.LastAt, e.Worst = next.TS, k.worse(e.Worst, values[bit])
		}
		u.event(k, e)
	}
}

func (u *Usage) event(k Negative, e Exposure) {
	if u.Events == nil {
		u.Events = map[Negative]Exposure{}
	}
	u.Events[k] = e
}

// shared is how much of an interval lies beyond a limit: all where both ends
// do, half of it where one does.
func shared(before, after bool, dt float64) float64 {
	if before && after {
		return dt
	}
	return dt / 2
}
