package smooth

import (
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

func openDSM(t testing.TB) []energy.Row {
	t.Helper()
	var rows []energy.Row
	for _, r := range measured.Table(t, "building", "eemeter", "eemeter4_daily_test_data.csv")[1:] {
		at, err := time.Parse("2006-01-02 15:04:05-07", r[0])
		if err != nil {
			t.Fatal(err)
		}
		temp, _ := strconv.ParseFloat(r[1], 64)
		use, err := strconv.ParseFloat(r[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, energy.Row{Start: at.UTC(), End: at.UTC().AddDate(0, 0, 1), Use: use, TempF: temp, TempCoverage: 1})
	}
	return rows
}

// OpenDSM 1.0.0 splits its test meter by weekday and weekend, and has a weighted
// RMSE of 18.39 before and 16.95 after, with a CV(RMSE) of 0.3206.
func TestLikeEEMeter4(t *testing.T) {
	m, err := Fit(openDSM(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := "wd-su_sh_wi__we-su_sh_wi"; m.Split != want {
		t.Errorf("split: got %s, want %s", m.Split, want)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"RMSE without a split", m.Unsplit, 18.39},
		{"RMSE", m.Statistics.RMSE, 16.95},
		{"CV(RMSE)", *m.Statistics.CVRMSE, 0.3206},
	} {
		if math.Abs(c.got-c.want) > 0.01*c.want {
			t.Errorf("%s: got %.4g, want %.4g within 1 %%", c.name, c.got, c.want)
		}
	}
}

// eemeter 4 gives its sample, over 60 days of rising temperature and a use of one,
// a metered saving of 1630 within 1 % and a modeled one of 177.02 within 10 %.
func TestSixtyDaysLikeEEMeter4(t *testing.T) {
	start := time.Date(2016, 12, 26, 0, 0, 0, 0, time.UTC)
	end := time.Date(2017, 1, 4, 0, 0, 0, 0, time.UTC)
	before, err := Fit(sample(t, start.AddDate(0, 0, -365), start))
	if err != nil {
		t.Fatal(err)
	}
	after, err := Fit(sample(t, end, end.AddDate(0, 0, 365)))
	if err != nil {
		t.Fatal(err)
	}
	var rows []energy.Row
	for d := range 60 {
		at := time.Date(2011, 1, 1+d, 0, 0, 0, 0, time.UTC)
		rows = append(rows, energy.Row{Start: at, End: at.AddDate(0, 0, 1), Use: 1, TempF: 30 + float64(d), TempCoverage: 1})
	}
	var metered, modeled float64
	reporting := after.Predict(rows)
	for i, p := range before.Predict(rows) {
		metered += p - 1
		modeled += p - reporting[i]
	}
	if math.Abs(metered-1630) > 0.01*1630 {
		t.Errorf("metered: got %.5g, want 1630 within 1 %%", metered)
	}
	if math.Abs(modeled-177.02) > 0.1*177.02 {
		t.Errorf("modeled: got %.5g, want 177.02 within 10 %%", modeled)
	}
}

// sample are the days of eemeter's sample, which it reads as UTC days.
func sample(t *testing.T, from, to time.Time) []energy.Row {
	t.Helper()
	at, values := measured.Values(t, time.RFC3339, "building", "eemeter", "il-electricity-cdd-hdd-daily.csv.gz")
	byDay := map[time.Time]float64{}
	for i := range at {
		byDay[at[i].UTC().Truncate(24*time.Hour)] = values[i]
	}
	at, values = measured.Values(t, time.RFC3339, "building", "eemeter", "il-tempF.csv.gz")
	var points []prepare.Point
	for i := range at {
		points = append(points, prepare.Point{TS: at[i].UnixMilli(), Value: energy.CelsiusOf(values[i])})
	}
	bounds := prepare.Days(from, to)
	use := make([]prepare.Amount, len(bounds))
	for i, b := range bounds {
		use[i].Value = byDay[b]
	}
	return prepare.Rows(bounds, use, prepare.Temperatures(points, bounds))
}

func TestCorner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-30, 30).Draw(t, "x")
		k := rapid.Float64Range(0, 10).Draw(t, "k")
		got, sharp := corner(x, k), max(x, 0)
		if got < sharp-1e-9 || got > sharp+k {
			t.Fatalf("corner(%g, %g): got %g, want between %g and %g above", x, k, got, sharp, k)
		}
		if corner(x+1e-6, k) < got {
			t.Fatal("corner falls")
		}
	})
}

// A building whose weekends differ is split so, and one that has no seasons is
// not.
func TestSplits(t *testing.T) {
	start := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	build := func(weekendUse float64) []energy.Row {
		var rows []energy.Row
		for d := range 365 {
			at := start.AddDate(0, 0, d)
			temp := 57 - 25*math.Cos(2*math.Pi*float64(d)/365) + 5*math.Sin(float64(d)*1.3)
			use := 50 + 2*max(55-temp, 0) + 3*max(temp-68, 0) + 2*math.Sin(float64(d)*2.7)
			if weekend(at) {
				use += weekendUse
			}
			rows = append(rows, energy.Row{Start: at, End: at.AddDate(0, 0, 1), Use: use, TempF: temp, TempCoverage: 1})
		}
		return rows
	}
	for _, c := range []struct {
		name       string
		weekendUse float64
		want       string
	}{
		{"alike", 0, "fw-su_sh_wi"},
		{"weekends apart", -25, "wd-su_sh_wi__we-su_sh_wi"},
	} {
		m, err := Fit(build(c.weekendUse))
		if err != nil {
			t.Fatal(err)
		}
		if m.Split != c.want {
			t.Errorf("%s: got %s, want %s", c.name, m.Split, c.want)
		}
		if m.Statistics.RMSE > 1.6 {
			t.Errorf("%s: got RMSE %g, want about 1.41", c.name, m.Statistics.RMSE)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	rows := openDSM(b)
	for b.Loop() {
		if _, err := Fit(rows); err != nil {
			b.Fatal(err)
		}
	}
}
