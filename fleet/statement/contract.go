package statement

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// Contract is a pool of assets whose revenue, while the owner has them, is shared
// by agreements. An owner's asset is in one contract at most. Revenue in another
// currency than the contract's is an error, as no rate of exchange is known here.
type Contract struct {
	ID         string
	Owner      string
	Currency   money.Currency
	Assets     []string
	Kinds      []Kind // what is shared; empty: swap prices and subscriptions
	Agreements []waterfall.Agreement
	Owed       map[string]int64 // by agreement: what Settlement's rows of the month before had as Owed
}

func (c *Contract) check() error {
	wrong := func(text string) error { return fmt.Errorf("%w %q: %s", ErrContract, c.ID, text) }
	switch {
	case c.ID == "" || c.Owner == "":
		return wrong("it has no id or no owner")
	case !c.Currency.Valid():
		return wrong(fmt.Sprintf("unknown currency %q", string(c.Currency)))
	case len(c.Assets) == 0:
		return wrong("it is of no asset")
	case slices.ContainsFunc(c.Kinds, func(k Kind) bool { return k.Group() != Revenue }):
		return wrong("it shares something that is no revenue")
	}
	return nil
}

func (c *Contract) shares(k Kind) bool {
	if len(c.Kinds) == 0 {
		return k == SwapPrice || k == Subscription
	}
	return slices.Contains(c.Kinds, k)
}

// pool is a contract and the parts of events that it shares.
type pool struct {
	*Contract
	parts []part
}

// pools indexes the contracts by owner and asset.
func pools(contracts []Contract) (list []*pool, by map[[2]string]*pool, err error) {
	by = map[[2]string]*pool{}
	ids := map[string]bool{}
	for i := range contracts {
		c := &contracts[i]
		if err := c.check(); err != nil {
			return nil, nil, err
		}
		if ids[c.ID] {
			return nil, nil, fmt.Errorf("%w %q: there are two of it", ErrContract, c.ID)
		}
		ids[c.ID] = true
		p := &pool{Contract: c}
		list = append(list, p)
		for _, asset := range c.Assets {
			key := [2]string{c.Owner, asset}
			if other, ok := by[key]; ok && other != p {
				return nil, nil, fmt.Errorf("%w: %q is in both %q and %q", ErrContract, asset, other.ID, c.ID)
			}
			by[key] = p
		}
	}
	return list, by, nil
}

// take adds a part to the pool that shares it, if there is one.
func take(by map[[2]string]*pool, p part) error {
	c, ok := by[[2]string{p.owner, p.asset}]
	if !ok || !c.shares(p.kind) {
		return nil
	}
	if p.Amount.Currency != c.Currency {
		return fmt.Errorf("%w %q: event %q is in %s", ErrContract, c.ID, p.Event, p.Amount.Currency)
	}
	c.parts = append(c.parts, p)
	return nil
}

// settle shares the pool's revenue. Refunds lower what was earned on the days from
// theirs on, and where that is not enough, before; a month whose refunds exceed its
// revenue shares nothing, and the owner bears the rest.
func (p *pool) settle(m Month, zone *time.Location) (Settlement, error) {
	w := waterfall.Month{Agreements: p.Agreements, Owed: p.Owed}
	w.From, w.To = m.days()
	byDay := map[daycount.Date]waterfall.Earned{}
	for _, e := range p.parts {
		d := daycount.On(time.UnixMilli(e.At).In(zone))
		day := byDay[d]
		sum, err := money.Of(day.Revenue, p.Currency).Add(e.Amount)
		if err != nil {
			return Settlement{}, fmt.Errorf("contract %q: %w", p.ID, err)
		}
		byDay[d] = waterfall.Earned{Date: d, Revenue: sum.Minor, Swaps: day.Swaps + e.swaps}
	}
	for _, d := range slices.Sorted(maps.Keys(byDay)) {
		w.Earned = append(w.Earned, byDay[d])
	}
	offset(w.Earned)
	s, err := waterfall.Settle(w)
	if err != nil {
		return Settlement{}, fmt.Errorf("contract %q: %w", p.ID, err)
	}
	return Settlement{p.ID, p.Owner, p.Currency, s}, nil
}

// offset takes what days have below nothing from those behind, then from those
// before. Where all of it is below nothing, all becomes nothing.
func offset(days []waterfall.Earned) {
	var debt int64
	pay := func(d *waterfall.Earned) {
		d.Revenue -= debt
		debt = max(0, -d.Revenue)
		d.Revenue = max(0, d.Revenue)
	}
	for i := range days {
		pay(&days[i])
	}
	for i := len(days) - 1; i >= 0 && debt > 0; i-- {
		pay(&days[i])
	}
}

// lines are what the agreements took, by asset: each payment divided among the
// events that brought the revenue, by what they brought.
func (p *pool) lines(s Settlement) ([]sharedPart, error) {
	weights := make([]int64, len(p.parts))
	for i, e := range p.parts {
		weights[i] = max(0, e.Amount.Minor)
	}
	var out []sharedPart
	for _, row := range s.Rows {
		if row.Paid == 0 {
			continue
		}
		amounts, err := money.Of(-row.Paid, p.Currency).Allocate(weights...)
		if err != nil {
			return nil, fmt.Errorf("contract %q: %w", p.ID, err)
		}
		for i, a := range amounts {
			if a.IsZero() {
				continue
			}
			e := p.parts[i]
			e.kind, e.Amount = RevenueShare, a
			out = append(out, sharedPart{e, p.ID, row.Agreement, row.Party})
		}
	}
	return out, nil
}
