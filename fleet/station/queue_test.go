package station

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestErlangPublished(t *testing.T) {
	q := Queue{ArrivalsPerHour: 20, ServedPerHour: 6, Servers: 4}
	for _, c := range []struct {
		name              string
		got, want, within float64
	}{
		{"P(wait)", q.Waiting(), 0.657722, 5e-7},
		{"mean wait in minutes", q.MeanWaitS() / 60, 9.866, 5e-4},
		{"load", q.Load(), 20. / 24, 1e-12},
		{"blocking", q.Blocking(), 0.2427, 5e-4},
		{"one server: P(wait) is the load", Queue{3, 6, 1}.Waiting(), 0.5, 1e-12},
		{"ten servers at a load of 0.8", Queue{48, 6, 10}.Waiting(), 0.4092, 5e-5},
	} {
		if math.Abs(c.got-c.want) > c.within {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

// The sums of aᵏ/k! themselves, added up with 40 digits by mpmath 1.4.1.
func TestErlangOfManyServers(t *testing.T) {
	for _, c := range []struct {
		servers               int
		erlangs, loss, delays float64
	}{
		{1, 0.5, 0.3333333333333, 0.5},
		{7, 6.51, 0.2180047576223, 0.7993005098125},
		{50, 40, 0.01869067110963, 0.08695254952677},
		{400, 380, 0.01393158235367, 0.2203144088042},
		{2000, 1980, 0.01188702696644, 0.5460741178972},
		{10000, 9990, 0.007317186887269, 0.880541711374},
	} {
		q := Queue{ArrivalsPerHour: c.erlangs, ServedPerHour: 1, Servers: c.servers}
		if b, w := q.Blocking(), q.Waiting(); math.Abs(b/c.loss-1) > 1e-11 || math.Abs(w/c.delays-1) > 1e-11 {
			t.Errorf("%d servers: got %.13g lost and %.13g delayed, want %.13g and %.13g", c.servers, b, w, c.loss, c.delays)
		}
	}
}

// The formula against a queue played out here.
func TestErlangAgainstSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	q := Queue{20, 6, 4}
	free := make([]float64, q.Servers)
	now, waited, sum := 0.0, 0, 0.0
	const n = 400_000
	for range n {
		now += rng.ExpFloat64() / q.ArrivalsPerHour
		next := 0
		for k := range free {
			if free[k] < free[next] {
				next = k
			}
		}
		start := max(now, free[next])
		if start > now {
			waited++
			sum += start - now
		}
		free[next] = start + rng.ExpFloat64()/q.ServedPerHour
	}
	if got := float64(waited) / n; math.Abs(got-q.Waiting()) > 0.015 {
		t.Errorf("got %.4f waiting, the formula says %.4f", got, q.Waiting())
	}
	if got := 3600 * sum / n; math.Abs(got/q.MeanWaitS()-1) > 0.06 {
		t.Errorf("got a mean wait of %.0f s, the formula says %.0f", got, q.MeanWaitS())
	}
}

// More riders wait longer, more servers shorter, and the quantile undoes the
// distribution.
func TestErlangLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Queue{rapid.Float64Range(0.1, 50).Draw(t, "lambda"), rapid.Float64Range(0.5, 20).Draw(t, "mu"), rapid.IntRange(1, 30).Draw(t, "c")}
		busier, bigger := q, q
		busier.ArrivalsPerHour *= 1.1
		bigger.Servers++
		if busier.Waiting() < q.Waiting()-1e-12 || bigger.Waiting() > q.Waiting()+1e-12 || bigger.MeanWaitS() > q.MeanWaitS() {
			t.Fatalf("%+v: %v, busier %v, bigger %v", q, q.Waiting(), busier.Waiting(), bigger.Waiting())
		}
		if q.Load() >= 1 {
			if !math.IsInf(q.MeanWaitS(), 1) || q.Waiting() != 1 {
				t.Fatalf("beyond its capacity: %v, %v", q.MeanWaitS(), q.Waiting())
			}
			return
		}
		p := rapid.Float64Range(0.01, 0.999).Draw(t, "p")
		w := q.WaitQuantileS(p)
		tail := q.Waiting() * math.Exp(-(float64(q.Servers)*q.ServedPerHour-q.ArrivalsPerHour)*w/3600)
		if w > 0 && math.Abs(1-tail-p) > 1e-9 || w == 0 && 1-tail < p-1e-9 {
			t.Fatalf("P(W ≤ %v) = %v, want %v", w, 1-tail, p)
		}
	})
}

func TestWaits(t *testing.T) {
	q, w := Queue{20, 6, 4}, Window{0, 86_400_000}
	var measured []float64
	for k := range 100 {
		measured = append(measured, float64(k))
	}
	if got := Waits(measured, q, w); got.Method != "measured" || math.Abs(*got.MeanS-49.5) > 1e-9 || *got.Waiting != 0.99 || math.Abs(*got.P95S-94.05) > 1e-9 {
		t.Errorf("got %+v", got)
	}
	if got := Waits(measured[:5], q, w); got.Method != "erlang_c" || math.Abs(*got.MeanS/60-9.866) > 5e-4 {
		t.Errorf("got %+v", got)
	}
	for _, bad := range []Queue{{}, {ArrivalsPerHour: 30, ServedPerHour: 6, Servers: 4}} {
		if got := Waits(nil, bad, w); got.Status != Insufficient || got.Reason == "" || got.MeanS != nil {
			t.Errorf("%+v: got %+v", bad, got)
		}
	}
}
