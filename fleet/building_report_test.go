package fleet_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// A report after a change of what was entered has the numbers of the change, and
// says that no run has worked them out; after the run it has the same and says
// nothing.
func TestReportOfWhatIsEntered(t *testing.T) {
	p := newPlant(t)
	retrofit(p, "b")
	p.deliver(house(t, "b", berlin, 430, 375))
	page := func(adjusted float64, notes ...string) report.Report {
		t.Helper()
		r, err := p.fleet.Report(t.Context(), "b", time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if v := r.Meters[0].Assessment.Avoided; v == nil || math.Abs(v.Adjusted-adjusted) > 1e-6 {
			t.Errorf("got %+v, want adjustments of %g kWh", v, adjusted)
		}
		got := strings.Join(r.Notes, " ")
		for _, n := range notes {
			if !strings.Contains(got, n) {
				t.Errorf("got notes %q, want %q", got, n)
			}
		}
		if len(r.Notes) != len(notes) {
			t.Errorf("got notes %q, want %d", got, len(notes))
		}
		return r
	}
	page(0)
	p.enter(ledger.Adjustments, "b", "a", building.Adjustment{
		ID: "a", Meter: building.Electricity, From: "2024-02-01", To: "2024-02-11", Amount: 500, Reason: "a trade fair",
	})
	before := page(500, "worked out for this page").Meters[0].Assessment.Avoided.Saving
	p.run()
	if after := page(500).Meters[0].Assessment.Avoided.Saving; after != before {
		t.Errorf("got a saving of %g after the run, want the %g before it", after, before)
	}
	settings := building.Settings{Weather: "station/s", Meters: map[building.Meter]*building.MeterOptions{
		building.Electricity: {Model: "caltrack-daily"}, building.Water: {Model: "changepoint-mean"},
	}}
	p.enter(ledger.Settings, "b", "", settings)
	page(500, "worked out for this page", "source of the temperature")
}

// Imported temperatures have the job come to the buildings that they are for,
// those of a site to all that stand there.
func TestImportedWeatherIsWorkedIn(t *testing.T) {
	p := newPlant(t)
	p.enter(ledger.Settings, "b", "", building.Settings{Weather: building.Imported})
	p.deliver(house(t, "b", berlin, 4, 9))
	for _, c := range []struct {
		kind ledger.SeriesKind
		id   string
	}{{ledger.MeasuredWeather, "site/s"}, {ledger.MeasuredWeather, "building/b"}, {ledger.TypicalWeather, "building/b"}} {
		series := ledger.ImportedSeries{SeriesInfo: ledger.SeriesInfo{Kind: c.kind, ID: c.id}, Buildings: []string{"b"}}
		for h := range 96 {
			series.Values = append(series.Values, prepare.Point{TS: berlin.Add(time.Duration(h) * time.Hour).UnixMilli(), Value: float64(h%24) + float64(len(c.id))})
		}
		if _, err := p.ledger.MergeSeries(t.Context(), series); err != nil {
			t.Fatal(err)
		}
		p.run()
		if p.worked != 1 {
			t.Errorf("%s of %s: got %d results, want one", c.kind, c.id, p.worked)
		}
	}
}
