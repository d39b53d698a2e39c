package battery

import "math"

// SelfDischargeVersion names the rules of MeasureSelfDischarge.
const SelfDischargeVersion = "self_discharge/1"

// LongRests names self-discharge by the charge lost at rest.
const LongRests Method = "long_rests"

// Rest is a stretch without current.
type Rest struct {
	From    int64   `json:"from"` // Unix milliseconds
	To      int64   `json:"to"`   // Unix milliseconds
	FromPct float64 `json:"from_soc_pct"`
	ToPct   float64 `json:"to_soc_pct"`
}

// SelfDischarge is the charge that a battery loses at rest, its own electronics
// included.
type SelfDischarge struct {
	Basis
	PctPerMonth *float64 `json:"pct_per_month"` // of the whole range, per 30 days
	StdErrPct   *float64 `json:"standard_error_pct"`
	Days        float64  `json:"days_at_rest"`
}

// RestRules are what Rests goes by.
type RestRules struct {
	MaxGapS  float64 // longest silence within a rest, in seconds
	MinDays  float64 // shortest rest
	SettleS  float64 // left out at the start, while the battery settles
	SoCErr   float64 // standard error of one reported state of charge, in %
	MinTotal float64 // days at rest in all, below which it is insufficient
}

// DefaultRestRules suit batteries that report less often when they rest.
func DefaultRestRules() RestRules {
	return RestRules{MaxGapS: 6 * 3600, MinDays: 1, SettleS: 3600, SoCErr: socStdErrPct, MinTotal: 3}
}

// Rests finds the stretches in samples, which ascend by time, during which no
// more than idleA flowed and the state of charge did not rise by more than its
// error.
func Rests(samples []Sample, idleA float64, r RestRules) []Rest {
	var found []Rest
	first, last := -1, -1 // with a state of charge, after settling
	began := int64(0)
	end := func() {
		if first >= 0 && gapS(samples[first], samples[last])/daySeconds >= r.MinDays {
			rest := Rest{samples[first].TS, samples[last].TS, samples[first].SoCPct, samples[last].SoCPct}
			if rest.ToPct-rest.FromPct <= 2*r.SoCErr {
				found = append(found, rest)
			}
		}
		first, last = -1, -1
	}
	resting := false
	for k, s := range samples {
		if math.IsNaN(s.CurrentA) || math.Abs(s.CurrentA) > idleA {
			end()
			resting = false
			continue
		}
		if !resting || gapS(samples[k-1], s) > r.MaxGapS {
			end()
			resting, began = true, s.TS
		}
		if math.IsNaN(s.SoCPct) || float64(s.TS-began)/1000 < r.SettleS {
			continue
		}
		if first < 0 {
			first = k
		}
		last = k
	}
	end()
	return found
}

// MeasureSelfDischarge is the charge lost over all rests per time at rest, in %
// of the range per 30 days. Its standard error is that of the reported states of
// charge, σ·√(2n) over the time. Example: from 80 to 79 % in 10 days is 3 % a
// month.
func MeasureSelfDischarge(rests []Rest, r RestRules) SelfDischarge {
	d := SelfDischarge{Basis: basis(LongRests, SelfDischargeVersion)}
	lost := 0.0
	for _, x := range rests {
		d.Days += float64(x.To-x.From) / dayMS
		lost += x.FromPct - x.ToPct
	}
	d.Count = len(rests)
	if len(rests) == 0 || d.Days < r.MinTotal {
		d.lacking("the battery rested too little to see what it loses by itself")
		return d
	}
	d.over(rests[0].From, rests[len(rests)-1].To, len(rests))
	d.ok()
	rate := max(0, lost/d.Days*30)
	se := r.SoCErr * math.Sqrt(2*float64(len(rests))) / d.Days * 30
	d.PctPerMonth, d.StdErrPct = &rate, &se
	return d
}
