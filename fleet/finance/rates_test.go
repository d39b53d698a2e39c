package finance

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

func repeated(first float64, n int, each float64, last ...float64) []float64 {
	out := []float64{first}
	for range n {
		out = append(out, each)
	}
	return append(out, last...)
}

// Published by numpy-financial (documentation and issues 28, 39, 44) and pyxirr
// (issues 46, 56). Where there are more rates, theirs is one of them.
func TestPublishedIRR(t *testing.T) {
	for _, c := range []struct {
		amounts   []float64
		want      float64
		tolerance float64
		rates     int
	}{
		{[]float64{-100, 39, 59, 55, 20}, 0.28094842116, 1e-10, 1},
		{[]float64{-100, 0, 0, 74}, -0.09549583034, 1e-10, 1},
		{[]float64{-100, 100, 0, -7}, -0.08329966618, 1e-10, 2},
		{[]float64{-100, 100, 0, 7}, 0.06205848562, 1e-10, 1},
		{[]float64{-5, 10.5, 1, -8, 1}, 0.08859833852, 1e-10, 3},
		{[]float64{-5, 10.5, 1, -8, 1, 0, 0, 0}, 0.08859833852, 1e-10, 3},
		{[]float64{-40000, 5000, 8000, 12000, 30000}, 0.10582259840, 1e-10, 1},
		{[]float64{-161445.03, 2113.73, 7626.73, 8619.84, 8612.92}, -0.43658134635, 1e-10, 1},
		{repeated(87.17, 4, 87.17, -86.43), -0.49367042606, 1e-10, 1},
		{repeated(-87.17, 179, -87.17, 5809.3), -0.01352676905, 1e-10, 1},
		{repeated(-172545.848122807, 480, 787.735232517999), 0.0038401048, 1e-9, 1},
		{repeated(-12138.436076306429, 19, 576.2077573369947, -528.8894576218179), -0.01562626238348752, 1e-10, 2},
		{[]float64{-1678.87, 771.96, 1814.05, 3520.30, 3552.95, 3584.99, -1}, 0.9688775470209261, 1e-10, 1},
		{[]float64{-50, -100, 600, 300, -100}, 1.8544178284461061, 1e-10, 2},
		{[]float64{
			0, -54163.55222425675, -15411.724067521238, 11824.611799779348, 13831.220768857136, 24713.445277451923,
			42399.405170720645, 32779.24733697434, 29832.522397937253, 21750.50072725094, 20140.886499523196,
			18357.799360554745, 10074.662845544659,
		}, 0.235461374465902, 1e-10, 1},
		{[]float64{
			-1.44852555e+08, 1.28859998e+06, 1.27305118e+06, 1.25407349e+06, 1.24199669e+06, 1.22647792e+06, 1.21095552e+06,
			1.19206955e+06, 1.17989821e+06, 1.16436524e+06, 1.14883185e+06, 1.12945217e+06, 1.11780102e+06, 1.10228427e+06,
			1.08671783e+06, 1.06755759e+06, 1.05502327e+06, 1.03885451e+06, 1.02247003e+06, 1.00227444e+06, 9.88024873e+05,
		}, -0.138541274008, 1e-10, 1},
		{[]float64{-1e6, 5000, -3}, -0.995697224362268, 1e-12, 2},
	} {
		got, err := IRR(c.amounts)
		if err != nil {
			t.Errorf("%v: %v", c.amounts, err)
			continue
		}
		if len(got.Rates) != c.rates || !slices.ContainsFunc(got.Rates, func(v float64) bool { return math.Abs(v-c.want) <= c.tolerance }) {
			t.Errorf("%v: got %s %v, want %d with %v", c.amounts, got.Status, got.Rates, c.rates, c.want)
		}
	}
}

func TestWhereThereIsNoOneRate(t *testing.T) {
	for name, c := range map[string]struct {
		amounts []float64
		status  Status
		rates   []float64
		beyond  bool
	}{
		"nothing":                  {nil, Insufficient, nil, false},
		"zeros":                    {[]float64{0, 0, 0}, Insufficient, nil, false},
		"one amount":               {[]float64{-100}, None, nil, false},
		"only payments":            {[]float64{-100, -50}, None, nil, false},
		"only receipts":            {[]float64{100, 0, 50}, None, nil, false},
		"too little between":       {[]float64{-100, 150, -100}, None, nil, false},
		"nowhere, of four changes": {[]float64{-1, 1, -1, 1, -1}, None, nil, false},
		"10 % twice":               {[]float64{-100, 220, -121}, OK, []float64{0.1}, false},
		"10 % and 20 %":            {[]float64{-100, 230, -132}, Several, []float64{0.1, 0.2}, false},
		"10, 20, 30 %":             {[]float64{-1000, 3600, -4310, 1716}, Several, []float64{0.1, 0.2, 0.3}, false},
		"0 %":                      {[]float64{-100, 100}, OK, []float64{0}, false},
		"0 % and 100 %":            {[]float64{-100, 300, -200}, Several, []float64{0, 1}, false},
		"0.0001 % apart":           {[]float64{-1, 2.200001, -1.2100011}, Several, []float64{0.1, 0.100001}, false},
		"all but a millionth lost": {[]float64{-1e6, 1}, OK, []float64{1e-6 - 1}, false},
		"all but nothing lost":     {[]float64{-1e9, 0.01}, OutOfRange, nil, false},
		"half of it a week":        {[]float64{-1, 0x1p-50}, OutOfRange, nil, false},
		"everything lost":          {[]float64{-1e9, 1e-9}, OutOfRange, nil, true},
		"a millionfold":            {[]float64{-1, 1e6}, OK, []float64{999999}, false},
		"zeros before and behind":  {[]float64{0, 0, -100, 110, 0}, OK, []float64{0.1}, false},
		"0 % ten times": {[]float64{ // (1−v)^10: nothing tells one zero from another nearby
			1, -10, 45, -120, 210, -252, 210, -120, 45, -10, 1,
		}, Insufficient, nil, false},
		"cents of a large investment": {[]float64{-9e13, 9.9e13}, OK, []float64{0.1}, false},
	} {
		got, err := IRR(c.amounts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same := len(got.Rates) == len(c.rates)
		for i := range min(len(got.Rates), len(c.rates)) {
			// A zero that is only touched is known to half the digits at best; this
			// search finds the extremum, which is better known.
			same = same && math.Abs(got.Rates[i]-c.rates[i]) <= 1e-9*max(1, c.rates[i])
		}
		if got.Status != c.status || !same || got.Beyond != c.beyond || (got.Rate != nil) != (c.status == OK) || (got.Reason == "") != (c.status == OK) {
			t.Errorf("%s: got %+v, want %s %v", name, got, c.status, c.rates)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := IRR([]float64{-1, bad}); !errors.Is(err, ErrNotFinite) {
			t.Errorf("%v: got %v, want %v", bad, err, ErrNotFinite)
		}
	}
}

// What is lost in the end outweighs the investment 10^19 times at the only rate
// there is, −0.9: that is told, but not as the return of the investment.
func TestUnverifiedRates(t *testing.T) {
	amounts := make([]float64, 20)
	amounts[0], amounts[18], amounts[19] = -100, -200, 20
	got, err := IRR(amounts)
	if err != nil || got.Status != OutOfRange || len(got.Rates) != 0 || len(got.Unverified) != 1 || math.Abs(got.Unverified[0]+0.9) > 1e-9 {
		t.Errorf("got %+v %v, want -0.9, unverified", got, err)
	}
	amounts[1] = 150 // and two besides
	got, err = IRR(amounts)
	if err != nil || got.Status != Several || len(got.Rates) != 2 || len(got.Unverified) != 1 {
		t.Errorf("got %+v %v, want two, and another unverified", got, err)
	}
}

// Every rate, put into XNPV, gives 0.
func TestRatesAreVerified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flows := make([]Flow, rapid.IntRange(2, 40).Draw(t, "flows"))
		size := 0.0
		for i := range flows {
			flows[i] = Flow{daycount.Date(rapid.Int32Range(0, 9000).Draw(t, "day")), float64(rapid.SampledFrom([]int{-1, 1}).Draw(t, "sign") * rapid.IntRange(1, 100_000).Draw(t, "amount"))}
			size += math.Abs(flows[i].Amount)
		}
		got, err := XIRR(flows, daycount.Actual365F)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got.Rates {
			if v, err := XNPV(r, flows, daycount.Actual365F); err != nil || math.Abs(v) > 4*unverified*size {
				t.Fatalf("XNPV at %v: %v %v, of %v", r, v, err, size)
			}
		}
	})
}

// One week's gain of 500 % is no number as a year's, after enough weeks.
func TestXIRRBeyondNumbers(t *testing.T) {
	day := daycount.Of(2026, 1, 1)
	got, err := XIRR([]Flow{{day, -1}, {day + 1, 10}}, daycount.Actual365F)
	if err != nil || got.Status != OutOfRange || !got.Beyond {
		t.Errorf("got %+v %v, want out of range", got, err)
	}
	got, err = XIRR([]Flow{{day, -1}, {day + 1, 6}}, daycount.Actual365F)
	if err != nil || got.Status != OK || !near(math.Log(*got.Rate), 365*math.Log(6)) {
		t.Errorf("got %+v %v, want 6^365", got, err)
	}
	// Same day: what is paid and received at once has no rate.
	got, err = XIRR([]Flow{{day, -1}, {day, 6}}, daycount.Actual365F)
	if err != nil || got.Status != None {
		t.Errorf("got %+v %v, want none", got, err)
	}
	got, err = XIRR([]Flow{{day, -0.3}, {day, 0.1}, {day, 0.2}}, daycount.Actual365F)
	if err != nil || got.Status != Insufficient {
		t.Errorf("got %+v %v, want nothing paid", got, err)
	}
}

// The example of MathWorks' manual of xirr, by each of its bases.
func TestXIRRByConvention(t *testing.T) {
	var flows []Flow
	for i, s := range []string{"2007-01-12", "2008-02-14", "2008-03-03", "2008-06-14", "2008-12-01"} {
		d, err := daycount.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, Flow{d, []float64{-10000, 2500, 2000, 3000, 4000}[i]})
	}
	for name, want := range map[string]float64{
		"30/360 SIA": 0.100675477282743, "act/360": 0.0991988898057063, "act/365F": 0.10064378342638,
		"30/360 ISDA": 0.100675477282743, "30E/360": 0.100675477282743, "act/act ISDA": 0.100739648987346,
	} {
		c, err := daycount.ParseConvention(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := XIRR(flows, c); err != nil || got.Status != OK || math.Abs(*got.Rate-want) > 1e-12 {
			t.Errorf("%s: got %+v %v, want %v", name, got, err, want)
		}
	}
}

// Flows are made of the rates that they are to have: Π (1+rᵢ−v)·(a polynomial
// without a zero), v the growth of a period. Just these must be found.
func TestAllRatesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "rates")
		var want []float64
		x := rapid.Float64Range(-2, 0).Draw(t, "lowest")
		for range n {
			want = append(want, math.Expm1(x))
			x += rapid.Float64Range(0.05, 0.6).Draw(t, "step")
		}
		flows := []float64{rapid.Float64Range(1, 1e6).Draw(t, "size")}
		times := func(factor ...float64) {
			product := make([]float64, len(flows)+len(factor)-1)
			for i, a := range flows {
				for j, b := range factor {
					product[i+j] += a * b
				}
			}
			flows = product
		}
		for _, r := range want {
			times(-1, 1+r) // 0 at growth 1+r: −v + (1+r), written in 1/v
		}
		for range rapid.IntRange(0, 3).Draw(t, "others") {
			// 1 − 2s·cos φ·u + s²u², whose zeros are not real
			s, phi := rapid.Float64Range(0.5, 2).Draw(t, "s"), rapid.Float64Range(0.4, math.Pi).Draw(t, "phi")
			times(1, -2*s*math.Cos(phi), s*s)
		}
		got, err := IRR(flows)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Rates) != n {
			t.Fatalf("%v: got %v, want %v", flows, got.Rates, want)
		}
		for i := range want {
			if math.Abs(got.Rates[i]-want[i]) > 1e-6 { // the rounding of five factors' product
				t.Fatalf("%v: got %v, want %v", flows, got.Rates, want)
			}
		}
	})
}

// Between two rates that are found, and outside of them, the sign of the present
// value does not change: tried at many rates, computed plainly.
func TestNoRateIsMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "flows")
		flows := make([]Flow, n)
		for i := range flows {
			flows[i] = Flow{daycount.Date(rapid.Int32Range(0, 9000).Draw(t, "day")), math.Round(rapid.Float64Range(-1e5, 1e5).Draw(t, "amount")*100) / 100}
		}
		got, err := XIRR(flows, daycount.Actual365F)
		if err != nil {
			t.Fatal(err)
		}
		sign := func(rate float64) bool {
			v, err := XNPV(rate, flows, daycount.Actual365F)
			if err != nil {
				t.Fatal(err)
			}
			return v > 0
		}
		limits := append([]float64{math.Expm1(-12)}, got.Unverified...)
		limits = append(append(limits, got.Rates...), math.Expm1(12))
		slices.Sort(limits)
		for i := 1; i < len(limits); i++ {
			a, b := math.Log1p(limits[i-1])+1e-6, math.Log1p(limits[i])-1e-6
			if a >= b || b > 12 || a < -12 {
				continue
			}
			first := sign(math.Expm1(a))
			for j := range 50 {
				x := a + (b-a)*float64(j)/49
				if sign(math.Expm1(x)) != first {
					t.Fatalf("rates %v, and another between %v and %v", got.Rates, math.Expm1(a), math.Expm1(x))
				}
			}
		}
		f := newTestSum(flows)
		for _, rate := range slices.Concat(got.Rates, got.Unverified) {
			if v, noise := f.at(math.Log1p(rate)); rate > -0.999 && math.Abs(v) > 1e4*noise {
				t.Fatalf("%v is no rate of %v", rate, flows)
			}
		}
	})
}

func newTestSum(flows []Flow) exposum {
	first, _ := span(flows)
	var terms []term
	for _, f := range flows {
		terms = append(terms, term{daycount.Actual365F.Years(first, f.Date), f.Amount})
	}
	return newExposum(terms)
}

func TestOrderAndScaleDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 20).Draw(t, "flows")
		flows := make([]Flow, n)
		for i := range flows {
			flows[i] = Flow{daycount.Date(rapid.Int32Range(0, 4000).Draw(t, "day")), float64(rapid.Int32Range(-100_000, 100_000).Draw(t, "cents"))}
		}
		want, err := XIRR(flows, daycount.Actual365F)
		if err != nil {
			t.Fatal(err)
		}
		other := rapid.Permutation(flows).Draw(t, "order")
		for i := range other {
			other[i].Amount *= 1024
			other[i].Date += 365
		}
		got, err := XIRR(other, daycount.Actual365F)
		if err != nil || !slices.Equal(got.Rates, want.Rates) || got.Status != want.Status {
			t.Fatalf("got %+v %v, want %+v", got, err, want)
		}
	})
}

func TestMIRR(t *testing.T) {
	v, err := MIRR([]float64{-1000, 100, 250, 500, 500}, 0.1, 0.1)
	if err != nil || v.Status != OK || math.Abs(*v.Value-0.10401626745) > 1e-11 {
		t.Errorf("got %+v %v, want 0.10401626745", v, err)
	}
	for _, flows := range [][]float64{nil, {-1}, {1, 2}, {-1, -2}, {0, 0}} {
		if v, err := MIRR(flows, 0.1, 0.1); err != nil || v.Status != None || v.Value != nil {
			t.Errorf("%v: got %+v %v, want none", flows, v, err)
		}
	}
	if _, err := MIRR([]float64{-1, 2}, -1, 0); !errors.Is(err, ErrRate) {
		t.Errorf("rate -1: got %v, want %v", err, ErrRate)
	}
}

func FuzzIRR(f *testing.F) {
	f.Add(-100.0, 230.0, -132.0, 0.0)
	f.Add(-1e300, 1e-300, 5.0, -1.0)
	f.Add(1e-320, -1.0, 2.0, 1e308)
	f.Fuzz(func(t *testing.T, a, b, c, d float64) {
		r, err := IRR([]float64{a, b, c, d})
		if err != nil {
			return
		}
		if len(r.Rates) > 3 {
			t.Fatalf("%d rates of a cubic: %v", len(r.Rates), r.Rates)
		}
		for i, v := range r.Rates {
			if !(v >= -1) || math.IsInf(v, 0) || i > 0 && v <= r.Rates[i-1] {
				t.Fatalf("rates %v", r.Rates)
			}
		}
	})
}
