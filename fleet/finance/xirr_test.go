package finance

import (
	"math"
	"slices"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Flows that users of pyxirr reported (issues 14, 31, 61, 65 and 68), as what it
// found was not what their spreadsheets had: near −100 %, several rates, and rates
// that no number is near enough to.
func TestReportedXIRR(t *testing.T) {
	for _, c := range []struct {
		name   string
		rows   []row
		status Status
		want   []float64 // these are among the rates
	}{
		{"near total loss", []row{{"2021-06-09", -134.09}, {"2021-08-11", 40.86}}, OK, []float64{-0.9989769231734277}},
		{"far from what a spreadsheet stops at", []row{
			{"2020-01-09", -1200}, {"2020-02-12", -1050}, {"2020-03-02", -400}, {"2020-03-13", -800}, {"2020-05-11", 1500},
			{"2020-05-11", 1100}, {"2020-05-11", 2000}, {"2020-05-11", 450}, {"2020-11-03", -2000}, {"2020-12-29", 2850},
			{"2021-03-26", -1500}, {"2021-07-21", 2025}, {"2022-06-16", -2000}, {"2022-07-06", 2635},
		}, OK, []float64{3.6894338683170713}},
		{"two losses", []row{
			{"2025-04-01", 73981359.41}, {"2025-04-04", -8712535.775}, {"2025-04-08", -10181571.573}, {"2025-04-09", -3116294.024},
			{"2025-04-10", -17773207.2215}, {"2025-04-11", 211461.22}, {"2025-04-17", -3698621.9284}, {"2025-04-21", -9805107.728},
			{"2025-04-22", 140310.59}, {"2025-04-28", -12141.8472}, {"2025-05-12", -557704}, {"2025-05-16", 545359.6631},
			{"2025-05-19", -1115.5838}, {"2025-05-23", 14309.6}, {"2025-05-28", 12977.4745}, {"2025-06-06", 13088},
			{"2025-06-09", -25457056.128}, {"2025-06-11", -37752602.304}, {"2025-06-18", 37099.52}, {"2025-06-24", 47908320},
		}, Several, []float64{-0.9954999500894786, -0.9310500637742263}},
		{"no number near enough", []row{{"2024-11-21", -100}, {"2024-11-28", -100}, {"2024-12-03", 100}}, OutOfRange, nil},
		{"beyond telling, but a number", []row{
			{"2020-05-27", 187.5}, {"2020-05-27", -25}, {"2020-05-27", 187.5}, {"2020-05-28", 187.5}, {"2020-05-28", 187.5},
			{"2020-05-28", -188}, {"2020-05-28", -188}, {"2020-05-28", -188}, {"2020-05-28", -188}, {"2020-05-28", -188},
		}, OK, []float64{8.181769983749503e+75}},
	} {
		got, err := XIRR(flowsFrom(t, c.rows...), daycount.Actual365F)
		if err != nil || got.Status != c.status {
			t.Errorf("%s: got %+v %v, want %s", c.name, got, err, c.status)
			continue
		}
		for _, want := range c.want {
			if !slices.ContainsFunc(got.Rates, func(v float64) bool { return math.Abs(v-want) <= 1e-9*max(1, want) }) {
				t.Errorf("%s: got %v, want %v among them", c.name, got.Rates, want)
			}
		}
	}
}
