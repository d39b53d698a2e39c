package finance

import (
	"errors"
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

func flowsFrom(t testing.TB, rows ...struct {
	day    string
	amount float64
}) []Flow {
	t.Helper()
	var out []Flow
	for _, r := range rows {
		d, err := daycount.Parse(r.day)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Flow{d, r.amount})
	}
	return out
}

type row = struct {
	day    string
	amount float64
}

func TestPresentValues(t *testing.T) {
	amounts := []float64{-40000, 5000, 8000, 12000, 30000}
	for _, c := range []struct {
		name string
		do   func(float64, []float64) (float64, error)
		rate float64
		want float64
	}{
		{"from 0", NPV, 0.08, 3065.222668179},
		{"from 1", NPVFromOne, 0.08, 2838.169137203},
		{"no rate", NPV, 0, 15000},
		{"no rate, from 1", NPVFromOne, 0, 15000},
	} {
		if got, err := c.do(c.rate, amounts); err != nil || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %.9f %v, want %.9f", c.name, got, err, c.want)
		}
	}
	if got, err := NFV(0.03, 6, []float64{1050, 1350, 1350, 1450}); err != nil || math.Abs(got-5750.16) > 0.005 {
		t.Errorf("NFV: got %v %v, want 5750.16", got, err)
	}
	for _, rate := range []float64{-1, -2, math.NaN(), math.Inf(1)} {
		if _, err := NPV(rate, amounts); !errors.Is(err, ErrRate) && !errors.Is(err, ErrNotFinite) {
			t.Errorf("rate %v: got %v", rate, err)
		}
	}
}

// XNPV: pyxirr's manual. XNFV: XLeratorDB's manual of XNFV.
func TestDatedValues(t *testing.T) {
	flows := flowsFrom(t, row{"2021-02-15", 3250}, row{"2020-01-01", -10000}, row{"2020-10-30", 4250}, row{"2020-03-01", 5750})
	if got, err := XNPV(0.1, flows, daycount.Actual365F); err != nil || math.Abs(got-2506.579458169746) > 1e-9 {
		t.Errorf("XNPV: got %.12f %v, want 2506.579458169746", got, err)
	}
	flows = flowsFrom(t, row{"2011-11-30", -100000}, row{"2012-03-15", -50000}, row{"2012-07-18", -2500}, row{"2012-11-30", 12500},
		row{"2013-01-23", 37500}, row{"2013-04-30", 75000}, row{"2014-02-06", 90000})
	if got, err := XNFV(0.025, flows, daycount.Actual365F); err != nil || math.Abs(got-57238.1249299303) > 1e-9 {
		t.Errorf("XNFV: got %.10f %v, want 57238.1249299303", got, err)
	}
	flows = flowsFrom(t, row{"2026-01-01", -1000}, row{"2027-01-01", 500})
	if got, err := XNFV(0.1, flows, daycount.Actual365F); err != nil || math.Abs(got+600) > 1e-9 {
		t.Errorf("XNFV: got %v %v, want -600", got, err)
	}
	if got, err := XNPV(0.1, nil, daycount.Actual365F); err != nil || got != 0 {
		t.Errorf("XNPV of nothing: got %v %v, want 0", got, err)
	}
	if _, err := XNPV(-1, flows, daycount.Actual365F); !errors.Is(err, ErrRate) {
		t.Errorf("rate -1: got %v, want %v", err, ErrRate)
	}
	if _, err := XNPV(-0.9999999, flowsFrom(t, row{"1900-01-01", -1}, row{"2026-01-01", 1e300}), 0); !errors.Is(err, ErrNotFinite) {
		t.Errorf("beyond numbers: got %v, want %v", err, ErrNotFinite)
	}
}
