package station

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

// june are the arrivals of a station's thirty days of June 2022, Unix
// milliseconds of a clock without zones, and their number by day as the names of
// the files give it. The stamps in the files say the time of day alone.
func june(t *testing.T, station string) (arrivals []int64, perDay []float64) {
	t.Helper()
	perDay = make([]float64, 30)
	for _, file := range measured.Files(t, "station", "data", station+"_day*.dat") {
		var n, count int
		if _, err := fmt.Sscanf(filepath.Base(file), station+"_day%d_%d.dat", &n, &count); err != nil {
			t.Fatal(err)
		}
		perDay[n-1] = float64(count)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			clock := strings.Fields(line)
			at, err := time.Parse("15:4:5", clock[len(clock)-1])
			if err != nil {
				t.Fatal(err)
			}
			arrivals = append(arrivals, time.Date(2022, 6, n, at.Hour(), at.Minute(), at.Second(), 0, time.UTC).UnixMilli())
		}
	}
	return arrivals, perDay
}

const dayMS = 86_400_000

// 4,572 arrivals, none lost, by day and by hour of the day.
func TestDemandOfRealStations(t *testing.T) {
	all := 0
	first := time.Date(2022, 6, 1, 0, 0, 0, 0, time.UTC)
	w := Window{first.UnixMilli(), first.AddDate(0, 0, 30).UnixMilli()}
	for _, name := range []string{"urban", "highway"} {
		arrivals, want := june(t, name)
		got := Daily(arrivals, w.From/dayMS, w.To/dayMS-1, func(ts int64) int64 { return ts / dayMS }, nil)
		for k := range want {
			if got[k] != want[k] {
				t.Errorf("%s, day %d: got %v arrivals, want %v", name, k+1, got[k], want[k])
			}
		}
		d := HourOfDay(arrivals, w, time.UTC, 0)
		if d.Count != len(arrivals) || math.Abs(total(d.PerHour[:])*30-float64(len(arrivals))) > 1e-6 {
			t.Errorf("%s: got %d arrivals, %v a day, of %d", name, d.Count, total(d.PerHour[:]), len(arrivals))
		}
		t.Logf("%s: %d arrivals, busiest at %d h with %.1f an hour", name, len(arrivals), *d.PeakHour, d.PeakRate)
		all += len(arrivals)
	}
	if all != 4572 {
		t.Errorf("got %d arrivals, want 4572", all)
	}
}

// Every day from the seventeenth on, foretold up to two weeks ahead from the
// days before alone: nearer than the same weekday of the week before, at either
// station, and three quarters inside the interval, though one of the two more
// than doubles within the month.
func TestForecastBeatsNaiveOnHeldOutWeeks(t *testing.T) {
	for _, name := range []string{"urban", "highway"} {
		_, counts := june(t, name)
		ours, base, inside, n := 0.0, 0.0, 0, 0
		for origin := 16; origin < len(counts); origin++ {
			o := Forecast(counts[:origin], 0, min(14, len(counts)-origin), Window{})
			if o.Status != OK {
				t.Fatal(o.Reason)
			}
			for h, d := range o.Days {
				truth := counts[origin+h]
				ours += math.Abs(truth - d.Mean)
				base += math.Abs(truth - naive(counts[:origin], h+1))
				if truth >= d.Low && truth <= d.High {
					inside++
				}
				n++
			}
		}
		t.Logf("%s: error %.2f a day, naive %.2f; %.0f %% inside the interval", name, ours/float64(n), base/float64(n), 100*float64(inside)/float64(n))
		if ours >= base || inside < n*3/4 {
			t.Errorf("%s: error %.2f, naive %.2f; %d of %d inside", name, ours/float64(n), base/float64(n), inside, n)
		}
	}
}

// Against demand made here, with a week's rhythm and a level that shifts: less
// error than naive, and the 90 % interval covers 85 to 97 % of days.
func TestForecastAgainstTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 72))
	rhythm := [7]float64{1, 0.9, 0.95, 1.05, 1.3, 1.2, 0.6}
	ours, base, inside, days := 0.0, 0.0, 0, 0
	for range 60 {
		var counts []float64
		level := 40 + 60*rng.Float64()
		for d := range 84 {
			level *= math.Exp(0.01 * rng.NormFloat64())
			mean := level * rhythm[d%7]
			counts = append(counts, max(0, math.Round(mean+math.Sqrt(mean)*rng.NormFloat64())))
		}
		past := counts[:70]
		past[20] = math.NaN() // a day not known
		o := Forecast(past, 100, 14, Window{})
		if o.Status != OK || o.Days[0].Day != 170 || *o.Skill <= 0 {
			t.Fatalf("got %+v", o)
		}
		for h, d := range o.Days {
			truth := counts[70+h]
			ours += math.Abs(truth - d.Mean)
			base += math.Abs(truth - naive(past, h+1))
			if truth >= d.Low && truth <= d.High {
				inside++
			}
			days++
		}
	}
	share := float64(inside) / float64(days)
	t.Logf("error %.2f of the naive one, %.1f %% covered", ours/base, share*100)
	if ours > 0.9*base || share < 0.85 || share > 0.97 {
		t.Errorf("error %.2f of the naive one, %.1f %% covered", ours/base, share*100)
	}
}

func TestForecastInsufficient(t *testing.T) {
	if o := Forecast(make([]float64, 13), 0, 14, Window{}); o.Status != Insufficient || o.Reason == "" || len(o.Days) != 0 {
		t.Errorf("of thirteen days: got %+v", o)
	}
	quiet := Forecast(make([]float64, 30), 0, 14, Window{})
	if quiet.Status != OK || quiet.Days[13].Mean != 0 || quiet.Days[13].Low != 0 {
		t.Errorf("of a month without a rider: got %+v", quiet)
	}
}

// The weekday before is found whatever the lengths.
func TestNaiveIsTheSameWeekday(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, h := rapid.IntRange(7, 60).Draw(t, "days"), rapid.IntRange(1, 400).Draw(t, "ahead")
		v := make([]float64, n)
		for k := range v {
			v[k] = float64(k)
		}
		if got := int(naive(v, h)); (n+h-1-got)%7 != 0 || got < n-7 {
			t.Fatalf("%d days ahead of %d: got day %d", h, n, got)
		}
	})
}
