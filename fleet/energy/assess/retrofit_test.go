package assess_test

import (
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/fleetwatt/fleetwatt/deploy/scenarios"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/scenario"
)

// building is one of the simulator's: what its meter and its sensor say, and what
// is true.
type building struct {
	id                string
	zone              *time.Location
	share             float64         // that the measure saves
	register, weather []prepare.Point // kWh and °C
	savedKWh          float64         // by the measure, in the reporting year
}

// The baseline and the reporting year of the simulated buildings.
const before, after = 2025, 2026

// retrofitted runs the scenario "retrofit" with as many buildings as there are
// shares. Each saves its share from the first local midnight of 2026 on.
func retrofitted(t *testing.T, seed uint64, shares []float64) []building {
	t.Helper()
	file, err := scenarios.Open("retrofit")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	s, err := scenario.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	s.Fleet.Buildings, s.Retrofits = len(shares), nil
	s.Fleet.Sites = max(s.Fleet.Sites, len(shares)/4) // each under its own sky: buildings that share one are wrong together
	c := s.Config(seed, time.Date(before-1, 12, 31, 0, 0, 0, 0, time.UTC))
	// The zone of a building is known once there is a fleet.
	f, err := simulator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	all := inventory(t, f)
	for i := range all {
		all[i].share = shares[i]
		c.Retrofits = append(c.Retrofits, simulator.Retrofit{Building: i + 1, At: local(after, all[i].zone), Share: shares[i]})
	}
	if f, err = simulator.New(c); err != nil {
		t.Fatal(err)
	}
	run(f, all)
	return all
}

// inventory are the buildings of a fleet, in order.
func inventory(t *testing.T, f *simulator.Fleet) []building {
	t.Helper()
	inv := f.Inventory()
	zones := map[string]*time.Location{}
	for _, s := range inv.Sites {
		zone, err := time.LoadLocation(s.TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		zones[s.ID] = zone
	}
	var all []building
	for _, b := range inv.Buildings {
		all = append(all, building{id: b.ID, zone: zones[b.SiteID]})
	}
	return all
}

// run steps a fleet to the end of the reporting year, and books what is read and
// what is true.
func run(f *simulator.Fleet, all []building) {
	at := map[string]*building{}
	ends := map[int64]bool{}
	for i := range all {
		b := &all[i]
		at[b.id] = b
		ends[local(after+1, b.zone).UnixMilli()] = true
	}
	last := local(after+1, time.UTC).Add(24 * time.Hour)
	for f.Now().Before(last) {
		f.Step(func(r telemetry.Reading) {
			b := at[r.Device]
			if r.Kind != devices.KindBuilding {
				return
			}
			for _, v := range r.Values {
				switch v.Field.Name {
				case "energy_wh":
					b.register = append(b.register, prepare.Point{TS: r.TS, Value: v.Num / 1000})
				case "outdoor_c":
					b.weather = append(b.weather, prepare.Point{TS: r.TS, Value: v.Num})
				}
			}
		}, nil)
		if !ends[f.Now().UnixMilli()] {
			continue
		}
		for _, truth := range f.Truth().Buildings {
			if b := at[truth.ID]; local(after+1, b.zone).Equal(f.Now()) {
				b.savedKWh = truth.SavedWh / 1000
			}
		}
	}
}

// local is the first midnight of a year.
func local(year int, zone *time.Location) time.Time {
	return time.Date(year, 1, 1, 0, 0, 0, 0, zone)
}

// rows are the days, or the hours, of a year.
func (b *building) rows(year int, bounds func(from, to time.Time) []time.Time) []energy.Row {
	at := bounds(local(year, b.zone), local(year+1, b.zone))
	return prepare.Rows(at, prepare.Register(b.register, at, 2*time.Hour), prepare.Temperatures(b.weather, at))
}

// fewRetrofits is how many buildings are enough to see an interval that is half as
// wide as it should be; FLEETWATT_RETROFIT=200 has as many as the product promises
// to have been checked on.
const fewRetrofits = 40

func retrofits(t *testing.T) int {
	t.Helper()
	given := os.Getenv("FLEETWATT_RETROFIT")
	if given == "" {
		return fewRetrofits
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < fewRetrofits {
		t.Fatalf("FLEETWATT_RETROFIT: got %q, want a number of buildings from %d", given, fewRetrofits)
	}
	return n
}

// likely are the counts of n that lie within the middle 95 % of a binomial
// distribution of probability p: fewer than low, and more than high, come up once
// in forty each at most.
func likely(n int, p float64) (low, high int) {
	d := distuv.Binomial{N: float64(n), P: p}
	for low < n && d.CDF(float64(low)) <= 0.025 {
		low++
	}
	for high = n; high > 0 && d.CDF(float64(high-1)) >= 0.975; {
		high--
	}
	return low, high
}

// The counts of textbook tables: of 20 at one half, 6 to 14 are within 95 %
// (P(X ≤ 5) = 0.0207), and of 40 at nine tenths, 32 to 39.
func TestLikely(t *testing.T) {
	for _, c := range []struct {
		n         int
		p         float64
		low, high int
	}{{20, 0.5, 6, 14}, {40, 0.9, 32, 39}} {
		if low, high := likely(c.n, c.p); low != c.low || high != c.high {
			t.Errorf("%d at %g: got %d to %d, want %d to %d", c.n, c.p, low, high, c.low, c.high)
		}
	}
}

// The 90 % interval holds the true saving of as many simulated buildings as it
// should, the portfolio's holds the true sum, and where nothing was done hardly
// any saving is claimed. What is true is known to the simulator alone: what the
// meter would have shown without the measure. Intervals half as wide would be
// found out.
func TestRetrofit(t *testing.T) {
	shares := make([]float64, retrofits(t))
	for i := range shares {
		if i%5 != 0 { // nothing was done in every fifth
			shares[i] = 0.30 * float64(i) / float64(len(shares)-1)
		}
	}
	var covered, halved, standard, claimed, none int
	var members, idle []savings.Member
	var truth float64
	for _, b := range retrofitted(t, 1, shares) {
		a, err := assess.Assess(assess.Request{
			Baseline: b.rows(before, prepare.Days), Reporting: b.rows(after, prepare.Days), Interval: energy.Daily,
		})
		if err != nil {
			t.Fatal(err)
		}
		v := a.Avoided
		if v == nil || v.SlowPlus == nil {
			t.Fatalf("%s: %+v", b.id, a.Verdict.Reasons)
		}
		off, half := math.Abs(v.Saving-b.savedKWh), max(v.Uncertainty.Plus, *v.SlowPlus)
		if off <= v.Uncertainty.Plus {
			standard++
		}
		if off <= half {
			covered++
		}
		if off <= half/2 {
			halved++
		}
		if b.share == 0 {
			none++
			idle = append(idle, a.Member(b.id))
			if v.Significant {
				claimed++
			}
		}
		truth += b.savedKWh
		members = append(members, a.Member(b.id))
	}
	n := len(shares)
	t.Logf("covered %d of %d, by the standard's interval alone %d, by intervals half as wide %d; a saving claimed in %d of %d without a measure",
		covered, n, standard, halved, claimed, none)
	low, high := likely(n, 0.9)
	if covered < low || covered > high {
		t.Errorf("got %d of %d covered, want %d to %d", covered, n, low, high)
	}
	if halved >= low {
		t.Errorf("got %d of %d covered by half of the interval: %d buildings do not tell", halved, n, n)
	}
	if _, most := likely(none, 0.1); claimed > most {
		t.Errorf("got a saving in %d of %d buildings without a measure, want %d at most", claimed, none, most)
	}
	p := savings.Aggregate(members)
	t.Logf("portfolio: %.0f ± %.0f kWh, ± %.0f as the standard takes them for independent; true %.0f", p.Saving, p.Together.Plus, p.Uncertainty.Plus, truth)
	if len(p.Members) != n || math.Abs(p.Saving-truth) > p.Together.Plus {
		t.Errorf("portfolio of %d: got %.0f ± %.0f, want %.0f", len(p.Members), p.Saving, p.Together.Plus, truth)
	}
	if p := savings.Aggregate(idle); p.Significant {
		t.Errorf("portfolio without a measure: got %.0f ± %.0f, want none", p.Saving, p.Together.Plus)
	}
}

// An office in Bangkok is cooled all year, and follows its week: degree days say
// little about it, and the choice finds the model that knows the week.
func TestBangkokOffice(t *testing.T) {
	const bangkok, share = 4, 0.15 // the fifth of the simulator's places
	b := retrofitted(t, 3, []float64{0, 0, 0, 0, share, 0})[bangkok]
	if b.zone.String() != "Asia/Bangkok" {
		t.Fatalf("got a building in %s", b.zone)
	}
	for _, c := range []struct {
		interval energy.Interval
		bounds   func(from, to time.Time) []time.Time
		want     []string
		r2       float64
	}{
		{energy.Daily, prepare.Days, []string{towt.DailyModel}, 0.90},
		{energy.Hourly, prepare.Hours, []string{towt.HourlyModel, towt.WeightedModel}, 0.90},
	} {
		q := assess.Request{Baseline: b.rows(before, c.bounds), Reporting: b.rows(after, c.bounds), Interval: c.interval}
		a, err := assess.Assess(q)
		if err != nil {
			t.Fatal(err)
		}
		if a.Fit == nil || a.Avoided == nil {
			t.Fatalf("%s: %+v", c.interval, a.Verdict.Reasons)
		}
		if !slices.Contains(c.want, a.Fit.Model) {
			t.Errorf("%s: got %s of %+v", c.interval, a.Fit.Model, a.Choice.Scores)
		}
		if r2 := *a.Fit.Statistics.R2; r2 < c.r2 {
			t.Errorf("%s: R² of %s: got %.3f, want above %g", c.interval, a.Fit.Model, r2, c.r2)
		}
		v := a.Avoided
		if off := math.Abs(v.Saving - b.savedKWh); off > max(v.Uncertainty.Plus, *v.SlowPlus) {
			t.Errorf("%s: got %.0f ± %.0f, want %.0f inside", c.interval, v.Saving, v.Uncertainty.Plus, b.savedKWh)
		}
		t.Logf("%s: %s, R² %.3f, %.0f ± %.0f kWh, true %.0f", c.interval, a.Fit.Model, *a.Fit.Statistics.R2, v.Saving, v.Uncertainty.Plus, b.savedKWh)
	}
	degree, err := caltrack.FitDaily(b.rows(before, prepare.Days), caltrack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("degree days: adjusted R² %.3f", degree.Best.AdjR2)
	if degree.Best.AdjR2 > 0.3 {
		t.Errorf("degree days: got an adjusted R² of %.3f, want little", degree.Best.AdjR2)
	}
}
