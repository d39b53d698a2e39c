package finance

import (
	"errors"
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

func TestModifiedDietz(t *testing.T) {
	day := daycount.Of(2026, 4, 1)
	for _, c := range []struct {
		name       string
		begin, end float64
		flows      []Flow
		want       float64 // NaN: none
	}{
		{"paid in", 1000, 1100, []Flow{{day + 15, -200}}, -1. / 11},
		{"taken out at the end", 1000, 900, []Flow{{day + 30, 150}}, 0.05},
		{"no flow", 1000, 1010, nil, 0.01},
		{"nothing in it", 0, 0, nil, math.NaN()},
		{"bought on the first day", 0, 550, []Flow{{day, -500}}, 0.1},
	} {
		got, err := ModifiedDietz(day, day+30, c.begin, c.end, c.flows)
		v, ok := got.Get()
		if err != nil || ok == math.IsNaN(c.want) || ok && math.Abs(v-c.want) > 1e-12 {
			t.Errorf("%s: got %+v %v, want %v", c.name, got, err, c.want)
		}
	}
	if _, err := ModifiedDietz(day, day+30, 1, 1, []Flow{{day + 31, 1}}); !errors.Is(err, ErrPeriods) {
		t.Errorf("a flow behind the end: got %v, want %v", err, ErrPeriods)
	}
	if _, err := ModifiedDietz(day, day, 1, 1, nil); !errors.Is(err, ErrPeriods) {
		t.Errorf("no day: got %v, want %v", err, ErrPeriods)
	}
}
