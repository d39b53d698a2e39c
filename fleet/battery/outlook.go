package battery

import "math"

// OutlookVersion names the rules of Foresee.
const OutlookVersion = "outlook/3"

// Interval is a median between two quantiles. Null is beyond what is told.
type Interval struct {
	Low    *float64 `json:"low"`
	Median *float64 `json:"median"`
	High   *float64 `json:"high"`
}

// Outlook is how long a battery will last if it is used as it has been over the
// last year, or for as long as it was seen.
type Outlook struct {
	Basis
	Model     string   `json:"model"`
	Level     float64  `json:"level"`            // of the intervals, 0.9 for 5…95 %, if the fade keeps its shape
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

// horizon turns loss that the fitted law expects into days of use.
type horizon struct {
	d      Degradation
	m      AgeingModel
	recent Stress
	max    float64
	year   year
}

// lossAfter is what the fitted law takes in so many days from now.
func (h horizon) lossAfter(days float64) float64 {
	if h.year.known {
		return h.lossBy(h.year.pace, days)
	}
	s := h.recent
	s.Cycles *= days / s.Days
	s.Days = days
	a := h.d.now.Advance(h.m, s)
	return h.d.Calendar.Value*(a.Calendar-h.d.now.Calendar) + h.d.Cycling.Value*(a.Cyclic-h.d.now.Cyclic)
}

// Foresee tells how long a battery lasts until its state of health passes
// rules.Life.EndOfLife. Its health is taken to fall as a Wiener process, whose
// time is a power of the loss that the fitted law expects (a transformed time
// scale, Whitmore & Schenkelberg 1997, Lifetime Data Analysis 3:27); the first
// passage then has the distribution that RemainingLife uses. The power is the
// battery's own, as it is the shape of the fade that decides how far it goes: what
// is told is averaged over all that its points allow. The present health and the
// rate carry the errors of the fit, and what the same fit, made from the earlier
// points, was off by at the later ones; the diffusion is that of the points.
// The use of the last year up to the newest point is taken to go on, as the points'
// Expected tell it, since that of some weeks would carry their season on; what the
// seasons differ by is in the error where less than a year lies ahead or was seen.
// recent tells how many cycles a day are ridden, and the use where the points tell
// none; now is Unix milliseconds.
//
// A fade of one shape may go on in another. So nothing is told while more is left
// to lose than rules.Life.MaxAhead times the loss seen: the answer is insufficient.
// Level is that of the model; where a fade turns sharply behind the newest point,
// as at a knee, what was told before is too long.
//
// A knee that FindKnee finds is passed, and ends the law: what counts is the fade
// behind it, by cycle. One that lies ahead, in equivalent full cycles, which only
// others like the battery can tell, caps what is told.
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
		o.ahead(points, horizon{d: d, m: m, recent: recent, max: r.MaxDays}, r)
		o.cap(knee, d.now.Cycles, recent)
	}
	o.date(now)
	return o
}

func (o *Outlook) ahead(points []HealthPoint, h horizon, r OutlookRules) {
	if len(points) < max(r.Life.MinPoints, 3) {
		o.lacking("too few measurements of health to tell how fast it falls")
		return
	}
	p := h.passages(points)
	if len(p.fades) == 0 {
		o.lacking("health has not fallen over the measurements")
		return
	}
	switch left := p.level - r.Life.EndOfLife; {
	case left <= 0:
		zero := 0.0
		o.Ended = true
		o.Days, o.Cycles = Interval{&zero, &zero, &zero}, Interval{&zero, &zero, &zero}
		o.ok()
		return
	case r.Life.tooFar(left, p.seen):
		o.lacking(tooFar)
		return
	case p.strays:
		o.lacking("the newest measurements fall at another rate than any shape that fits the others, so how the fade goes on is not known")
		return
	case h.lossAfter(h.max) <= 0:
		o.lacking("the law expects no loss of this use")
		return
	}
	p.spread(points, r)
	o.ok()
	tail := (1 - r.Life.Level) / 2
	o.Days = Interval{p.days(tail), p.days(0.5), p.days(1 - tail)}
	perDay := h.recent.Cycles / h.recent.Days
	o.Cycles = o.Days.times(perDay)
}

// passages are the first passages of every shape that a fade may have.
type passages struct {
	horizon
	fades    []fade
	by       []passage // in the loss expected, in which it falls by 1 per 1; see spread
	losses   []float64 // the law's, at each point
	expected float64   // the newest of these
	level    float64   // state of health
	seen     float64   // loss over the points
	strays   bool      // from every shape
}

func (h horizon) passages(points []HealthPoint) passages {
	expected := make([]float64, len(points))
	for k, q := range points {
		expected[k] = h.d.Calendar.Value*q.Expected.Calendar + h.d.Cycling.Value*q.Expected.Cyclic
	}
	last := expected[len(expected)-1]
	h.year = h.yearOf(points)
	p := passages{horizon: h, fades: fades(points, expected, h.d.rules), losses: expected, expected: last}
	if len(p.fades) == 0 {
		return p
	}
	p.level = mixed(p.fades, func(f fade) float64 { return f.level })
	p.seen = mixed(p.fades, func(f fade) float64 { return f.at(expected[0] / last) }) - p.level
	p.strays = strays(points, expected, p.fades)
	return p
}

// spread works out how unsure each of the shapes is, which takes most of the time.
func (p *passages) spread(points []HealthPoint, r OutlookRules) {
	off := surprise(points, p.losses, p.fades, p.d.rules)
	life := make([]LifePoint, len(points))
	for k, q := range points {
		life[k] = LifePoint{-mixed(p.fades, func(f fade) float64 { return f.at(p.losses[k] / p.expected) }), q.SoH}
	}
	sigma := filter(life).sigma
	use := p.year.err(p.reached(p.level - r.Life.EndOfLife))
	for _, f := range p.fades {
		p.by = append(p.by, passage{
			distance: f.level - r.Life.EndOfLife, distanceErr: math.Hypot(f.levelErr, p.d.rules.BiasErr),
			drift: 1, driftErr: math.Sqrt(f.lossErr*f.lossErr/(f.loss*f.loss) + off*off + use*use), sigma: sigma,
		})
	}
}

// reached is in how many days so much more is lost, by the mean of the fades.
func (p passages) reached(left float64) float64 {
	lo, hi := 0.0, p.max
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		x := 1 + p.lossAfter(mid)/p.expected
		if mixed(p.fades, func(f fade) float64 { return f.after(x) }) < left {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// cdf is the probability that the end of life is reached in so many days.
func (p passages) cdf(days float64) float64 {
	x, v := 1+p.lossAfter(days)/p.expected, 0.0
	for k, f := range p.fades {
		v += f.weight * p.by[k].cdf(f.after(x))
	}
	return v
}

// days by which it is reached with probability q, nil beyond the horizon.
func (p passages) days(q float64) *float64 {
	lo, hi := 0.0, p.max
	switch {
	case p.cdf(hi) < q:
		return nil
	case p.cdf(lo) >= q:
		return &lo
	}
	for hi-lo > 1e-6*p.max {
		if mid := (lo + hi) / 2; p.cdf(mid) < q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return &hi
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

// cap tells no further than a knee that others have taught lies ahead.
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
