package changepoint

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

func rowsOf(at []time.Time, use, temps []float64) []energy.Row {
	var rows []energy.Row
	for i := range at {
		rows = append(rows, energy.Row{Start: at[i], End: at[i].AddDate(0, 0, 1), Use: use[i], TempF: temps[i], TempCoverage: 1})
	}
	return rows
}

func TestMatchesNmecr(t *testing.T) {
	const layout = "2006-01-02 15:04:05"
	at, use := measured.Values(t, layout, "building", "nmecr", "eload.csv")
	_, temps := measured.Values(t, layout, "building", "nmecr", "temp.csv")
	rows := rowsOf(at[:364], use, temps)
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		if !(math.Abs(got-want) <= tolerance*math.Abs(want)) {
			t.Errorf("%s: got %.12g, want %.12g", what, got, want)
		}
	}
	line, err := Fit(rows, Line)
	if err != nil {
		t.Fatal(err)
	}
	near("R² of a line", *line.Statistics.R2, 0.690890246895, 1e-11)
	near("intercept", line.Intercept, 31401.73736954, 1e-10)
	near("slope", line.Right, -287.62360112, 1e-10)
	four, err := Fit(rows, Four)
	if err != nil {
		t.Fatal(err)
	}
	near("R² of four parameters", *four.Statistics.R2, 0.719743806890, 1e-7)
}

// Whatever building is drawn, its own shape is found again.
func TestRecoversShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SampledFrom([]Shape{ThreeHeating, ThreeCooling, Four, Five}).Draw(t, "shape")
		want := Model{
			Shape: shape, Intercept: rapid.Float64Range(10, 100).Draw(t, "intercept"),
			Left: -rapid.Float64Range(0.5, 5).Draw(t, "left"), Right: rapid.Float64Range(0.5, 5).Draw(t, "right"),
			LeftF: rapid.Float64Range(45, 55).Draw(t, "a"), RightF: rapid.Float64Range(60, 70).Draw(t, "b"),
		}
		switch shape {
		case ThreeHeating:
			want.Right = 0
		case ThreeCooling:
			want.Left = 0
		case Four:
			want.RightF = want.LeftF
		}
		start := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
		var rows []energy.Row
		for d := range 365 {
			temp := 57 - 25*math.Cos(2*math.Pi*float64(d)/365) + 4*math.Sin(float64(d)*1.3)
			rows = append(rows, energy.Row{Start: start.AddDate(0, 0, d), End: start.AddDate(0, 0, d+1), TempF: temp})
		}
		for i, p := range want.Predict(rows) {
			rows[i].Use = p
		}
		got, err := Fit(rows, shape)
		if err != nil {
			t.Fatal(err)
		}
		if got.Statistics.RMSE > 1e-3*want.Intercept {
			t.Fatalf("%s: got %+v with error %g, want %+v", shape, got, got.Statistics.RMSE, want)
		}
	})
}

// A sensor that is stuck on all but ten days leaves no room for a change point,
// and one that moves by the least there is leaves one that no step fits in.
func TestStuckSensor(t *testing.T) {
	start := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := func(base, end float64) []energy.Row {
		var out []energy.Row
		for d := range 365 {
			temp := base
			if d < 10 {
				temp = base - 30 + float64(d)
			} else if d < 30 {
				temp = end
			}
			out = append(out, energy.Row{
				Start: start.AddDate(0, 0, d), End: start.AddDate(0, 0, d+1), Use: 100 + 10*math.Sin(float64(d*d)), TempF: temp, TempCoverage: 1,
			})
		}
		return out
	}
	for _, shape := range Shapes() {
		_, err := Fit(rows(68, 68), shape)
		bends := shape != Mean && shape != Line
		if errors.Is(err, energy.ErrInsufficientData) != bends {
			t.Errorf("stuck: %s: got %v, want insufficient %v", shape, err, bends)
		}
		if _, err := Fit(rows(68, math.Nextafter(68, 69)), shape); err != nil && !errors.Is(err, energy.ErrInsufficientData) {
			t.Errorf("nearly stuck: %s: got %v", shape, err)
		}
	}
}

func TestTooLittle(t *testing.T) {
	for name, rows := range map[string][]energy.Row{
		"none": nil,
		"days": rowsOf(make([]time.Time, 5), make([]float64, 5), make([]float64, 5)),
	} {
		for _, shape := range Shapes() {
			if _, err := Fit(rows, shape); !errors.Is(err, energy.ErrInsufficientData) {
				t.Errorf("%s %s: got %v, want %v", name, shape, err, energy.ErrInsufficientData)
			}
		}
	}
}
