package api

import (
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationDayRow is one local day of a station.
type StationDayRow struct {
	Date             string   `json:"date" format:"date" doc:"of the station's time zone"`
	From             Time     `json:"from"`
	To               Time     `json:"to"`
	Complete         bool     `json:"complete" doc:"whether the day has ended"`
	Version          string   `json:"version"`
	Coverage         *float64 `json:"coverage" doc:"share of the day within the hold time of a reading; null: the station sends events alone"`
	Swaps            int      `json:"swaps"`
	Failures         int      `json:"failures"`
	Reneged          int      `json:"reneged"`
	Completion       *float64 `json:"completion"`
	PackAvailability *float64 `json:"charged_pack_availability"`
	GridWh           *float64 `json:"grid_wh" doc:"by the meter, over the time covered"`
	GridCoverage     *float64 `json:"grid_coverage"`
	MeterResets      int      `json:"meter_resets"`
	Charges          int      `json:"charges"`
	ChargedWh        *float64 `json:"charged_wh"`
	Availability     *float64 `json:"availability" doc:"by state, of the time known"`
	SlotCoverage     *float64 `json:"slot_coverage"`
	Occupied         *float64 `json:"occupied_share"`
	Ready            *float64 `json:"ready_share"`
	Charging         *float64 `json:"charging_share"`
	Faulty           *float64 `json:"fault_share"`
	NoneReadyS       *float64 `json:"none_ready_s" doc:"time without a charged pack"`
	PeakHour         *int     `json:"peak_hour" doc:"the busiest, 0…23"`
	Hours            []int    `json:"arrivals_by_hour" nullable:"false"`
}

type stationDaysInput struct {
	DevicePath
	Query
	Span
}

func (a *API) routeStationDays() {
	addTable(a, operation{
		right: access.Read, id: "list-station-days", path: "/stations/{id}/days", tag: "stations",
		summary: "A station by local day",
		notes:   "Days that begin in [from, to). Days without data are absent.",
		errors:  []int{404},
	}, tableSpec{
		name: "station-days", sort: []string{"date"},
		filters: []string{"swaps", "completion", "coverage", "complete"},
	}, a.stationDays)
}

func (a *API) stationDays(ctx context.Context, in *stationDaysInput) ([]StationDayRow, error) {
	interval, err := in.interval()
	if err != nil {
		return nil, err
	}
	w, err := interval.open()
	if err != nil {
		return nil, err
	}
	s, err := a.opts.Registry.GetStation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	setting, err := a.stationSetting(ctx, s)
	if err != nil {
		return nil, err
	}
	c := setting.Calendar
	days, err := a.opts.Stations.StationDays(ctx, s.ID, c.DayOf(w.From), c.DayOf(w.To-1))
	if err != nil {
		return nil, err
	}
	now := a.opts.Now().UnixMilli()
	var rows []StationDayRow
	for i := range days {
		if w.Contains(days[i].From) {
			rows = append(rows, stationDayRow(&days[i], setting, now))
		}
	}
	return rows, nil
}

func stationDayRow(d *station.Day, s station.Setting, now int64) StationDayRow {
	t := d.Totals(s.Calendar, s.Rules.Use())
	row := StationDayRow{
		Date: dateOf(d.Day), From: Time(d.From), To: Time(d.To), Complete: d.To <= now, Version: station.DayVersion,
		Swaps: t.Swaps, Failures: t.Failures, Reneged: t.Reneged, Completion: t.Completion(), PackAvailability: t.PackAvailability(),
		GridWh: t.EnergyWh(), GridCoverage: t.Share(t.MeterMS, t.LengthMS), MeterResets: d.Meter.Resets, Charges: t.Charges,
		SlotCoverage: t.Share(t.SlotMS, t.LengthMS),
		Occupied:     t.Occupied(), Ready: t.Share(t.SlotReady, t.SlotTotal),
		Faulty:       t.Share(t.SlotFault, t.SlotTotal),
		Availability: t.Share(t.StateMS-t.UnavailableMS, t.StateMS), Hours: t.Hours[:],
	}
	if row.Occupied != nil {
		row.Charging = t.Share(t.SlotCharging, t.SlotTotal)
	}
	if t.HeardMS > 0 {
		row.Coverage = t.Share(t.HeardMS, t.LengthMS)
	}
	if d.Charges.Told > 0 {
		row.ChargedWh = t.Share(t.ChargedMilliWh, 1000)
	}
	if t.SlotMS > 0 {
		row.NoneReadyS = t.Share(t.NoneReadyMS, 1000)
	}
	if t.Visits() > 0 {
		peak := 0
		for h, n := range t.Hours {
			if n > t.Hours[peak] {
				peak = h
			}
		}
		row.PeakHour = &peak
	}
	return row
}

// sizeOf is the class of a station by its slots.
func sizeOf(slots int) string {
	for _, class := range []struct{ low, high int }{{1, 9}, {10, 19}, {20, 39}} {
		if slots >= class.low && slots <= class.high {
			return fmt.Sprintf("%d-%d slots", class.low, class.high)
		}
	}
	if slots >= 40 {
		return "40 slots or more"
	}
	return ""
}
