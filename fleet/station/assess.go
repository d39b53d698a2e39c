package station

import (
	"fmt"
	"math"
	"slices"
)

// AssessVersion names the rules by which days become an assessment.
const AssessVersion = "station/1"

// Rules are what the operator of stations sets.
type Rules struct {
	ServiceTarget float64 // share of riders to be served at once, between 0 and 1
	RechargeS     float64 // from a pack's return until it is charged, where not measured
	SwapS         float64 // time of a swap, where not measured
	HoldS         float64 // how long a report stands for the time after it
	Servers       int     // riders that a station serves at once
}

// DefaultRules are those of a station with one bay.
func DefaultRules() Rules {
	return Rules{ServiceTarget: 0.95, RechargeS: 7200, SwapS: 180, HoldS: 3600, Servers: 1}
}

// Use are the rules of the states of a station.
func (r Rules) Use() UseRules {
	u := ForStation()
	u.MaxHoldS = r.HoldS
	return u
}

// Setting is what is to be known of a station beside its data.
type Setting struct {
	Calendar Calendar
	Rules    Rules
	Slots    int   // 0: as reported
	FirstDay int64 // of its data
}

// Span is the window of whole days from one to another, both included, without
// what lies before the station's first day; false where nothing is left.
func (s Setting) Span(first, last int64) (w Window, ok bool) {
	first = max(first, s.FirstDay)
	if last < first {
		return Window{}, false
	}
	return Window{s.Calendar.Start(first), s.Calendar.Start(last + 1)}, true
}

// Energy is what a station drew, and what of it went into packs.
type Energy struct {
	Basis
	GridWh *float64 `json:"grid_wh"` // by the meter, over the time covered
	PerDay *float64 `json:"grid_wh_per_day"`
	// PerSwap is the meter's energy over the swaps; null where less than nine
	// tenths of the window are covered.
	PerSwap        *float64 `json:"grid_wh_per_swap"`
	Charges        int      `json:"charges"`
	ChargedWh      *float64 `json:"charged_wh"` // into packs, as reported
	ChargedPerSwap *float64 `json:"charged_wh_per_swap"`
}

// Load is how much of what a station can do was asked of it.
type Load struct {
	Basis                  // Method: where the time of a swap is from, "measured" or "configured"
	Servers       int      `json:"servers"`
	SwapS         float64  `json:"swap_s"`
	ServedPerHour float64  `json:"served_per_hour"` // by all servers
	Utilization   *float64 `json:"utilization"`     // share of its servers' time
	Peak          *float64 `json:"peak_utilization"`
}

// Headline is what totals say of a station.
type Headline struct {
	Energy Energy `json:"energy"`
	Demand Demand `json:"demand"`
	Load   Load   `json:"load"`
	Uptime Uptime `json:"uptime"`
	Stock  Advice `json:"inventory"`
}

// minTimes is how many measured times are preferred to a configured one.
const minTimes = 20

func timeOr(n int, ms int64, configured float64) (seconds float64, method string) {
	if n < minTimes {
		return configured, "configured"
	}
	return float64(ms) / 1000 / float64(n), "measured"
}

// Assessment is all there is to say of a station over a window of whole days.
type Assessment struct {
	Window  Window
	Days    int // in the window
	Known   int // of them, with data
	Totals  Totals
	Service Service
	Slots   Slots
	Use     Utilization
	Wait    Wait
	Headline
}

// Assess sums up the days, which ascend and lie in the window; faults are all of
// the station's. reports says whether the station has ever reported a fault.
func Assess(days []Day, faults []Fault, reports bool, w Window, s Setting) Assessment {
	a := Assessment{Window: w, Known: len(days), Days: int(s.Calendar.DayOf(w.To-1)-s.Calendar.DayOf(w.From)) + 1}
	var visits []Visit
	var states StateTime
	var slots SlotTime
	var waitS []float64
	for i := range days {
		d := &days[i]
		t := d.Totals(s.Calendar, s.Rules.Use())
		a.Totals.Add(&t)
		states.Add(d.States)
		slots.Add(d.Slots)
		visits = append(visits, d.Visits...)
	}
	for i := range visits {
		if visits[i].WaitS != nil {
			waitS = append(waitS, *visits[i].WaitS)
		}
	}
	a.Service, a.Slots, a.Use = Serve(visits, w), slots.Use(w), states.Use(w, s.Rules.Use())
	if a.Use.Earning != nil && *a.Use.Earning == 0 { // of most stations the state does not tell whether they swap
		a.Use.Earning, a.Use.Idle = nil, nil
	}
	a.Service.Coverage = heard(&a.Totals, w)
	if len(days) == 0 {
		a.Service.lacking(nothing)
	}
	a.Headline = Sum(&a.Totals, faults, reports, w, s)
	a.Wait = WaitsOfDay(waitS, a.Demand.PerHour, 3600/a.Load.SwapS, s.Rules.Servers, w)
	return a
}

const nothing = "nothing was received from the station in the window"

// BasisOf is what results that rest on totals have in common.
func BasisOf(t *Totals, w Window) Basis {
	b := basis("days", AssessVersion, w)
	if b.Coverage = heard(t, w); t.Days == 0 {
		b.lacking(nothing)
		return b
	}
	b.ok(t.Days)
	return b
}

// heard is the share of the window within the hold time of a reading; nil of a
// station that sends events alone.
func heard(t *Totals, w Window) *float64 {
	if t.HeardMS == 0 {
		return nil
	}
	return per(float64(t.HeardMS)/1000, w.Seconds())
}

// Sum tells what totals alone say, of days that lie in the window.
func Sum(t *Totals, faults []Fault, reports bool, w Window, s Setting) Headline {
	hours := hoursOf(w, s.Calendar.Zone())
	known := min(1, float64(t.LengthMS)/float64(max(w.To-w.From, 1)))
	for h := range hours {
		hours[h] *= known
	}
	swapS, method := timeOr(t.Timed, t.TimedMS, s.Rules.SwapS)
	served := float64(s.Rules.Servers) * 3600 / swapS
	h := Headline{Energy: energyOf(t, w), Demand: demand(t.Hours, hours, w, served)}
	h.Demand.Coverage = &known
	h.Load = Load{
		Basis: basis(method, AssessVersion, w), Servers: s.Rules.Servers, SwapS: swapS, ServedPerHour: served,
		Utilization: per(float64(t.Swaps)/served, total(hours[:])), Peak: h.Demand.PeakLoad,
	}
	if h.Load.ok(t.Swaps); t.Days == 0 {
		h.Load.lacking(nothing)
	}
	h.Uptime = uptimeOf(t, faults, reports, w, s)
	h.Stock = stockOf(t, &h.Demand, w, s.Rules)
	return h
}

func energyOf(t *Totals, w Window) Energy {
	e := Energy{Basis: basis("meter_register", AssessVersion, w), Charges: t.Charges}
	if t.ChargedMilliWh > 0 {
		e.ChargedWh = per(float64(t.ChargedMilliWh), 1000)
		e.ChargedPerSwap = per(*e.ChargedWh, float64(t.Swaps))
	}
	if e.GridWh = t.EnergyWh(); e.GridWh == nil {
		e.lacking("energy_wh was not reported in the window, or not twice within a day")
		return e
	}
	e.ok(t.Days)
	e.Coverage = per(float64(t.MeterMS)/1000, w.Seconds())
	e.PerDay = per(*e.GridWh*24, float64(t.MeterMS)/3600e3)
	if *e.Coverage >= 0.9 {
		e.PerSwap = per(*e.GridWh, float64(t.Swaps))
	}
	return e
}

// uptimeOf is by the faults reported. A station that has never reported one may
// never have had one: its state says so, or that it does not report them.
func uptimeOf(t *Totals, faults []Fault, reports bool, w Window, s Setting) Uptime {
	slots := s.Slots
	if slots == 0 && t.SlotMS > 0 {
		slots = int(math.Round(float64(t.SlotTotal) / float64(t.SlotMS)))
	}
	if t.Days == 0 {
		u := Uptime{Basis: basis("fault_events", UptimeVersion, w)}
		u.lacking("the station sent nothing in the window, so nobody knows whether it worked")
		return u
	}
	u := Reliability(faults, w, slots, reports || t.StateMS > 0)
	if u.Status == OK && !reports && t.UnavailableMS > 0 {
		down := float64(t.UnavailableMS) / 3600e3
		u = Uptime{Basis: basis("fault_events", UptimeVersion, w)}
		u.lacking(fmt.Sprintf("its state says that it was out of service for %.1f h, but it sends no fault.opened and fault.closed", down))
	}
	u.Coverage = heard(t, w)
	return u
}

func stockOf(t *Totals, d *Demand, w Window, r Rules) Advice {
	packs := t.Packs()
	if d.Status != OK || packs == nil {
		a := Advice{Basis: basis("poisson_base_stock", InventoryVersion, w), Service: r.ServiceTarget}
		if a.lacking("slots_ready and slots_charging are not both reported, so the packs held are not known"); d.Status != OK {
			a.lacking(d.Reason)
		}
		return a
	}
	recharge, method := timeOr(t.Returned, t.ReturnedMS, r.RechargeS)
	a := Advise(d.PeakRate, recharge, *packs, r.ServiceTarget, w)
	a.Count, a.Recharge, a.RechargeMethod = d.Count, recharge, method
	return a
}

// DemandOutlook foretells the arrivals of so many days after the day last, from
// days up to it, which ascend. A day that is not there, or was heard of for less
// than half, is not known; but where the station sends no readings at all, a day
// without an event is one without a rider.
func DemandOutlook(days []Day, last int64, ahead int, s Setting) Outlook {
	first := last + 1
	if len(days) > 0 {
		first = days[0].Day
	}
	w := Window{s.Calendar.Start(first), s.Calendar.Start(last + 1)}
	counts := make([]float64, last-first+1)
	readings := slices.ContainsFunc(days, func(d Day) bool { return d.Heard > 0 })
	if readings {
		for k := range counts {
			counts[k] = math.NaN()
		}
	}
	for i := range days {
		if d := &days[i]; !readings || 2*d.Heard >= d.To-d.From {
			counts[d.Day-first] = float64(len(d.Visits))
		}
	}
	return Forecast(counts, first, ahead, w)
}
