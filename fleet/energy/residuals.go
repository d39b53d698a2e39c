package energy

import (
	"math"
	"time"
)

// Weekly are the residuals of a baseline, observed − predicted, summed by the
// week. They show how the errors of one building go with those of another.
type Weekly struct {
	First int        `json:"first_week"` // weeks from Monday 1970-01-05 to the first, by local dates
	Sums  []*float64 `json:"sums"`       // in the unit of the meter; nil for a week with less than half of its rows
}

// Residuals are those of a model over the rows that it was fitted to. They are
// nil for bills, of which a week says nothing.
func Residuals(model Model, rows []Row) *Weekly {
	if len(rows) == 0 || rows[0].Days() > 2 {
		return nil
	}
	var w Weekly
	var sum, known, all float64
	week := -1
	put := func() {
		if all == 0 {
			return
		}
		if len(w.Sums) == 0 {
			w.First = week
		}
		for w.First+len(w.Sums) < week {
			w.Sums = append(w.Sums, nil)
		}
		var x *float64
		if 2*known > all {
			x = Known(sum)
		}
		w.Sums = append(w.Sums, x)
		sum, known, all = 0, 0, 0
	}
	for i, p := range model.Predict(rows) {
		if at := weekOf(rows[i].Start); at != week {
			put()
			week = at
		}
		all += rows[i].Days()
		if r := rows[i].Use - p; !math.IsNaN(r) {
			sum += r
			known += rows[i].Days()
		}
	}
	put()
	return &w
}

// weekOf numbers the week of a local date, from Monday 1970-01-05.
func weekOf(t time.Time) int {
	y, m, d := t.Date()
	days := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
	return int(math.Floor(float64(days-4) / 7))
}
