package compare

import (
	"errors"
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

func rows(use ...float64) []energy.Row {
	var out []energy.Row
	for _, u := range use {
		out = append(out, energy.Row{Use: u})
	}
	return out
}

func TestYearOnYear(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name        string
		now, before []energy.Row
		change      float64
		sufficient  bool
	}{
		{"less", rows(8, 8), rows(10, 10), -4, true},
		{"a gap does not save", rows(8, nan, 8, 8, 8, 8, 8, 8, 8, 8), rows(8, 8, 8, 8, 8, 8, 8, 8, 8, 8), 0, true},
		{"a leap day", rows(8, 8, 8, 8, 8, 8, 8, 8, 8, 8), rows(8, 8, 8, 8, 8, 8, 8, 8, 8), 0, true},
		{"half", rows(8, nan), rows(10, 10), -2, false},
	} {
		y, err := YearOnYear(c.now, c.before)
		if err != nil {
			t.Fatal(err)
		}
		if y.Change != c.change || y.Verdict.Sufficient != c.sufficient {
			t.Errorf("%s: got %g, %v, want %g, %v", c.name, y.Change, y.Verdict.Sufficient, c.change, c.sufficient)
		}
	}
	if _, err := YearOnYear(rows(nan), rows(1)); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("got %v, want %v", err, energy.ErrInsufficientData)
	}
}

func TestAmong(t *testing.T) {
	r, err := Among(120, []float64{80, 100, 120, 140, 160, math.NaN()})
	if err != nil {
		t.Fatal(err)
	}
	if r.Percentile != 60 || r.Median != 120 || r.Quarter != 100 || r.Peers != 5 {
		t.Errorf("got %+v", r)
	}
	if _, err := Among(1, []float64{1, 2, 3, 4}); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("four peers: got %v, want %v", err, energy.ErrInsufficientData)
	}
}
