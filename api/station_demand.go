package api

import (
	"context"
	"net/http"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// forecastDays is how far ahead demand is foretold, and forecastHistory of how
// many days.
const forecastDays, forecastHistory = 14, 182

// StationDemandAnswer is when riders come, and how many will.
type StationDemandAnswer struct {
	StationHead
	Demand   StationArrivals `json:"demand"`
	Forecast StationForecast `json:"forecast"`
}

// StationForecast is the demand of the days to come.
type StationForecast struct {
	Basis
	Days     []StationForecastDay `json:"days" nullable:"false"`
	MAE      *float64             `json:"mae" doc:"mean error a day of such forecasts on the days gone by"`
	NaiveMAE *float64             `json:"naive_mae" doc:"the same of taking the same weekday of the week before"`
	Skill    *float64             `json:"skill" doc:"1 − mae/naive_mae: above 0 is better than naive"`
	Covered  *float64             `json:"covered" doc:"share of the days gone by that lay within their interval"`
}

// StationForecastDay is the demand of one day to come.
type StationForecastDay struct {
	Date string  `json:"date" format:"date" doc:"of the station's time zone"`
	Mean float64 `json:"mean" doc:"riders"`
	Low  float64 `json:"low" doc:"5 %"`
	High float64 `json:"high" doc:"95 %"`
}

func (a *API) routeStationDemand() {
	add(a, operation{
		right: access.Read, id: "get-station-demand", method: http.MethodGet, path: "/stations/{id}/demand", tag: "stations",
		summary: "When riders come, and how many will in the next 14 days",
		notes:   "The forecast rests on up to 182 days before the end of the window, and tells the error that its method had on them, each day foretold from the days before it.",
		errors:  []int{http.StatusNotFound},
	}, a.stationDemand)
}

func (a *API) stationDemand(ctx context.Context, in *stationInput) (*itemOutput[StationDemandAnswer], error) {
	q, err := a.stationAsked(ctx, in)
	if err != nil {
		return nil, err
	}
	assessment, err := a.assessed(ctx, q)
	if err != nil {
		return nil, err
	}
	outlook, err := a.outlookOf(ctx, q)
	if err != nil {
		return nil, err
	}
	return &itemOutput[StationDemandAnswer]{Body: StationDemandAnswer{headOf(q, &assessment), arrivalsOf(assessment.Demand), forecastOf(outlook)}}, nil
}

// outlookOf foretells from the days up to the last one asked for.
func (a *API) outlookOf(ctx context.Context, q *stationAsked) (station.Outlook, error) {
	days, err := a.opts.Stations.StationDays(ctx, q.id, q.last-forecastHistory+1, q.last)
	if err != nil {
		return station.Outlook{}, err
	}
	return station.DemandOutlook(days, q.last, forecastDays, q.setting), nil
}

func forecastOf(o station.Outlook) StationForecast {
	v := StationForecast{Basis: stationBasisOf(o.Basis), Days: []StationForecastDay{}, MAE: o.MAE, NaiveMAE: o.NaiveMAE, Skill: o.Skill, Covered: o.Covered}
	for _, d := range o.Days {
		v.Days = append(v.Days, StationForecastDay{dateOf(d.Day), d.Mean, d.Low, d.High})
	}
	return v
}

// dateOf is the date of a day that is counted from 1970-01-01.
func dateOf(day int64) string { return time.Unix(day*86400, 0).UTC().Format(time.DateOnly) }
