package solar

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

func TestMatch(t *testing.T) {
	rows := []energy.Row{{Use: 10}, {Use: 10}, {Use: math.NaN()}, {Use: 0}}
	s := Match(rows, []float64{0, 15, 5, 5}, 0.2)
	if s.Own != 10 || s.Import != 10 || s.Export != 10 || s.Missing != 1 {
		t.Errorf("got %+v", s)
	}
	for _, c := range []struct {
		name string
		got  *float64
		want float64
	}{{"self-consumption", s.SelfConsumption, 0.5}, {"self-sufficiency", s.SelfSufficiency, 0.5}, {"green", s.Green, 0.6}} {
		if c.got == nil || math.Abs(*c.got-c.want) > 1e-12 {
			t.Errorf("%s: got %v, want %g", c.name, c.got, c.want)
		}
	}
	if s := Match(nil, nil, 0); s.SelfConsumption != nil || s.Green != nil {
		t.Errorf("nothing: got %+v", s)
	}
}

// At night an inverter draws a little, which is no export below zero.
func TestStandbyIsNoGeneration(t *testing.T) {
	s := Match([]energy.Row{{Use: 1}, {Use: 1}}, []float64{-0.01, 3}, 0)
	if s.Export != 2 || s.Generation != 3 || s.Import != 1 || math.Abs(s.Standby-0.01) > 1e-15 {
		t.Errorf("got %+v, want 2 exported of 3, 1 imported, 0.01 standby", s)
	}
	if *s.SelfConsumption != 1.0/3 {
		t.Errorf("got %g, want a third", *s.SelfConsumption)
	}
}

// Energy is kept: what is used is own or imported, what is generated is own or
// exported.
func TestBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		use := rapid.SliceOfN(rapid.Float64Range(0, 100), n, n).Draw(t, "use")
		pv := rapid.SliceOfN(rapid.Float64Range(-1, 100), n, n).Draw(t, "pv")
		rows := make([]energy.Row, n)
		for i := range rows {
			rows[i].Use = use[i]
		}
		s := Match(rows, pv, 0)
		if math.Abs(s.Own+s.Import-s.Use) > 1e-9 || math.Abs(s.Own+s.Export-s.Generation) > 1e-9 {
			t.Fatalf("got %+v", s)
		}
		if s.Import < -1e-9 || s.Export < 0 {
			t.Fatalf("negative: %+v", s)
		}
	})
}
