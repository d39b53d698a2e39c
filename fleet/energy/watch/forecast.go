package watch

import (
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Forecast predicts the rows of a day ahead from a baseline and what the building
// did lately: the model, and by hour of the day the mean of the last residuals,
// of which the newer weigh more.
type Forecast struct {
	model    energy.Model
	residual map[int]float64
}

// memory is the weight of the newest residual in the mean of one hour of the
// day: about the last week counts.
const memory = 0.25

// NewForecast starts from rows that were seen, ascending. It may be none.
func NewForecast(model energy.Model, seen []energy.Row) *Forecast {
	f := &Forecast{model: model, residual: map[int]float64{}}
	f.Learn(seen)
	return f
}

// Learn takes in rows that have come to pass.
func (f *Forecast) Learn(rows []energy.Row) {
	for i, p := range f.model.Predict(rows) {
		r := rows[i].Use - p
		if math.IsNaN(r) {
			continue
		}
		h := rows[i].Start.Hour()
		if old, ok := f.residual[h]; ok {
			r = old + memory*(r-old)
		}
		f.residual[h] = r
	}
}

// Predict is the use to be expected in rows that have a temperature forecast;
// never below zero.
func (f *Forecast) Predict(rows []energy.Row) []float64 {
	out := f.model.Predict(rows)
	for i := range out {
		out[i] += f.residual[rows[i].Start.Hour()]
		if out[i] < 0 {
			out[i] = 0
		}
	}
	return out
}

// Accuracy is how well day-ahead forecasts did.
type Accuracy struct {
	Version  string        `json:"version"`
	Period   energy.Period `json:"period"`
	Accuracy *float64      `json:"accuracy_pct"` // 100 − MAPE
	MAPE     *float64      `json:"mape_pct"`
	CVRMSE   *float64      `json:"cvrmse"`
	NMBE     *float64      `json:"nmbe"`
	Days     int           `json:"days"`
	// Plus is the half width of the 90 % interval of the accuracy, from its
	// spread between days.
	Plus *float64 `json:"plus_minus_pct"`
	// PerfectWeather says that the temperature that was stood in for the
	// forecast of it.
	PerfectWeather bool `json:"perfect_weather"`
}

// Backtest forecasts each day of rows from all before it, and compares. The
// temperatures of the rows stand in for the weather forecast, which flatters the
// result; PerfectWeather says so. MAPE leaves out rows without use.
func Backtest(model energy.Model, seen, rows []energy.Row) (*Accuracy, error) {
	f := NewForecast(model, seen)
	a := Accuracy{Version: Version, Period: energy.Span(rows), PerfectWeather: true}
	var observed, predicted, daily []float64
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && sameDay(rows[n].Start, rows[0].Start) {
			n++
		}
		day := rows[:n]
		o := make([]float64, n)
		for i, r := range day {
			o[i] = r.Use
		}
		p := f.Predict(day)
		observed, predicted = append(observed, o...), append(predicted, p...)
		if m := energy.Measure(o, p, 0).MAPE; m != nil {
			daily = append(daily, 100**m)
		}
		f.Learn(day)
		rows = rows[n:]
	}
	s := energy.Measure(observed, predicted, 0)
	if s.MAPE == nil {
		return nil, energy.Lacking(Version, "nothing_to_compare", "no row has both use and forecast")
	}
	mape := 100 * *s.MAPE
	a.MAPE, a.Accuracy, a.Days = &mape, energy.Known(100-mape), len(daily)
	a.CVRMSE, a.NMBE = s.CVRMSE, s.NMBE
	a.Plus = energy.Known(1.645 * deviation(daily) / math.Sqrt(float64(len(daily))))
	return &a, nil
}

func sameDay(a, b time.Time) bool {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	return ay == by && am == bm && ad == bd
}

// deviation is the sample standard deviation; NaN below two.
func deviation(x []float64) float64 {
	var mean, sum float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}
