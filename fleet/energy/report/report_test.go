package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

func year(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }

// house draws the days of a building that is heated and cooled, and rests at the
// weekend.
func house(seed uint64, y int, kept float64) []energy.Row {
	rng := rand.New(rand.NewPCG(seed, uint64(y)))
	var rows []energy.Row
	var weather float64
	for at := year(y); at.Year() == y; at = at.AddDate(0, 0, 1) {
		weather = 0.7*weather + 4*rng.NormFloat64()
		temp := 56 - 24*math.Cos(2*math.Pi*float64(at.YearDay()-15)/365) + weather
		use := 300 + 6*max(55-temp, 0) + 9*max(temp-66, 0)
		if wd := at.Weekday(); wd == time.Saturday || wd == time.Sunday {
			use *= 0.7
		}
		rows = append(rows, energy.Row{
			Start: at, End: at.AddDate(0, 0, 1), Use: kept*use + 15*rng.NormFloat64(), TempF: temp, TempCoverage: 1,
		})
	}
	return rows
}

func assessed(t *testing.T, q assess.Request) *assess.Assessment {
	t.Helper()
	a, err := assess.Assess(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func pointer[T any](x T) *T { return &x }

// sample is a report with everything in it.
func sample(t *testing.T) report.Report {
	t.Helper()
	before, after := house(1, 2023, 1), house(1, 2024, 0.85)
	after[40].Use, after[41].Use = math.NaN(), math.NaN()
	a := assessed(t, assess.Request{
		Baseline: before, Reporting: after, Typical: house(2, 2023, 1), Interval: energy.Daily,
		Adjustments: []savings.Adjustment{{
			Period: energy.Period{From: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC)},
			PerDay: 12.5, Reason: "a second tenant, ground floor",
		}},
	})
	return report.Report{
		Building: report.Building{ID: "bld-07", Name: "North Wharf", Place: "Riverside 12", TimeZone: "Etc/UTC", FloorAreaM2: 2450},
		AsOf:     time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		Made:     time.Date(2025, 1, 3, 6, 30, 0, 0, time.UTC),
		Meters: []report.Meter{{
			Name: "Electricity", Source: "bld-07 energy_wh", Unit: "kWh", Assessment: a, Baseline: before, Reporting: after,
			Measure: report.Measure{
				Title: "New chiller and controls", Date: year(2024), Expected: pointer(0.14),
				Cost: &tariff.Money{Minor: 4_150_000, Currency: "EUR"},
			},
			Cost: &report.Cost{
				Tariff: "city-tou", Version: "2024-1", Baseline: tariff.Money{Minor: 2_500_000, Currency: "EUR"},
				Actual: tariff.Money{Minor: 2_100_000, Currency: "EUR"}, Saved: tariff.Money{Minor: 400_000, Currency: "EUR"},
				Plus: pointer(int64(38_000)),
			},
			Carbon: &carbon.Reduction{Grid: "GB", Version: "2024", AvoidedKG: 4123.456, PlusKG: pointer(390.1)},
			Peak:   &demand.Reduction{PeakSavedKW: 11.25, PeakPlusKW: pointer(3.5), PeakFraction: pointer(0.118)},
		}},
	}
}

func page(t *testing.T, write func(io.Writer, report.Report) error, r report.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var update = flag.Bool("update", false, "write the golden pages anew")

// TestGolden compares both forms with pages that were looked at.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		file  string
		write func(io.Writer, report.Report) error
	}{{"sample.html", report.HTML}, {"sample.md", report.Markdown}} {
		got := page(t, c.write, sample(t))
		file := filepath.Join("testdata", c.file)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s differs; if it should, run the test with -update and look at it (-want +got):\n%s", c.file, diff)
		}
	}
}

// wellFormed reads a page as XML, and calls back for each element.
func wellFormed(t *testing.T, html string, each func(xml.StartElement, string)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	var open []xml.StartElement
	var texts []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			open, texts = append(open, x.Copy()), append(texts, "")
		case xml.CharData:
			if n := len(texts); n > 0 {
				texts[n-1] += string(x)
			}
		case xml.EndElement:
			n := len(open) - 1
			each(open[n], texts[n])
			open, texts = open[:n], texts[:n]
		}
	}
	if len(open) > 0 {
		t.Errorf("got %d elements that are not closed", len(open))
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// A normalised saving that its verdict rejects is not written as a number.
func TestRejectedNormalisedSaving(t *testing.T) {
	r := sample(t)
	n := r.Meters[0].Assessment.Normalised
	if n == nil {
		t.Fatal("the sample has no normalised saving")
	}
	n.Verdict.Add(energy.Reason{Code: "reporting_coverage_low", Critical: true, Text: "too many rows of the typical year cannot be predicted"})
	n.Saving = 987654
	var md bytes.Buffer
	if err := report.Markdown(&md, r); err != nil {
		t.Fatal(err)
	}
	if s := md.String(); strings.Contains(s, "987") || !strings.Contains(s, "cannot be stated: too many rows") || !strings.Contains(s, "as of 1 January 2025") {
		t.Errorf("got %s", s)
	}
}
