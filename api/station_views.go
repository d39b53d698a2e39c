package api

import (
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationHead names the station and the days of an answer.
type StationHead struct {
	Station  string `json:"station"`
	TimeZone string `json:"time_zone" doc:"whose days are meant"`
	Days     int    `json:"days" doc:"in the window: those asked for, less what lies before the station's first data"`
	Known    int    `json:"days_with_data"`
}

func headOf(q *stationAsked, a *station.Assessment) StationHead {
	return StationHead{Station: q.id, TimeZone: q.setting.Calendar.Zone().String(), Days: a.Days, Known: a.Known}
}

// StationServing is how riders were served.
type StationServing struct {
	Basis
	Swaps            *int           `json:"swaps"`
	Failures         *int           `json:"failures" doc:"riders refused, or swaps broken off"`
	Reneged          *int           `json:"reneged" doc:"riders who gave up"`
	Reasons          map[string]int `json:"failure_reasons"`
	SwapsPerDay      *float64       `json:"swaps_per_day"`
	Completion       *float64       `json:"completion" doc:"swaps over swaps, failures and reneged"`
	PackAvailability *float64       `json:"charged_pack_availability" doc:"share of the visits that told at which a charged pack was there"`
	EnergyWh         *float64       `json:"energy_wh" doc:"handed out less handed in, over the swaps that told it"`
	PerSwapWh        *float64       `json:"energy_per_swap_wh"`
	SwapP50S         *float64       `json:"swap_p50_s" doc:"time of a swap; null: not reported"`
	SwapP95S         *float64       `json:"swap_p95_s"`
	VisitP50S        *float64       `json:"visit_p50_s" doc:"from a rider's coming to the end of the swap"`
	VisitP95S        *float64       `json:"visit_p95_s"`
}

func servingOf(s station.Service) StationServing {
	v := StationServing{Basis: stationBasisOf(s.Basis), Reasons: map[string]int{}}
	if s.Status != station.OK {
		return v
	}
	v.Swaps, v.Failures, v.Reneged, v.Reasons = &s.Swaps, &s.Failures, &s.Reneged, s.Reasons
	v.SwapsPerDay, v.Completion, v.PackAvailability = s.SwapsPerDay, s.Completion, s.PackAvailability
	v.EnergyWh, v.PerSwapWh = s.EnergyWh, s.PerSwapWh
	v.SwapP50S, v.SwapP95S, v.VisitP50S, v.VisitP95S = s.SwapP50S, s.SwapP95S, s.VisitP50S, s.VisitP95S
	return v
}

// StationWait is how long riders wait before a swap.
type StationWait struct {
	Basis
	MeanS   *float64 `json:"mean_s"`
	P50S    *float64 `json:"p50_s"`
	P95S    *float64 `json:"p95_s"`
	Waiting *float64 `json:"waiting_share" doc:"of riders that wait at all"`
}

func waitOf(w station.Wait) StationWait {
	return StationWait{stationBasisOf(w.Basis), w.MeanS, w.P50S, w.P95S, w.Waiting}
}

// StationLoad is how much of what a station can do was asked of it.
type StationLoad struct {
	Basis
	Servers       int      `json:"servers" doc:"riders served at once"`
	SwapS         float64  `json:"swap_s" doc:"time of a swap; the method says whether measured or configured"`
	ServedPerHour float64  `json:"served_per_hour"`
	Utilization   *float64 `json:"utilization" doc:"share of its servers' time spent on swaps"`
	Peak          *float64 `json:"peak_utilization" doc:"arrivals of the busiest hour over what can be served in it"`
}

func loadOf(l station.Load) StationLoad {
	v := StationLoad{Basis: stationBasisOf(l.Basis), Servers: l.Servers, SwapS: l.SwapS, ServedPerHour: l.ServedPerHour}
	if l.Status == station.OK {
		v.Utilization, v.Peak = l.Utilization, l.Peak
	}
	return v
}

// StationEnergy is what a station drew from the grid, and what of it went into
// packs.
type StationEnergy struct {
	Basis
	GridWh         *float64 `json:"grid_wh" doc:"by the meter, over the time covered"`
	PerDay         *float64 `json:"grid_wh_per_day"`
	PerSwap        *float64 `json:"grid_wh_per_swap" doc:"null where less than 0.9 of the window is covered"`
	Charges        int      `json:"charges" doc:"packs charged"`
	ChargedWh      *float64 `json:"charged_wh" doc:"into packs, as reported"`
	ChargedPerSwap *float64 `json:"charged_wh_per_swap"`
}

func energyOfStation(e station.Energy) StationEnergy {
	return StationEnergy{stationBasisOf(e.Basis), e.GridWh, e.PerDay, e.PerSwap, e.Charges, e.ChargedWh, e.ChargedPerSwap}
}

// StationUse is the time in each state.
type StationUse struct {
	Basis
	States       []StationStateShare `json:"states" nullable:"false"`
	Earning      *float64            `json:"earning_share" doc:"null where the state never says that it swaps"`
	Idle         *float64            `json:"idle_share"`
	Availability *float64            `json:"availability" doc:"share of the time known in which it was in service"`
	UnknownS     float64             `json:"unknown_s" doc:"of the window, without a state"`
}

// StationStateShare is the time in one state.
type StationStateShare struct {
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Share   float64 `json:"share" doc:"of the time known, 0…1"`
}

func stationUseOf(u station.Utilization) StationUse {
	v := StationUse{Basis: stationBasisOf(u.Basis), States: []StationStateShare{}, Earning: u.Earning, Idle: u.Idle, Availability: u.Availability, UnknownS: u.UnknownS}
	for _, s := range u.States {
		v.States = append(v.States, StationStateShare(s))
	}
	return v
}

// StationSlotUse is how slots were used over the time covered.
type StationSlotUse struct {
	Basis
	Total      *float64 `json:"slots_total" doc:"mean"`
	Occupied   *float64 `json:"occupied_share"`
	Charging   *float64 `json:"charging_share"`
	Ready      *float64 `json:"ready_share"`
	Faulty     *float64 `json:"fault_share"`
	ReadyMean  *float64 `json:"ready_mean" doc:"packs"`
	ReadyP05   *float64 `json:"ready_p05" doc:"packs that were ready, or more, for 95 % of the time"`
	NoneReadyS *float64 `json:"none_ready_s" doc:"time without a charged pack"`
	Service    *float64 `json:"pack_in_service" doc:"share of the time with one"`
}

func slotUseOf(s station.Slots) StationSlotUse {
	v := StationSlotUse{Basis: stationBasisOf(s.Basis)}
	if s.Status != station.OK {
		return v
	}
	v.Total, v.Occupied, v.Charging, v.Ready, v.Faulty = &s.Total, s.Occupied, s.Charging, s.Ready, s.Faulty
	v.ReadyMean, v.ReadyP05, v.NoneReadyS, v.Service = s.ReadyMean, s.ReadyP05, &s.NoneReadyS, s.Service
	return v
}

// StationUptime is how reliable the equipment is.
type StationUptime struct {
	Basis
	StationUp    *float64 `json:"station_uptime" doc:"share of the time in which the station as a whole worked"`
	SlotsUp      *float64 `json:"slot_uptime" doc:"share of slot-time in which slots did, the station's downtime counting for each"`
	Faults       *int     `json:"faults" doc:"that began in the window"`
	OpenFaults   *int     `json:"open_faults" doc:"at its end"`
	MTBFHours    *float64 `json:"mtbf_hours" doc:"operating time over faults"`
	MTTRHours    *float64 `json:"mttr_hours" doc:"from opening to closing"`
	RespondHours *float64 `json:"response_hours" doc:"from opening until maintenance came; null: not reported"`
}

func uptimeOf(u station.Uptime) StationUptime {
	v := StationUptime{Basis: stationBasisOf(u.Basis)}
	if u.Status != station.OK {
		return v
	}
	v.StationUp, v.SlotsUp, v.Faults, v.OpenFaults = u.StationUp, u.SlotsUp, &u.Faults, &u.OpenFaults
	v.MTBFHours, v.MTTRHours, v.RespondHours = u.MTBFHours, u.MTTRHours, u.RespondHours
	return v
}

// StationArrivals is when riders come.
type StationArrivals struct {
	Basis
	PerHour   []float64 `json:"per_hour" doc:"mean arrivals in each of the 24 hours of the local day; empty: not known" nullable:"false"`
	PerDay    *float64  `json:"per_day"`
	PeakHour  *int      `json:"peak_hour" doc:"0…23, the busiest"`
	PeakRate  *float64  `json:"peak_per_hour"`
	PeakShare *float64  `json:"peak_share" doc:"of the day's arrivals"`
	PeakLoad  *float64  `json:"peak_utilization" doc:"arrivals of the busiest hour over what can be served in it"`
}

func arrivalsOf(d station.Demand) StationArrivals {
	v := StationArrivals{Basis: stationBasisOf(d.Basis), PerHour: []float64{}}
	if d.Status != station.OK {
		return v
	}
	sum := 0.0
	for _, n := range d.PerHour {
		sum += n
	}
	v.PerHour, v.PerDay, v.PeakHour, v.PeakRate, v.PeakShare, v.PeakLoad = d.PerHour[:], &sum, d.PeakHour, &d.PeakRate, d.PeakShare, d.PeakLoad
	return v
}

// StationStock is how many packs a station should hold against what it holds.
type StationStock struct {
	Basis
	Needed         *int     `json:"packs_needed"`
	Held           *float64 `json:"packs_held" doc:"mean"`
	Short          *int     `json:"packs_short"`
	Idle           *int     `json:"packs_idle"`
	Target         float64  `json:"service_target" doc:"share of the riders of the busiest hour to be served at once"`
	Turnover       *float64 `json:"packs_in_turnover" doc:"away being charged in the busiest hour, mean"`
	RechargeS      *float64 `json:"recharge_s" doc:"from a pack's return until it is charged"`
	RechargeMethod string   `json:"recharge_method,omitempty" enum:"measured,configured"`
}

func stockOf(s station.Advice) StationStock {
	v := StationStock{Basis: stationBasisOf(s.Basis), Target: s.Service, RechargeMethod: s.RechargeMethod}
	if s.Status != station.OK {
		return v
	}
	v.Needed, v.Held, v.Short, v.Idle, v.Turnover, v.RechargeS = s.Needed, &s.Held, &s.Short, &s.Idle, &s.Turnover, &s.Recharge
	return v
}
