package accounts

import (
	"cmp"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Version names the rules by which events are made of swaps, energy, savings and
// entries.
const Version = "accounts/3"

// Statement is an owner's month with what it rests on.
type Statement struct {
	statement.Statement
	Version     string           `json:"version"`     // of the rules it was built by; empty: it was closed before that was kept
	BuiltAt     int64            `json:"built_at"`    // Unix milliseconds: as of when
	Provisional bool             `json:"provisional"` // the month is not over
	Gaps        []Gap            `json:"gaps"`
	Output      map[string]Deeds `json:"output"` // by asset: a swap is its station's and its battery's
	// Own and Lent hold each swap once: those at his stations and at nobody's, with what
	// was drawn; and those of his batteries at the stations of other owners, which are
	// their Own.
	Own     Deeds    `json:"own"`
	Lent    Deeds    `json:"lent"`
	Savings []Saving `json:"savings"`
	// Corrections are what closed months would have said, had all been known then
	// that is known now, less what they said.
	Corrections []Correction `json:"corrections"`
	ClosedAt    int64        `json:"closed_at"` // Unix milliseconds; 0: it is open
	ClosedBy    string       `json:"closed_by"`
}

// Deeds are what an asset did in a month, while it was the owner's.
type Deeds struct {
	Swaps        int64 `json:"swaps"`      // of a battery: handed out
	Told         int64 `json:"told"`       // of those, that told their energy
	HandedMilliW int64 `json:"handed_mwh"` // handed out in those, mWh
	DrawnMilliW  int64 `json:"drawn_mwh"`  // from the grid, mWh
	Metered      bool  `json:"metered"`    // DrawnMilliW is known
}

// Add adds other deeds.
func (d Deeds) Add(o Deeds) Deeds {
	return Deeds{
		d.Swaps + o.Swaps, d.Told + o.Told, d.HandedMilliW + o.HandedMilliW, d.DrawnMilliW + o.DrawnMilliW, d.Metered || o.Metered,
	}
}

// Account is what an amount of a statement is told under.
type Account struct {
	Kind      statement.Kind `json:"kind"`
	Asset     string         `json:"asset,omitempty"`
	Contract  string         `json:"contract,omitempty"`
	Agreement string         `json:"agreement,omitempty"`
	Party     string         `json:"party,omitempty"`
	Currency  money.Currency `json:"currency"`
}

// Correction is a difference that came up after a month was closed.
type Correction struct {
	Month statement.Month `json:"month"`
	Account
	Minor int64 `json:"minor"`
}

func compareAccounts(a, b Account) int {
	return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Asset, b.Asset),
		cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Agreement, b.Agreement), cmp.Compare(a.Party, b.Party))
}

// sums are the lines of a statement by account, in minor units.
func sums(s *statement.Statement) map[Account]int64 {
	out := map[Account]int64{}
	for _, section := range s.Sections {
		for _, l := range section.Lines {
			out[Account{l.Kind, l.Asset, l.Contract, l.Agreement, l.Party, section.Currency}] += l.Amount.Minor
		}
	}
	return out
}

// Correct compares what a closed month says, together with what was corrected of
// it since, with what it would say now. The order is that of accounts.
func Correct(closed, now *statement.Statement, since []Correction) []Correction {
	diff := sums(now)
	for a, minor := range sums(closed) {
		diff[a] -= minor
	}
	for _, c := range since {
		if c.Month == closed.Month {
			diff[c.Account] -= c.Minor
		}
	}
	var out []Correction
	for a, minor := range diff {
		if minor != 0 {
			out = append(out, Correction{closed.Month, a, minor})
		}
	}
	slices.SortFunc(out, func(x, y Correction) int { return compareAccounts(x.Account, y.Account) })
	return out
}

// Next is the month after.
func Next(m statement.Month) statement.Month {
	if m.Month == 12 {
		return statement.Month{Year: m.Year + 1, Month: 1}
	}
	return statement.Month{Year: m.Year, Month: m.Month + 1}
}

// Before reports whether one month is before another.
func Before(a, b statement.Month) bool {
	return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(a.Month, b.Month)) < 0
}
