package money

import (
	"fmt"
	"math/big"
)

// Price is what one unit of something costs, as 0.1875 EUR the kWh: it may have
// more decimals than the currency, and is exact.
type Price struct {
	PerUnit  Ratio // major units of the currency
	Currency Currency
}

// ParsePrice reads what ParseRatio reads, as "0.1875"; the errors are its, and
// ErrCurrency.
func ParsePrice(s string, c Currency) (Price, error) {
	if _, err := c.Digits(); err != nil {
		return Price{}, err
	}
	r, err := ParseRatio(s)
	if err != nil {
		return Price{}, err
	}
	return Price{r, c}, nil
}

// Of is what so many units cost, rounded once to a whole minor unit, halves to
// the even one: 1 234 Wh, which are 1234/1000 kWh, at 0.1875 EUR are 0.23 EUR
// (0.231375). It is ErrRatio, ErrCurrency or ErrOverflow otherwise.
func (p Price) Of(quantity Ratio) (Amount, error) {
	digits, err := p.Currency.Digits()
	if err != nil {
		return Amount{}, err
	}
	if !p.PerUnit.Valid() || !quantity.Valid() {
		return Amount{}, ErrRatio
	}
	num := new(big.Int).Mul(big.NewInt(p.PerUnit.Num), big.NewInt(quantity.Num))
	num.Mul(num, big.NewInt(pow10(digits)))
	den := new(big.Int).Mul(big.NewInt(p.PerUnit.Den), big.NewInt(quantity.Den))
	q, rem := new(big.Int).QuoRem(num, den, new(big.Int))
	if c := rem.Lsh(rem, 1).CmpAbs(den); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(int64(num.Sign())))
	}
	if !q.IsInt64() {
		return Amount{}, fmt.Errorf("%w: price of %d/%d units", ErrOverflow, quantity.Num, quantity.Den)
	}
	return Amount{q.Int64(), p.Currency}, nil
}
