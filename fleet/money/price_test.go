package money

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestPrice(t *testing.T) {
	for _, c := range []struct {
		price    string
		quantity Ratio
		want     int64
	}{
		{"0.1875", Ratio{1234, 1000}, 23},
		{"0.005", Ratio{1, 1}, 0},
		{"0.015", Ratio{1, 1}, 2},
		{"-0.015", Ratio{1, 1}, -2},
		{"1/3", Ratio{1, 1}, 33},
	} {
		p, err := ParsePrice(c.price, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Of(c.quantity); err != nil || got != Of(c.want, "EUR") {
			t.Errorf("%s × %v: got %v %v, want %d", c.price, c.quantity, got, err, c.want)
		}
	}
	if _, err := ParsePrice("1", "???"); !errors.Is(err, ErrCurrency) {
		t.Errorf("got %v, want %v", err, ErrCurrency)
	}
	if _, err := (Price{Ratio{math.MaxInt64, 1}, "EUR"}).Of(Ratio{2, 1}); !errors.Is(err, ErrOverflow) {
		t.Errorf("got %v, want %v", err, ErrOverflow)
	}
}

func TestPriceIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ratio := rapid.Custom(func(t *rapid.T) Ratio {
			return Ratio{rapid.Int64Range(-1e9, 1e9).Draw(t, "num"), rapid.Int64Range(1, 1e6).Draw(t, "den")}
		})
		p, q := ratio.Draw(t, "price"), ratio.Draw(t, "quantity")
		got, err := Price{p, "EUR"}.Of(q)
		num := new(big.Int).Mul(big.NewInt(p.Num), big.NewInt(q.Num))
		want := halfEven(num.Mul(num, big.NewInt(100)), new(big.Int).Mul(big.NewInt(p.Den), big.NewInt(q.Den)))
		if !want.IsInt64() {
			if !errors.Is(err, ErrOverflow) {
				t.Fatalf("got %v %v, want overflow", got, err)
			}
			return
		}
		if err != nil || got.Minor != want.Int64() {
			t.Fatalf("got %v %v, want %v", got, err, want)
		}
	})
}
