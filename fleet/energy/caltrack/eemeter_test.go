package caltrack

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// published are the numbers that eemeter 3.1.1 gives for its own samples.
type published struct {
	Candidates map[string]map[string]int
	Best       struct {
		Type   string
		Params map[string]float64
		R2adj  float64
	}
	Top5    [][]any
	Totals  map[string]float64 `json:"totals_metrics"`
	Year    publishedYear      `json:"reporting_year"`
	Test60  publishedSixty     `json:"test60"`
	Counts  map[string]int     `json:"occupancy_true_count"`
	OccBins map[string][]int   `json:"occupied_bins"`
	UnoBins map[string][]int   `json:"unoccupied_bins"`
	January map[string]float64 `json:"jan_params"`
	Sample  map[string]float64 `json:"in_sample"`
}

type publishedYear struct {
	N                                                   int
	Observed, Counterfactual, Savings, Base, Heat, Cool float64
	Bands                                               map[string]float64 `json:"error_bands"`
}

type publishedSixty struct {
	Metered  float64            `json:"metered_savings"`
	Bands    map[string]float64 `json:"error_bands"`
	Modeled  float64            `json:"modeled_savings"`
	ModError map[string]float64 `json:"modeled_error"`
}

func readPublished(t *testing.T, sample string) published {
	t.Helper()
	raw, err := os.ReadFile(measured.File(t, "building", "eemeter", "expected_caltrack2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]published
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	p, ok := all[sample]
	if !ok {
		t.Fatalf("no published numbers for %s", sample)
	}
	return p
}

// The samples' intervention: between these the meter is not looked at.
var (
	blackoutStart = time.Date(2016, 12, 26, 0, 0, 0, 0, time.UTC)
	blackoutEnd   = time.Date(2017, 1, 4, 0, 0, 0, 0, time.UTC)
)

func temperatures(t *testing.T, file string) []prepare.Point {
	t.Helper()
	at, values := measured.Values(t, time.RFC3339, "building", "eemeter", file)
	var out []prepare.Point
	for i := range at {
		out = append(out, prepare.Point{TS: at[i].UnixMilli(), Value: energy.CelsiusOf(values[i])})
	}
	return out
}

// sampleDays are the rows of a daily sample as eemeter reads it: it sums to UTC
// days, though the days of the file are local.
func sampleDays(t *testing.T, sample string, from, to time.Time) []energy.Row {
	t.Helper()
	at, values := measured.Values(t, time.RFC3339, "building", "eemeter", sample+".csv.gz")
	byDay := map[time.Time]float64{}
	for i := range at {
		byDay[at[i].UTC().Truncate(24*time.Hour)] = values[i]
	}
	bounds := prepare.Days(from, to)
	temps := prepare.Temperatures(temperatures(t, "il-tempF.csv.gz"), bounds)
	use := make([]prepare.Amount, len(bounds))
	for i, b := range bounds {
		use[i].Value = byDay[b]
	}
	return prepare.Rows(bounds, use, temps)
}

func sampleHours(t *testing.T, sample string, from, to time.Time) []energy.Row {
	t.Helper()
	at, values := measured.Values(t, time.RFC3339, "building", "eemeter", sample+".csv.gz")
	var stated []prepare.Interval
	for i := range at {
		ms := at[i].UnixMilli()
		stated = append(stated, prepare.Interval{From: ms, To: ms + 3600_000, Value: values[i]})
	}
	bounds := prepare.Hours(from, to)
	return prepare.Rows(bounds, prepare.Intervals(stated, bounds),
		prepare.Temperatures(temperatures(t, "il-tempF.csv.gz"), bounds))
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}
