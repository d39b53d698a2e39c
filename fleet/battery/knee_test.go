package battery

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

// matrCells reads the capacity of every cell by cycle.
func matrCells(t testing.TB) map[string][]LifePoint {
	t.Helper()
	f, err := os.Open(measured.File(t, "battery", "matr", "severson_capacity_knee_cells.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	if _, err := r.Read(); err != nil { // cell,cycle,capacity_ah
		t.Fatal(err)
	}
	out := map[string][]LifePoint{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		cycle, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		ah, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[row[0]] = append(out[row[0]], LifePoint{cycle, ah})
	}
}

// The twelve published knees, to 3 cycles, and the ends of life exactly. The
// reference stops a little short of the best fit; ours is never worse.
func TestKneesOfPublishedCells(t *testing.T) {
	b, err := os.ReadFile(measured.File(t, "battery", "matr", "expected_knee_bacon_watts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Onset, Point float64
		EOL          *float64
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != 12 {
		t.Fatalf("got %d published knees, want 12", len(want))
	}
	cells := matrCells(t)
	worst := 0.0
	for cell, w := range want {
		got := FindKnee(cells[cell], DefaultKneeRules())
		if !got.Found {
			t.Errorf("%s: got no knee: %+v", cell, got)
			continue
		}
		off := max(math.Abs(*got.Onset-w.Onset), math.Abs(*got.Point-w.Point))
		worst = max(worst, off)
		if off > 3 {
			t.Errorf("%s: got %.1f and %.1f, want %.1f and %.1f", cell, *got.Onset, *got.Point, w.Onset, w.Point)
		}
		if (got.EndOfLife == nil) != (w.EOL == nil) || w.EOL != nil && *got.EndOfLife != *w.EOL {
			t.Errorf("%s: got an end of life of %v, want %v", cell, got.EndOfLife, w.EOL)
		}
		x, y, _ := whole(cells[cell])
		u, span := make([]float64, len(x)), x[len(x)-1]-x[0]
		for i := range x {
			u[i] = (x[i] - x[0]) / span
		}
		curve, _ := smooth(u, y)
		k := newKinked(u, curve)
		if ours, ref := k.rss((*got.Point-x[0])/span), k.rss((w.Point-x[0])/span); ours > ref*(1+1e-9) {
			t.Errorf("%s: the sum of squares is %g at our knee and %g at the reference's", cell, ours, ref)
		}
	}
	t.Logf("at most %.2f cycles off", worst)
}

// Every cell of the file has a knee, its onset before its point, and the point
// before the end of life where that was reached.
func TestKneesOfAllCells(t *testing.T) {
	for cell, points := range matrCells(t) {
		k := FindKnee(points, DefaultKneeRules())
		if !k.Found || *k.Onset >= *k.Point || k.EndOfLife != nil && *k.Point >= *k.EndOfLife {
			t.Errorf("%s: got %+v", cell, k)
		}
	}
}

// A knee made here is found; lines and slowing fades have none, noise or not.
func TestKneeAgainstTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	curve := func(f func(x float64) float64) []LifePoint {
		var out []LifePoint
		for x := range 600 {
			out = append(out, LifePoint{float64(x), f(float64(x)) + 0.001*rng.NormFloat64()})
		}
		return out
	}
	tests := []struct {
		name  string
		f     func(float64) float64
		point float64 // 0: none
	}{
		{"line", func(x float64) float64 { return 1 - 0.0003*x }, 0},
		{"square root", func(x float64) float64 { return 1 - 0.007*math.Sqrt(x) }, 0},
		{"flat", func(float64) float64 { return 1 }, 0},
		{"kink at 400", func(x float64) float64 { return 1 - 0.0001*x - 0.001*max(0, x-400) }, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := FindKnee(curve(tt.f), DefaultKneeRules())
			if !k.OK() || k.Found != (tt.point > 0) {
				t.Fatalf("got %+v", k)
			}
			if k.Found && math.Abs(*k.Point-tt.point) > 40 {
				t.Errorf("got %.0f, want about %.0f", *k.Point, tt.point)
			}
		})
	}
	// Points that share an X, and a span too long to go step by step.
	var long []LifePoint
	for k := range 600 {
		x := float64(k/2) * 1e5
		long = append(long, LifePoint{x, 1 - 0.1*x/3e7 - max(0, x-2e7)/3e7})
	}
	if k := FindKnee(long, DefaultKneeRules()); !k.Found || math.Abs(*k.Point-2e7) > 2e6 {
		t.Errorf("over a long span: got %+v", k)
	}
	if k := FindKnee(make([]LifePoint, 10), DefaultKneeRules()); k.OK() || k.Reason == "" {
		t.Errorf("of ten points: got %+v, want a reason", k.Basis)
	}
}

// The monotone fit never rises, keeps the sum, and leaves what already falls.
func TestFalling(t *testing.T) {
	if got := falling([]float64{3, 1, 2}); got[0] != 3 || got[1] != 1.5 || got[2] != 1.5 {
		t.Errorf("got %v, want 3, 1.5, 1.5", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		y := rapid.SliceOfN(rapid.Float64Range(-10, 10), 1, 60).Draw(t, "y")
		got := falling(y)
		for i := 1; i < len(got); i++ {
			if got[i] > got[i-1]+1e-12 {
				t.Fatalf("rises at %d: %v", i, got)
			}
		}
		if math.Abs(sum(got)-sum(y)) > 1e-9 {
			t.Fatalf("got a sum of %v, want %v", sum(got), sum(y))
		}
		again := falling(got)
		for i := range got {
			if math.Abs(again[i]-got[i]) > 1e-12 {
				t.Fatalf("changes at the second time: %v to %v", got, again)
			}
		}
	})
}

func BenchmarkFindKnee(b *testing.B) {
	points := matrCells(b)["b1c0"]
	for b.Loop() {
		FindKnee(points, DefaultKneeRules())
	}
}
