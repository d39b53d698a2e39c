package battery

import "math"

// yearDays is how much of the past stands for the use to come: a year, so that
// each season counts as often as it comes.
const yearDays = 365

// seasonDays is the least of a stretch by which the use of one season is told from
// that of another.
const seasonDays = 28

// pace is how fast a law ages a battery by the use it had, a day, in the virtual
// time of the law, in which Advance adds: what is added a day to the power 1/p of
// its losses.
type pace struct{ calendar, cyclic float64 }

// paceOf is the pace between two ageings; false where no day lies between.
func paceOf(m AgeingModel, from, to Ageing) (pace, bool) {
	days := to.Days - from.Days
	if days <= 0 {
		return pace{}, false
	}
	virtual := func(loss, p float64) float64 { return math.Pow(loss, 1/p) }
	return pace{
		max(0, virtual(to.Calendar, m.CalendarPower)-virtual(from.Calendar, m.CalendarPower)) / days,
		max(0, virtual(to.Cyclic, m.CyclicPower)-virtual(from.Cyclic, m.CyclicPower)) / days,
	}, true
}

// after is what the law expects so many days on.
func (p pace) after(m AgeingModel, a Ageing, days float64) Ageing {
	return Ageing{
		Calendar: math.Pow(math.Pow(a.Calendar, 1/m.CalendarPower)+p.calendar*days, m.CalendarPower),
		Cyclic:   math.Pow(math.Pow(a.Cyclic, 1/m.CyclicPower)+p.cyclic*days, m.CyclicPower),
	}
}

// year is the pace of the last year up to the newest point, or of what the points
// show of it.
type year struct {
	pace
	days  float64 // of it that the points show
	sway  float64 // standard deviation of the loss by the paces of its seasons, as a share of that by its own
	known bool
}

// yearOf reads the pace of the last year off the points.
func (h horizon) yearOf(points []HealthPoint) year {
	now := points[len(points)-1].Expected
	from := len(points) - 1
	for from > 0 && now.Days-points[from].Expected.Days < yearDays {
		from--
	}
	var y year
	y.days = now.Days - points[from].Expected.Days
	y.pace, y.known = paceOf(h.m, points[from].Expected, now)
	if !y.known {
		return y
	}
	all := h.lossBy(y.pace, yearDays)
	squares, n, last := 0.0, 0.0, from
	for k := from + 1; k < len(points); k++ {
		if points[k].Expected.Days-points[last].Expected.Days < seasonDays {
			continue
		}
		if p, ok := paceOf(h.m, points[last].Expected, points[k].Expected); ok && all > 0 {
			off := h.lossBy(p, yearDays)/all - 1
			squares += off * off
			n++
		}
		last = k
	}
	if n > 0 {
		y.sway = math.Sqrt(squares / n)
	}
	return y
}

// lossBy is what the fitted law takes at a pace in so many days from now.
func (h horizon) lossBy(p pace, days float64) float64 {
	a := p.after(h.m, h.d.now, days)
	return h.d.Calendar.Value*(a.Calendar-h.d.now.Calendar) + h.d.Cycling.Value*(a.Cyclic-h.d.now.Cyclic)
}

// err is how far the loss over so many days to come may be off, as a share, as it
// takes place in some seasons only, or as the year was not seen whole.
func (y year) err(days float64) float64 {
	return y.sway * math.Hypot(max(0, 1-days/yearDays), max(0, 1-y.days/yearDays))
}
