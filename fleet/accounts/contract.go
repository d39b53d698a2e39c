package accounts

import (
	"fmt"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Contract is how the revenue of an owner's assets is shared with others, as it
// was entered. Assets that are not named are all that the owner has and that are
// in no other contract of his.
type Contract struct {
	ID         string                `json:"id"`
	Owner      string                `json:"owner"`
	Currency   money.Currency        `json:"currency"`
	Assets     []string              `json:"assets,omitempty"` // kind/id; empty: all of the owner's
	Kinds      []statement.Kind      `json:"kinds,omitempty"`  // what is shared; empty: swap prices and subscriptions
	Agreements []waterfall.Agreement `json:"agreements"`
}

// Check returns everything that is wrong with the contract.
func (c *Contract) Check() []Problem {
	var p []Problem
	if !c.Currency.Valid() {
		p = append(p, Problem{"currency", "is no ISO 4217 currency with a minor unit"})
	}
	if c.Owner == "" {
		p = append(p, Problem{"owner_id", "is missing"})
	}
	for i, k := range c.Kinds {
		if k.Group() != statement.Revenue {
			p = append(p, Problem{fmt.Sprintf("kinds[%d]", i), "is no revenue"})
		}
	}
	seen := map[string]bool{}
	for i := range c.Agreements {
		at, a := fmt.Sprintf("agreements[%d]", i), &c.Agreements[i]
		if err := a.Validate(); err != nil {
			p = append(p, Problem{at, err.Error()})
		}
		if y, _, _ := a.From.Civil(); y < 2000 || y > 2199 {
			p = append(p, Problem{at + ".from", "is not within the years 2000 to 2199"})
		}
		if seen[a.ID] {
			p = append(p, Problem{at + ".id", "is there twice"})
		}
		seen[a.ID] = true
	}
	if len(c.Agreements) == 0 {
		p = append(p, Problem{"agreements", "is empty"})
	}
	return p
}

// Carries reports whether what is owed of one month is due in the next.
func (c *Contract) Carries() bool {
	return slices.ContainsFunc(c.Agreements, func(a waterfall.Agreement) bool { return a.Carry })
}

// Begins is the first month of any of the agreements.
func (c *Contract) Begins() statement.Month {
	first := c.Agreements[0].From
	for _, a := range c.Agreements {
		first = min(first, a.From)
	}
	y, m, _ := first.Civil()
	return statement.Month{Year: y, Month: m}
}

// Pools are the contracts of an owner as a month is settled by them. owned are
// all assets that he had in the month; owed is by contract and agreement, what
// the month before left due. A contract that is of no asset is left out.
func Pools(contracts []Contract, owned []string, owed map[string]map[string]int64) []statement.Contract {
	named := map[string]bool{}
	for i := range contracts {
		for _, a := range contracts[i].Assets {
			named[a] = true
		}
	}
	var out []statement.Contract
	for i := range contracts {
		c := &contracts[i]
		assets := c.Assets
		if len(assets) == 0 {
			for _, a := range owned {
				if !named[a] {
					assets = append(assets, a)
				}
			}
		}
		if len(assets) == 0 && len(owed[c.ID]) == 0 {
			continue
		}
		if len(assets) == 0 {
			assets = []string{"none/" + c.ID} // what is still owed is due though nothing is left to share
		}
		out = append(out, statement.Contract{
			ID: c.ID, Owner: c.Owner, Currency: c.Currency, Assets: assets, Kinds: c.Kinds, Agreements: c.Agreements, Owed: owed[c.ID],
		})
	}
	return out
}

// Owed is what the settlements of a month leave due in the next, by contract and
// agreement.
func Owed(settled []statement.Settlement) map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for _, s := range settled {
		for _, r := range s.Rows {
			if r.Owed > 0 {
				if out[s.Contract] == nil {
					out[s.Contract] = map[string]int64{}
				}
				out[s.Contract][r.Agreement] = r.Owed
			}
		}
	}
	return out
}
