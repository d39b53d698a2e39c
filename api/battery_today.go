package api

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteryToday is the use of a battery on a UTC day that had not ended yet.
type BatteryToday struct {
	Battery        string             `json:"battery" doc:"id"`
	Date           *string            `json:"date" nullable:"true" doc:"UTC; null: no such day was counted"`
	Through        *Time              `json:"through" nullable:"true" doc:"of the newest reading counted"`
	Provisional    bool               `json:"provisional" doc:"always true: the nightly jobs settle the day from all of its readings, late ones too"`
	Readings       int                `json:"readings"`
	State          *string            `json:"state" nullable:"true" doc:"newest"`
	StateAt        *Time              `json:"state_at" nullable:"true" doc:"of the newest reading with a state"`
	SoCPct         *float64           `json:"soc_pct" doc:"newest"`
	States         []BatteryStateTime `json:"states" nullable:"false" doc:"time by state, up to the newest reading"`
	Throughput     Throughput         `json:"throughput"`
	NegativeEvents []NegativeEvent    `json:"negative_events" nullable:"false" doc:"the kinds that occurred"`
}

func (a *API) routeBatteryToday() {
	add(a, operation{
		right: access.Read, id: "get-battery-today", method: http.MethodGet, path: "/batteries/{id}/today", tag: "batteries",
		summary: "Its use on the present day, provisional",
		notes: "Of the newest UTC day that had not ended when it was last brought up to date, which an hourly job does. " +
			"A reading that arrives after a newer one was counted is not in it until the day is settled, when GET days has it.",
		errors: []int{http.StatusNotFound},
	}, a.batteryToday)
}

type batteryTodayInput struct{ DevicePath }

func (a *API) batteryToday(ctx context.Context, in *batteryTodayInput) (*itemOutput[BatteryToday], error) {
	b, err := a.opts.Registry.GetBattery(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	today, found, err := a.opts.Batteries.BatteryToday(ctx, in.ID)
	if err != nil {
		return nil, fmt.Errorf("read the present day: %w", err)
	}
	return &itemOutput[BatteryToday]{Body: viewToday(b, today, found)}, nil
}

func viewToday(b devices.Battery, today dossier.Today, found bool) BatteryToday {
	view := BatteryToday{Battery: b.ID, Provisional: true, States: []BatteryStateTime{}, NegativeEvents: []NegativeEvent{}}
	ratings := dossier.SheetOf(b).Ratings
	if !found {
		var none battery.Usage
		view.Throughput = viewThroughput(none.Report(0, 0, ratings), nil)
		return view
	}
	start := today.Day * telemetry.Day
	date := Time(start).date()
	view.Date, view.Readings = &date, today.Readings
	end := start
	if today.Readings > 0 {
		view.Through, end = since1970(today.Through), today.Through
	}
	if today.State != "" {
		view.State, view.StateAt = &today.State, since1970(today.StateAt)
	}
	if !math.IsNaN(today.SoCPct) {
		view.SoCPct = figuresOf(&today.SoCPct)
	}
	for _, s := range today.States {
		view.States = append(view.States, BatteryStateTime(s))
	}
	view.Throughput = viewThroughput(today.Usage.Report(start, end, ratings), &today.Usage)
	view.NegativeEvents = viewNegative(today.Usage.Events)
	return view
}
