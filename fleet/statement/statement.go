package statement

import (
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// Entry is what an event, or its part, adds to a line. Entries of a line are by
// time, then by event.
type Entry struct {
	Event  string       `json:"event"`
	At     int64        `json:"at"` // Unix milliseconds
	Amount money.Amount `json:"amount"`
}

// Line is one kind of money of one asset. What the owner gets is positive. Amount
// is the sum of the entries.
type Line struct {
	Group     Group        `json:"group"`
	Kind      Kind         `json:"kind"`
	Asset     string       `json:"asset,omitempty"`     // empty: of the owner, and no asset
	Contract  string       `json:"contract,omitempty"`  // of revenue shares
	Agreement string       `json:"agreement,omitempty"` // of revenue shares
	Party     string       `json:"party,omitempty"`     // who gets the revenue share
	Amount    money.Amount `json:"amount"`
	Entries   []Entry      `json:"entries"`
	Folded    *Folded      `json:"folded,omitempty"` // nil: Entries are all there are
}

// Folded is what was known of the entries of a line before each day of them became
// one.
type Folded struct {
	Count int   `json:"count"`
	First int64 `json:"first"` // Unix milliseconds
	Last  int64 `json:"last"`
}

// Span is how many entries are behind the line, and when the first and the last of
// them were, in Unix milliseconds.
func (l *Line) Span() (count int, first, last int64) {
	if l.Folded != nil {
		return l.Folded.Count, l.Folded.First, l.Folded.Last
	}
	if n := len(l.Entries); n > 0 {
		return n, l.Entries[0].At, l.Entries[n-1].At
	}
	return 0, 0, 0
}

// Totals are the sums of the lines: Operating is Revenue, Shares and Costs, of
// which the last two are negative as a rule; Net is Operating and Capital.
type Totals struct {
	Revenue   money.Amount `json:"revenue"`
	Shares    money.Amount `json:"revenue_shares"`
	Costs     money.Amount `json:"operating_costs"`
	Operating money.Amount `json:"operating"`
	Capital   money.Amount `json:"capital"`
	Net       money.Amount `json:"net"`
}

// AssetTotals are the totals of one asset's lines; that of no asset is "".
type AssetTotals struct {
	Asset string `json:"asset"`
	Totals
}

// Section is the part of a statement in one currency.
type Section struct {
	Currency money.Currency `json:"currency"`
	Totals   Totals         `json:"totals"`
	Assets   []AssetTotals  `json:"assets"` // by name
	Lines    []Line         `json:"lines"`  // by kind, asset, contract and agreement
	// Settlements are how the contracts of this currency shared their revenue.
	Settlements []Settlement `json:"settlements"`
}

// Statement is what an owner is told of a month. It has no section where nothing
// happened.
type Statement struct {
	Owner    string    `json:"owner"`
	Month    Month     `json:"month"`
	Zone     string    `json:"zone"` // whose midnights are the month's
	From     int64     `json:"from"` // Unix milliseconds
	To       int64     `json:"to"`
	Sections []Section `json:"sections"` // by currency
}

// Settlement is how a contract's revenue of the month was shared.
type Settlement struct {
	Contract string         `json:"contract"`
	Owner    string         `json:"owner"`
	Currency money.Currency `json:"currency"`
	waterfall.Settlement
}

// Unowned is a part of an event that happened to an asset while nobody owned it.
type Unowned struct {
	Kind  Kind   `json:"kind"`
	Asset string `json:"asset"`
	Entry
}

// Closing is a month of everybody: each owner's statement by name, how each
// contract was settled, and what belongs to nobody. Lines but revenue shares, and
// Unowned, add up to the events of the month.
type Closing struct {
	Statements  []Statement
	Settlements []Settlement
	Unowned     []Unowned
}

// Of is the statement of an owner; ok is false for one who had no asset, no
// contract and no event in the month.
func (c *Closing) Of(owner string) (s Statement, ok bool) {
	for _, s = range c.Statements {
		if s.Owner == owner {
			return s, true
		}
	}
	return Statement{}, false
}

// Receipt is what a party got by one agreement.
type Receipt struct {
	Contract string         `json:"contract"`
	Owner    string         `json:"owner"` // of the assets
	Currency money.Currency `json:"currency"`
	waterfall.Row
}

// Receipts are what a party got, and is still owed, by every agreement that names
// it: the partner's side of the owners' statements.
func (c *Closing) Receipts(party string) []Receipt {
	out := []Receipt{}
	for _, s := range c.Settlements {
		for _, r := range s.Rows {
			if r.Party == party {
				out = append(out, Receipt{s.Contract, s.Owner, s.Currency, r})
			}
		}
	}
	return out
}
