package carbon

import (
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

var start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func fixture() (Grid, []energy.Row) {
	g := Grid{ID: "XX", Version: "1", Factor: energy.Steps{Until: start.Add(3 * time.Hour)}}
	var rows []energy.Row
	for h, f := range []float64{0.1, 0.5, 0.3, 0} {
		at := start.Add(time.Duration(h) * time.Hour)
		if h < 3 {
			g.Factor.Steps = append(g.Factor.Steps, energy.Step{From: at, Value: f})
		}
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: 10 * float64(h+1)})
	}
	rows[2].Use = math.NaN()
	return g, rows
}

func TestLocate(t *testing.T) {
	g, rows := fixture()
	l := g.Locate(rows)
	if math.Abs(l.KG-11) > 1e-12 || l.Use != 30 || l.Uncount != 40 || l.Missing != 1 || l.Coverage != 0.5 {
		t.Errorf("got %+v, want 11 kg of 30, 40 without a factor, 1 missing", l)
	}
	if math.Abs(l.FlatKG-9) > 1e-12 {
		t.Errorf("flat: got %g, want 9", l.FlatKG)
	}
}

// Where no factor is known nothing was emitted that anyone knows of, which is not
// nothing.
func TestLocateSaysWhatItLacks(t *testing.T) {
	g, rows := fixture()
	for _, c := range []struct {
		name string
		grid Grid
		rows []energy.Row
		want string
	}{
		{"no factor", Grid{ID: "YY"}, rows, NoFactor},
		{"no rows", g, nil, NoFactor},
		{"half of the rows", g, rows, LowCoverage},
		{"all rows", g, rows[:2], ""},
	} {
		v := c.grid.Locate(c.rows).Verdict
		if v.Sufficient != (c.want == "") || c.want != "" && !v.Has(c.want) {
			t.Errorf("%s: got %+v, want %q", c.name, v, c.want)
		}
	}
}

func TestAvoided(t *testing.T) {
	g, rows := fixture()
	d := g.Avoided(rows, []float64{20, 20, 20, 20}, &energy.Uncertainty{Plus: 8})
	if math.Abs(d.AvoidedKG-1) > 1e-12 || d.Rows != 2 { // 10 more at 0.1, none at 0.5
		t.Errorf("got %+v, want 1 kg of 2 rows", d)
	}
	if math.Abs(*d.PlusKG-2.4) > 1e-12 { // 12 kg of 40
		t.Errorf("got ± %g, want 2.4", *d.PlusKG)
	}
	if d := g.Avoided(nil, nil, nil); d.Fraction != nil || d.PlusKG != nil {
		t.Errorf("nothing: got %+v", d)
	}
}

func TestContracted(t *testing.T) {
	for _, c := range []struct {
		name      string
		contracts []Contract
		kg, rest  float64
	}{
		{"none", nil, 40, 1},
		{"half green", []Contract{{Share: 0.5}}, 20, 0.5},
		{"too much", []Contract{{Share: 0.8}, {Share: 0.5, Factor: 0.1}}, 2, 0},
		{"negative", []Contract{{Share: -1}}, 40, 1},
	} {
		m := Contracted(100, c.contracts, 0.4)
		if math.Abs(m.KG-c.kg) > 1e-9 || math.Abs(m.Residual-c.rest) > 1e-12 {
			t.Errorf("%s: got %g kg, rest %g, want %g, %g", c.name, m.KG, m.Residual, c.kg, c.rest)
		}
	}
}

func TestIntensity(t *testing.T) {
	half := energy.Period{From: start, To: start.AddDate(0, 0, 73)}
	if got := Intensity(100, half, 50); got == nil || math.Abs(*got-10) > 1e-12 {
		t.Errorf("got %v, want 10", got)
	}
	if got := Intensity(100, half, 0); got != nil {
		t.Errorf("without an area: got %g", *got)
	}
}
