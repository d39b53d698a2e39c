package energy

import (
	"math"
	"testing"
	"time"
)

// flat predicts ten a day.
type flat struct{}

func (flat) Describe() Fit { return Fit{} }

func (flat) Predict(rows []Row) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = 10 * r.Days()
	}
	return out
}

func TestResiduals(t *testing.T) {
	zone := time.FixedZone("", 13*3600) // where it is Monday first
	monday := time.Date(1970, 1, 5, 0, 0, 0, 0, zone)
	var rows []Row
	for d := range 28 {
		at := monday.AddDate(0, 0, d+14)
		r := Row{Start: at, End: at.AddDate(0, 0, 1), Use: 11}
		switch {
		case d >= 7 && d < 12: // most of a week
			r.Use = math.NaN()
		case d >= 14 && d < 21: // a week that is not there
			continue
		case d == 27:
			r.Use = math.NaN()
		}
		rows = append(rows, r)
	}
	w := Residuals(flat{}, rows)
	if w.First != 2 || len(w.Sums) != 4 {
		t.Fatalf("got week %d and %d sums, want 2 and 4", w.First, len(w.Sums))
	}
	for i, want := range []*float64{Known(7), nil, nil, Known(6)} {
		got := w.Sums[i]
		if (got == nil) != (want == nil) || got != nil && math.Abs(*got-*want) > 1e-9 {
			t.Errorf("week %d: got %v, want %v", i, got, want)
		}
	}
	if Residuals(flat{}, nil) != nil || Residuals(flat{}, []Row{{Start: monday, End: monday.AddDate(0, 1, 0)}}) != nil {
		t.Error("got residuals of nothing, or of a bill")
	}
}
