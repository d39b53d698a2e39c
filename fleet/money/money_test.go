package money

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParseAndFormat(t *testing.T) {
	for _, c := range []struct {
		text string
		cur  Currency
		want int64
		back string
		err  error
	}{
		{text: "12.34", cur: "EUR", want: 1234, back: "12.34"},
		{text: "12.3", cur: "EUR", want: 1230, back: "12.30"},
		{text: "-0.05", cur: "EUR", want: -5, back: "-0.05"},
		{text: "0", cur: "EUR", want: 0, back: "0.00"},
		{text: "1200", cur: "JPY", want: 1200, back: "1200"},
		{text: "1.234", cur: "KWD", want: 1234, back: "1.234"},
		{text: "1.2345", cur: "CLF", want: 12345, back: "1.2345"},
		{text: "92233720368547758.07", cur: "USD", want: math.MaxInt64, back: "92233720368547758.07"},
		{text: "-92233720368547758.08", cur: "USD", want: math.MinInt64, back: "-92233720368547758.08"},
		{text: "92233720368547758.08", cur: "USD", err: ErrOverflow},
		{text: "99999999999999999999999", cur: "USD", err: ErrOverflow},
		{text: "1.5", cur: "JPY", err: ErrPrecise},
		{text: "1.230", cur: "EUR", err: ErrPrecise},
		{text: "1e3", cur: "EUR", err: ErrSyntax},
		{text: "+1", cur: "EUR", err: ErrSyntax},
		{text: "1.", cur: "EUR", err: ErrSyntax},
		{text: ".5", cur: "EUR", err: ErrSyntax},
		{text: "1,000", cur: "EUR", err: ErrSyntax},
		{text: "", cur: "EUR", err: ErrSyntax},
		{text: "-", cur: "EUR", err: ErrSyntax},
		{text: "١", cur: "EUR", err: ErrSyntax},
		{text: "1", cur: "eur", err: ErrCurrency},
		{text: "1", cur: "XAU", err: ErrCurrency},
		{text: "1", cur: "", err: ErrCurrency},
	} {
		got, err := Parse(c.text, c.cur)
		if !errors.Is(err, c.err) {
			t.Errorf("%q %s: got error %v, want %v", c.text, c.cur, err, c.err)
		}
		if err != nil {
			continue
		}
		if got != Of(c.want, c.cur) {
			t.Errorf("%q %s: got %d, want %d", c.text, c.cur, got.Minor, c.want)
		}
		if got.Decimal() != c.back {
			t.Errorf("%q %s: written as %q, want %q", c.text, c.cur, got.Decimal(), c.back)
		}
	}
}

func TestDigits(t *testing.T) {
	for c, want := range map[Currency]int{"JPY": 0, "EUR": 2, "KWD": 3, "CLF": 4, "MGA": 2, "ISK": 0, "TND": 3, "UYW": 4, "XOF": 0} {
		if got, err := c.Digits(); got != want || err != nil {
			t.Errorf("%s: got %d %v, want %d", c, got, err, want)
		}
	}
}

func TestArithmeticSaysWhatItCannot(t *testing.T) {
	eur, usd := Of(1, "EUR"), Of(1, "USD")
	most, least := Of(math.MaxInt64, "EUR"), Of(math.MinInt64, "EUR")
	for name, c := range map[string]struct {
		do   func() (Amount, error)
		want error
	}{
		"add currencies":      {func() (Amount, error) { return eur.Add(usd) }, ErrMixed},
		"sub currencies":      {func() (Amount, error) { return eur.Sub(usd) }, ErrMixed},
		"add past the most":   {func() (Amount, error) { return most.Add(eur) }, ErrOverflow},
		"sub past the least":  {func() (Amount, error) { return least.Sub(eur) }, ErrOverflow},
		"0 − least":           {func() (Amount, error) { return Zero("EUR").Sub(least) }, ErrOverflow},
		"negate the least":    {func() (Amount, error) { return least.Neg() }, ErrOverflow},
		"times":               {func() (Amount, error) { return most.Times(2) }, ErrOverflow},
		"least times −1":      {func() (Amount, error) { return least.Times(-1) }, ErrOverflow},
		"apply 3/2":           {func() (Amount, error) { return most.Apply(Ratio{3, 2}) }, ErrOverflow},
		"apply nothing":       {func() (Amount, error) { return eur.Apply(Ratio{}) }, ErrRatio},
		"sum past the most":   {func() (Amount, error) { return Sum(most, eur) }, ErrOverflow},
		"sum of nothing":      {func() (Amount, error) { return Sum() }, nil},
		"least plus 0":        {func() (Amount, error) { return least.Add(Zero("EUR")) }, nil},
		"no money and a euro": {func() (Amount, error) { return Amount{}.Add(eur) }, nil},
	} {
		if _, err := c.do(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// Apply and the four operations against arbitrary-precision numbers.
func TestArithmeticIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64().Draw(t, "a")
		b := rapid.Int64().Draw(t, "b")
		r := Ratio{rapid.Int64().Draw(t, "num"), rapid.Int64Range(1, math.MaxInt64).Draw(t, "den")}
		same := func(name string, got Amount, err error, want *big.Int) {
			t.Helper()
			if !want.IsInt64() {
				if !errors.Is(err, ErrOverflow) {
					t.Fatalf("%s: got %v %v, want overflow (%v)", name, got, err, want)
				}
				return
			}
			if err != nil || got.Minor != want.Int64() {
				t.Fatalf("%s: got %d %v, want %v", name, got.Minor, err, want)
			}
		}
		x, y := Of(a, "EUR"), Of(b, "EUR")
		A, B := big.NewInt(a), big.NewInt(b)
		sum, err := x.Add(y)
		same("add", sum, err, new(big.Int).Add(A, B))
		diff, err := x.Sub(y)
		same("sub", diff, err, new(big.Int).Sub(A, B))
		product, err := x.Times(b)
		same("times", product, err, new(big.Int).Mul(A, B))
		scaled, err := x.Apply(r)
		same("apply", scaled, err, halfEven(new(big.Int).Mul(A, big.NewInt(r.Num)), big.NewInt(r.Den)))
	})
}

func halfEven(num, den *big.Int) *big.Int {
	floor, rem := new(big.Int).DivMod(num, den, new(big.Int)) // den > 0: floor
	switch new(big.Int).Lsh(rem, 1).Cmp(den) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		floor.Add(floor, big.NewInt(int64(floor.Bit(0))))
	}
	return floor
}

func TestHalvesGoToTheEven(t *testing.T) {
	for minor, want := range map[int64]int64{1: 0, 3: 2, 5: 2, 7: 4, -1: 0, -3: -2, -5: -2, -7: -4} {
		if got, err := Of(minor, "EUR").Apply(Ratio{1, 2}); err != nil || got.Minor != want {
			t.Errorf("half of %d: got %v %v, want %d", minor, got, err, want)
		}
	}
}

func TestRatio(t *testing.T) {
	for text, want := range map[string]Ratio{
		"0.125": {125, 1000}, "12.5%": {125, 1000}, "1/3": {1, 3}, "-3": {-3, 1}, "50%": {50, 100},
		"1/0": {}, "": {}, "%": {}, "1/-3": {}, "x": {}, "1e-3": {}, "0.1234567890123456789": {},
	} {
		got, err := ParseRatio(text)
		if got != want || (err != nil) != (want == Ratio{}) {
			t.Errorf("%q: got %v %v, want %v", text, got, err, want)
		}
	}
}

func TestAllocate(t *testing.T) {
	for _, c := range []struct {
		amount  int64
		weights []int64
		want    []int64
	}{
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{-100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		{1, []int64{1, 1}, []int64{1, 0}},
		{5, []int64{3, 7}, []int64{2, 3}}, // 1.5 and 3.5: equal remainders, the first gets it
		{100, []int64{0, 1}, []int64{0, 100}},
		{math.MinInt64, []int64{1, 0}, []int64{math.MinInt64, 0}},
		{math.MaxInt64, []int64{math.MaxInt64 - 1, 1}, []int64{math.MaxInt64 - 1, 1}},
	} {
		parts, err := Of(c.amount, "EUR").Allocate(c.weights...)
		if err != nil {
			t.Errorf("%d by %v: %v", c.amount, c.weights, err)
			continue
		}
		var got []int64
		for _, p := range parts {
			got = append(got, p.Minor)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%d by %v: %s", c.amount, c.weights, d)
		}
	}
	for _, bad := range [][]int64{nil, {0}, {-1, 2}, {math.MaxInt64, 1}} {
		if _, err := Of(1, "EUR").Allocate(bad...); !errors.Is(err, ErrWeights) {
			t.Errorf("by %v: got %v, want %v", bad, err, ErrWeights)
		}
	}
	if _, err := Of(1, "EUR").Split(0); !errors.Is(err, ErrWeights) {
		t.Errorf("split by 0: got %v, want %v", err, ErrWeights)
	}
}

func TestAllocationLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Of(rapid.Int64().Draw(t, "a"), "EUR")
		weights := rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64/16), 1, 12).Draw(t, "weights")
		weights[0]++
		parts, err := a.Allocate(weights...)
		if err != nil {
			t.Fatal(err)
		}
		total := new(big.Int)
		for _, w := range weights {
			total.Add(total, big.NewInt(w))
		}
		sum, err := Sum(parts...)
		if err != nil || sum != a {
			t.Fatalf("parts add up to %v %v, want %v", sum, err, a)
		}
		for i, p := range parts {
			exact := new(big.Int).Mul(big.NewInt(a.Minor), big.NewInt(weights[i])) // part·total is within one total of it
			off := exact.Sub(exact, new(big.Int).Mul(big.NewInt(p.Minor), total))
			if off.CmpAbs(total) >= 0 {
				t.Fatalf("part %d is %d, a unit or more off its share", i, p.Minor)
			}
		}
	})
}

func TestJSON(t *testing.T) {
	b, err := json.Marshal(Of(-1230, "EUR"))
	if err != nil || string(b) != `{"amount":"-12.30","currency":"EUR"}` {
		t.Errorf("got %s %v", b, err)
	}
	if _, err := json.Marshal(Of(1, "EURO")); !errors.Is(err, ErrCurrency) {
		t.Errorf("unknown currency: got %v, want %v", err, ErrCurrency)
	}
	for _, text := range []string{
		`{"amount":12.30,"currency":"EUR"}`, `{"amount":"1","currency":"EUR","x":1}`, `{"amount":"1"}`, `"12"`, `12`, `{}`,
	} {
		var a Amount
		if err := json.Unmarshal([]byte(text), &a); err == nil {
			t.Errorf("%s: read as %v", text, a)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := Of(rapid.Int64().Draw(t, "minor"), rapid.SampledFrom([]Currency{"JPY", "EUR", "KWD", "CLF"}).Draw(t, "currency"))
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Amount
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Fatalf("%s: got %v %v, want %v", b, got, err, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"12.34", "-0.05", "92233720368547758.08", ".", "1e3", "0.00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s, "EUR")
		if err != nil {
			return
		}
		if b, err := Parse(a.Decimal(), "EUR"); err != nil || b != a {
			t.Fatalf("%q: %v read back as %v %v", s, a, b, err)
		}
	})
}
