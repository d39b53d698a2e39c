package api

import (
	"maps"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
	"github.com/fleetwatt/fleetwatt/fleet/energy/watch"
)

// ownership is the present owner's of a building.
type ownership struct {
	from time.Time
	day  int64 // the first whole one of the building's calendar, counted from 1970-01-01
}

// beforeOwner is why a figure over a period is not told.
const beforeOwner = "before_present_owner"

func (o ownership) before(t time.Time) bool { return t.Before(o.from) }

// leave takes out of a result what begins before the ownership. The result is
// changed.
func (o ownership) leave(r *building.Result) {
	for i := range r.Savings {
		if a := r.Savings[i].Assessment; a != nil && a.Avoided != nil {
			a.Avoided.Series = slices.DeleteFunc(a.Avoided.Series, func(p savings.Point) bool { return o.before(p.Start) })
		}
	}
	r.Demand.Months = slices.DeleteFunc(r.Demand.Months, func(m building.MonthlyMaximum) bool { return o.beforeMonth(m.Month) })
	o.leaveCost(&r.Cost)
	o.leaveCarbon(&r.Carbon)
	if o.before(r.AsOf.AddDate(0, 0, -365)) {
		r.Carbon.Market = nil // it is of that year
	}
	for i := range r.Anomaly {
		o.leaveAnomalies(&r.Anomaly[i])
	}
	for i := range r.Usage.Meters {
		if m := &r.Usage.Meters[i]; m.YearOnYear != nil && o.before(m.YearOnYear.Before.From) {
			m.YearOnYear = nil
		}
	}
}

// beforeMonth is false for what is no month.
func (o ownership) beforeMonth(month string) bool {
	first, err := time.Parse("2006-01", month)
	return err == nil && telemetry.DayOf(first.UnixMilli()) < o.day
}

func (o ownership) leaveCost(c *building.Cost) {
	for i := range c.Meters {
		m := &c.Meters[i]
		maps.DeleteFunc(m.Years, func(_ string, b tariff.Bill) bool { return o.before(b.Period.From) })
		if m.Latest != nil && o.before(m.Latest.Period.From) {
			m.Latest = nil
			lack(&m.Basis)
		}
	}
}

func (o ownership) leaveCarbon(c *building.Carbon) {
	for i := range c.Meters {
		m := &c.Meters[i]
		maps.DeleteFunc(m.Years, func(_ string, l carbon.Location) bool { return o.before(l.Period.From) })
		if m.Latest != nil && o.before(m.Latest.Period.From) {
			m.Latest = nil
			lack(&m.Basis)
		}
	}
}

// lack says in the basis of a year why it is not told.
func lack(b *building.Basis) {
	b.Status = building.Insufficient
	b.Reasons = append(b.Reasons, energy.Reason{Code: beforeOwner, Critical: true, Text: "the 365 days to the newest one began before the building was its present owner's"})
}

// leaveAnomalies keeps a shift that lasts, as it is what the building is now, but
// not what it has cost so far.
func (o ownership) leaveAnomalies(a *building.Anomalies) {
	a.Days = slices.DeleteFunc(a.Days, func(d watch.Anomaly) bool { return o.before(d.Start) })
	a.Shifts = slices.DeleteFunc(a.Shifts, func(s building.Shift) bool { return s.End != nil && !s.End.After(o.from) })
	for i := range a.Shifts {
		if s := &a.Shifts[i]; o.before(s.Onset) {
			s.Cost = nil
		}
	}
}
