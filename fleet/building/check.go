package building

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// Problem is one thing that is wrong with an entry, by its JSON name.
type Problem struct{ Field, Detail string }

type problems []Problem

func (p *problems) check(ok bool, field, format string, args ...any) {
	if !ok {
		*p = append(*p, Problem{field, fmt.Sprintf(format, args...)})
	}
}

func (p *problems) date(field string, d Date, needed bool) (time.Time, bool) {
	if d == "" {
		p.check(!needed, field, "is needed, as 2006-01-02")
		return time.Time{}, false
	}
	at, ok := d.In(time.UTC)
	ok = ok && at.Year() >= 1970 && at.Year() < 2200
	p.check(ok, field, "%q is no date like 2006-01-02 from 1970 to 2199", string(d))
	return at, ok
}

// before checks that one date lies before another where both are there.
func (p *problems) before(field string, a, b Date, orEqual bool, of string) {
	x, okA := a.In(time.UTC)
	y, okB := b.In(time.UTC)
	if okA && okB {
		p.check(x.Before(y) || orEqual && x.Equal(y), field, "must come before %s", of)
	}
}

const maxText = 500

// Check reports all that is wrong with an intervention.
func (i *Intervention) Check() []Problem {
	var p problems
	p.check(i.Title != "" && len(i.Title) <= maxText, "title", "is needed, of at most %d bytes", maxText)
	p.check(len(i.Note) <= 10*maxText, "note", "has more than %d bytes", 10*maxText)
	p.check(len(i.Concerns) > 0, "concerns", "name at least one of electricity, gas and water")
	for _, m := range i.Concerns {
		p.check(slices.Contains(Used(), m), "concerns", "%q: want electricity, gas or water", string(m))
	}
	p.date("start", i.Start, true)
	p.date("end", i.End, false)
	p.date("baseline_from", i.BaselineFrom, false)
	p.date("baseline_to", i.BaselineTo, false)
	p.date("reporting_to", i.ReportingTo, false)
	p.before("start", i.Start, i.End, true, "end")
	p.before("baseline_from", i.BaselineFrom, i.baselineTo(), false, "the end of the baseline")
	p.before("baseline_to", i.BaselineTo, i.Start, true, "start")
	p.before("reporting_to", i.end(), i.ReportingTo, false, "reporting_to")
	if i.Cost != nil {
		p.check(i.Cost.Minor >= 0, "cost.minor", "must not be negative")
		p.check(currency(i.Cost.Currency), "cost.currency", "%q is no code of ISO 4217", i.Cost.Currency)
	}
	if i.Expected != nil {
		p.check(*i.Expected >= 0 && *i.Expected <= 1, "expected_saving", "%g is not from 0 to 1", *i.Expected)
	}
	return p
}

func currency(code string) bool {
	return len(code) == 3 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (i *Intervention) end() Date {
	if i.End == "" {
		return i.Start
	}
	return i.End
}

func (i *Intervention) baselineTo() Date {
	if i.BaselineTo == "" {
		return i.Start
	}
	return i.BaselineTo
}

// Check reports all that is wrong with an adjustment.
func (a *Adjustment) Check() []Problem {
	var p problems
	p.check(slices.Contains(Used(), a.Meter), "meter", "%q: want electricity, gas or water", string(a.Meter))
	p.date("from", a.From, true)
	p.date("to", a.To, true)
	p.before("to", a.From, a.To, false, "to")
	p.check(!math.IsNaN(a.Amount) && !math.IsInf(a.Amount, 0), "amount", "must be a number")
	p.check(strings.TrimSpace(a.Reason) != "" && len(a.Reason) <= maxText, "reason", "is needed, of at most %d bytes: an auditor will ask", maxText)
	return p
}

// Check reports all that is wrong with settings. Of a weather source it checks
// the form, and not that the device exists.
func (s *Settings) Check() []Problem {
	var p problems
	kind, _, found := strings.Cut(string(s.Weather), "/")
	p.check(slices.Contains([]WeatherSource{"", OwnSensor, Imported}, s.Weather) || found && (kind == "station" || kind == "building"),
		"weather", "%q: want own, import, station/ID or building/ID", string(s.Weather))
	p.check(s.Tolerance >= 0 && s.Tolerance <= 10, "setpoint_tolerance_c", "%g is not from 0 to 10", s.Tolerance)
	if w := s.Peak; w != nil {
		p.check(w.FromHour >= 0 && w.FromHour < w.ToHour && w.ToHour <= 24, "peak_window", "want 0 ≤ from_hour < to_hour ≤ 24")
	}
	if s.Residual != nil {
		p.check(*s.Residual >= 0, "residual_factor", "must not be negative")
	}
	var share float64
	for _, c := range s.Supply {
		p.check(c.Share >= 0 && c.Share <= 1 && c.Factor >= 0, "contracts", "%q: want a share from 0 to 1 and a factor of at least 0", c.ID)
		share += c.Share
	}
	p.check(share <= 1+1e-9, "contracts", "the shares add up to %g, more than 1", share)
	for m, o := range s.Meters {
		name := "meters." + string(m)
		if !slices.Contains(Used(), m) {
			p.check(false, name, "there is no such meter: want electricity, gas or water")
			continue
		}
		if o != nil {
			o.check(&p, name)
		}
	}
	return p
}

func (o *MeterOptions) check(p *problems, name string) {
	p.check(slices.Contains([]savings.Option{"", savings.WholeFacility, savings.Isolation}, o.Option), name+".ipmvp_option", "%q: want C or B", string(o.Option))
	p.check(slices.Contains([]energy.Interval{"", energy.Daily, energy.Hourly}, o.Interval), name+".interval", "%q: want day or hour", string(o.Interval))
	p.check(o.Confidence == 0 || o.Confidence >= 0.5 && o.Confidence < 1, name+".confidence", "%g is not from 0.5 to 0.99", o.Confidence)
	daily, hourly := ids(choose.Daily(caltrack.Options{})), ids(choose.Hourly())
	of := daily
	if o.Interval == energy.Hourly {
		of = hourly
	}
	p.check(o.Model == "" || o.Model == "auto" || slices.Contains(of, o.Model), name+".model", "%q: want auto or one of %s", o.Model, strings.Join(of, ", "))
	p.check(o.HourlyModel == "" || slices.Contains(hourly, o.HourlyModel), name+".hourly_model", "%q: want one of %s", o.HourlyModel, strings.Join(hourly, ", "))
}

func ids(fitters []energy.Fitter) []string {
	var out []string
	for _, f := range fitters {
		out = append(out, f.ID)
	}
	return out
}
