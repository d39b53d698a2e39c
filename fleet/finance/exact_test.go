package finance

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// digits is the precision in bits of what results are held against: by the
// definition in big floats, and nothing of the code under test.
const digits = 300

func exactly(v float64) *big.Float { return new(big.Float).SetPrec(digits).SetFloat64(v) }

// exact is Σ aᵢ·u^dᵢ with dᵢ in whole days since the first: the present value, where
// u is what one is worth a day earlier.
func exact(flows []Flow, u *big.Float) *big.Float {
	sorted := slices.SortedFunc(slices.Values(flows), func(a, b Flow) int { return cmp.Compare(b.Date, a.Date) })
	sum := exactly(0)
	for i, f := range sorted { // Horner, from the last day on
		sum.Add(sum, exactly(f.Amount))
		days := 0
		if i+1 < len(sorted) {
			days = int(f.Date - sorted[i+1].Date)
		}
		sum.Mul(sum, power(u, days))
	}
	return sum
}

func power(u *big.Float, n int) *big.Float {
	out, square := exactly(1), new(big.Float).Set(u)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out.Mul(out, square)
		}
		square.Mul(square, square)
	}
	return out
}

// daily is (1+rate)^(−1/365), by bisection.
func daily(rate float64) *big.Float {
	growth := exactly(1)
	growth.Add(growth, exactly(rate))
	low, high := exactly(0), exactly(1e9)
	for range digits {
		u := halfway(low, high)
		if one := power(u, 365); one.Mul(one, growth).Cmp(exactly(1)) < 0 {
			low = u
		} else {
			high = u
		}
	}
	return low
}

func halfway(a, b *big.Float) *big.Float {
	sum := new(big.Float).SetPrec(digits).Add(a, b)
	return sum.Quo(sum, exactly(2))
}

// exactRates are those at which the present value changes its sign, by a fine walk
// over the force of interest from −36 to 40 and bisection.
func exactRates(flows []Flow) []float64 {
	at := func(force float64) *big.Float { return exactly(math.Exp(-force / 365)) }
	var out []float64
	const steps = 3800
	before := at(-36)
	sign := exact(flows, before).Sign()
	for i := 1; i <= steps; i++ {
		u := at(-36 + 76*(float64(i)-0.37)/steps) // no step is on a rate that flows like to have
		now := exact(flows, u).Sign()
		if now*sign < 0 {
			a, b := before, u
			for range 120 {
				if c := halfway(a, b); exact(flows, c).Sign() == sign {
					a = c
				} else {
					b = c
				}
			}
			growth := new(big.Float).SetPrec(digits).Quo(exactly(1), power(a, 365))
			rate, _ := growth.Sub(growth, exactly(1)).Float64()
			out = append(out, rate)
		}
		before, sign = u, now
	}
	return out
}

// XIRR finds the rates that exact arithmetic finds, and no other, to 1e-9, in
// whatever order the flows come.
func TestXIRRAgainstExactArithmetic(t *testing.T) {
	for _, c := range []struct {
		name   string
		rows   []row
		status Status
		rates  int
	}{
		{"a leap year has 366 days", []row{{"2024-01-01", -1000}, {"2025-01-01", 1100}}, OK, 1},
		{"over the leap day", []row{{"2024-02-28", -1000}, {"2024-02-29", 500}, {"2024-03-01", 501}}, OK, 1},
		{"from leap day to leap day", []row{{"2020-02-29", -1000}, {"2024-02-29", 1464.1}}, OK, 1},
		{"2100 is none", []row{{"2096-02-29", -1000}, {"2104-02-29", 3000}}, OK, 1},
		{"one day", []row{{"2026-03-01", -1000}, {"2026-03-02", 1000.5}}, OK, 1},
		{"same day, partly taken back", []row{{"2026-01-01", -1000}, {"2026-01-01", 900}, {"2026-07-01", 107}}, OK, 1},
		{"same day, all taken back", []row{{"2026-01-01", -1000}, {"2026-01-01", 1000}, {"2026-03-01", -50}, {"2027-03-01", 55}}, OK, 1},
		{"same day, nothing is left", []row{{"2026-01-01", -1000}, {"2026-01-01", 1000}}, Insufficient, 0},
		{"all zero", []row{{"2026-01-01", 0}, {"2026-02-01", 0}, {"2027-01-01", 0}}, Insufficient, 0},
		{"zeros before, between and behind", []row{{"2020-01-01", 0}, {"2026-01-01", -10}, {"2026-06-01", 0}, {"2027-01-01", 11}, {"2090-01-01", 0}}, OK, 1},
		{"one sign", []row{{"2026-01-01", -10}, {"2027-01-01", -10}}, None, 0},
		{"rate 0", []row{{"2026-01-01", -10}, {"2026-05-05", 4}, {"2031-01-01", 6}}, OK, 1},
		{"two changes of sign, two rates", []row{{"2026-01-01", -100}, {"2027-01-01", 230}, {"2028-01-01", -132}}, Several, 2},
		{"two changes of sign, no rate", []row{{"2026-01-01", -100}, {"2027-01-01", 150}, {"2028-01-01", -100}}, None, 0},
		{"two changes of sign, rates close together", []row{{"2026-01-01", -1000000}, {"2027-01-01", 2205000}, {"2028-01-01", -1215000}}, Several, 2},
		{"three changes of sign, three rates", []row{{"2026-01-01", -1000}, {"2027-01-01", 3600}, {"2028-01-01", -4310}, {"2028-12-31", 1716}}, Several, 3},
		{"three changes of sign, one rate", []row{{"2026-01-01", -1000}, {"2026-02-10", 300}, {"2026-09-09", -200}, {"2030-12-31", 2000}}, OK, 1},
		{"a loss of 99.9999999 %", []row{{"2026-01-01", -1e9}, {"2027-01-01", 1}}, OutOfRange, 1},
		{"all but lost within a day", []row{{"2026-01-01", -100}, {"2026-01-02", 91}}, OutOfRange, 1},
		{"lost over thirty years", []row{{"1996-01-01", -1e6}, {"2025-12-24", 0.01}}, OK, 1},
		{"a gain within a day", []row{{"2026-01-01", -100}, {"2026-01-02", 110}}, OK, 1},
		{"very large", []row{{"2026-01-01", -9e15}, {"2026-08-15", 4e15}, {"2033-03-03", 8e15}}, OK, 1},
		{"very small", []row{{"2026-01-01", -9e-15}, {"2026-08-15", 4e-15}, {"2033-03-03", 8e-15}}, OK, 1},
		{"large and small", []row{{"2026-01-01", -1e12}, {"2026-08-15", 0.01}, {"2026-08-16", -0.01}, {"2036-03-03", 2e12}}, OK, 1},
		{"a century", []row{{"1926-05-05", -1}, {"1970-01-01", 2}, {"2026-05-05", 300}}, OK, 1},
	} {
		flows := flowsFrom(t, c.rows...)
		want := exactRates(flows)
		if len(want) != c.rates {
			t.Errorf("%s: exact arithmetic finds %v, want %d rates", c.name, want, c.rates)
		}
		for range 3 {
			got, err := XIRR(flows, daycount.Actual365F)
			if err != nil || got.Status != c.status {
				t.Errorf("%s: got %+v %v, want %s", c.name, got, err, c.status)
			}
			sameRates(t, c.name, got, want)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
		}
	}
}

// sameRates compares all zeros, those too that are as good as −100 %.
func sameRates(t *testing.T, name string, got Rates, want []float64) {
	t.Helper()
	found := slices.Sorted(slices.Values(slices.Concat(got.Unverified, got.Rates)))
	if len(found) != len(want) {
		t.Errorf("%s: got %v, want %v", name, found, want)
		return
	}
	for i, rate := range want {
		if math.Abs(found[i]-rate) > 1e-9*max(1, math.Abs(rate)) {
			t.Errorf("%s: got %.15g, want %.15g", name, found[i], rate)
		}
	}
}

// Irregular flows as they come about: some paid, then more received, on any days.
func TestRandomXIRRAgainstExactArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 30 {
		flows := []Flow{{Date: daycount.Of(2020, 1, 1), Amount: -float64(1+rng.IntN(1e9)) / 100}}
		for range 1 + rng.IntN(9) {
			amount := float64(rng.IntN(5e8)) / 100
			if i%3 == 0 && rng.IntN(3) == 0 {
				amount = -amount // now and then there are several rates, or none
			}
			flows = append(flows, Flow{Date: flows[0].Date + daycount.Date(rng.IntN(8000)), Amount: amount})
		}
		got, err := XIRR(flows, daycount.Actual365F)
		if err != nil {
			t.Fatal(err)
		}
		sameRates(t, "random", got, exactRates(flows))
	}
}

// IRR is XIRR of flows a year of 365 days apart.
func TestIRRAgainstExactArithmetic(t *testing.T) {
	for _, amounts := range [][]float64{
		{-100, 39, 59, 55, 20}, {-100, 0, 0, 74}, {100, 100, -100}, {-1e12, 1e3, 1e3, 1e12 + 1}, {-100, 230, -132}, {-1, 0, 0, 0, 0, 0, 0, 0, 0, 1e-9},
		{-87800, 92, 83, 54, 17, 2e5}, {5, -5.5}, {-1e-9, 3e-9, 1e-9}, {0, 0, -7, 8, 0},
	} {
		flows := make([]Flow, len(amounts))
		for i, a := range amounts {
			flows[i] = Flow{Date: daycount.Date(365 * i), Amount: a}
		}
		got, err := IRR(amounts)
		if err != nil {
			t.Fatal(err)
		}
		sameRates(t, "flows a year apart", got, exactRates(flows))
	}
}

// Present values at every kind of rate, to 1e-9 of the amounts behind them.
func TestXNPVAgainstExactArithmetic(t *testing.T) {
	flows := flowsFrom(t, row{"2024-02-29", -1000}, row{"2024-02-29", 250.25}, row{"2024-12-31", 1e6}, row{"2025-03-01", -1e6}, row{"2028-02-29", 0.01}, row{"2053-07-04", 1e9})
	for _, rate := range []float64{-0.999999, -0.9, -0.5, -1e-12, 0, 1e-12, 0.05, 0.1, 1, 25, 1e6} {
		got, err := XNPV(rate, flows, daycount.Actual365F)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := exact(flows, daily(rate)).Float64()
		size := 0.0
		for _, f := range flows {
			one, _ := exact([]Flow{{flows[0].Date, 0}, f}, daily(rate)).Float64()
			size = max(size, math.Abs(one))
		}
		if math.Abs(got-want) > 1e-9*size {
			t.Errorf("at %v: got %v, want %v", rate, got, want)
		}
		amounts, yearly := []float64{-1000, 0, 1e6, -1e6, 0.01, 1e9}, []Flow{}
		for i, a := range amounts {
			yearly = append(yearly, Flow{Date: daycount.Date(365 * i), Amount: a})
		}
		npv, err := NPV(rate, amounts)
		if want, _ := exact(yearly, daily(rate)).Float64(); err != nil || math.Abs(npv-want) > 1e-9*max(math.Abs(want), 1e9) {
			t.Errorf("NPV at %v: got %v %v, want %v", rate, npv, err, want)
		}
	}
	for _, rate := range []float64{-1, -1.5, math.NaN(), math.Inf(1)} {
		if v, err := XNPV(rate, flows, daycount.Actual365F); err == nil {
			t.Errorf("at %v: got %v, want an error", rate, v)
		}
	}
}
