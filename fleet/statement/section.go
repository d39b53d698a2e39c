package statement

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// newSection gathers parts of one owner and one currency into lines and totals.
func newSection(c money.Currency, parts []sharedPart) (Section, error) {
	type key struct {
		kind                              Kind
		asset, contract, agreement, party string
	}
	lines := map[key]*Line{}
	for _, p := range parts {
		k := key{p.kind, p.asset, p.contract, p.agreement, p.party}
		l := lines[k]
		if l == nil {
			l = &Line{Group: p.kind.Group(), Kind: p.kind, Asset: p.asset, Contract: p.contract, Agreement: p.agreement, Party: p.party, Amount: money.Zero(c)}
			lines[k] = l
		}
		var err error
		if l.Amount, err = l.Amount.Add(p.Amount); err != nil {
			return Section{}, err
		}
		l.Entries = append(l.Entries, p.Entry)
	}
	s := Section{Currency: c, Lines: []Line{}, Assets: []AssetTotals{}, Settlements: []Settlement{}, Totals: noTotals(c)}
	assets := map[string]*Totals{}
	for _, l := range lines {
		slices.SortFunc(l.Entries, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Event, b.Event)) })
		s.Lines = append(s.Lines, *l)
		if assets[l.Asset] == nil {
			none := noTotals(c)
			assets[l.Asset] = &none
		}
		if err := errors.Join(s.Totals.add(l), assets[l.Asset].add(l)); err != nil {
			return Section{}, err
		}
	}
	order := kinds()
	slices.SortFunc(s.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), cmp.Compare(a.Asset, b.Asset),
			cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Agreement, b.Agreement))
	})
	for _, asset := range slices.Sorted(maps.Keys(assets)) {
		s.Assets = append(s.Assets, AssetTotals{asset, *assets[asset]})
	}
	return s, nil
}

func noTotals(c money.Currency) Totals {
	zero := money.Zero(c)
	return Totals{zero, zero, zero, zero, zero, zero}
}

// add adds a line to the total of its group, and to those it goes into.
func (t *Totals) add(l *Line) error {
	into := []*money.Amount{&t.Net}
	switch l.Group {
	case Revenue:
		into = append(into, &t.Revenue, &t.Operating)
	case Shares:
		into = append(into, &t.Shares, &t.Operating)
	case Costs:
		into = append(into, &t.Costs, &t.Operating)
	case Capital:
		into = append(into, &t.Capital)
	}
	for _, to := range into {
		sum, err := to.Add(l.Amount)
		if err != nil {
			return err
		}
		*to = sum
	}
	return nil
}

// ErrReconcile says that a closing does not add up to its events.
var ErrReconcile = errors.New("statements do not reconcile with their events")

// reconcile adds everything up once more: the events by themselves, against the
// entries of all lines and what is unowned; and what the agreements were paid,
// against the lines of revenue shares.
func (c *Closing) reconcile(b Book, m Month) error {
	from, to := m.Bounds(b.Zone)
	open := map[money.Currency]int64{} // events less lines: 0 in the end; wraps as it will
	seen := map[string]bool{}
	for i := range b.Events {
		e := &b.Events[i]
		if e.At < from || e.At >= to || seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		if e.Kind.PaidOut() {
			open[e.Amount.Currency] -= e.Amount.Minor
		} else {
			open[e.Amount.Currency] += e.Amount.Minor
		}
	}
	shares := map[money.Currency]int64{}
	for _, s := range c.Settlements {
		shares[s.Currency] -= s.Revenue - s.Rest
	}
	for _, s := range c.Statements {
		for _, section := range s.Sections {
			for _, l := range section.Lines {
				against := open
				if l.Kind == RevenueShare {
					against = shares
				}
				for _, e := range l.Entries {
					against[section.Currency] -= e.Amount.Minor
				}
			}
		}
	}
	for _, u := range c.Unowned {
		open[u.Amount.Currency] -= u.Amount.Minor
	}
	for _, left := range []map[money.Currency]int64{open, shares} {
		for currency, minor := range left {
			if minor != 0 {
				return fmt.Errorf("%w: %v", ErrReconcile, money.Of(minor, currency))
			}
		}
	}
	return nil
}
