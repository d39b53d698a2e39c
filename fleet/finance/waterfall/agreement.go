// Package waterfall owns how a month's revenue is shared: agreements with dates,
// tiers, fees and guarantees, and the order in which they are paid, into rows that
// add up to the revenue to the last minor unit. It knows no assets, no owners but
// by name, and no clock.
package waterfall

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// Whole is the share of everything: shares are parts per million.
const Whole = 1_000_000

// Basis is what a tier's threshold counts.
type Basis string

// The bases of tiers.
const (
	ByRevenue Basis = "revenue" // minor units of the month's revenue
	BySwaps   Basis = "swaps"   // swaps of the month
)

// Tier is what an agreement gets of the revenue, or for the swaps, above a
// threshold and up to the next tier's: tiers are marginal. Below the first
// threshold there is nothing.
//
// By swaps, each swap is taken to have earned the same part of the revenue, so a
// month of 300 swaps with tiers of 10 % above 0 and 20 % above 200 shares 2/3 of
// the revenue at 10 % and 1/3 at 20 %.
type Tier struct {
	Above   int64 `json:"above"`          // in the agreement's basis
	Share   int64 `json:"share_ppm"`      // of the revenue, 0…Whole
	PerSwap int64 `json:"per_swap_minor"` // minor units for each swap, by swaps only
}

// Agreement is one party's claim on a month's revenue. What is due is
//
//	fee + fees by swap + max(minimum, share) + what is still owed of earlier months
//
// Amounts are minor units of the contract's currency.
type Agreement struct {
	ID       string         `json:"id"`
	Party    string         `json:"party"`
	From     daycount.Date  `json:"from"`
	To       *daycount.Date `json:"to"`       // first day that is not of it; null: it has no end
	Priority int            `json:"priority"` // the lowest is paid first; of equal ones, by ID
	Basis    Basis          `json:"basis"`
	Tiers    []Tier         `json:"tiers"`         // ascending
	Minimum  int64          `json:"minimum_minor"` // guaranteed for each month
	Fee      int64          `json:"fee_minor"`     // fixed, for each month
	// Carry says that what the revenue was too little for is owed on, and due the
	// next month; otherwise it is forgiven.
	Carry bool `json:"carry"`
}

// ErrAgreement is what Validate returns.
var ErrAgreement = errors.New("invalid agreement")

// Validate reports everything that is wrong with the agreement.
func (a *Agreement) Validate() error {
	var wrong []error
	check := func(ok bool, text string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%w %q: %s", ErrAgreement, a.ID, text))
		}
	}
	check(a.ID != "", "it has no id")
	check(a.Party != "", "it names no party")
	check(a.To == nil || *a.To > a.From, "it ends before it begins")
	check(a.Basis == ByRevenue || a.Basis == BySwaps, "the basis is neither revenue nor swaps")
	check(a.Minimum >= 0 && a.Minimum <= maxMinor, "the minimum is out of bounds")
	check(a.Fee >= 0 && a.Fee <= maxMinor, "the fee is out of bounds")
	for i, t := range a.Tiers {
		check(t.Above >= 0 && t.Above <= maxMinor, "a threshold is out of bounds")
		check(i == 0 || t.Above > a.Tiers[i-1].Above, "the thresholds do not ascend")
		check(t.Share >= 0 && t.Share <= Whole, "a share is not between 0 and 1000000 ppm")
		check(t.PerSwap >= 0 && t.PerSwap <= maxFee, "a fee by swap is out of bounds")
		check(t.PerSwap == 0 || a.Basis == BySwaps, "fees by swap need the basis of swaps")
	}
	return errors.Join(wrong...)
}

// Bounds of what agreements and months may have, which keep every sum of them
// within an int64: 10^15 minor units are ten million million euros.
const (
	maxMinor      = 1_000_000_000_000_000
	maxFee        = 1_000_000
	maxSwaps      = 1_000_000_000
	maxAgreements = 1000
)

// Holds reports whether the agreement is in force on a day.
func (a *Agreement) Holds(d daycount.Date) bool { return a.days(d, d+1) > 0 }

// days is how many days of [from, to) the agreement is in force.
func (a *Agreement) days(from, to daycount.Date) int64 {
	begin, end := max(a.From, from), to
	if a.To != nil {
		end = min(end, *a.To)
	}
	return int64(max(end-begin, 0))
}

// order sorts by who is paid first.
func order(agreements []Agreement) []Agreement {
	out := slices.Clone(agreements)
	slices.SortFunc(out, func(a, b Agreement) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// prorate is the part of a month's amount for some of its days, rounded half to
// even.
func prorate(minor, days, of int64) int64 {
	if days == of {
		return minor
	}
	part, _ := money.Amount{Minor: minor}.Apply(money.Ratio{Num: days, Den: of}) // a part is no larger
	return part.Minor
}
