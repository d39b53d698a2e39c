package dossier

import (
	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Report is what a battery's findings and points of health say of its health. It
// is made when a week ends, and every day in the first month.
type Report struct {
	Day           int64                 `json:"-"`
	AssessedAt    int64                 `json:"assessed_at"` // Unix milliseconds, end of the day up to which data counts
	Health        battery.Health        `json:"health"`
	Capacity      battery.CapacityFit   `json:"capacity"`
	Energy        battery.EnergyHealth  `json:"energy"`
	Resistance    battery.Resistance    `json:"resistance"`
	Imbalance     battery.Imbalance     `json:"imbalance"`
	SelfDischarge battery.SelfDischarge `json:"self_discharge"`
	Efficiency    battery.Efficiency    `json:"efficiency"`
	Degradation   battery.Degradation   `json:"degradation"`
	Knee          battery.Knee          `json:"knee"`
	Outlook       battery.Outlook       `json:"outlook"`
}

// Told is what is kept of a Report.
type Told struct {
	Day           int64 // 0: nothing was told yet
	SoHPct        Fact  // by capacity
	CapacityAh    Fact
	EnergyPct     Fact
	MOhm          Fact
	MorePct       Fact // resistance increase since new
	ImbalanceMV   Fact
	SelfDischarge Fact // % a month
	RoundTripPct  Fact
	CalendarShare Fact // of the loss, 0…1
	BehindKnee    bool

	Foretold bool // Days, Cycles and ReplaceAt are told
	Why      string
	Ended    bool
	Days     battery.Interval
	Cycles   battery.Interval
	At       battery.Interval // replace at, Unix milliseconds
}

// Fact is a measure with its standard error and when its newest datum was.
type Fact = battery.Fact

// maxSpread is how many spreads of the cells an assessment takes, evenly over the
// days: their trend is that of all pairs.
const maxSpread = 96

// Report makes the report at the end of the newest day. found are the days with
// what was found on them, ascending, of which the last Window days count; points
// are all points of health. It changes nothing but what x keeps of it.
func (x *Dossier) Report(found []Finding, points []battery.HealthPoint, s Sheet, r Rules) Report {
	out := Report{Day: x.Through, AssessedAt: startOf(x.Through + 1)}
	f := x.lately(found)
	capacities, loops, steps, cells := f.Capacities, f.Loops, f.Steps, evenly(f.Cells, maxSpread)
	out.Health = battery.Assess(x.Newest, s.Ratings.CapacityAh)
	out.Capacity = battery.FitCapacity(capacities, r.Fit)
	out.Energy = battery.AssessEnergy(x.Newest, s.RatedEnergyWh)
	out.Resistance = battery.FitResistance(steps, x.NewMOhm, r.Steps)
	out.Imbalance = battery.MeasureImbalance(cells, r.idleA(s))
	rests := x.Rests
	if open, ok := x.Open.rest(r.Rests); ok {
		rests = append(rests[:len(rests):len(rests)], open)
	}
	out.SelfDischarge = battery.MeasureSelfDischarge(rests, r.Rests)
	out.Efficiency = battery.RoundTrip(loops)
	x.foresee(&out, points, s, r)
	x.Told = out.told()
	return out
}

// lately is what was found in the last Window days.
func (x *Dossier) lately(found []Finding) Found {
	var n [4]int
	var out Found
	for round := range 2 { // the first counts
		for k := range found {
			d := &found[k]
			if d.Day <= x.Through-Window || d.Day > x.Through {
				continue
			}
			if round == 0 {
				for i, more := range []int{len(d.Capacities) + len(d.Late.Capacities), len(d.Loops) + len(d.Late.Loops), len(d.Steps), len(d.Cells)} {
					n[i] += more
				}
				continue
			}
			out.Capacities = append(out.Capacities, d.Capacities...)
			out.Loops = append(out.Loops, d.Loops...)
			if settled(found, k) {
				out.Capacities = append(out.Capacities, d.Late.Capacities...)
				out.Loops = append(out.Loops, d.Late.Loops...)
			}
			out.Steps = append(out.Steps, d.Steps...)
			out.Cells = append(out.Cells, d.Cells...)
		}
		if round == 0 {
			out = Found{
				Capacities: make([]battery.Capacity, 0, n[0]), Loops: make([]battery.Loop, 0, n[1]),
				Steps: make([]battery.ResistanceStep, 0, n[2]), Cells: make([]battery.CellSample, 0, n[3]),
			}
		}
	}
	return out
}

func (x *Dossier) foresee(out *Report, points []battery.HealthPoint, s Sheet, r Rules) {
	m := r.model(s)
	life := make([]battery.LifePoint, len(points))
	for k, p := range points {
		life[k] = battery.LifePoint{X: p.Expected.Cycles, Value: p.SoH}
	}
	out.Knee = battery.FindKnee(life, r.Knee)
	out.Degradation = battery.FitDegradation(points, m, r.Degradation)
	usage, days := x.recent(s, r)
	recent, _ := battery.StressOf(usage, days, s.Ratings) // without it the outlook says so
	out.Outlook = battery.Foresee(points, out.Degradation, m, recent, out.Knee, out.AssessedAt, r.Outlook)
}

func (o *Report) told() Told {
	t := Told{
		Day:    o.Day,
		SoHPct: o.soh(), CapacityAh: o.capacity(),
		EnergyPct: Fact{Value: o.Energy.SoHPct}, MOhm: Fact{Value: o.Resistance.MOhm, StdErr: o.Resistance.StdErr},
		MorePct: Fact{Value: o.Resistance.IncreasePct}, ImbalanceMV: Fact{Value: o.Imbalance.MedianMV},
		SelfDischarge: Fact{Value: o.SelfDischarge.PctPerMonth, StdErr: o.SelfDischarge.StdErrPct},
		RoundTripPct:  Fact{Value: o.Efficiency.RoundTripPct, StdErr: o.Efficiency.StdErrPct},
		CalendarShare: Fact{Value: o.Degradation.CalendarShare},
		BehindKnee:    o.Knee.Found,
		Foretold:      o.Outlook.OK(), Why: o.Outlook.Reason, Ended: o.Outlook.Ended,
		Days: o.Outlook.Days, Cycles: o.Outlook.Cycles, At: o.Outlook.ReplaceAt,
	}
	if o.Energy.SoHPct != nil && o.Energy.StdErrWh != nil {
		se := *o.Energy.StdErrWh / *o.Energy.RatedWh * 100
		t.EnergyPct.StdErr = &se
	}
	if o.Resistance.IncreasePct != nil {
		se := *o.Resistance.StdErr / *o.Resistance.MOhm * (100 + *o.Resistance.IncreasePct)
		t.MorePct.StdErr = &se
	}
	for _, p := range []struct {
		f  *Fact
		at *int64
	}{
		{&t.EnergyPct, o.Energy.To}, {&t.MOhm, o.Resistance.To}, {&t.MorePct, o.Resistance.To}, {&t.ImbalanceMV, o.Imbalance.To},
		{&t.SelfDischarge, o.SelfDischarge.To}, {&t.RoundTripPct, o.Efficiency.To}, {&t.CalendarShare, o.Degradation.To},
	} {
		if p.f.Value != nil && p.at != nil {
			p.f.At = *p.at
		}
	}
	return t
}

// capacity is by the fit of many measurements, or where those are too few by the
// newest ones.
func (o *Report) capacity() Fact {
	switch {
	case o.Capacity.OK():
		return Fact{Value: o.Capacity.CapacityAh, StdErr: o.Capacity.StdErrAh, At: *o.Capacity.To}
	case o.Health.CapacityAh != nil:
		return Fact{Value: o.Health.CapacityAh, StdErr: o.Health.StdErrAh, At: *o.Health.MeasuredAt}
	}
	return Fact{}
}

func (o *Report) soh() Fact {
	c := o.capacity()
	if c.Value == nil || o.Health.RatedCapacityAh == nil {
		return Fact{}
	}
	soh := *c.Value / *o.Health.RatedCapacityAh * 100
	out := Fact{Value: &soh, At: c.At}
	if c.StdErr != nil {
		se := *c.StdErr / *o.Health.RatedCapacityAh * 100
		out.StdErr = &se
	}
	return out
}

func (t *Told) code(c battery.Coder) {
	c.Int(&t.Day)
	for _, f := range []*Fact{
		&t.SoHPct, &t.CapacityAh, &t.EnergyPct, &t.MOhm, &t.MorePct, &t.ImbalanceMV, &t.SelfDischarge, &t.RoundTripPct, &t.CalendarShare,
	} {
		codeOption(c, &f.Value)
		codeOption(c, &f.StdErr)
		c.Int(&f.At)
	}
	codeBool(c, &t.BehindKnee)
	codeBool(c, &t.Foretold)
	c.Text(&t.Why)
	codeBool(c, &t.Ended)
	for _, i := range []*battery.Interval{&t.Days, &t.Cycles, &t.At} {
		codeOption(c, &i.Low)
		codeOption(c, &i.Median)
		codeOption(c, &i.High)
	}
}

// Score is the health score at the end of the newest day: what was told last,
// and the events since.
func (x *Dossier) Score(r Rules) battery.HealthScore {
	recent := 0
	for _, u := range x.Uses {
		if u.Day > x.Through-useDays {
			recent += u.Safety
		}
	}
	t := x.Told
	return battery.Score(battery.Facts{
		Capacity: t.SoHPct, Energy: t.EnergyPct, Resistance: t.MorePct, Imbalance: t.ImbalanceMV,
		SelfDischarge: t.SelfDischarge, Efficiency: t.RoundTripPct,
		Recent: map[battery.Negative]int{battery.OverVoltage: recent}, BehindKnee: t.BehindKnee,
	}, startOf(x.Through+1), r.Score)
}
