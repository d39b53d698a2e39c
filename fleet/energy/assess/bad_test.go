package assess

import (
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// hoursOf splits days to hours with the shape of an office.
func hoursOf(days []energy.Row) []energy.Row {
	var out []energy.Row
	for _, d := range days {
		for h := range 24 {
			at := d.Start.Add(time.Duration(h) * time.Hour)
			turn := math.Sin(2 * math.Pi * float64(h-8) / 24)
			out = append(out, energy.Row{
				Start: at, End: at.Add(time.Hour), Use: d.Use / 24 * (1 + 0.4*turn), TempF: d.TempF + 5*turn, TempCoverage: 1,
			})
		}
	}
	return out
}

// What goes wrong with meters and sensors is named whether it does so before the
// measure or after it, in days or in hours; and no saving is stated, or none
// without the warning.
func TestBadInputOnEitherSide(t *testing.T) {
	perDay := func(rows []energy.Row) int { return int(math.Round(24 / rows[0].End.Sub(rows[0].Start).Hours())) }
	each := func(f func(i int, r *energy.Row)) func([]energy.Row) []energy.Row {
		return func(rows []energy.Row) []energy.Row {
			for i := range rows {
				f(i/perDay(rows), &rows[i])
			}
			return rows
		}
	}
	for _, c := range []struct {
		name  string
		spoil func([]energy.Row) []energy.Row
		// One of these names it before the measure, one of those after.
		before, after []string
	}{
		{"a year of zeros", each(func(_ int, r *energy.Row) { r.Use = 0 }), []string{prepare.AllZero}, []string{prepare.AllZero}},
		{"a constant meter", each(func(_ int, r *energy.Row) { r.Use = 7 }), []string{prepare.ConstantUse}, []string{prepare.ConstantUse}},
		{"a nearly constant meter", each(func(d int, r *energy.Row) {
			if r.Use = 7; d == 100 {
				r.Use = 7.001
			}
		}), []string{prepare.ConstantUse}, []string{prepare.ConstantUse}},
		{
			"one month of data", func(rows []energy.Row) []energy.Row { return rows[:31*perDay(rows)] },
			[]string{caltrack.MissingDays, caltrack.WrongDays}, nil, // after the measure a month is a short report
		},
		{"no data", func([]energy.Row) []energy.Row { return nil }, []string{prepare.NoUse}, []string{ReportingShort}},
		{"°F taken for °C", each(func(_ int, r *energy.Row) { r.TempF = energy.FahrenheitOf(r.TempF) }), []string{prepare.TemperatureUnit}, []string{prepare.TemperatureUnit, savings.Extrapolated}},
		{"°C taken for °F", each(func(_ int, r *energy.Row) { r.TempF = energy.CelsiusOf(r.TempF) }), []string{prepare.TemperatureUnit}, []string{prepare.TemperatureUnit, savings.Extrapolated}},
		{"kelvin", each(func(_ int, r *energy.Row) { r.TempF = energy.FahrenheitOf(energy.CelsiusOf(r.TempF) + 273.15) }), []string{prepare.TemperatureUnit}, []string{prepare.TemperatureUnit}},
		{"tenths of a degree", each(func(_ int, r *energy.Row) { r.TempF = energy.FahrenheitOf(10 * energy.CelsiusOf(r.TempF)) }), []string{prepare.TemperatureUnit}, []string{prepare.TemperatureUnit}},
		{"a swapped sign", each(func(_ int, r *energy.Row) { r.Use = -r.Use }), []string{prepare.NegativeUse}, []string{prepare.NegativeUse}},
		{"a sign swapped in June", each(func(d int, r *energy.Row) {
			if d > 150 && d < 180 {
				r.Use = -r.Use
			}
		}), []string{prepare.NegativeUse}, []string{prepare.NegativeUse}},
		{"a temperature of the wrong sign", each(func(_ int, r *energy.Row) { r.TempF = energy.FahrenheitOf(-energy.CelsiusOf(r.TempF)) }), nil, []string{savings.Extrapolated}},
		{"two meters in turn", each(func(d int, r *energy.Row) {
			if d%2 == 0 {
				r.Use *= 4
			}
		}), []string{prepare.MixedMeters}, []string{prepare.MixedMeters}},
		{"two meters by the row", func(rows []energy.Row) []energy.Row {
			for i := range rows {
				if i%2 == 0 {
					rows[i].Use *= 4
				}
			}
			return rows
		}, []string{prepare.MixedMeters}, []string{prepare.MixedMeters}},
		{"a second meter from July", each(func(d int, r *energy.Row) {
			if d > 181 {
				r.Use *= 2.2
			}
		}), []string{BaselineShift}, []string{Implausible, ReportingShift}},
		{"kWh for MWh", each(func(_ int, r *energy.Row) { r.Use /= 1000 }), []string{Implausible}, []string{Implausible}},
	} {
		for _, hourly := range []bool{false, true} {
			for _, side := range []string{"before", "after"} {
				name := c.name + ", " + side + map[bool]string{true: ", hours", false: ", days"}[hourly]
				want := c.before
				if side == "after" {
					want = c.after
				}
				if want == nil {
					continue
				}
				t.Run(name, func(t *testing.T) {
					b := newBuilding(3)
					b.noise, b.memory = 0.06, 0.1
					base, report := b.days(year(2021), 365, 0), b.days(year(2022), 365, 0.1)
					q := Request{Interval: energy.Daily, Model: "towt-daily"}
					if hourly {
						base, report = hoursOf(base), hoursOf(report)
						q.Interval, q.Model = energy.Hourly, "towt-hourly"
					}
					if side == "before" {
						base = c.spoil(base)
					} else {
						report = c.spoil(report)
					}
					q.Baseline, q.Reporting = base, report
					a, err := Assess(q)
					if err != nil {
						t.Fatal(err)
					}
					for _, w := range want {
						if a.Verdict.Has(w) {
							return
						}
					}
					saving := math.NaN()
					if a.Avoided != nil {
						saving = *a.Avoided.Fraction
					}
					t.Errorf("got %+v and a saving of %.0f %%, want one of %v", a.Verdict.Reasons, 100*saving, want)
				})
			}
		}
	}
}
