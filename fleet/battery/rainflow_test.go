package battery

import (
	"cmp"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

func count(series []float64) []Cycle {
	var out []Cycle
	var r Rainflow
	for k, v := range series {
		r.Push(int64(k), v, func(c Cycle) { out = append(out, c) })
	}
	return append(out, r.Residue()...)
}

// ranges adds up the counts of equal ranges, ascending.
func ranges(cycles []Cycle) [][2]float64 {
	sum := map[float64]float64{}
	for _, c := range cycles {
		sum[math.Round(c.Range*1e9)/1e9] += c.Count
	}
	var out [][2]float64
	for r, n := range sum {
		out = append(out, [2]float64{r, n})
	}
	slices.SortFunc(out, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	return out
}

func sorted(cycles []Cycle) []Cycle {
	slices.SortFunc(cycles, func(a, b Cycle) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	return cycles
}

// The published examples, to the last digit.
func TestRainflowPublished(t *testing.T) {
	b, err := os.ReadFile(measured.File(t, "battery", "rainflow", "astm_e1049_cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Series []float64    `json:"series"`
			Cycles [][5]float64 `json:"cycles"`
			Counts [][2]float64 `json:"counts"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatal("got no cases")
	}
	for _, c := range file.Cases {
		got := count(c.Series)
		if diff := gocmp.Diff(c.Counts, ranges(got)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.Series, diff)
		}
		var want []Cycle
		for _, w := range c.Cycles {
			want = append(want, Cycle{w[0], w[1], w[2], int64(w[3]), int64(w[4])})
		}
		if diff := gocmp.Diff(sorted(want), sorted(got)); want != nil && diff != "" {
			t.Errorf("cycles (-want +got):\n%s", diff)
		}
	}
}

// The example of the standard, which needs no file.
func TestRainflowStandard(t *testing.T) {
	got := ranges(count([]float64{-2, 1, -3, 5, -1, 3, -4, 4, -2}))
	if diff := gocmp.Diff([][2]float64{{3, 0.5}, {4, 1.5}, {6, 0.5}, {8, 1}, {9, 0.5}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// threePoint is the rule of the standard as it is written (§5.4.4), over the
// whole series at once.
func threePoint(series []float64) []Cycle {
	var turns []float64
	for _, v := range series {
		n := len(turns)
		switch {
		case n > 0 && v == turns[n-1]:
		case n > 1 && (v > turns[n-1]) == (turns[n-1] > turns[n-2]):
			turns[n-1] = v
		default:
			turns = append(turns, v)
		}
	}
	var out []Cycle
	var p []float64
	take := func(a, b, n float64) { out = append(out, Cycle{Range: math.Abs(a - b), Mean: (a + b) / 2, Count: n}) }
	for _, v := range turns {
		p = append(p, v)
		for len(p) >= 3 {
			n := len(p)
			x, y := math.Abs(p[n-1]-p[n-2]), math.Abs(p[n-2]-p[n-3])
			if x < y {
				break
			}
			if n == 3 { // y holds the starting point
				take(p[0], p[1], 0.5)
				p = p[1:]
				continue
			}
			take(p[n-3], p[n-2], 1)
			p = append(p[:n-3], p[n-1])
		}
	}
	for k := 1; k < len(p); k++ {
		take(p[k-1], p[k], 0.5)
	}
	return out
}

var seriesOf = rapid.SliceOfN(rapid.Map(rapid.IntRange(-20, 20), func(i int) float64 { return float64(i) }), 0, 200)

func TestRainflowIsTheThreePointRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := seriesOf.Draw(t, "series")
		if diff := gocmp.Diff(ranges(threePoint(s)), ranges(count(s))); diff != "" {
			t.Fatalf("(-three-point +got):\n%s", diff)
		}
	})
}

// Cut anywhere, stored, counted apart and joined: the same cycles.
func TestRainflowJoins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := seriesOf.Draw(t, "series")
		var got []Cycle
		closed := func(c Cycle) { got = append(got, c) }
		var whole, part Rainflow
		at := 0
		store := func() {
			b, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			var back Rainflow
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			whole.Join(back, closed)
			part = Rainflow{}
		}
		for at < len(s) {
			n := min(rapid.IntRange(1, 30).Draw(t, "points"), len(s)-at)
			for range n {
				part.Push(int64(at), s[at], closed)
				at++
			}
			store()
		}
		got = append(got, whole.Residue()...)
		if diff := gocmp.Diff(ranges(count(s)), ranges(got)); diff != "" {
			t.Fatalf("(-at once +joined):\n%s", diff)
		}
	})
}

// The state stays small over a year of a noisy signal of bounded resolution.
func TestRainflowStateIsSmall(t *testing.T) {
	var r Rainflow
	x, seed := 50.0, uint64(1)
	for k := range 500_000 {
		seed = seed*6364136223846793005 + 1442695040888963407
		x = math.Max(0, math.Min(100, x+float64(seed>>40)/float64(1<<24)*10-5))
		r.Push(int64(k), math.Round(x*10)/10, nil)
	}
	if n := len(r.Turns); n > 100 {
		t.Errorf("got %d open turns, want few", n)
	}
}
