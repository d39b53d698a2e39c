package battery

import "math"

// CapacityFitVersion names the rules of FitCapacity.
const CapacityFitVersion = "capacity_fit/1"

// Deming names the fit of charge on change of state of charge.
const Deming Method = "deming"

// FitRules are what FitCapacity goes by.
type FitRules struct {
	HalfLifeDays float64 // a measurement this much older than the newest counts half
	MaxAgeDays   float64 // and one older than this not at all
	SoCStdErrPct float64 // of one reported state of charge
	ChargeStdErr float64 // of the charge that moved, relative: the current sensor
	MinCount     int     // fewer measurements are insufficient
}

// DefaultFitRules suit a battery that is charged daily and loses a few per cent
// a year.
func DefaultFitRules() FitRules {
	return FitRules{HalfLifeDays: 20, MaxAgeDays: 120, SoCStdErrPct: 0.5, ChargeStdErr: 0.005, MinCount: 3}
}

// CapacityFit is a capacity from many partial charges and discharges.
type CapacityFit struct {
	Basis
	CapacityAh *float64 `json:"capacity_ah"`
	StdErrAh   *float64 `json:"standard_error_ah"`
	Effective  float64  `json:"effective_count"` // (Σw)²/Σw²: how many equally new measurements it is worth
	// From what: "discharges", or "all" where those were too few.
	Directions string `json:"directions"`
}

// FitCapacity fits the charge that moved to the change of the state of charge
// over the SoCWindows among measured, by Deming's regression through the origin
// with a memory that fades by halves. Both ends of a window have the error of a
// reported state of charge, and the charge that of the current sensor.
//
// Where there are enough discharges they alone count: what is charged holds what
// charging loses too, and a current that tapers off between readings minutes
// apart integrates to too much. The standard error is that of chance; a current
// sensor that is off by a constant share is not in it.
func FitCapacity(measured []Capacity, r FitRules) CapacityFit {
	f := CapacityFit{Basis: basis(Deming, CapacityFitVersion), Directions: "discharges"}
	var used, discharges []Capacity
	newest := newestWindow(measured)
	for _, c := range measured {
		if c.Method != SoCWindow || c.SoCFrom == nil || c.SoCTo == nil || float64(newest-c.To)/dayMS > r.MaxAgeDays {
			continue
		}
		used = append(used, c)
		if c.MeanCurrentA <= 0 {
			discharges = append(discharges, c)
		}
	}
	least := max(1, r.MinCount)
	pairs, effective := r.pairs(discharges, newest)
	if len(discharges) < least || effective < float64(least) {
		f.Directions = "all"
		pairs, effective = r.pairs(used, newest)
	} else {
		used = discharges
	}
	if len(used) < least {
		f.Count = len(used)
		f.lacking("too few charges or discharges over 40 % of the range were seen whole")
		return f
	}
	b, se, ok := deming(pairs)
	if !ok {
		f.lacking("the charge that moved does not grow with the state of charge")
		return f
	}
	from := newest
	for _, c := range used {
		from = min(from, c.From)
	}
	f.over(from, newest, len(used))
	f.ok()
	f.CapacityAh, f.StdErrAh, f.Effective = &b, &se, effective
	return f
}

func newestWindow(measured []Capacity) int64 {
	newest := int64(math.MinInt64)
	for _, c := range measured {
		if c.Method == SoCWindow {
			newest = max(newest, c.To)
		}
	}
	return newest
}

// pairs are the points of the regression, and how many equally new ones they are
// worth.
func (r FitRules) pairs(measured []Capacity, newest int64) (pairs []pair, effective float64) {
	total, squares := 0.0, 0.0
	for _, c := range measured {
		p := pair{
			x: math.Abs(*c.SoCTo-*c.SoCFrom) / 100, y: c.ChargeAh,
			sx: r.SoCStdErrPct * math.Sqrt2 / 100, sy: r.ChargeStdErr * c.ChargeAh,
			w: math.Exp2(-float64(newest-c.To) / dayMS / r.HalfLifeDays),
		}
		pairs = append(pairs, p)
		total += p.w
		squares += p.w * p.w
	}
	if squares > 0 {
		effective = total * total / squares
	}
	return pairs, effective
}

// dayMS is a day in milliseconds.
const dayMS = 24 * 3600 * 1000
