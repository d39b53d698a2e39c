package battery

import (
	"math"
	"slices"
)

// EfficiencyVersion names the rules of RoundTrip.
const EfficiencyVersion = "efficiency/2"

// ClosedLoops names efficiency over loops of the state of charge.
const ClosedLoops Method = "closed_soc_loops"

// Loop is a way of the state of charge back to where it began, and what went in
// and came out on it.
type Loop struct {
	From     int64   `json:"from"`      // Unix milliseconds
	To       int64   `json:"to"`        // Unix milliseconds
	SoCPct   float64 `json:"soc_pct"`   // at both ends
	DepthPct float64 `json:"depth_pct"` // how far away it went
	InWh     float64 `json:"in_wh"`
	OutWh    float64 `json:"out_wh"`
	InAh     float64 `json:"in_ah"`
	OutAh    float64 `json:"out_ah"`
}

// MinLoopPct is the least depth of a loop that says something of efficiency.
const MinLoopPct = 20

// Loops finds the closed loops in samples, which ascend by time: the whole
// rainflow cycles of the state of charge of a depth of 20 % or more, each from
// the turn it begins at to the crossing of that same level, with no gap longer
// than rules.MaxGapS on the way. They ascend by To. A sample that has no voltage or
// current is passed over.
func Loops(samples []Sample, rules Rules) []Loop {
	lacks := func(s Sample) bool { return math.IsNaN(s.VoltageV) || math.IsNaN(s.CurrentA) }
	if slices.ContainsFunc(samples, lacks) {
		samples = slices.DeleteFunc(slices.Clone(samples), lacks)
	}
	cum := make([]Loop, len(samples)) // what went in and out up to each sample
	holes := make([]int, len(samples))
	var found []Loop
	var flow Rainflow
	for k, s := range samples {
		if k > 0 {
			a := samples[k-1]
			cum[k], holes[k] = cum[k-1], holes[k-1]
			if dt := gapS(a, s); dt <= rules.MaxGapS {
				cum[k].flow(a, s, dt)
			} else {
				holes[k]++
			}
		}
		flow.Push(int64(k), s.SoCPct, func(c Cycle) {
			from := int(c.From)
			if c.Range < MinLoopPct || holes[k] != holes[from] {
				return
			}
			// The level is passed again somewhere behind the far turn; a sample
			// without a state of charge does not tell.
			i := int(c.To)
			level := samples[from].SoCPct
			for i < k && !((samples[i+1].SoCPct-level)*(samples[c.To].SoCPct-level) <= 0) {
				i++
			}
			if i < k && !math.IsNaN(samples[i].SoCPct) {
				found = append(found, loop(samples, cum, from, i, c.Range))
			}
		})
	}
	return found
}

// flow adds what went in and out between two samples.
func (l *Loop) flow(a, b Sample, dt float64) {
	in, out := halves(a.CurrentA, b.CurrentA, dt)
	l.InAh += in / 3600
	l.OutAh += out / 3600
	in, out = halves(a.CurrentA*a.VoltageV, b.CurrentA*b.VoltageV, dt)
	l.InWh += in / 3600
	l.OutWh += out / 3600
}

// loop runs from one sample to where its level is passed between i and i+1.
func loop(samples []Sample, cum []Loop, from, i int, depth float64) Loop {
	a, b, level := samples[i], samples[i+1], samples[from].SoCPct
	x := 1.0
	if b.SoCPct != a.SoCPct {
		x = max(0, min(1, (level-a.SoCPct)/(b.SoCPct-a.SoCPct)))
	}
	part := func(of func(Loop) float64) float64 {
		return of(cum[i]) + x*(of(cum[i+1])-of(cum[i])) - of(cum[from])
	}
	return Loop{
		From: samples[from].TS, To: a.TS + int64(x*float64(b.TS-a.TS)), SoCPct: level, DepthPct: depth,
		InWh:  part(func(l Loop) float64 { return l.InWh }),
		OutWh: part(func(l Loop) float64 { return l.OutWh }),
		InAh:  part(func(l Loop) float64 { return l.InAh }),
		OutAh: part(func(l Loop) float64 { return l.OutAh }),
	}
}

// Efficiency is what comes out of a battery per what goes in.
type Efficiency struct {
	Basis
	RoundTripPct *float64 `json:"round_trip_pct"` // energy
	StdErrPct    *float64 `json:"standard_error_pct"`
	CoulombicPct *float64 `json:"coulombic_pct"` // charge
}

// RoundTrip is the energy out per energy in over closed loops, as the ratio of
// the sums with the standard error of a ratio estimator (Cochran 1977, Sampling
// Techniques, §6.4): √(n/(n−1)·Σ(out − η·in)²)/Σin.
func RoundTrip(loops []Loop) Efficiency {
	e := Efficiency{Basis: basis(ClosedLoops, EfficiencyVersion)}
	var total Loop
	n := 0
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	for _, l := range loops {
		if l.InWh <= 0 || l.OutWh <= 0 || l.InAh <= 0 {
			continue
		}
		n++
		total.InWh += l.InWh
		total.OutWh += l.OutWh
		total.InAh += l.InAh
		total.OutAh += l.OutAh
		from, to = min(from, l.From), max(to, l.To)
	}
	if n < 2 {
		e.Count = n
		e.lacking("fewer than two times the state of charge went 20 % or more away and came back, seen whole")
		return e
	}
	eta := total.OutWh / total.InWh
	squares := 0.0
	for _, l := range loops {
		if l.InWh > 0 && l.OutWh > 0 && l.InAh > 0 {
			d := l.OutWh - eta*l.InWh
			squares += d * d
		}
	}
	e.over(from, to, n)
	e.ok()
	se := 100 * math.Sqrt(squares*float64(n)/float64(n-1)) / total.InWh
	pct, coulombic := 100*eta, 100*total.OutAh/total.InAh
	e.RoundTripPct, e.StdErrPct, e.CoulombicPct = &pct, &se, &coulombic
	return e
}
