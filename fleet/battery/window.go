package battery

import "math"

// socStdErrPct is the standard error assumed of one reported state of charge.
const socStdErrPct = 0.5

// The state of charge is not trusted at its ends, where batteries clip it.
const socLowPct, socHighPct = 1, 99

// socWindows finds the stretches of one unbroken charge or discharge over which
// the reported state of charge changes by Rules.MinWindowPct or more. The
// capacity is |∫I dt| / Δz. Only samples under load count, so nothing depends on
// when the load began or ended between two samples.
func socWindows(samples []Sample, ratings Ratings, rules Rules) []Capacity {
	idle := rules.idle(ratings.CapacityAh)
	var found []Capacity
	for i := 0; i < len(samples); {
		sign := direction(samples[i], idle)
		if sign == 0 {
			i++
			continue
		}
		end := i
		for end+1 < len(samples) && direction(samples[end+1], idle) == sign &&
			gapS(samples[end], samples[end+1]) <= rules.MaxGapS &&
			samples[end+1].TS-samples[i].TS < rules.MaxSpanMS &&
			!jumps(samples[end], samples[end+1], ratings, rules) {
			end++
		}
		if c, ok := windowOf(samples[i:end+1], sign, rules); ok {
			found = append(found, c)
		}
		i = end + 1
	}
	return found
}

// direction is +1 for charging, −1 for discharging and 0 at rest.
func direction(s Sample, idle float64) int {
	switch {
	case s.CurrentA > idle:
		return 1
	case s.CurrentA < -idle:
		return -1
	}
	return 0
}

// jumps reports whether the state of charge moved between two samples in a way
// that the current does not account for: the battery corrected its estimate. It
// can be told only where the rated capacity is known.
func jumps(a, b Sample, ratings Ratings, rules Rules) bool {
	if ratings.CapacityAh <= 0 {
		return false
	}
	moved := (a.CurrentA + b.CurrentA) / 2 * gapS(a, b) / 3600 / ratings.CapacityAh * 100
	return math.Abs(b.SoCPct-a.SoCPct-moved) > rules.MaxJumpPct+math.Abs(moved)/2
}

// windowOf takes the capacity from an unbroken run of samples in one direction,
// +1 for charging and −1 for discharging, in which the state of charge moved
// that way.
func windowOf(run []Sample, sign int, rules Rules) (Capacity, bool) {
	first, last := -1, -1
	for k, s := range run {
		if s.SoCPct >= socLowPct && s.SoCPct <= socHighPct {
			if first < 0 {
				first = k
			}
			last = k
		}
	}
	if first < 0 {
		return Capacity{}, false
	}
	dz := float64(sign) * (run[last].SoCPct - run[first].SoCPct)
	if dz < rules.MinWindowPct {
		return Capacity{}, false
	}
	c := integrate(run[first : last+1])
	c.Method = SoCWindow
	c.CapacityAh = c.ChargeAh / (dz / 100)
	c.StdErrAh = c.CapacityAh * socStdErrPct * math.Sqrt2 / dz
	return c, c.ChargeAh > 0
}

// integrate sums charge and energy over samples by the trapezoidal rule; there
// are at least two.
func integrate(samples []Sample) Capacity {
	var chargeAs, energyWs, heat, warm, gap float64
	for k := 1; k < len(samples); k++ {
		a, b := samples[k-1], samples[k]
		dt := gapS(a, b)
		chargeAs += (a.CurrentA + b.CurrentA) / 2 * dt
		energyWs += (a.CurrentA*a.VoltageV + b.CurrentA*b.VoltageV) / 2 * dt
		if t := (a.TemperatureC + b.TemperatureC) / 2; !math.IsNaN(t) {
			heat += t * dt
			warm += dt
		}
		gap = max(gap, dt)
	}
	first, last := samples[0], samples[len(samples)-1]
	c := Capacity{
		From: first.TS, To: last.TS,
		ChargeAh: math.Abs(chargeAs) / 3600, EnergyWh: math.Abs(energyWs) / 3600,
		Samples: len(samples), MaxGapSeconds: gap,
		SoCFrom: known(first.SoCPct), SoCTo: known(last.SoCPct),
	}
	if s := gapS(first, last); s > 0 {
		c.MeanCurrentA = chargeAs / s
	}
	if warm > 0 {
		c.TemperatureC = known(heat / warm)
	}
	return c
}

func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
