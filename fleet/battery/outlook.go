package battery

import "math"

// OutlookVersion names the rules of Foresee.
const OutlookVersion = "outlook/1"

// Interval is a median between two quantiles. Null is beyond what is told.
type Interval struct {
	Low    *float64 `json:"low"`
	Median *float64 `json:"median"`
	High   *float64 `json:"high"`
}

// Outlook is how long a battery will last if it is used as it has been lately.
type Outlook struct {
	Basis
	Model     string   `json:"model"`
	Level     float64  `json:"level"`            // of the intervals, 0.9 for 5…95 %
	EndOfLife float64  `json:"end_of_life_soh"`  // share of the rated capacity
	Days      Interval `json:"remaining_days"`   //
	Cycles    Interval `json:"remaining_cycles"` // equivalent full cycles
	ReplaceAt Interval `json:"replace_at"`       // Unix milliseconds
	Ended     bool     `json:"ended"`
	Capped    bool     `json:"capped_at_knee"`
	Behind    bool     `json:"behind_knee"` // a knee is passed: the law no longer holds, and the fade since then is what counts
}

// OutlookRules are what Foresee goes by.
type OutlookRules struct {
	Life    LifeRules
	MaxDays float64 // told no further
}

// DefaultOutlookRules look up to 20 years ahead.
func DefaultOutlookRules() OutlookRules {
	return OutlookRules{Life: DefaultLifeRules(), MaxDays: 20 * 365}
}

// horizon turns loss that the fitted law expects into days of the recent use.
type horizon struct {
	d      Degradation
	m      AgeingModel
	recent Stress
	max    float64
}

// lossAfter is what the fitted law takes in so many days from now.
func (h horizon) lossAfter(days float64) float64 {
	s := h.recent
	s.Cycles *= days / s.Days
	s.Days = days
	a := h.d.now.Advance(h.m, s)
	return h.d.Calendar.Value*(a.Calendar-h.d.now.Calendar) + h.d.Cycling.Value*(a.Cyclic-h.d.now.Cyclic)
}

// days until the fitted law takes so much, nil beyond the horizon.
func (h horizon) days(loss float64) *float64 {
	if loss <= 0 {
		zero := 0.0
		return &zero
	}
	if math.IsInf(loss, 1) || h.lossAfter(h.max) < loss {
		return nil
	}
	lo, hi := 0.0, h.max
	for hi-lo > 1e-6*h.max {
		if mid := (lo + hi) / 2; h.lossAfter(mid) < loss {
			lo = mid
		} else {
			hi = mid
		}
	}
	return &hi
}

// Foresee tells how long a battery lasts until its state of health passes
// rules.Life.EndOfLife. Its health is taken to fall as a Wiener process, whose
// time is the loss that the fitted law expects (a transformed time scale,
// Whitmore & Schenkelberg 1997, Lifetime Data Analysis 3:27), so that a fade that
// slows, as √t does, is not drawn on as a line; the first passage then has the
// distribution that RemainingLife uses. The present health and the rate carry
// the errors of the fit, the diffusion is that of the points, once there are
// enough. recent is the use that is taken to go on; now is Unix milliseconds.
//
// A knee that lies ahead, in equivalent full cycles, caps what is told. One that
// is passed ends the law: what counts is the fade behind it, by cycle.
func Foresee(points []HealthPoint, d Degradation, m AgeingModel, recent Stress, knee Knee, now int64, r OutlookRules) Outlook {
	o := Outlook{Basis: basis(WienerPassage, OutlookVersion), Model: m.Name, Level: r.Life.Level, EndOfLife: r.Life.EndOfLife}
	o.From, o.To, o.Count = d.From, d.To, d.Count
	switch {
	case !d.OK():
		o.lacking(d.Reason)
		return o
	case recent.Days <= 0:
		o.lacking("the recent use is not known")
		return o
	}
	if knee.Found && *knee.Point <= d.now.Cycles {
		o.behind(points, knee, recent, r)
	} else {
		o.ahead(points, horizon{d, m, recent, r.MaxDays}, r)
		o.cap(knee, d.now.Cycles, recent)
	}
	o.date(now)
	return o
}

func (o *Outlook) ahead(points []HealthPoint, h horizon, r OutlookRules) {
	p := h.passage(points, r)
	if p.distance <= 0 {
		zero := 0.0
		o.Ended = true
		o.Days, o.Cycles = Interval{&zero, &zero, &zero}, Interval{&zero, &zero, &zero}
		o.ok()
		return
	}
	if h.lossAfter(h.max) <= 0 {
		o.lacking("health has not fallen over the measurements, and the law expects no loss of this use")
		return
	}
	o.ok()
	tail := (1 - r.Life.Level) / 2
	o.Days = Interval{h.days(p.quantile(tail)), h.days(p.quantile(0.5)), h.days(p.quantile(1 - tail))}
	perDay := h.recent.Cycles / h.recent.Days
	o.Cycles = o.Days.times(perDay)
}

// passage is the process in the time of the fitted law, in which it falls by 1
// per 1.
func (h horizon) passage(points []HealthPoint, r OutlookRules) passage {
	soh := h.d.At(h.d.now)
	p := passage{distance: soh.Value - r.Life.EndOfLife, distanceErr: soh.StdErr, drift: 1}
	// The error of the rate is that of the loss still to come.
	ahead := h.max
	if to := h.days(p.distance); to != nil && *to > 0 {
		ahead = *to
	}
	s := h.recent
	s.Cycles *= ahead / s.Days
	s.Days = ahead
	a := h.d.now.Advance(h.m, s)
	row := [3]float64{0, a.Calendar - h.d.now.Calendar, a.Cyclic - h.d.now.Cyclic}
	if loss := h.lossAfter(ahead); loss > 0 {
		p.driftErr = math.Sqrt(max(0, quadratic(h.d.cov, row))) / loss
	}
	if len(points) < r.Life.MinPoints {
		return p
	}
	var life []LifePoint
	for _, q := range points {
		life = append(life, LifePoint{h.d.Calendar.Value*q.Expected.Calendar + h.d.Cycling.Value*q.Expected.Cyclic, q.SoH})
	}
	if life[len(life)-1].X > life[0].X {
		p.sigma = filter(life).sigma
	}
	return p
}

func (o *Outlook) behind(points []HealthPoint, knee Knee, recent Stress, r OutlookRules) {
	o.Behind = true
	var life []LifePoint
	for _, p := range points {
		life = append(life, LifePoint{p.Expected.Cycles, p.SoH})
	}
	l := RemainingLife(BehindKnee(life, knee, r.Life.MinPoints), r.Life)
	if !l.OK() {
		o.lacking(l.Reason)
		return
	}
	o.ok()
	o.Ended = l.Ended
	o.Cycles = Interval{l.Low, l.Median, l.High}
	if perDay := recent.Cycles / recent.Days; perDay > 0 {
		o.Days = o.Cycles.times(1 / perDay)
	}
}

// cap tells no further than a knee ahead.
func (o *Outlook) cap(knee Knee, cycles float64, recent Stress) {
	perDay := recent.Cycles / recent.Days
	if !o.OK() || o.Ended || !knee.Found || perDay <= 0 {
		return
	}
	l := Life{Basis: o.Basis, Low: o.Cycles.Low, Median: o.Cycles.Median, High: o.Cycles.High}.CapAtKnee(knee, cycles)
	if l.Capped {
		o.Capped = true
		o.Cycles = Interval{l.Low, l.Median, l.High}
		o.Days = o.Cycles.times(1 / perDay)
	}
}

// date adds the days to now.
func (o *Outlook) date(now int64) {
	if !o.OK() {
		return
	}
	on := func(days *float64) *float64 {
		if days == nil {
			return nil
		}
		v := math.Round(float64(now) + *days*dayMS)
		return &v
	}
	o.ReplaceAt = Interval{on(o.Days.Low), on(o.Days.Median), on(o.Days.High)}
}

func (i Interval) times(f float64) Interval {
	scale := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		x := *v * f
		return &x
	}
	return Interval{scale(i.Low), scale(i.Median), scale(i.High)}
}
