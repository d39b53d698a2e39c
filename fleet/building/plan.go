package building

import (
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// Date is a day of the calendar of the building, 2006-01-02.
type Date string

// In is the first instant of the day in a zone; false where it is no date.
func (d Date) In(loc *time.Location) (time.Time, bool) {
	t, err := time.ParseInLocation(time.DateOnly, string(d), loc)
	if err != nil {
		return time.Time{}, false
	}
	return prepare.Days(t, t.Add(time.Hour*26))[0], true
}

// Intervention is a measure that is to save something.
type Intervention struct {
	ID       string        `json:"id,omitempty" readOnly:"true"`
	Title    string        `json:"title"`
	Concerns []Meter       `json:"concerns" nullable:"false"`                                               // the meters it is to act on
	Start    Date          `json:"start" format:"date"`                                                     // when work began: the baseline ends
	End      Date          `json:"end,omitempty" format:"date"`                                             // when work was done: the reporting period begins; the start by default
	Cost     *tariff.Money `json:"cost,omitempty"`                                                          //
	Expected *float64      `json:"expected_saving,omitempty" minimum:"0" maximum:"1" doc:"of the baseline"` // share

	// BaselineFrom, where it is set, takes the place of the year before Start,
	// and ReportingTo that of the newest day.
	BaselineFrom Date   `json:"baseline_from,omitempty" format:"date"`
	BaselineTo   Date   `json:"baseline_to,omitempty" format:"date"` // exclusive; Start by default
	ReportingTo  Date   `json:"reporting_to,omitempty" format:"date"`
	Note         string `json:"note,omitempty"`
}

// Adjustment is a non-routine adjustment: use that has nothing to do with a
// measure, such as a tenant who moved in.
type Adjustment struct {
	ID     string  `json:"id,omitempty" readOnly:"true"`
	Meter  Meter   `json:"meter" enum:"electricity,gas,water"`
	From   Date    `json:"from" format:"date"`
	To     Date    `json:"to" format:"date"` // exclusive
	Amount float64 `json:"amount"`           // over the whole span, in the unit of the meter; negative where use fell away
	Reason string  `json:"reason"`
}

// MeterOptions are how the use of one meter is judged.
type MeterOptions struct {
	Option      savings.Option  `json:"ipmvp_option,omitempty" enum:"C,B"`               // C by default
	Interval    energy.Interval `json:"interval,omitempty" enum:"day,hour"`              // of the baseline; day by default
	Model       string          `json:"model,omitempty"`                                 // its id; auto, the default, chooses
	HourlyModel string          `json:"hourly_model,omitempty"`                          // for demand and forecast; towt-hourly by default
	Confidence  float64         `json:"confidence,omitempty" minimum:"0" maximum:"0.99"` // 0.9 by default
	DropZeros   bool            `json:"drop_zeros,omitempty"`                            // take zeros of a meter with a base load for gaps
	HeatingOnly *bool           `json:"heating_only,omitempty"`                          // gas by default
	Tariff      string          `json:"tariff,omitempty"`                                // id
	Grid        string          `json:"grid,omitempty"`                                  // id of its emission factors
}

// WeatherSource says where the outdoor temperature of a building comes from.
type WeatherSource string

// The sources beside "station/ID" and "building/ID", which name another device
// that measures it.
const (
	OwnSensor WeatherSource = "own"
	Imported  WeatherSource = "import" // of the building, otherwise of its site
)

// Settings are what the owner of a building chose.
type Settings struct {
	Weather  WeatherSource           `json:"weather,omitempty"` // own by default
	Meters   map[Meter]*MeterOptions `json:"meters,omitempty"`
	Peak     *demand.Window          `json:"peak_window,omitempty"` // of the system; 16 to 20 o'clock of weekdays by default
	Supply   []carbon.Contract       `json:"contracts,omitempty"`   // market-based, of electricity
	Residual *float64                `json:"residual_factor,omitempty" minimum:"0" doc:"kg CO₂e per kWh of what no contract covers"`
	// Tolerance is how far from its setpoint the indoor temperature may be, °C;
	// 1 by default.
	Tolerance float64 `json:"setpoint_tolerance_c,omitempty" minimum:"0" maximum:"10"`
}

// Plan is everything a result depends on beside the measurements.
type Plan struct {
	Building      string                    `json:"building"`
	Zone          string                    `json:"time_zone"`
	FloorM2       float64                   `json:"floor_area_m2"`
	Settings      Settings                  `json:"settings"`
	Interventions []Intervention            `json:"interventions"`
	Adjustments   []Adjustment              `json:"adjustments"`
	Tariffs       map[string]*tariff.Tariff `json:"tariffs,omitempty"` // by id
	Grids         map[string]*carbon.Grid   `json:"grids,omitempty"`   // by id
	// Rules are the choices of the operator.
	Rules Rules `json:"rules"`
}

// Rules are what an operator may choose for all buildings.
type Rules struct {
	WatchDays    int    `json:"watch_days"`    // that anomalies and shifts are looked for in
	BacktestDays int    `json:"backtest_days"` // that the day-ahead forecast is checked on
	MaxGapHours  int    `json:"max_gap_hours"` // between two readings of a register, across which its growth is spread
	HourlyModel  string `json:"hourly_model"`
}

// DefaultRules are sound for meters that are read at least daily.
func DefaultRules() Rules {
	return Rules{WatchDays: 90, BacktestDays: 28, MaxGapHours: 26, HourlyModel: "towt-hourly"}
}

// Options are the options of a meter with the defaults filled in.
func (p *Plan) Options(m Meter) MeterOptions {
	var o MeterOptions
	if given := p.Settings.Meters[m]; given != nil {
		o = *given
	}
	if o.Option == "" {
		o.Option = savings.WholeFacility
	}
	if o.Interval == "" {
		o.Interval = energy.Daily
	}
	if o.Model == "auto" {
		o.Model = ""
	}
	if o.HourlyModel == "" {
		o.HourlyModel = p.Rules.HourlyModel
	}
	if o.Confidence == 0 {
		o.Confidence = 0.9
	}
	if o.HeatingOnly == nil {
		gas := m == Gas
		o.HeatingOnly = &gas
	}
	return o
}

// Location is the zone of the building's days.
func (p *Plan) Location() (*time.Location, error) {
	if p.Zone == "" {
		return time.UTC, nil
	}
	return time.LoadLocation(p.Zone)
}

// ToleranceC is how far from its setpoint the indoor temperature may be.
func (s *Settings) ToleranceC() float64 {
	if s.Tolerance == 0 {
		return 1
	}
	return s.Tolerance
}

// window is the peak of the system that demand is counted in.
func (s *Settings) window() demand.Window {
	if s.Peak != nil {
		return *s.Peak
	}
	return demand.Window{
		Name: "weekday evening", FromHour: 16, ToHour: 20,
		Weekdays: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
	}
}
