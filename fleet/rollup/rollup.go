// Package rollup folds the readings of one device into hours and days:
// time-weighted means, extremes, counter consumption, and how much of each hour
// was covered by data.
//
// It is pure. Its results depend on the readings alone, never on the order in
// which they arrived.
package rollup

import (
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Version names the rules of this package in results. It changes when the same
// telemetry would give another number.
const Version = "rollup/1"

// Margin is how far beyond a day its readings are needed: a counter's
// consumption is spread over gaps of up to this length. It is a little more than
// a day, for meters that report once a day and not to the second.
const Margin = telemetry.Day + 2*telemetry.Hour

// Spread is how many days before and after a day can change with its readings,
// by Margin.
const Spread = 2

// Stat summarises one field over one bucket. Numbers are absent (nil) where
// the data does not carry them; they are never a zero that stands for nothing.
type Stat struct {
	Field    string   `json:"field"`
	Samples  int      `json:"samples"`         // samples inside the bucket
	Coverage float64  `json:"coverage"`        // share of the bucket between samples close enough to interpolate, 0…1
	Mean     *float64 `json:"mean,omitempty"`  // gauges: time-weighted over the covered part; of the samples where nothing is covered
	Min      *float64 `json:"min,omitempty"`   // of the samples inside
	Max      *float64 `json:"max,omitempty"`   // of the samples inside
	Last     *float64 `json:"last,omitempty"`  // of the samples inside
	Delta    *float64 `json:"delta,omitempty"` // counters: consumption in the bucket
	Resets   int      `json:"resets,omitempty"`
}

// Bucket is one hour or one day.
type Bucket struct {
	Start int64  `json:"start"` // Unix milliseconds
	Stats []Stat `json:"stats"` // in the order of the schema
}

// Day is one UTC day of one device: its hours that hold data, and the day as a
// whole.
type Day struct {
	Hours []Bucket `json:"hours"`
	Total Bucket   `json:"total"`
}

// Empty reports whether the day holds nothing.
func (d Day) Empty() bool { return len(d.Total.Stats) == 0 }

// Compute folds the readings of one device into the UTC day. The readings
// ascend by time and cover the day and Margin before and after it; what lies
// further out is not looked at. Fields are all those of the kind, in the order of
// the schema; text fields are left out.
func Compute(day int64, fields []*devices.Field, readings []telemetry.Reading) Day {
	start := day * telemetry.Day
	readings = telemetry.Within(readings, telemetry.Window{From: start - Margin, To: start + telemetry.Day + Margin})
	hours := make([]Bucket, 24)
	for h := range hours {
		hours[h].Start = start + int64(h)*telemetry.Hour
	}
	total := Bucket{Start: start}
	for i, points := range pointsOf(fields, readings) {
		if len(points) == 0 {
			continue
		}
		f := fields[i]
		s := newSeries(f.Role, points)
		for h := range hours {
			hours[h].add(f, s, telemetry.Hour)
		}
		total.add(f, s, telemetry.Day)
	}
	out := Day{Hours: []Bucket{}, Total: total}
	for _, b := range hours {
		if len(b.Stats) > 0 {
			out.Hours = append(out.Hours, b)
		}
	}
	return out
}

func (b *Bucket) add(f *devices.Field, s series, length int64) {
	w := telemetry.Window{From: b.Start, To: b.Start + length}
	if st, ok := fold(f, s, w); ok {
		b.Stats = append(b.Stats, st)
	}
}
