package building

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
)

// A building of which nothing is known, or whose measures have no readings, has a
// page that says so.
func TestReportOfNothing(t *testing.T) {
	for name, interventions := range map[string][]Intervention{
		"no measure":  nil,
		"no readings": {{ID: "i", Title: "<LED>", Concerns: []Meter{Electricity}, Start: "2024-01-01"}},
	} {
		in := Input{Plan: &Plan{Building: "b", Rules: DefaultRules(), Interventions: interventions}}
		r, err := Evaluate(in)
		if err != nil {
			t.Fatal(err)
		}
		page, err := Report(in, r, report.Building{ID: "b", TimeZone: "UTC"}, time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		var html, md bytes.Buffer
		if err := report.HTML(&html, page); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := report.Markdown(&md, page); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(html.String(), "<LED>") {
			t.Errorf("%s: not escaped", name)
		}
		if html.Len() < 500 || md.Len() < 50 {
			t.Errorf("%s: got %d and %d bytes", name, html.Len(), md.Len())
		}
	}
}
