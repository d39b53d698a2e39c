package api

import (
	"context"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteryUsage is what a battery went through in a stretch of time.
type BatteryUsage struct {
	Battery        string          `json:"battery" doc:"id"`
	Throughput     Throughput      `json:"throughput"`
	Histograms     Histograms      `json:"histograms"`
	NegativeEvents []NegativeEvent `json:"negative_events" nullable:"false" doc:"the kinds that occurred"`
}

type usageInput struct {
	DevicePath
	Span
}

func (a *API) routeBatteryUsage() {
	add(a, operation{
		right: access.Read, id: "get-battery-usage", method: http.MethodGet, path: "/batteries/{id}/usage", tag: "batteries",
		summary: "Throughput, cycles, histograms and negative events",
		notes:   "Over the UTC days that [from, to) touches; without them, since the battery was first seen.",
		errors:  []int{http.StatusNotFound},
	}, a.usage)
}

func (a *API) usage(ctx context.Context, in *usageInput) (*itemOutput[BatteryUsage], error) {
	from, to, err := in.days()
	if err != nil {
		return nil, err
	}
	b, days, err := a.daysOf(ctx, in.ID, from, to)
	if err != nil {
		return nil, err
	}
	if len(days) > 0 { // an open end is where the data ends
		if in.From == "" {
			from = days[0].Day
		}
		if in.To == "" {
			to = days[len(days)-1].Day + 1
		}
	}
	rules, ratings := a.opts.Book.Rules(), dossier.SheetOf(b).Ratings
	var u battery.Usage
	for k := range days {
		u.Join(days[k].Usage, battery.Terms{Ratings: ratings, Rules: rules.Measure, Limits: rules.Limits})
	}
	report := u.Report(from*telemetry.Day, to*telemetry.Day, ratings)
	return &itemOutput[BatteryUsage]{Body: BatteryUsage{
		Battery: in.ID, Throughput: viewThroughput(report, &u), Histograms: viewHistograms(report, u), NegativeEvents: viewNegative(u.Events),
	}}, nil
}
