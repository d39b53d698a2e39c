package building

import (
	"errors"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
	"github.com/fleetwatt/fleetwatt/fleet/energy/watch"
)

// The codes of what is watched.
const (
	MeasureInTraining = "measure_within_training"
	ShortTraining     = "training_shorter_than_a_year"
)

// presentModel is the model that the newest days are held against, and those
// days.
type presentModel struct {
	Model
	model energy.Model
	rows  []energy.Row
}

// present fits, for every meter with readings, the model of the year before the
// days that are watched.
func (e *evaluation) present() ([]presentModel, error) {
	var out []presentModel
	for _, m := range Used() {
		if !e.meter(m).present {
			continue
		}
		p, err := e.presentOf(m)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (e *evaluation) presentOf(m Meter) (presentModel, error) {
	o := e.Plan.Options(m)
	p := presentModel{Model: Model{Meter: m, Unit: m.Unit(), Interval: energy.Daily}}
	from := e.table.asOf.AddDate(0, 0, -e.Plan.Rules.WatchDays)
	training := year(from)
	q := assess.Request{
		Baseline: within(training, e.meter(m).daily), Interval: energy.Daily, Confidence: o.Confidence,
		DropZeros: o.DropZeros, HeatingOnly: *o.HeatingOnly,
		Requirement: caltrack.Requirement{Days: baselineDays, Coverage: 0.9, From: training.From, To: training.To},
	}
	if o.Interval == energy.Daily {
		q.Model = o.Model
	}
	a, err := e.assessPresent(m, from, q)
	if err != nil {
		return p, err
	}
	p.Basis = basisOf(assess.Version, without(a.Verdict, assess.ReportingShort))
	p.span(training)
	p.Coverage = coverage(e.meter(m).daily, training)
	for _, r := range e.meter(m).resets {
		p.add(r)
	}
	for _, i := range e.interventions(m) {
		if at, ok := i.Start.In(e.loc); ok && training.Contains(at) {
			p.add(energy.Reason{Code: MeasureInTraining, Text: "a measure began within the year that the model was fitted to: " + i.Title})
		}
	}
	p.Fit, p.Choice, p.model = a.Fit, a.Choice, a.Model()
	p.rows = within(energy.Period{From: from, To: e.table.asOf}, e.meter(m).daily)
	return p, nil
}

// choiceDays is how long the choice of the present model stands. The model is
// fitted every night to the year before the days that are watched; which one it
// is was chosen on the year before the newest of the days, choiceDays apart, that
// differ from building to building so that they do not all choose in one night.
const choiceDays = 28

// assessPresent fits the model that was chosen for these days, or chooses where
// there was no whole year yet then.
func (e *evaluation) assessPresent(m Meter, from time.Time, q assess.Request) (*assess.Assessment, error) {
	training := year(e.choiceDay(from))
	if q.Model != "" || training.From.Before(e.meter(m).first) {
		return assess.Assess(q)
	}
	then := q
	then.Baseline, then.Memory = within(training, e.meter(m).daily), e.memory
	then.Requirement.From, then.Requirement.To = training.From, training.To
	chosen, err := assess.Assess(then)
	if err != nil {
		return nil, err
	}
	if chosen.Fit == nil {
		return assess.Assess(q)
	}
	q.Choice = chosen.Choice
	a, err := assess.Assess(q)
	if err != nil || a.Fit != nil {
		return a, err
	}
	q.Choice = nil
	return assess.Assess(q)
}

// choiceDay is the newest day, up to a local midnight, on which the building
// chooses.
func (e *evaluation) choiceDay(at time.Time) time.Time {
	h := fnv.New32a()
	h.Write([]byte(e.Plan.Building))
	y, month, d := at.Date()
	day := time.Date(y, month, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
	return at.AddDate(0, 0, -int((day+int64(h.Sum32()%choiceDays))%choiceDays))
}

// without is a verdict as it would be without one reason.
func without(v energy.Verdict, code string) energy.Verdict {
	out := energy.Verdict{Sufficient: true, Criteria: v.Criteria}
	for _, r := range v.Reasons {
		if r.Code != code {
			out.Add(r)
		}
	}
	return out
}

// bandShare is the share of the days of an unchanged building within the band.
const bandShare = 0.95

// anomalies holds the days that are watched against the present model.
func (e *evaluation) anomalies(p presentModel) Anomalies {
	a := Anomalies{Basis: p.Basis, Meter: p.Meter, Unit: p.Unit, Days: []watch.Anomaly{}, Shifts: []Shift{}}
	a.Version = watch.Version
	a.Reasons = slices.Clone(p.Reasons)
	a.span(energy.Span(p.rows))
	if p.model == nil || a.Status == Insufficient {
		return a
	}
	a.Model = p.Fit.Model
	days, err := watch.Anomalies(p.model, p.rows, bandShare)
	if err != nil {
		a.fail(err)
		return a
	}
	a.Days = days
	shifts, err := watch.Shifts(p.model, p.rows)
	if err != nil {
		a.fail(err)
		return a
	}
	for _, s := range shifts {
		a.Shifts = append(a.Shifts, Shift{Shift: s, Cost: e.shiftCost(p.Meter, s)})
	}
	return a
}

// fail records why something could not be computed.
func (b *Basis) fail(err error) {
	var i *energy.Insufficient
	if !errors.As(err, &i) {
		b.add(energy.Reason{Code: "not_computed", Critical: true, Text: err.Error()})
		return
	}
	for _, r := range i.Verdict.Reasons {
		b.add(r)
	}
}

// shiftCost is the use of a shift at the mean price of its days; nil without a
// price.
func (e *evaluation) shiftCost(m Meter, s watch.Shift) *tariff.Money {
	t := e.Plan.Tariffs[e.Plan.Options(m).Tariff]
	if t == nil {
		return nil
	}
	p := energy.Period{From: s.Onset, To: e.table.asOf}
	if s.End != nil {
		p.To = *s.End
	}
	bill := t.Price(within(p, e.meter(m).finest()))
	if use := bill.Use - bill.Unpriced; use > 0 {
		return &tariff.Money{Minor: int64(math.Round(s.Total * float64(bill.Energy.Minor) / use)), Currency: t.Currency}
	}
	return nil
}

// leastTraining is how many days the model of a forecast needs: four of each
// weekday.
const leastTraining = 28

// persistence names the weather of a forecast: that of the day before.
const persistence = "persistence: the temperatures of the last day"

// forecast is the next day of electricity by the hour, from a model of the days
// before those that it is checked on. It is of the load of the building: what the
// roof generates is no matter of the building's temperature and hours.
func (e *evaluation) forecast() Forecast {
	f := Forecast{Basis: Basis{Status: OK, Version: watch.Version, Reasons: []energy.Reason{}}, Weather: persistence, Hours: []ForecastHour{}}
	rows := e.meter(Electricity)
	if !rows.present {
		f.add(energy.Reason{Code: NoReadings, Critical: true, Text: "no reading of the electricity register has come in"})
		return f
	}
	check := energy.Period{From: e.table.asOf.AddDate(0, 0, -e.Plan.Rules.BacktestDays), To: e.table.asOf}
	training := year(check.From)
	training.From = later(training.From, rows.first)
	f.span(training)
	load := rows.hourly
	if gross, _, why := e.load(energy.Period{From: training.From, To: check.To}); why == "" {
		load = gross
	} else if e.meter(Solar).present {
		f.add(energy.Reason{Code: GenerationBehind, Text: "the forecast is of what comes from the grid: " + why})
	}
	train := within(training, load)
	model, err := e.fitHourly(Electricity, train, nil, caltrack.Requirement{})
	if days := daysOf(training); err == nil && days < leastTraining {
		err = energy.Lacking(watch.Version, ShortTraining, "four weeks of hours are needed before those that the forecast is checked on")
	} else if days < baselineDays {
		f.add(energy.Reason{Code: ShortTraining, Text: "the model has not seen every season", Values: map[string]float64{"days": float64(days)}})
	}
	if err != nil {
		f.fail(err)
		return f
	}
	f.Model = model.Describe().Model
	seen, latest := train[max(0, len(train)-leastTraining*24):], within(check, load)
	if f.Backtest, err = watch.Backtest(model, seen, latest); err != nil {
		f.fail(err)
		return f
	}
	f.Coverage = coverage(rows.daily, check)
	f.Hours = e.tomorrow(model, slices.Concat(seen, latest), f.Backtest)
	return f
}

// tomorrow forecasts the day that has begun at the newest midnight.
func (e *evaluation) tomorrow(model energy.Model, seen []energy.Row, b *watch.Accuracy) []ForecastHour {
	last := seen[max(0, len(seen)-24):]
	hours := make([]energy.Row, len(last))
	var mean, n float64
	for i, r := range last {
		hours[i] = r
		hours[i].Start, hours[i].End = e.table.asOf.Add(r.Start.Sub(last[0].Start)), e.table.asOf.Add(r.End.Sub(last[0].Start))
	}
	for _, r := range seen {
		if !math.IsNaN(r.Use) {
			mean, n = mean+r.Use, n+1
		}
	}
	var plus *float64
	if b.CVRMSE != nil && n > 0 {
		plus = energy.Known(energy.Student(0.9, float64(max(b.Days-1, 1))) * *b.CVRMSE * mean / n)
	}
	out := []ForecastHour{}
	for i, kwh := range watch.NewForecast(model, seen).Predict(hours) {
		if math.IsNaN(kwh) {
			continue
		}
		out = append(out, ForecastHour{Start: hours[i].Start, KWh: kwh, Plus: plus, TempC: energy.Known(energy.CelsiusOf(hours[i].TempF))})
	}
	return out
}
