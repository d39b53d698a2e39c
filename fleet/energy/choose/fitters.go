package choose

import (
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/changepoint"
	"github.com/fleetwatt/fleetwatt/fleet/energy/smooth"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
)

// Daily are the models of days, the plainest first. The options are for those
// of CalTRACK.
func Daily(o caltrack.Options) []energy.Fitter {
	var out []energy.Fitter
	for _, s := range changepoint.Shapes() {
		out = append(out, energy.Fitter{ID: "changepoint-" + string(s), Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(changepoint.Fit(rows, s))
		}})
	}
	return append(out,
		energy.Fitter{ID: caltrack.DailyModel, Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(caltrack.FitDaily(rows, o))
		}},
		energy.Fitter{ID: towt.DailyModel, Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(towt.Fit(rows, towt.Options{}))
		}},
		energy.Fitter{ID: smooth.ID, Provisional: true, Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(smooth.Fit(rows))
		}},
	)
}

// Hourly are the models of hours.
func Hourly() []energy.Fitter {
	return []energy.Fitter{
		{ID: towt.HourlyModel, Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(towt.Fit(rows, towt.Options{}))
		}},
		{ID: towt.WeightedModel, Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(towt.Fit(rows, towt.Options{TimescaleDays: 14}))
		}},
		{ID: caltrack.HourlyModel, Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(caltrack.FitHourly(rows))
		}},
	}
}

// Bills are the models of bills.
func Bills(o caltrack.Options) []energy.Fitter {
	return []energy.Fitter{
		{ID: caltrack.BillingModel, Fit: func(rows []energy.Row) (energy.Model, error) {
			return as(caltrack.FitBilling(rows, o))
		}},
	}
}

// as keeps a failed fit from becoming a model that is not nil.
func as[M energy.Model](m M, err error) (energy.Model, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}
