package annuity

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }

// From the documentation and tests of numpy-financial and pyxirr.
func TestPublished(t *testing.T) {
	month := 0.05 / 12
	interest := func(x Terms, period int) func() (float64, error) {
		return func() (float64, error) { v, _, err := x.Part(period); return v, err }
	}
	principal := func(x Terms, period int) func() (float64, error) {
		return func() (float64, error) { _, v, err := x.Part(period); return v, err }
	}
	loan := Terms{Rate: 0.05, Periods: 10, Present: -50_000}
	early := loan
	early.Due = AtStart
	left := early
	left.Future = 110_000
	long := Terms{Rate: 0.1479, Periods: 300, Present: -270.51}
	for name, c := range map[string]struct {
		do   func() (float64, error)
		want float64
	}{
		"fv":                  {Terms{Rate: month, Periods: 120, Payment: -100, Present: -100}.FutureValue, 15692.928894335751},
		"fv, at start":        {Terms{Rate: month, Periods: 120, Payment: -100, Present: -100, Due: AtStart}.FutureValue, 15757.6298441047},
		"fv, no rate":         {Terms{Periods: 120, Payment: -100, Present: -100}.FutureValue, 12100},
		"pv":                  {Terms{Rate: month, Periods: 120, Payment: -100, Future: 15692.93}.PresentValue, -100.0006713162},
		"pv, at start":        {Terms{Rate: month, Periods: 120, Payment: -100, Future: 15692.93, Due: AtStart}.PresentValue, -60.71677534615},
		"pv, no rate":         {Terms{Periods: 120, Payment: -100, Future: 15692.93}.PresentValue, -3692.93},
		"pmt":                 {Terms{Rate: 0.075 / 12, Periods: 180, Present: 200_000}.EqualPayment, -1854.0247200054619},
		"pmt, no rate":        {Terms{Periods: 180, Present: 200_000}.EqualPayment, -1111.1111111111111},
		"interest":            {interest(loan, 2), 2301.238562586},
		"interest, at start":  {interest(early, 2), 2191.6557738917},
		"interest, fv":        {interest(left, 2), 2608.108309425},
		"interest, first":     {interest(loan, 1), 2500},
		"interest, 297th":     {interest(long, 297), 16.9656277018672},
		"principal":           {principal(loan, 2), 4173.9901856864},
		"principal, at start": {principal(early, 2), 3975.2287482728307},
		"principal, 297th":    {principal(long, 297), 23.0428012981328},
		// numpy-financial 1.0.0; pyxirr 0.10.8 takes interest off a first payment at the start.
		"principal, first at start": {principal(Terms{Rate: 0.01, Periods: 24, Present: 10_000, Future: -500, Due: AtStart}, 1), -447.7207783376379},
	} {
		if got, err := c.do(); err != nil || !near(got, c.want) {
			t.Errorf("%s: got %.12f %v, want %.12f", name, got, err, c.want)
		}
	}
	if v, err := (Terms{Rate: 0.075, Payment: -2000, Future: 100_000}).Length(); err != nil || !near(*v.Value, 21.544944197323336) {
		t.Errorf("length: got %+v %v, want 21.54", v, err)
	}
	if v, err := (Terms{Payment: -2000, Future: 100_000}).Length(); err != nil || *v.Value != 50 {
		t.Errorf("length, no rate: got %+v %v, want 50", v, err)
	}
	if v, err := (Terms{Rate: 0.1, Payment: -5, Present: 100}).Length(); err != nil || v.Status != finance.None {
		t.Errorf("paid less than the interest: got %+v %v, want none", v, err)
	}
	if r, err := (Terms{Periods: 2, Present: -593.06, Future: 214.07}).RateOf(); err != nil || r.Status != finance.OK || math.Abs(*r.Rate+0.39920185) > 5e-9 {
		t.Errorf("rate: got %+v %v, want -0.39920185", r, err)
	}
	if r, err := (Terms{Periods: 2, Present: -13.65, Future: -329.67}).RateOf(); err != nil || r.Status != finance.None {
		t.Errorf("rate of payments only: got %+v %v, want none", r, err)
	}
}

func TestRefused(t *testing.T) {
	for name, do := range map[string]func() error{
		"rate":      func() error { _, err := Terms{Rate: -1}.FutureValue(); return err },
		"NaN":       func() error { _, err := Terms{Payment: math.NaN()}.PresentValue(); return err },
		"due":       func() error { _, err := Terms{Due: 0.5}.Length(); return err },
		"period 0":  func() error { _, _, err := Terms{Periods: 3}.Part(0); return err },
		"period 4":  func() error { _, _, err := Terms{Periods: 3}.Part(4); return err },
		"no period": func() error { _, err := Terms{Present: 1}.EqualPayment(); return err },
		"a half":    func() error { _, err := Terms{Periods: 2.5, Present: 1}.RateOf(); return err },
	} {
		if err := do(); !errors.Is(err, ErrInput) {
			t.Errorf("%s: got %v, want %v", name, err, ErrInput)
		}
	}
}

// Each value follows from the others, the parts of all payments add up to the
// loan, and the rate is found again.
func TestTermsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "periods")
		x := Terms{
			Rate: rapid.Float64Range(0.001, 0.3).Draw(t, "rate"), Periods: float64(n),
			Present: rapid.Float64Range(100, 1e6).Draw(t, "loan"), Due: rapid.SampledFrom([]Due{AtEnd, AtStart}).Draw(t, "due"),
		}
		if n == 1 && x.Due == AtStart {
			return // paid back as it is taken
		}
		payment, err := x.EqualPayment()
		if err != nil {
			t.Fatal(err)
		}
		x.Payment = payment
		future, err := x.FutureValue()
		if err != nil || math.Abs(future) > 1e-6*x.Present {
			t.Fatalf("%+v: %v %v is left", x, future, err)
		}
		present, err := x.PresentValue()
		if err != nil || !near(present, x.Present) {
			t.Fatalf("%+v: worth %v %v", x, present, err)
		}
		length, err := x.Length()
		if err != nil || math.Abs(*length.Value-x.Periods) > 1e-5 {
			t.Fatalf("%+v: %v %v periods", x, *length.Value, err)
		}
		var paid float64
		for i := 1; i <= n; i++ {
			_, principal, err := x.Part(i)
			if err != nil {
				t.Fatal(err)
			}
			paid += principal
		}
		if math.Abs(paid+x.Present) > 1e-6*x.Present {
			t.Fatalf("%+v: principal of %v in all", x, paid)
		}
		if r, err := x.RateOf(); err != nil || r.Status != finance.OK || math.Abs(*r.Rate-x.Rate) > 1e-8 {
			t.Fatalf("%+v: rate %+v %v", x, r, err)
		}
	})
}
