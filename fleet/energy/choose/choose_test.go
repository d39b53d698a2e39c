package choose

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
)

// tropical are the hours of an office near the equator: the weather hardly
// changes, the schedule does.
func tropical(days int) []energy.Row {
	rng := rand.New(rand.NewPCG(11, 12))
	start := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for h := range days * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		temp := 85 + 4*math.Sin(2*math.Pi*float64(at.YearDay())/365) + 6*math.Sin(2*math.Pi*float64(at.Hour()-9)/24) + 2*rng.NormFloat64()
		use := 40 + 4*rng.NormFloat64()
		if wd := at.Weekday(); wd != time.Saturday && wd != time.Sunday && at.Hour() >= 7 && at.Hour() < 18 {
			use += 250 + 2*(temp-80)
		}
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: use, TempF: temp, TempCoverage: 1})
	}
	return rows
}

func toDays(hours []energy.Row) []energy.Row {
	var out []energy.Row
	for i := 0; i < len(hours); i += 24 {
		d := energy.Row{Start: hours[i].Start, End: hours[i+23].End, TempCoverage: 1}
		for _, h := range hours[i : i+24] {
			d.Use += h.Use
			d.TempF += h.TempF / 24
		}
		out = append(out, d)
	}
	return out
}

// On an office near the equator degree days say nothing, and the choice finds the
// model that knows the week.
func TestTropicalOfficeNeedsTheWeek(t *testing.T) {
	hours := tropical(365)
	days := toDays(hours)
	m, c, err := Best(days, Daily(caltrack.Options{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Chosen != towt.DailyModel {
		t.Errorf("days: got %s of %+v, want %s", c.Chosen, c.Scores, towt.DailyModel)
	}
	if r2 := m.Describe().Statistics.R2; *r2 < 0.94 {
		t.Errorf("R² of %s: got %g, want above 0.94", c.Chosen, *r2)
	}
	degree, err := caltrack.FitDaily(days, caltrack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r2 := degree.Statistics.AdjR2; r2 != nil && *r2 > 0.1 {
		t.Errorf("R² of degree days: got %g, want almost none", *r2)
	}
	for _, s := range c.Scores {
		if s.Model == caltrack.DailyModel && (s.CVRMSE == nil || *s.CVRMSE < 5**c.Scores[0].CVRMSE) {
			t.Errorf("degree days: got %+v against %+v", s, c.Scores[0])
		}
	}
	hm, hc, err := Best(hours, Hourly(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if hc.Chosen != towt.HourlyModel {
		t.Errorf("hours: got %s of %+v, want %s", hc.Chosen, hc.Scores, towt.HourlyModel)
	}
	if hm.Describe().Interval != energy.Hourly {
		t.Errorf("got a model of %s", hm.Describe().Interval)
	}
}

// nmecr's meter follows its week: TOWT predicts it better than any line.
func TestRealMeter(t *testing.T) {
	const layout = "2006-01-02 15:04:05"
	at, use := measured.Values(t, layout, "building", "nmecr", "eload.csv")
	_, temps := measured.Values(t, layout, "building", "nmecr", "temp.csv")
	var rows []energy.Row
	for i := range at[:365] {
		rows = append(rows, energy.Row{Start: at[i], End: at[i].AddDate(0, 0, 1), Use: use[i], TempF: temps[i], TempCoverage: 1})
	}
	_, c, err := Best(rows, Daily(caltrack.Options{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Chosen != towt.DailyModel {
		t.Errorf("got %s of %+v", c.Chosen, c.Scores)
	}
	if len(c.Scores) != len(Daily(caltrack.Options{})) {
		t.Errorf("got %d scores, want %d: every rival is reported", len(c.Scores), len(Daily(caltrack.Options{})))
	}
	for i := 1; i < len(c.Scores); i++ {
		if a, b := c.Scores[i-1], c.Scores[i]; a.class() == b.class() && a.class() < 2 && *a.CVRMSE > *b.CVRMSE {
			t.Errorf("scores out of order: %+v before %+v", a, b)
		}
	}
	if w, err := c.Winner(); err != nil || w.CVRMSE == nil || *w.CVRMSE < *w.InSample {
		t.Errorf("got %+v, %v: out of sample cannot be better than in sample here", w, err)
	}
}

func TestPlainerModelWins(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	start := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for d := range 365 {
		temp := 55 - 25*math.Cos(2*math.Pi*float64(d)/365) + 5*rng.NormFloat64()
		rows = append(rows, energy.Row{
			Start: start.AddDate(0, 0, d), End: start.AddDate(0, 0, d+1), TempCoverage: 1,
			Use: 100 + rng.NormFloat64(), TempF: temp,
		})
	}
	_, c, err := Best(rows, Daily(caltrack.Options{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Chosen != "changepoint-mean" {
		t.Errorf("a use without any pattern: got %s", c.Chosen)
	}
	if w, _ := c.Winner(); w.Parameters != 0 {
		t.Errorf("got %d parameters, want none", w.Parameters)
	}
	if !c.Verdict.Has(Useless) {
		t.Errorf("got %+v, want a warning", c.Verdict)
	}
}

func TestNothingToChooseFrom(t *testing.T) {
	_, c, err := Best(nil, Daily(caltrack.Options{}), Options{})
	if !errors.Is(err, energy.ErrInsufficientData) || c.Chosen != "" {
		t.Errorf("got %q, %v", c.Chosen, err)
	}
	if _, err := c.Winner(); !errors.Is(err, ErrNoChoice) {
		t.Errorf("got %v, want %v", err, ErrNoChoice)
	}
}

func BenchmarkBest(b *testing.B) {
	days := toDays(tropical(365))
	for b.Loop() {
		if _, _, err := Best(days, Daily(caltrack.Options{}), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
