// Package statement owns what an asset owner is told of a month: which events
// earned and cost what, to whom each belonged when it happened, and what the
// agreements left of the revenue; by line, by asset, and to the minor unit the sum
// of the events named behind each line. It knows no store, no clock and no rates of
// exchange: each currency is a section of its own.
package statement

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// Kind is what an amount is for.
type Kind string

// The kinds of events, and RevenueShare, which no event is of: it is what
// agreements take of the revenue.
const (
	SwapPrice     Kind = "swap_price"
	Subscription  Kind = "subscription"
	EnergySavings Kind = "energy_savings"
	CarbonCredits Kind = "carbon_credits"
	RevenueShare  Kind = "revenue_share"
	EnergyCost    Kind = "energy_cost"
	Maintenance   Kind = "maintenance"
	Rent          Kind = "rent"
	Insurance     Kind = "insurance"
	OtherCost     Kind = "other_cost"
	CapitalCost   Kind = "capital_cost"
	ResidualValue Kind = "residual_value"
	Recycling     Kind = "recycling"
)

// Group is the part of a statement that a kind belongs to.
type Group string

// The groups, in the order of a statement.
const (
	Revenue Group = "revenue"
	Shares  Group = "revenue_shares"
	Costs   Group = "operating_costs"
	Capital Group = "capital"
)

// kinds lists every kind in the order of a statement.
func kinds() []Kind {
	return []Kind{
		SwapPrice, Subscription, EnergySavings, CarbonCredits, RevenueShare,
		EnergyCost, Maintenance, Rent, Insurance, OtherCost, CapitalCost, ResidualValue, Recycling,
	}
}

// Group returns the group of the kind; none if it is unknown.
func (k Kind) Group() Group {
	switch k {
	case SwapPrice, Subscription, EnergySavings, CarbonCredits:
		return Revenue
	case RevenueShare:
		return Shares
	case EnergyCost, Maintenance, Rent, Insurance, OtherCost:
		return Costs
	case CapitalCost, ResidualValue, Recycling:
		return Capital
	}
	return ""
}

// PaidOut reports whether a positive event of the kind is money that the owner
// pays: it stands negative in the statement.
func (k Kind) PaidOut() bool {
	g := k.Group()
	return g == Shares || g == Costs || k == CapitalCost
}

// Portion is an asset's weight in an event of several.
type Portion struct {
	Asset  string
	Weight int64
}

// Event is something that earned or cost money. Amount is positive in the usual
// direction of its kind, a cost as well as a revenue; negative is a refund or a
// correction. It is of one asset, of several by weight, as a subscription for the
// batteries that were had on it, or of an owner and no asset: just one of the
// three. One asset may name its owner, where that is not who has it at that instant.
type Event struct {
	ID     string // the same event twice counts once
	At     int64  // Unix milliseconds
	Kind   Kind
	Amount money.Amount
	Asset  string
	Among  []Portion
	Owner  string
	Swaps  int64 // how many swaps it stands for, in tiers by swaps: 1 for a swap that was paid
}

// What Build refuses.
var (
	ErrEvent     = errors.New("invalid event")
	ErrOwnership = errors.New("invalid ownership")
	ErrContract  = errors.New("invalid contract")
)

func (e *Event) check() error {
	wrong := func(text string) error { return fmt.Errorf("%w %q: %s", ErrEvent, e.ID, text) }
	if e.ID == "" {
		return wrong("it has no id")
	}
	if g := e.Kind.Group(); g == "" || g == Shares {
		return wrong(fmt.Sprintf("no event is of kind %q", string(e.Kind)))
	}
	if !e.Amount.Currency.Valid() {
		return wrong(fmt.Sprintf("unknown currency %q", string(e.Amount.Currency)))
	}
	of := 0
	for _, is := range []bool{e.Asset != "", len(e.Among) > 0, e.Owner != "" && e.Asset == ""} {
		if is {
			of++
		}
	}
	if of != 1 {
		return wrong("it is not of just one of an asset, several and an owner")
	}
	if e.Swaps < 0 || e.Amount.Minor == math.MinInt64 {
		return wrong("swaps or amount out of bounds")
	}
	return nil
}

func (e *Event) same(o *Event) bool {
	return e.At == o.At && e.Kind == o.Kind && e.Amount == o.Amount && e.Asset == o.Asset && e.Owner == o.Owner &&
		e.Swaps == o.Swaps && slices.Equal(e.Among, o.Among)
}

// once drops events that are there already. Two of an id that differ are ErrEvent.
func once(events []Event) ([]Event, error) {
	seen := make(map[string]int, len(events))
	out := make([]Event, 0, len(events))
	for i := range events {
		e := &events[i]
		if err := e.check(); err != nil {
			return nil, err
		}
		if j, ok := seen[e.ID]; ok {
			if !e.same(&out[j]) {
				return nil, fmt.Errorf("%w %q: there are two that differ", ErrEvent, e.ID)
			}
			continue
		}
		seen[e.ID] = len(out)
		out = append(out, *e)
	}
	return out, nil
}
