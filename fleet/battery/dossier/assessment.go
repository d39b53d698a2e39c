package dossier

import (
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// Swaps is how often a battery was handed out to a rider and taken back on a day.
type Swaps struct {
	Day     int64
	In, Out int
}

// SwapUse is how a battery was swapped over the last 30 days.
type SwapUse struct {
	Basis           battery.Basis `json:"basis"`
	Swaps           int           `json:"swaps"`              // handed out
	Returns         int           `json:"returns"`            // taken back
	PerDay          *float64      `json:"per_day"`            // handed out
	EnergyPerSwapWh *float64      `json:"energy_per_swap_wh"` // delivered; null without a swap
}

// SwapVersion names the rules of SwapUse.
const SwapVersion = "swaps/2"

// Assessment is all that is known of a battery as of a day.
type Assessment struct {
	Device  string `json:"id"`
	AsOf    int64  `json:"as_of"`      // Unix milliseconds, end of the newest day with data
	First   int64  `json:"first_seen"` // Unix milliseconds, start of the first day with data
	Days    int    `json:"days_with_data"`
	Version string `json:"version"`

	Report
	Score       battery.HealthScore                   `json:"score"`
	Warranty    battery.Warranty                      `json:"warranty"`
	Lifetime    battery.Throughput                    `json:"lifetime"` // since it was first seen
	Recent      battery.Throughput                    `json:"recent"`   // 30 days
	Utilization station.Utilization                   `json:"utilization"`
	Swaps       SwapUse                               `json:"swaps"`
	Events      map[battery.Negative]battery.Exposure `json:"negative_events"` // since it was first seen
	Points      []battery.HealthPoint                 `json:"points"`          // one a week
	Passport    battery.PassportFacts                 `json:"-"`
	Standing    Standing                              `json:"-"`
}

// Replay tells what was known of a battery at the end of the day asOf, from all
// of its days, ascending, and the swaps of each. It is what the jobs told then, had
// they had these days. False: there is no day with data up to asOf.
func Replay(id string, days []Day, swaps []Swaps, s Sheet, r Rules, asOf int64) (Assessment, bool) {
	days = slices.DeleteFunc(slices.Clone(days), func(d Day) bool { return d.Empty() && !d.Unread || d.Day > asOf })
	if !slices.ContainsFunc(days, func(d Day) bool { return !d.Unread }) {
		return Assessment{}, false
	}
	x, a := New(id), Assessment{Device: id, Version: Version}
	last := x.LastDue(days)
	for k, d := range days {
		if p := x.Add(d, s, r); p != nil {
			a.Points = append(a.Points, *p)
		}
		if k == last {
			a.Report = x.Report(Findings(days[:k+1]), a.Points, s, r)
		}
	}
	a.AsOf, a.First, a.Days = startOf(x.Through+1), startOf(x.First), x.Days
	a.Score = x.Score(r)
	a.Warranty = x.Warranty(s, r)
	a.Lifetime = x.Total.Report(a.First, a.AsOf, s.Ratings)
	a.Events = x.Total.Events
	from := max(x.RecentFrom(), x.First)
	w := station.Window{From: startOf(from), To: a.AsOf}
	a.recent(days, w, s, r)
	handed := x.Handed(swaps)
	a.swaps(swaps, w, handed, x.Recent().OutWh)
	a.Passport = x.passport(a, s)
	a.Standing = x.Standing(id, handed, s, r)
	return a, true
}

// Findings are what was found on the days.
func Findings(days []Day) []Finding {
	out := make([]Finding, len(days))
	for k := range days {
		out[k] = Finding{days[k].Day, days[k].Found, days[k].Unread}
	}
	return out
}

// LastDue is the index of the last of the days, which are to be added, after
// which health is told; negative: there is none.
func (x *Dossier) LastDue(days []Day) int {
	probe := Dossier{Phase: x.Phase, Days: x.Days, First: x.First, Through: x.Through}
	last := -1
	for k, d := range days {
		if d.Unread {
			continue
		}
		if probe.Due(d.Day) {
			last = k
		}
		if probe.Days++; probe.Days == 1 {
			probe.First = d.Day
		}
		probe.Through = d.Day
	}
	return last
}

// recent adds up the days of the window, by which they are told.
func (a *Assessment) recent(days []Day, w station.Window, s Sheet, r Rules) {
	var u battery.Usage
	seconds := map[string]float64{}
	for _, d := range days {
		if startOf(d.Day) < w.From {
			continue
		}
		u.Join(d.Usage, r.terms(s))
		for _, x := range d.States {
			seconds[x.State] += x.Seconds
		}
	}
	a.Recent = u.Report(w.From, w.To, s.Ratings)
	a.Utilization = utilization(seconds, w, r.Use)
}

// utilization has its states told as if each had lasted in one piece, which
// changes no share.
func utilization(seconds map[string]float64, w station.Window, r station.UseRules) station.Utilization {
	states := make([]string, 0, len(seconds))
	for state := range seconds {
		states = append(states, state)
	}
	slices.Sort(states)
	at, samples := w.From, []station.StateSample{}
	for _, state := range states {
		samples = append(samples, station.StateSample{TS: at, State: state})
		at += int64(seconds[state]*1000 + 0.5)
	}
	if len(samples) > 0 {
		samples = append(samples, station.StateSample{TS: at})
	}
	r.MaxHoldS = w.Seconds()
	return station.Use(samples, w, r)
}

func (a *Assessment) swaps(swaps []Swaps, w station.Window, handed int, delivered float64) {
	from, to := w.From, w.To
	a.Swaps.Basis = battery.Basis{Status: battery.HealthOK, Method: "swap_events", Version: SwapVersion, From: &from, To: &to}
	if handed < 0 {
		a.Swaps.Basis.Status = battery.HealthInsufficient
		a.Swaps.Basis.Reason = "no swap event names this battery, so it is not known whether its stations send any"
		return
	}
	for _, x := range swaps {
		if at := startOf(x.Day); at >= w.From && at < w.To {
			a.Swaps.Returns += x.In
		}
	}
	a.Swaps.Swaps = handed
	a.Swaps.Basis.Count = a.Swaps.Swaps + a.Swaps.Returns
	perDay := float64(a.Swaps.Swaps) / w.Days()
	a.Swaps.PerDay = &perDay
	if a.Swaps.Swaps > 0 {
		each := delivered / float64(a.Swaps.Swaps)
		a.Swaps.EnergyPerSwapWh = &each
	}
}

// passport is what the battery's passport is filled with.
func (x *Dossier) passport(a Assessment, s Sheet) battery.PassportFacts {
	lifetime := func(v float64) battery.Reported {
		if !a.Lifetime.OK() {
			return battery.Reported{Reason: a.Lifetime.Reason}
		}
		return battery.Reported{Value: &v, At: x.Last}
	}
	told := func(f Fact, why string) battery.Reported {
		if f.Value == nil {
			return battery.Reported{Reason: why}
		}
		return battery.Reported{Value: f.Value, At: f.At}
	}
	t := x.Told
	f := battery.PassportFacts{
		EnergyThroughputWh: lifetime(a.Lifetime.EnergyWh), ChargeThroughputAh: lifetime(a.Lifetime.ChargeAh),
		CapacityAh: told(t.CapacityAh, a.Health.Reason), EnergySoHPct: told(t.EnergyPct, a.Energy.Reason),
		ResistanceMOhm: told(t.MOhm, a.Resistance.Reason), RoundTripPct: told(t.RoundTripPct, a.Efficiency.Reason),
		SelfDischargePct: told(t.SelfDischarge, a.SelfDischarge.Reason),
		Events:           a.Events, EventsAt: x.Last,
	}
	if v := f.RoundTripPct.Value; v != nil { // more than all is the error of the measurement
		most := min(*v, 100)
		f.RoundTripPct.Value = &most
	}
	f.UsableEnergyWh = battery.Reported{Value: a.Energy.EnergyWh, Reason: a.Energy.Reason}
	if a.Energy.To != nil {
		f.UsableEnergyWh.At = *a.Energy.To
	}
	f.FullCycles = battery.Reported{Value: a.Lifetime.EquivalentFullCycles, At: x.Last, Reason: "rated_capacity_ah is not set"}
	f.SoCPct = battery.Reported{Value: number(x.SoCPct), At: x.SoCAt, Reason: "soc_pct is not reported"}
	if soc := number(x.Rest.SoCPct); soc != nil && x.Rest.At > 0 && s.Ratings.CutoffVoltageV > 0 && t.MOhm.Value != nil && *t.MOhm.Value > 0 {
		f.Power = &battery.PowerAt{SoCPct: *soc, Watts: battery.PowerCapability(x.Rest.VoltageV, s.Ratings.CutoffVoltageV, *t.MOhm.Value)}
		f.PowerAt = max(x.Rest.At, t.MOhm.At)
	}
	return f
}
