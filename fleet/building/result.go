package building

import (
	"encoding/json"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
	"github.com/fleetwatt/fleetwatt/fleet/energy/compare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
	"github.com/fleetwatt/fleetwatt/fleet/energy/solar"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
	"github.com/fleetwatt/fleetwatt/fleet/energy/watch"
)

// Result is all that is known of one building at the end of a local day.
type Result struct {
	Building string
	AsOf     time.Time
	Headline Headline
	Savings  []Saving
	Months   []MonthSaving // of the savings that have a tariff
	Models   []Model
	Demand   Demand
	Cost     Cost
	Carbon   Carbon
	Anomaly  []Anomalies
	Forecast Forecast
	Targets  []target.Standing
	Usage    Usage
	// Kept is what the next run need not work out again, by its digest: baselines,
	// and models of hours. It is no part of what is told.
	Kept map[string]json.RawMessage
}

// Saving is what one measure did to one meter.
type Saving struct {
	Basis
	Intervention string             `json:"intervention"` // its id
	Title        string             `json:"title"`
	Meter        Meter              `json:"meter"`
	Unit         string             `json:"unit"`
	Baseline     energy.Period      `json:"baseline_period"`
	Reporting    energy.Period      `json:"reporting_period"`
	Expected     *float64           `json:"expected_saving"` // share, as it was entered
	Assessment   *assess.Assessment `json:"assessment"`      // nil where the meter has no readings
	Cost         *CostSaving        `json:"cost"`            // nil without a tariff or a saving
	Carbon       *carbon.Reduction  `json:"carbon"`          // nil without emission factors or a saving
}

// CostSaving is what a saving is worth: the bill of the baseline less that of the
// use, over the rows where both are known. Charges on demand are not in it, since
// a baseline predicts the usual hour and not the peak.
type CostSaving struct {
	Tariff       string          `json:"tariff"`
	Version      string          `json:"version"`
	Baseline     tariff.Money    `json:"baseline"`
	Actual       tariff.Money    `json:"actual"`
	Saved        tariff.Money    `json:"saved"`
	Plus         *int64          `json:"plus_minus_minor"` // nil where it is not known
	Intervention *tariff.Money   `json:"intervention_cost"`
	Reasons      []energy.Reason `json:"reasons" nullable:"false"`
}

// Model is the present model of one meter: of the year before the days that are
// watched.
type Model struct {
	Basis
	Meter    Meter           `json:"meter"`
	Unit     string          `json:"unit"`
	Interval energy.Interval `json:"interval"`
	Fit      *energy.Fit     `json:"fit"`
	Choice   *choose.Choice  `json:"choice"`
}

// Demand is the load of a building over the year to the newest day, and what its
// measures did to its peak.
type Demand struct {
	Basis
	Profile    *demand.Profile  `json:"profile"`
	Reductions []DemandSaving   `json:"reductions" nullable:"false"`
	Months     []MonthlyMaximum `json:"months" nullable:"false"`
}

// DemandSaving is what one measure did to the peak.
type DemandSaving struct {
	Basis
	Intervention string            `json:"intervention"`
	Reduction    *demand.Reduction `json:"reduction"`
}

// MonthlyMaximum is the highest hour of a local month.
type MonthlyMaximum struct {
	Month  string    `json:"month"` // 2006-01
	PeakKW float64   `json:"peak_kw"`
	At     time.Time `json:"at"`
	Hours  int       `json:"hours"` // that are known
}

// Cost is what the building paid.
type Cost struct {
	Basis
	Meters []MeterCost `json:"meters" nullable:"false"`
}

// MeterCost is the bill of one meter: of the 365 days to the newest one, and of
// each calendar year.
type MeterCost struct {
	Basis
	Meter  Meter                  `json:"meter"`
	Unit   string                 `json:"unit"`
	Latest *tariff.Bill           `json:"latest_year"`
	Years  map[string]tariff.Bill `json:"years"`
}

// Carbon is what the building emitted: location-based and market-based, which
// are never added.
type Carbon struct {
	Basis
	Meters    []MeterCarbon  `json:"meters" nullable:"false"`
	Market    *carbon.Market `json:"market_based"` // electricity of the 365 days to the newest one; nil without contracts or a residual factor
	Intensity *float64       `json:"kg_per_m2_year"`
}

// MeterCarbon are the location-based emissions of one meter.
type MeterCarbon struct {
	Basis
	Meter  Meter                      `json:"meter"`
	Unit   string                     `json:"unit"`
	Latest *carbon.Location           `json:"latest_year"`
	Years  map[string]carbon.Location `json:"years"`
}

// Anomalies are the days and the shifts of one meter that its model does not
// explain, within the days that are watched.
type Anomalies struct {
	Basis
	Meter  Meter           `json:"meter"`
	Unit   string          `json:"unit"`
	Model  string          `json:"model"`
	Days   []watch.Anomaly `json:"days" nullable:"false"` // outside of the 95 % band
	Shifts []Shift         `json:"shifts" nullable:"false"`
}

// Shift is a change that stays, with what it has cost so far.
type Shift struct {
	watch.Shift
	Cost *tariff.Money `json:"cost_so_far"` // nil without a tariff
}

// Forecast is the load of the next local day, and how good such forecasts were.
type Forecast struct {
	Basis
	Model    string          `json:"model"`
	Weather  string          `json:"weather"` // what stands in for the weather of tomorrow
	Hours    []ForecastHour  `json:"hours" nullable:"false"`
	Backtest *watch.Accuracy `json:"backtest"`
}

// ForecastHour is the use to be expected of an hour.
type ForecastHour struct {
	Start time.Time `json:"start"`
	KWh   float64   `json:"kwh"`
	Plus  *float64  `json:"plus_minus_kwh"` // 90 %
	TempC *float64  `json:"outdoor_c"`
}

// Usage is what was used of late.
type Usage struct {
	Basis
	Meters   []MeterUse   `json:"meters" nullable:"false"`
	Solar    *solar.Share `json:"solar"`
	SolarWhy string       `json:"solar_reason,omitempty"` // why there is none
}

// MeterUse is the use of one meter over the 365 days to the newest one.
type MeterUse struct {
	Basis
	Meter      Meter          `json:"meter"`
	Unit       string         `json:"unit"`
	Use        *float64       `json:"use"`
	PerM2      *float64       `json:"per_m2_year"`
	YearOnYear *compare.Years `json:"year_on_year"`
}

// Headline is the row of a building in a list, and of a day in its history. What
// is not known is nil.
type Headline struct {
	Building string    `json:"building"`
	AsOf     time.Time `json:"as_of"`
	Status   Status    `json:"status" enum:"ok,insufficient_data" doc:"of the savings"`
	Reason   string    `json:"reason,omitempty"` // the first that keeps savings from being told
	Version  string    `json:"version"`
	Model    string    `json:"model,omitempty"` // of electricity

	SavingKWh   *float64 `json:"saving_kwh"`            // of electricity and gas together, since the newest measure on each
	PlusKWh     *float64 `json:"saving_plus_minus_kwh"` // of the wider interval
	StandardKWh *float64 `json:"saving_standard_plus_minus_kwh"`
	BaselineKWh *float64 `json:"baseline_kwh"`
	SavingPct   *float64 `json:"saving_pct"`
	Confidence  *float64 `json:"confidence"`
	Significant *bool    `json:"significant"`
	SavedMinor  *int64   `json:"saved_minor"`
	Currency    string   `json:"currency,omitempty"`
	AvoidedKG   *float64 `json:"avoided_kg"`

	UseKWh      *float64 `json:"use_kwh"` // of electricity and gas, over 365 days
	KWhPerM2    *float64 `json:"kwh_per_m2_year"`
	KGPerM2     *float64 `json:"kg_per_m2_year"`
	PeakKW      *float64 `json:"peak_kw"`
	LoadFactor  *float64 `json:"load_factor"`
	PeakPct     *float64 `json:"peak_reduction_pct"`
	ForecastPct *float64 `json:"forecast_accuracy_pct"`
	GreenPct    *float64 `json:"green_pct"`
	WaterPct    *float64 `json:"water_saving_pct"`
	FollowedPct *float64 `json:"automation_pct"`
	CarbonPct   *float64 `json:"carbon_reduction_pct"`
	Anomalies   *int     `json:"anomalies"`   // days, of the days watched
	OpenShifts  *int     `json:"open_shifts"` // that last
	TargetsMet  int      `json:"targets_met"`
	// Residuals are those of the baselines of the saving, for a portfolio; nil where
	// they are not known.
	Residuals *Residuals `json:"residuals,omitempty"`
	// Parts are what a portfolio's targets are added up from, by target.
	Parts map[string]Part `json:"parts,omitempty"`
}

// Part is a ratio, its numerator and denominator kept apart so that those of many
// buildings add up, and the half width of the interval around the numerator.
type Part struct {
	Of   float64  `json:"of"`
	All  float64  `json:"all"`
	Plus *float64 `json:"plus_minus"`
	// History are the monthly values in percent, by month.
	History map[string]float64 `json:"history,omitempty"`
}
