package report_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// numbers are all numbers of a value, as JSON has them.
func numbers(t *testing.T, into map[float64]bool, value any) {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(x any) {
		switch x := x.(type) {
		case float64:
			into[x] = true
		case []any:
			for _, y := range x {
				walk(y)
			}
		case map[string]any:
			for _, y := range x {
				walk(y)
			}
		}
	}
	walk(tree)
}

// Every number of the page is one of the assessment's, or a sum of its months,
// and is written as rounded, not otherwise.
func TestNumbersAreTheAssessments(t *testing.T) {
	r := sample(t)
	m := r.Meters[0]
	known := map[float64]bool{r.Building.FloorAreaM2: true}
	for _, v := range []any{m.Assessment, m.Measure, m.Cost, m.Carbon, m.Peak} {
		numbers(t, known, v)
	}
	v := m.Assessment.Avoided
	known[math.Max(v.Uncertainty.Plus, *v.SlowPlus)] = true
	known[v.Observed/r.Building.FloorAreaM2*365/366] = true
	byMonth := map[string][3]float64{}
	for _, p := range v.Series {
		if p.Observed != nil && p.Baseline != nil {
			k := p.Start.Format("2006-01")
			s := byMonth[k]
			byMonth[k] = [3]float64{s[0] + 1, s[1] + *p.Baseline, s[2] + *p.Observed}
		}
	}
	var days, base, used float64
	for _, s := range byMonth {
		known[s[0]], known[s[1]], known[s[2]], known[s[1]-s[2]], known[(s[1]-s[2])/s[1]] = true, true, true, true, true
		days, base, used = days+s[0], base+s[1], used+s[2]
	}
	if int(days) != v.Rows || math.Abs(base-v.Baseline) > 1e-6 || math.Abs(used-v.Observed) > 1e-6 {
		t.Errorf("the months have %v days, %v expected and %v used, want %v, %v and %v", days, base, used, v.Rows, v.Baseline, v.Observed)
	}
	near := func(x float64) bool {
		if known[x] {
			return true
		}
		for k := range known {
			if math.Abs(k-x) <= 1e-12*math.Abs(k) {
				return true
			}
		}
		return false
	}
	seen := 0
	wellFormed(t, page(t, report.HTML, r), func(e xml.StartElement, text string) {
		if e.Name.Local != "data" || text == "" {
			return
		}
		seen++
		x, err := strconv.ParseFloat(attribute(e, "value"), 64)
		if err != nil {
			t.Errorf("got a datum of %q", attribute(e, "value"))
			return
		}
		if !near(x) {
			t.Errorf("got %s, from %v, which is no number of the assessment", text, x)
		}
		if !rounded(text, x) {
			t.Errorf("got %q for %v", text, x)
		}
	})
	if seen < 150 {
		t.Errorf("got %d numbers on the page, want many more", seen)
	}
}

// rounded reports whether a text is a number as it is written: with commas, in
// percent, or with its currency of two decimals.
func rounded(text string, x float64) bool {
	scale := 1.0
	text = strings.ReplaceAll(strings.ReplaceAll(text, ",", ""), "−", "-")
	if s, ok := strings.CutSuffix(text, " EUR"); ok {
		text, scale = s, 0.01
	}
	if s, ok := strings.CutSuffix(text, " %"); ok {
		text, scale = s, 100
	}
	if s, ok := strings.CutPrefix(text, "below "); ok {
		limit, err := strconv.ParseFloat(s, 64)
		return err == nil && math.Abs(x)*scale < limit
	}
	text = strings.TrimPrefix(text, "at most ")
	got, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	_, part, _ := strings.Cut(text, ".")
	half := math.Pow10(-len(part)) / 2 * 1.0000001
	// The column of percents says so in its head.
	return math.Abs(got-x*scale) <= half || math.Abs(got-100*x) <= half
}

// Names are written by whoever owns the building.
func TestHostileNames(t *testing.T) {
	const evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&}]]>--><!--\x00\x01\x0b\ufffe\u202e{{.Title}} [a](javascript:alert(3)) `x` | \n# h \xff"
	r := sample(t)
	r.Building = report.Building{ID: evil, Name: evil, Place: evil, TimeZone: evil}
	m := &r.Meters[0]
	m.Name, m.Source, m.Unit, m.Measure.Title = evil, evil, evil, evil
	m.Cost.Tariff, m.Cost.Version, m.Cost.Saved.Currency = evil, evil, evil
	m.Measure.Cost.Currency, m.Carbon.Grid, m.Carbon.Version = evil, evil, evil
	m.Assessment.Avoided.Adjustments[0].Reason = evil
	m.Assessment.Choice.Reason = evil
	m.Assessment.Choice.Scores[3].Error = evil
	m.Assessment.Fit.Formula = evil
	m.Assessment.Fit.Coefficients[0].Name = evil
	m.Cost.Warnings = []energy.Reason{{Code: evil, Text: evil}}
	r.Notes = []string{evil}
	html := page(t, report.HTML, r)
	wellFormed(t, html, func(e xml.StartElement, _ string) {
		switch e.Name.Local {
		case "script", "img", "a", "iframe", "link", "object", "form", "base":
			t.Errorf("got an element %s", e.Name.Local)
		}
		for _, a := range e.Attr {
			n := strings.ToLower(a.Name.Local)
			if strings.HasPrefix(n, "on") || n == "href" || n == "src" || n == "style" {
				t.Errorf("got an attribute %s", n)
			}
		}
	})
	if strings.Contains(html, "\u202e") {
		t.Error("got a mark that turns the text")
	}
	for line := range strings.Lines(page(t, report.Markdown, r)) {
		for _, bad := range []string{"<script", "<img", "[a](", "{{"} {
			if i := strings.Index(line, bad); i >= 0 && (i == 0 || line[i-1] != '\\') {
				t.Errorf("got %q in %q", bad, line)
			}
		}
		if strings.HasPrefix(line, "# h") {
			t.Errorf("got a heading out of a name: %q", line)
		}
	}
}

// Notes stand above the numbers.
func TestNotesComeFirst(t *testing.T) {
	r := sample(t)
	r.Notes = []string{"These numbers were worked out for this page."}
	for name, write := range map[string]func(io.Writer, report.Report) error{"HTML": report.HTML, "Markdown": report.Markdown} {
		text := page(t, write, r)
		if n := strings.Index(text, "worked out for this page"); n < 0 || n > strings.Index(text, "Measure of") {
			t.Errorf("%s: got the note at %d of %d", name, n, len(text))
		}
	}
}

// What is before an instant is neither charted nor listed, and counts in the sums.
func TestSince(t *testing.T) {
	r := sample(t)
	whole := page(t, report.Markdown, r)
	r.Since = time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
	text, html := page(t, report.Markdown, r), page(t, report.HTML, r)
	for _, month := range []string{"| Jan 2024 ", "| Jun 2024 "} {
		if !strings.Contains(whole, month) || strings.Contains(text, month) {
			t.Errorf("got %q in %v of the whole, %v of the rest", month, strings.Contains(whole, month), strings.Contains(text, month))
		}
	}
	rows := regexp.MustCompile(`(?m)^(\| In all |Baseline|\| Baseline|\| Jul 2024 ).*`)
	if diff := cmp.Diff(rows.FindAllString(whole, -1), rows.FindAllString(text, -1)); diff != "" || !strings.Contains(text, "begin on 1 July 2024") {
		t.Errorf("the sums: %s", diff)
	}
	if r.Since = (time.Time{}); !strings.Contains(page(t, report.HTML, r), "used before") || strings.Contains(html, "used before") || !strings.Contains(html, "saved so far") {
		t.Error("the baseline is charted, or the saving is not")
	}
	if len(r.Meters[0].Baseline) != 365 || len(r.Meters[0].Assessment.Avoided.Series) != 366 {
		t.Error("the report was changed")
	}
}

// The page asks for nothing from elsewhere.
func TestSelfContained(t *testing.T) {
	html := page(t, report.HTML, sample(t))
	for _, bad := range []string{"src=", "href=", "@import", "url(", "<script", "javascript:"} {
		if strings.Contains(html, bad) {
			t.Errorf("got %q", bad)
		}
	}
	if n := strings.Count(html, "http"); n != strings.Count(html, "http://www.w3.org/")+strings.Count(html, "http-equiv") {
		t.Errorf("got an address of elsewhere")
	}
	if len(html) > 200_000 {
		t.Errorf("got %d bytes", len(html))
	}
}

// Each state of an assessment gives a page that says so first.
func TestVerdicts(t *testing.T) {
	days, next := house(1, 2023, 1), house(1, 2024, 0.85)
	for _, c := range []struct {
		name string
		q    assess.Request
		want []string
	}{
		{"sound", assess.Request{Baseline: days, Reporting: next, Interval: energy.Daily}, []string{"The building saves", "meets every limit"}},
		{"degree days", assess.Request{Baseline: days, Reporting: next, Interval: energy.Daily, Model: caltrack.DailyModel},
			[]string{"The building saves", "The line is the model", "no other was tried", "cdd"}},
		{"more use", assess.Request{Baseline: days, Reporting: house(1, 2024, 1.1), Interval: energy.Daily}, []string{"uses more than before"}},
		{"none", assess.Request{Baseline: days, Reporting: house(1, 2024, 0.998), Interval: energy.Daily},
			[]string{"No saving can be told from the noise", "saving_within_uncertainty", report.Advice(savings.NotSignificant)}},
		{"one month", assess.Request{Baseline: days[:31], Reporting: next, Interval: energy.Daily},
			[]string{"No saving can be stated", "too_many_days_with_missing_data", report.Advice(caltrack.MissingDays)}},
		{"not begun", assess.Request{Baseline: days, Interval: energy.Daily}, []string{"No saving can be stated", assess.ReportingShort}},
		{"no data", assess.Request{Interval: energy.Daily}, []string{"No saving can be stated", "no_use"}},
		{"hours", assess.Request{Baseline: hours(2023, 1), Reporting: hours(2024, 0.9), Interval: energy.Hourly, Model: "towt-hourly"},
			[]string{"The building saves", "of hours", "The first 60 of"}},
		{"bills", assess.Request{Baseline: bills(2023, 1), Reporting: bills(2024, 0.9), Interval: energy.Billing},
			[]string{"The building saves", "Bill by bill", "Each dot is one bill"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := assessed(t, c.q)
			r := report.Report{Building: report.Building{ID: "b"}, Made: year(2025), Meters: []report.Meter{{
				Name: "Electricity", Unit: "kWh", Measure: report.Measure{Title: "Lamps", Date: year(2024)},
				Assessment: a, Baseline: c.q.Baseline, Reporting: c.q.Reporting,
			}}}
			html := page(t, report.HTML, r)
			var text strings.Builder
			wellFormed(t, html, func(_ xml.StartElement, s string) { text.WriteString(s) })
			md := strings.ReplaceAll(page(t, report.Markdown, r), "\\", "")
			for _, w := range c.want {
				if !strings.Contains(text.String(), w) {
					t.Errorf("HTML lacks %q", w)
				}
				if !strings.Contains(md, w) && !strings.Contains(w, "dot") && !strings.Contains(w, "line") {
					t.Errorf("Markdown lacks %q", w)
				}
			}
			for _, bad := range []string{"NaN", "Inf", "%!", "<nil>"} {
				if strings.Contains(html, bad) || strings.Contains(md, bad) {
					t.Errorf("got %s", bad)
				}
			}
			for _, reason := range a.Verdict.Reasons {
				if !strings.Contains(html, reason.Code) || !strings.Contains(md, reason.Code) {
					t.Errorf("the page does not name %s", reason.Code)
				}
			}
			stored(t, r)
		})
	}
}

// stored takes the assessment through JSON, as a ledger does: the page is the
// same but for what the model alone knows.
func stored(t *testing.T, r report.Report) {
	t.Helper()
	raw, err := json.Marshal(r.Meters[0].Assessment)
	if err != nil {
		t.Fatal(err)
	}
	var a assess.Assessment
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	model := r.Meters[0].Assessment.Model()
	want := page(t, report.HTML, r)
	r.Meters[0].Assessment, r.Meters[0].Model = &a, model
	if page(t, report.HTML, r) != want {
		t.Error("the page of a stored assessment differs")
	}
	r.Meters[0].Model = nil
	wellFormed(t, page(t, report.HTML, r), func(xml.StartElement, string) {})
}

func hours(y int, kept float64) []energy.Row {
	var rows []energy.Row
	for _, d := range house(3, y, 1) {
		for h := range 24 {
			at := d.Start.Add(time.Duration(h) * time.Hour)
			shape := 1 + 0.4*math.Sin(2*math.Pi*float64(h-8)/24)
			rows = append(rows, energy.Row{
				Start: at, End: at.Add(time.Hour), TempCoverage: 1, TempF: d.TempF + 6*math.Sin(2*math.Pi*float64(h-9)/24), Use: kept * d.Use * shape / 24,
			})
		}
	}
	return rows
}

func bills(y int, kept float64) []energy.Row {
	var rows []energy.Row
	for i, d := range house(3, y, 1) {
		if i == 0 || d.Start.Day() == 1 {
			rows = append(rows, energy.Row{Start: d.Start, TempCoverage: 1})
		}
		b := &rows[len(rows)-1]
		b.End, b.Use, b.DayTempsF = d.End, b.Use+kept*d.Use, append(b.DayTempsF, d.TempF)
	}
	for i := range rows {
		for _, x := range rows[i].DayTempsF {
			rows[i].TempF += x / float64(len(rows[i].DayTempsF))
		}
	}
	return rows
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		r    report.Report
	}{
		{"no meter", report.Report{}},
		{"no assessment", report.Report{Meters: []report.Meter{{Name: "x"}}}},
	} {
		if err := report.HTML(io.Discard, c.r); err == nil {
			t.Errorf("%s: got no error", c.name)
		}
	}
	if err := report.HTML(full{}, sample(t)); err == nil {
		t.Error("got no error of the writer")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("disk full") }

func TestMoney(t *testing.T) {
	r := sample(t)
	for _, c := range []struct {
		m    tariff.Money
		want string
	}{
		{tariff.Money{Minor: 123456, Currency: "EUR"}, "1,234.56 EUR"},
		{tariff.Money{Minor: -5, Currency: "GBP"}, "−0.05 GBP"},
		{tariff.Money{Minor: 123456, Currency: "JPY"}, "123,456 JPY"},
		{tariff.Money{Minor: 123456, Currency: "KWD"}, "123.456 KWD"},
	} {
		r.Meters[0].Cost.Saved = c.m
		if md := page(t, report.Markdown, r); !strings.Contains(md, c.want) {
			t.Errorf("%+v: the page lacks %q", c.m, c.want)
		}
	}
}
