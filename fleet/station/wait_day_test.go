package station

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Where every hour is like the next, the day is one queue.
func TestWaitsOfDayAgreesWithErlang(t *testing.T) {
	var even [24]float64
	for h := range even {
		even[h] = 20
	}
	w := WaitsOfDay(nil, even, 6, 4, Window{0, 1})
	q := Queue{ArrivalsPerHour: 20, ServedPerHour: 6, Servers: 4}
	for _, x := range []struct {
		name      string
		got, want float64
	}{
		{"mean", *w.MeanS, 9.866 * 60}, {"mean", *w.MeanS, q.MeanWaitS()}, {"median", *w.P50S, q.WaitQuantileS(0.5)},
		{"95 %", *w.P95S, q.WaitQuantileS(0.95)}, {"share", *w.Waiting, q.Waiting()},
	} {
		if math.Abs(x.got-x.want) > 1e-3*x.want {
			t.Errorf("%s: got %v, want %v", x.name, x.got, x.want)
		}
	}
	if w.Method != "erlang_c" || w.Status != OK {
		t.Errorf("got %+v", w.Basis)
	}
}

// A day with a rush waits longer than one in which the same riders come evenly,
// and its quantiles ascend.
func TestWaitsOfDayWithARush(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hours, even [24]float64
		for h := range hours {
			hours[h] = rapid.Float64Range(0, 19).Draw(t, "riders")
		}
		sum := total(hours[:])
		for h := range even {
			even[h] = sum / 24
		}
		a, b := WaitsOfDay(nil, hours, 20, 1, Window{0, 1}), WaitsOfDay(nil, even, 20, 1, Window{0, 1})
		if sum == 0 {
			if a.Status != Insufficient {
				t.Fatalf("of no riders: got %+v", a)
			}
			return
		}
		if *a.MeanS < *b.MeanS*(1-1e-9) || *a.P50S > *a.P95S {
			t.Fatalf("got a mean of %v, %v evenly; quantiles %v and %v", *a.MeanS, *b.MeanS, *a.P50S, *a.P95S)
		}
	})
}

func TestWaitsOfDayInsufficient(t *testing.T) {
	rush := [24]float64{8: 21, 9: 1}
	for name, w := range map[string]Wait{
		"more than can be served": WaitsOfDay(nil, rush, 20, 1, Window{0, 1}),
		"no time of a swap":       WaitsOfDay(nil, rush, 0, 1, Window{0, 1}),
		"no servers":              WaitsOfDay(nil, rush, 20, 0, Window{0, 1}),
	} {
		if w.Status != Insufficient || w.Reason == "" || w.MeanS != nil {
			t.Errorf("%s: got %+v", name, w)
		}
	}
	if w := WaitsOfDay(make([]float64, 20), rush, 20, 1, Window{0, 1}); w.Method != "measured" || w.Status != OK {
		t.Errorf("of twenty waits: got %+v", w.Basis)
	}
}
