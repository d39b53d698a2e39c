package prepare

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// weeks are a year of an office that rests on some days of the week, and on the
// dates given.
func weeks(rest []time.Weekday, atRest float64, holidays ...string) []energy.Row {
	rng := rand.New(rand.NewPCG(5, 6))
	off := map[string]bool{}
	for _, d := range holidays {
		off[d] = true
	}
	var rows []energy.Row
	for at := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2024; at = at.AddDate(0, 0, 1) {
		use := 100 + 20*math.Cos(2*math.Pi*float64(at.YearDay())/365)
		idle := off[at.Format(time.DateOnly)]
		for _, d := range rest {
			idle = idle || at.Weekday() == d
		}
		if idle {
			use *= atRest
		}
		rows = append(rows, energy.Row{Start: at, End: at.AddDate(0, 0, 1), Use: use + 3*rng.NormFloat64(), TempF: 60, TempCoverage: 1})
	}
	return rows
}

func split(days []energy.Row) []energy.Row {
	var out []energy.Row
	for _, d := range days {
		for h := range 24 {
			at := d.Start.Add(time.Duration(h) * time.Hour)
			out = append(out, energy.Row{Start: at, End: at.Add(time.Hour), Use: d.Use / 24, TempF: 60, TempCoverage: 1})
		}
	}
	return out
}

func TestFindRest(t *testing.T) {
	weekend := []time.Weekday{time.Saturday, time.Sunday}
	holidays := []string{"2023-01-02", "2023-05-01", "2023-12-25", "2023-12-26", "2023-12-27", "2023-12-28", "2023-12-29"}
	var often []string
	for at := time.Date(2023, 1, 2, 0, 0, 0, 0, time.UTC); at.Year() < 2024; at = at.AddDate(0, 0, 8) {
		often = append(often, at.Format(time.DateOnly))
	}
	for _, c := range []struct {
		name string
		rows []energy.Row
		want []string // nil: none is looked for
	}{
		{"an office", weeks(weekend, 0.4, holidays...), holidays},
		{"by the hour", split(weeks(weekend, 0.4, holidays...)), holidays},
		{"a weekend of Friday and Saturday", weeks([]time.Weekday{time.Friday, time.Saturday}, 0.4, "2023-04-23"), []string{"2023-04-23"}},
		{"no holidays", weeks(weekend, 0.4), []string{}},
		{"a weekend like the week", weeks(weekend, 0.95, holidays...), nil},
		{"no weekend", weeks(nil, 0.4, holidays...), nil},
		{"more rest than holidays", weeks(weekend, 0.4, often...), nil},
		{"nothing", nil, nil},
	} {
		r := FindRest(c.rows)
		if (r == nil) != (c.want == nil) {
			t.Errorf("%s: got %+v, want %v", c.name, r, c.want)
			continue
		}
		if r == nil {
			continue
		}
		if diff := cmp.Diff(c.want, r.Days); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		marked := 0
		for i, row := range r.Mark(c.rows) {
			if row.RestsAs != nil {
				marked++
				if row.Weekday() != r.Quietest || c.rows[i].RestsAs != nil {
					t.Errorf("%s: %s goes by a %s, want a %s; the rows given stay as they are", c.name, row.Start, row.Weekday(), r.Quietest)
				}
			}
		}
		if each := len(c.rows) / 365; marked != each*len(c.want) {
			t.Errorf("%s: got %d rows marked, want %d", c.name, marked, each*len(c.want))
		}
	}
}
