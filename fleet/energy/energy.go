// Package energy is the vocabulary of measurement and verification: the rows a
// baseline is fitted to, what every fitted model says about itself, how good a
// fit is, how sure a saving is, and whether the data suffices. The models live in
// its sub-packages.
//
// It is pure, and knows nothing of meters, stores, money or the clock.
package energy

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// ErrInsufficientData is wrapped by every error that says a number cannot be
// given. Such an error names its reasons: see Insufficient.
var ErrInsufficientData = errors.New("insufficient data")

// Interval is the length of a row.
type Interval string

// The intervals.
const (
	Hourly  Interval = "hour"
	Daily   Interval = "day"
	Billing Interval = "billing" // a bill: 25 to 70 days
)

// Row is the use of one meter over one interval, and the outdoor temperature
// meanwhile. A value that is not known is NaN, never zero.
type Row struct {
	Start time.Time // in the time zone of the building: days, hours of the week and months are read from it
	End   time.Time
	Use   float64 // over the whole interval, in the unit of the meter
	TempF float64 // mean outdoor temperature, °F

	// TempCoverage is the share of the interval's hours with a temperature,
	// 0…1.
	TempCoverage float64
	// DayTempsF are the mean temperatures of the days inside an interval of
	// several days. They are nil for hours and days.
	DayTempsF []float64
	// RestsAs is the day of the week that the building went by where it was not the
	// calendar's: a holiday that was spent like a Sunday. Nil elsewhere.
	RestsAs *time.Weekday
}

// Weekday is the day of the week that the building went by.
func (r Row) Weekday() time.Weekday {
	if r.RestsAs != nil {
		return *r.RestsAs
	}
	return r.Start.Weekday()
}

// Days is the length of the row in days of 24 hours.
func (r Row) Days() float64 { return r.End.Sub(r.Start).Hours() / 24 }

// Whole reports whether both the use and the temperature are known.
func (r Row) Whole() bool { return finite(r.Use) && finite(r.TempF) }

// Period is a half-open span of time, [From, To).
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Contains reports whether t lies in the period.
func (p Period) Contains(t time.Time) bool { return !t.Before(p.From) && t.Before(p.To) }

// Within are the rows that lie wholly in the period.
func (p Period) Within(rows []Row) []Row {
	var out []Row
	for _, r := range rows {
		if p.Contains(r.Start) && !r.End.After(p.To) {
			out = append(out, r)
		}
	}
	return out
}

// Span is the period from the start of the first row to the end of the last;
// zero where there is none.
func Span(rows []Row) Period {
	if len(rows) == 0 {
		return Period{}
	}
	return Period{rows[0].Start, rows[len(rows)-1].End}
}

// Coefficient is one number of a fitted model.
type Coefficient struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Fit is what a fitted model says about itself, so that another can check it.
type Fit struct {
	Model        string        `json:"model"`   // its id, for example "caltrack-daily"
	Version      string        `json:"version"` // changes when the same rows would give another number
	Interval     Interval      `json:"interval"`
	Period       Period        `json:"period"`       // of the rows it was fitted to
	Temperatures Range         `json:"temperatures"` // of those rows
	Formula      string        `json:"formula"`
	Coefficients []Coefficient `json:"coefficients"`
	Statistics   Statistics    `json:"statistics"`
	Warnings     []Reason      `json:"warnings"`
}

// Range is a span of temperatures; beyond it a model guesses.
type Range struct {
	MinF *float64 `json:"min_f"`
	MaxF *float64 `json:"max_f"`
}

// Temperatures is the range of the rows that are whole.
func Temperatures(rows []Row) Range {
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		if r.Whole() {
			low, high = min(low, r.TempF), max(high, r.TempF)
		}
	}
	return Range{Known(low), Known(high)}
}

// Beyond reports whether a temperature lies outside the range by more than a
// tenth of its width.
func (r Range) Beyond(tempF float64) bool {
	if r.MinF == nil || r.MaxF == nil {
		return true
	}
	slack := (*r.MaxF - *r.MinF) / 10
	return tempF < *r.MinF-slack || tempF > *r.MaxF+slack
}

// Coefficient returns the value of the coefficient of that name.
func (f *Fit) Coefficient(name string) (float64, bool) {
	for _, c := range f.Coefficients {
		if c.Name == name {
			return c.Value, true
		}
	}
	return 0, false
}

// Model is a fitted baseline.
type Model interface {
	// Describe says what was fitted to what, and how well.
	Describe() Fit
	// Predict is the use to be expected over each row, in the unit of the meter
	// that was fitted; NaN where the row lacks what the model needs, or lies
	// where the model has learned nothing. It does not look at the use of the
	// rows.
	Predict(rows []Row) []float64
}

// Fitter fits one kind of model. It answers ErrInsufficientData where the rows
// do not carry it.
type Fitter struct {
	ID  string
	Fit func(rows []Row) (Model, error)
	// Provisional says that no reference implementation gives the same numbers,
	// so that an auditor cannot redo them.
	Provisional bool
}

// Reason names one thing that speaks against a result.
type Reason struct {
	Code     string             `json:"code"`     // stable, snake_case
	Critical bool               `json:"critical"` // there is no result worth trusting
	Text     string             `json:"text"`
	Values   map[string]float64 `json:"values,omitempty"`
}

// Verdict says whether the data suffices, and if not, why.
type Verdict struct {
	Sufficient bool     `json:"sufficient"`
	Criteria   string   `json:"criteria"` // which rules were applied
	Reasons    []Reason `json:"reasons"`
}

// Add records a reason.
func (v *Verdict) Add(r Reason) {
	v.Reasons = append(v.Reasons, r)
	if r.Critical {
		v.Sufficient = false
	}
}

// Has reports whether a reason of that code was recorded.
func (v *Verdict) Has(code string) bool {
	for _, r := range v.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// Err is nil for data that suffices, otherwise an *Insufficient.
func (v Verdict) Err() error {
	if v.Sufficient {
		return nil
	}
	return &Insufficient{v}
}

// Insufficient is the error for data that does not carry a result. It wraps
// ErrInsufficientData.
type Insufficient struct{ Verdict Verdict }

func (e *Insufficient) Error() string {
	var codes []string
	for _, r := range e.Verdict.Reasons {
		if r.Critical {
			codes = append(codes, r.Code)
		}
	}
	return fmt.Sprintf("%v: %s", ErrInsufficientData, strings.Join(codes, ", "))
}

func (e *Insufficient) Unwrap() error { return ErrInsufficientData }

// Lacking is the error for rows that lack one thing.
func Lacking(criteria, code, text string) error {
	v := Verdict{Criteria: criteria}
	v.Add(Reason{Code: code, Critical: true, Text: text})
	return v.Err()
}

// FahrenheitOf converts a temperature in °C.
func FahrenheitOf(celsius float64) float64 { return celsius*9/5 + 32 }

// CelsiusOf converts a temperature in °F.
func CelsiusOf(fahrenheit float64) float64 { return (fahrenheit - 32) * 5 / 9 }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Known is a number that can be stored and served, or nil where there is none.
func Known(x float64) *float64 {
	if !finite(x) {
		return nil
	}
	return &x
}
