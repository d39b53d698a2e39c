package simulator

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// stamps are the arrivals of a station by day and hour.
func stamps(t *testing.T, station string) (byHour [24]float64, byDay []float64) {
	t.Helper()
	for _, name := range measured.Files(t, "station", "data", station+"_day*.dat") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		day := 0.0
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			at, err := time.Parse("2006-1-2 15:04:05", line)
			if err != nil {
				t.Fatal(err)
			}
			byHour[at.Hour()]++
			day++
		}
		byDay = append(byDay, day)
	}
	return byHour, byDay
}

// The profile in the code is what the real stamps say.
func TestArrivalProfileIsTheRealOne(t *testing.T) {
	if got, _ := stamps(t, "*"); got != arrivalsByHour() {
		t.Errorf("got %v want %v", got, arrivalsByHour())
	}
}

// simulatedDays are the arrivals of a station over some days.
func simulatedDays(a *arrivals, days int) (byHour [24]float64, byDay []float64) {
	const dt, each = 600, 6 // s, and how many in an hour
	for day := range days {
		sum := 0.0
		for k := range 24 * each {
			n := float64(a.next(clock{day: int64(day), hour: float64(k) / each, weekday: day % 7}, 1, dt))
			byHour[k/each] += n
			sum += n
		}
		byDay = append(byDay, sum)
	}
	return byHour, byDay
}

// dispersion is the variance of counts over their mean.
func dispersion(counts []float64) (index, mean float64) {
	for _, n := range counts {
		mean += n / float64(len(counts))
	}
	for _, n := range counts {
		index += (n - mean) * (n - mean) / float64(len(counts)-1)
	}
	return index / mean, mean
}

// As many simulated arrivals as there are real ones can't be told from them by
// their hours: chi-squared of the two samples with 23 degrees of freedom stays
// below 49.7, which chance exceeds once in a thousand times.
func TestArrivalsMatchTheRealStamps(t *testing.T) {
	want, realDays := stamps(t, "*")
	_, mean := dispersion(realDays)
	got, _ := simulatedDays(newArrivals(mean, 1, draw.Source(5, "arrivals")), len(realDays))
	var n, m float64
	for h := range want {
		n, m = n+got[h], m+want[h]
	}
	chi := 0.0
	for h := range want {
		d := math.Sqrt(m/n)*got[h] - math.Sqrt(n/m)*want[h]
		chi += d * d / (got[h] + want[h])
	}
	t.Logf("%v simulated against %v real arrivals: chi-squared %.1f", n, m, chi)
	if chi > 49.7 {
		t.Errorf("chi-squared %.1f: got %v want about %v", chi, got, want)
	}
}

// The dispersion of the real days lies within the middle 99 % of what as many
// simulated days of the same mean show: the urban station's with none beyond a
// Poisson process, the highway station's with 3.9, and not with 1.
func TestDaysAreAsDispersedAsTheRealOnes(t *testing.T) {
	for _, c := range []struct {
		station    string
		dispersion float64
		within     bool
	}{
		{"urban", 1, true},
		{"highway", 3.9, true},
		{"highway", 1, false},
	} {
		_, days := stamps(t, c.station)
		want, mean := dispersion(days)
		a := newArrivals(mean, c.dispersion, draw.Source(6, c.station))
		var seen []float64
		for range 400 {
			_, days := simulatedDays(a, len(days))
			index, _ := dispersion(days)
			seen = append(seen, index)
			a.day = math.MinInt64
		}
		slices.Sort(seen)
		low, high := seen[2], seen[len(seen)-3]
		t.Logf("%s: %.2f real, with %v simulated %.2f to %.2f", c.station, want, c.dispersion, low, high)
		if got := low <= want && want <= high; got != c.within {
			t.Errorf("%s with %v: %.2f between %.2f and %.2f is %v", c.station, c.dispersion, want, low, high, got)
		}
	}
}

// Two years of arrivals follow the profile: chi-squared over the hours stays
// below 49.7, which chance exceeds once in a thousand times (23 degrees of
// freedom), and the days are as dispersed as a Poisson process of seven
// weekdays makes them.
func TestArrivalsFollowTheProfile(t *testing.T) {
	const perDay, days = 40.0, 728
	a := newArrivals(perDay, 1, draw.Source(9, "arrivals"))
	hours, daily := simulatedDays(a, days)
	want := arrivalsByHour()
	var total, chi float64
	for _, n := range hours {
		total += n
	}
	scale(want[:], total)
	for h := range hours {
		chi += (hours[h] - want[h]) * (hours[h] - want[h]) / want[h]
	}
	if chi > 49.7 {
		t.Errorf("chi-squared %.1f over the hours %v", chi, hours)
	}
	index, mean := dispersion(daily)
	if math.Abs(mean-perDay) > 1 || index < 0.8 || index > 1.3 {
		t.Errorf("got %.2f a day with a dispersion of %.2f, want %v and about 1", mean, index, perDay)
	}
}

func TestWeatherFollowsLatitudeAndSeason(t *testing.T) {
	for _, c := range []struct {
		city              string
		januaryC, julyC   float64
		latitude, between float64
	}{
		{"Tokyo", 9, 29, 35.68, 3},
		{"Nairobi", 27, 27, -1.29, 3},
		{"Johannesburg", 30, 16, -26.2, 3},
	} {
		var found bool
		for _, p := range places() {
			if p.name != c.city {
				continue
			}
			found = true
			s := &sky{place: p, seed: 1, name: "site-01"}
			for month, want := range map[time.Month]float64{time.January: c.januaryC, time.July: c.julyC} {
				var sum, sun float64
				const hours = 31 * 24
				for h := range hours {
					w := s.at(time.Date(2026, month, 1, h, 0, 0, 0, time.UTC).UnixMilli())
					sum += w.celsius
					sun += w.sunW
					if w.sunW > 0 && (w.local.hour < 4 || w.local.hour > 20.5) {
						t.Errorf("%s: %v W/m² at %v h", c.city, w.sunW, w.local.hour)
					}
				}
				if mean := sum / hours; math.Abs(mean-want) > c.between {
					t.Errorf("%s in %s: mean %.1f °C want about %v", c.city, month, mean, want)
				}
				if kwh := sun / 31 / 1000; kwh < 1 || kwh > 8 {
					t.Errorf("%s in %s: %.1f kWh/m² a day", c.city, month, kwh)
				}
			}
		}
		if !found {
			t.Errorf("no place %s", c.city)
		}
	}
}

// A building uses more on weekdays, burns gas in winter only, keeps its set
// points while people are in, and its mean power agrees with its registers.
func TestBuildingYear(t *testing.T) {
	cfg := Config{Seed: 3, Start: start(), Step: time.Hour, Owners: 1, Sites: 1, Buildings: 1}
	f := newFleet(t, cfg)
	var weekday, weekend, powerWh float64
	var gas [13]float64
	before := f.Truth().Buildings[0]
	lastGas := 0.0
	run(f, 365*24, func(r telemetry.Reading) {
		if r.Kind != devices.KindBuilding {
			return
		}
		num := func(name string) float64 {
			x, ok := r.Num(name)
			if !ok {
				t.Fatalf("no %s", name)
			}
			return x
		}
		at := time.UnixMilli(r.TS - 1).UTC().Add(8 * time.Hour) // Shanghai
		lights := num("lighting_power_w")
		if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
			weekend += lights / 2
		} else {
			weekday += lights / 5
			if in := num("indoor_c"); at.Hour() >= 10 && at.Hour() <= 16 && (in < 19.5 || in > 26) {
				t.Errorf("%s: %v °C indoors at %v °C outdoors", at, in, num("outdoor_c"))
			}
		}
		powerWh += num("power_w")
		gas[at.Month()] += num("gas_wh") - lastGas
		lastGas = num("gas_wh")
	}, nil)
	after := f.Truth().Buildings[0]
	net := after.ImportWh - before.ImportWh - (after.ExportWh - before.ExportWh)
	if math.Abs(powerWh-net) > 1e-4*net {
		t.Errorf("mean power adds up to %.0f Wh, the registers to %.0f", powerWh, net)
	}
	if weekday < 5*weekend {
		t.Errorf("lighting: %.0f on a weekday, %.0f on a day of the weekend", weekday, weekend)
	}
	if gas[time.January] <= 0 || gas[time.July] != 0 {
		t.Errorf("gas by month: %.0f", gas)
	}
	if after.PVWh <= 0 || after.ImportWh <= before.ImportWh {
		t.Errorf("got %+v", after)
	}
}
