package building

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// Factors are the emission factors of a grid, location-based. They are one
// constant, or a series that is imported apart.
type Factors struct {
	ID       string   `json:"id"`
	Version  string   `json:"version"` // of the data
	Source   string   `json:"source,omitempty"`
	Constant *float64 `json:"constant_kg_per_unit,omitempty" minimum:"0"` // kg CO₂e per unit of the meter
}

// Check reports all that is wrong with factors.
func (f *Factors) Check() []Problem {
	var p problems
	p.check(f.Version != "" && len(f.Version) <= maxText, "version", "is needed: results say which factors they were made with")
	p.check(len(f.Source) <= maxText, "source", "has more than %d bytes", maxText)
	if f.Constant != nil {
		p.check(*f.Constant >= 0 && !math.IsInf(*f.Constant, 0), "constant_kg_per_unit", "must not be negative")
	}
	return p
}

// Grid is the factors over time: the series where there is one, otherwise the
// constant at all times.
func (f *Factors) Grid(series *energy.Steps) *carbon.Grid {
	g := &carbon.Grid{ID: f.ID, Version: f.Version}
	switch {
	case series != nil:
		g.Factor = *series
	case f.Constant != nil:
		g.Factor = energy.Steps{
			Steps: []energy.Step{{From: time.Unix(0, 0).UTC(), Value: *f.Constant}},
			Until: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC),
		}
	}
	return g
}

// StepsOf are values that hold until the next, the last one until an instant, and
// none across a hole: see energy.HeldSteps.
func StepsOf(values []prepare.Point, until time.Time) *energy.Steps {
	steps := make([]energy.Step, len(values))
	for i, v := range values {
		steps[i] = energy.Step{From: time.UnixMilli(v.TS).UTC(), Value: v.Value}
	}
	s := energy.HeldSteps(steps, until)
	return &s
}

// HourlyMeans are the means of the local hours of samples, which ascend. Without
// samples they are empty and not nil.
func HourlyMeans(points []prepare.Point, loc *time.Location) []prepare.Point {
	h := hoursOf(loc)
	var means []Mean
	for _, p := range points {
		means = addSample(means, h.of(p.TS), p.Value)
	}
	return pointsOf(means)
}

// maxValues bounds an imported series: twenty years of half hours.
const maxValues = 350_640

// ReadSeries reads values over time from a table with a header: the time in the
// first column, RFC 3339, Unix milliseconds, or local without an offset as
// 2006-01-02 15:04:05; the value in the second. An empty value is NaN: from there
// on nothing is known. Each value is multiplied by scale. The result ascends; of
// two rows of one time the later stands. until is when the last value ends: as
// long after it as it is after the one before. Every line has as many fields as
// the header, so that a decimal comma is an error and no other number.
func ReadSeries(r io.Reader, loc *time.Location, scale float64) (values []prepare.Point, until time.Time, err error) {
	reader := csv.NewReader(r)
	reader.ReuseRecord = true
	if _, err := reader.Read(); err != nil {
		return nil, until, fmt.Errorf("header: %w", err)
	}
	known := 0
	for line := 2; ; line++ {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, csv.ErrFieldCount) {
			return nil, until, fmt.Errorf("line %d has another number of fields than the header (decimal comma?)", line)
		}
		if err != nil {
			return nil, until, err
		}
		if len(record) < 2 {
			return nil, until, fmt.Errorf("line %d: want a time and a value", line)
		}
		if len(values) >= maxValues {
			return nil, until, fmt.Errorf("more than %d values", maxValues)
		}
		p, err := valueOf(record, loc, scale)
		if err != nil {
			return nil, until, fmt.Errorf("line %d: %w", line, err)
		}
		if !math.IsNaN(p.Value) {
			known++
		}
		values = append(values, p)
	}
	values = prepare.Ascending(values)
	n := len(values)
	if n < 2 || known < 2 {
		return nil, until, errors.New("want two values at least")
	}
	return values, time.UnixMilli(2*values[n-1].TS - values[n-2].TS).UTC(), nil
}

func valueOf(record []string, loc *time.Location, scale float64) (prepare.Point, error) {
	text := strings.TrimSpace(record[0])
	ts, err := prepare.Instant(text, loc)
	if y := time.UnixMilli(ts).In(loc).Year(); err != nil || y < 1970 || y >= 2200 {
		return prepare.Point{}, fmt.Errorf("%q is no time from 1970 to 2199", text)
	}
	p := prepare.Point{TS: ts, Value: math.NaN()}
	text = strings.TrimSpace(record[1])
	if text == "" || strings.EqualFold(text, "nan") || strings.EqualFold(text, "null") {
		return p, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	switch p.Value = v * scale; {
	case err != nil && strings.Contains(text, ","):
		return p, fmt.Errorf("%q is no number (decimal comma?)", text)
	case err != nil || math.IsNaN(p.Value) || math.IsInf(p.Value, 0):
		return p, fmt.Errorf("%q is no number", text)
	}
	return p, nil
}

// MergePoints adds values to others, both ascending; of two of one time the added
// one stands.
func MergePoints(to, added []prepare.Point) []prepare.Point {
	return prepare.Ascending(slices.Concat(to, added))
}
