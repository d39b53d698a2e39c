package finance

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// yearly are flows a year of 365 days apart.
func yearly(amounts ...float64) (flows []Flow) {
	for i, a := range amounts {
		flows = append(flows, Flow{daycount.Of(2026, 1, 1) + daycount.Date(i*365), a})
	}
	return flows
}

// What had come in was never less than what was paid: that is no lack of investment.
func TestPaybackOfWhatWasPaidAhead(t *testing.T) {
	got, err := XPayback(0, yearly(5000, -800), daycount.Actual365F)
	if err != nil || got.Status != None || got.Reason != "what came in was never less than what was paid" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPayback(t *testing.T) {
	for _, c := range []struct {
		name    string
		rate    float64
		amounts []float64
		want    float64 // NaN: none
		open    float64
		again   bool
	}{
		{"simple", 0, []float64{-1000, 400, 400, 400, 400}, 2.5, 0, false},
		{"discounted", 0.1, []float64{-1000, 400, 400, 400, 400}, 3.01925, 0, false},
		{"at an end of a period", 0, []float64{-1000, 500, 500}, 2, 0, false},
		{"to the cent", 0, []float64{-0.9, 0.3, 0.3, 0.3}, 3, 0, false},
		{"but for a cent", 0, []float64{-1000000.01, 1000000}, math.NaN(), 0.01, false},
		{"never", 0, []float64{-1000, 100, 200}, math.NaN(), 700, false},
		{"never, at a rate", 0.5, []float64{-1000, 600, 600, 600}, math.NaN(), 1000 - 600*(1/1.5+1/2.25+1/3.375), false},
		{"a second investment", 0, []float64{-100, 150, -100, 200}, 1 - 1./3, 0, true},
		{"not after the second", 0, []float64{-100, 150, -100, 20}, 1 - 1./3, 30, true},
		{"income first", 0, []float64{50, -100, 25, 50}, 2.5, 0, false},
		{"nothing invested", 0, []float64{0, 10}, math.NaN(), 0, false},
		{"never short of what was paid", 0, []float64{100, -40, 10}, math.NaN(), 0, false},
		{"nothing", 0, nil, math.NaN(), 0, false},
	} {
		got, err := XPayback(c.rate, yearly(c.amounts...), daycount.Actual365F)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		v, ok := got.Get()
		if ok == math.IsNaN(c.want) || ok && math.Abs(v-c.want) > 5e-6 || math.Abs(got.Open-c.open) > 1e-9 || got.Again != c.again || (got.Reason == "") != ok {
			t.Errorf("%s: got %+v %v, want %v", c.name, got, v, c.want)
		}
	}
	if _, err := XPayback(-1, yearly(-1, 1), daycount.Actual365F); !errors.Is(err, ErrRate) {
		t.Errorf("rate -1: got %v, want %v", err, ErrRate)
	}
	if _, err := XPayback(0, yearly(math.NaN()), daycount.Actual365F); !errors.Is(err, ErrNotFinite) {
		t.Errorf("NaN: got %v, want %v", err, ErrNotFinite)
	}
}

func TestPaybackOfDatedFlows(t *testing.T) {
	flows := flowsFrom(t, row{"2028-01-01", 500}, row{"2026-01-01", -600}, row{"2026-01-01", -400}, row{"2027-01-01", 500})
	got, err := XPayback(0, flows, daycount.Actual365F)
	if v, ok := got.Get(); err != nil || !ok || v != 2 {
		t.Errorf("got %+v %v, want 2", got, err)
	}
}

// At its own rate of return an investment comes back with the last flow.
func TestDiscountedPaybackAtTheRateOfReturn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amounts := []float64{-1000}
		for range rapid.IntRange(1, 5).Draw(t, "periods") {
			amounts = append(amounts, rapid.Float64Range(200, 1000).Draw(t, "amount"))
		}
		r, err := IRR(amounts)
		if err != nil || r.Status != OK {
			t.Fatalf("%+v %v", r, err)
		}
		got, err := XPayback(*r.Rate-1e-9, yearly(amounts...), daycount.Actual365F)
		if v, ok := got.Get(); err != nil || !ok || math.Abs(v-float64(len(amounts)-1)) > 1e-4 {
			t.Fatalf("%v at %v: got %+v %v", amounts, *r.Rate, got, err)
		}
	})
}

func TestReturns(t *testing.T) {
	if v, err := ROI([]float64{-600, -400, 1300}); err != nil || v.Status != OK || math.Abs(*v.Value-0.3) > 1e-15 {
		t.Errorf("ROI: got %+v %v, want 0.3", v, err)
	}
	if v, err := ROI([]float64{5}); err != nil || v.Status != None {
		t.Errorf("ROI of nothing paid: got %+v %v, want none", v, err)
	}
	if v, err := Annualised(0.3, 3); err != nil || math.Abs(*v.Value-0.0913929) > 5e-8 {
		t.Errorf("annualised: got %+v %v, want 0.0913929", v, err)
	}
	if v, err := Annualised(0.1, 0.5); err != nil || v.Status != Insufficient {
		t.Errorf("half a year: got %+v %v, want insufficient", v, err)
	}
	if v, err := Annualised(-1.5, 2); err != nil || v.Status != None {
		t.Errorf("more than all lost: got %+v %v, want none", v, err)
	}
	if v, err := Annualised(-1, 2); err != nil || *v.Value != -1 {
		t.Errorf("all lost: got %+v %v, want -1", v, err)
	}
}
