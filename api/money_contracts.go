package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// ShareContract is how the revenue of an owner's assets is shared with others, each
// month.
type ShareContract struct {
	OwnerID    string           `json:"owner_id" minLength:"1" maxLength:"64"`
	Currency   string           `json:"currency" pattern:"^[A-Z]{3}$"`
	Assets     []string         `json:"assets,omitempty" maxItems:"10000" doc:"kind/id; absent: all that the owner has and that are in no other contract"`
	Kinds      []string         `json:"kinds,omitempty" maxItems:"4" enum:"swap_price,subscription,energy_savings,carbon_credits" doc:"what is shared; absent: swap_price and subscription"`
	Agreements []ShareAgreement `json:"agreements" minItems:"1" maxItems:"50"`
}

// ShareAgreement is one party's claim on a month's revenue: fee, fees by swap, the
// greater of minimum and share, and what it is still owed.
type ShareAgreement struct {
	ID       string      `json:"id" minLength:"1" maxLength:"64"`
	Party    string      `json:"party" minLength:"1" maxLength:"100"`
	From     string      `json:"from" format:"date"`
	To       string      `json:"to,omitempty" format:"date" doc:"first day that is not of it; absent: it has no end"`
	Priority int         `json:"priority,omitempty" minimum:"0" maximum:"1000" doc:"the lowest is paid first"`
	Basis    string      `json:"basis,omitempty" enum:"revenue,swaps" default:"revenue" doc:"what the tiers' thresholds count"`
	Tiers    []ShareTier `json:"tiers,omitempty" maxItems:"20" doc:"ascending; each holds above its threshold and up to the next"`
	Minimum  string      `json:"minimum,omitempty" pattern:"^[0-9]{1,12}(\\.[0-9]{1,4})?$" doc:"guaranteed for each month, in the contract's currency"`
	Fee      string      `json:"fee,omitempty" pattern:"^[0-9]{1,12}(\\.[0-9]{1,4})?$" doc:"fixed for each month"`
	Carry    bool        `json:"carry,omitempty" doc:"true: what the revenue was too little for is due the next month"`
}

// ShareTier is what a party gets above a threshold.
type ShareTier struct {
	Above   string `json:"above" pattern:"^[0-9]{1,12}(\\.[0-9]{1,4})?$" doc:"an amount in the contract's currency, or a whole number of swaps"`
	Share   string `json:"share,omitempty" pattern:"^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)$" doc:"of the revenue, exact" example:"0.2"`
	PerSwap string `json:"per_swap,omitempty" pattern:"^[0-9]{1,9}(\\.[0-9]{1,4})?$" doc:"an amount for each swap; where the basis is swaps"`
}

// ShareContractVersion is a contract as it is kept.
type ShareContractVersion struct {
	TermVersion
	Contract *ShareContract `json:"contract,omitempty" doc:"absent: it was withdrawn, and holds on no day"`
}

// reader reads amounts of a contract and keeps what is wrong with them.
type reader struct {
	currency money.Currency
	problems []accounts.Problem
}

func (r *reader) wrong(field, format string, args ...any) {
	r.problems = append(r.problems, accounts.Problem{Field: field, Detail: fmt.Sprintf(format, args...)})
}

func (r *reader) minor(field, text string) int64 {
	if text == "" {
		return 0
	}
	a, err := money.Parse(text, r.currency)
	if err != nil {
		r.wrong(field, "%v", err)
	}
	return a.Minor
}

func (r *reader) agreement(at string, v *ShareAgreement) waterfall.Agreement {
	from, to, problems := dates(v.From, v.To)
	for _, p := range problems {
		r.wrong(at+"."+p.Field, "%s", p.Detail)
	}
	a := waterfall.Agreement{
		ID: v.ID, Party: v.Party, From: from, To: to, Priority: v.Priority, Basis: waterfall.Basis(v.Basis),
		Tiers: []waterfall.Tier{}, Minimum: r.minor(at+".minimum", v.Minimum), Fee: r.minor(at+".fee", v.Fee), Carry: v.Carry,
	}
	for i, t := range v.Tiers {
		field := fmt.Sprintf("%s.tiers[%d]", at, i)
		tier := waterfall.Tier{PerSwap: r.minor(field+".per_swap", t.PerSwap)}
		var ok bool
		if tier.Share, ok = ppm(t.Share); !ok {
			r.wrong(field+".share", "wants six decimals at most")
		}
		if a.Basis == waterfall.BySwaps {
			if n, err := money.ParseRatio(t.Above); err != nil || n.Num%n.Den != 0 {
				r.wrong(field+".above", "wants a whole number of swaps")
			} else {
				tier.Above = n.Num / n.Den
			}
		} else {
			tier.Above = r.minor(field+".above", t.Above)
		}
		a.Tiers = append(a.Tiers, tier)
	}
	return a
}

func (v *ShareContract) contract(id string) (accounts.Contract, []accounts.Problem) {
	c := accounts.Contract{ID: id, Owner: v.OwnerID, Currency: money.Currency(v.Currency), Assets: slices.Clone(v.Assets)}
	slices.Sort(c.Assets)
	c.Assets = slices.Compact(c.Assets)
	for _, k := range v.Kinds {
		c.Kinds = append(c.Kinds, statement.Kind(k))
	}
	r := reader{currency: c.Currency}
	for i := range v.Agreements {
		c.Agreements = append(c.Agreements, r.agreement(fmt.Sprintf("agreements[%d]", i), &v.Agreements[i]))
	}
	return c, append(r.problems, c.Check()...)
}

func viewContract(c *accounts.Contract) ShareContract {
	v := ShareContract{OwnerID: c.Owner, Currency: string(c.Currency), Assets: c.Assets, Agreements: make([]ShareAgreement, len(c.Agreements))}
	for _, k := range c.Kinds {
		v.Kinds = append(v.Kinds, string(k))
	}
	text := func(minor int64) string {
		if minor == 0 {
			return ""
		}
		return money.Of(minor, c.Currency).Decimal()
	}
	for i, a := range c.Agreements {
		out := ShareAgreement{
			ID: a.ID, Party: a.Party, From: a.From.String(), To: dayText(a.To), Priority: a.Priority, Basis: string(a.Basis),
			Minimum: text(a.Minimum), Fee: text(a.Fee), Carry: a.Carry,
		}
		for _, t := range a.Tiers {
			tier := ShareTier{Share: share(t.Share), PerSwap: text(t.PerSwap), Above: money.Of(t.Above, c.Currency).Decimal()}
			if a.Basis == waterfall.BySwaps {
				tier.Above = fmt.Sprint(t.Above)
			}
			out.Tiers = append(out.Tiers, tier)
		}
		v.Agreements[i] = out
	}
	return v
}

func viewContractTerm(t ledger.Term) (ShareContractVersion, error) {
	v := ShareContractVersion{TermVersion: versionedOf(t)}
	if len(t.Payload) == 0 {
		return v, nil
	}
	var c accounts.Contract
	if err := json.Unmarshal(t.Payload, &c); err != nil {
		return v, fmt.Errorf("read contract %s: %w", t.ID, err)
	}
	view := viewContract(&c)
	v.Contract = &view
	return v, nil
}

func (a *API) buildContract(ctx context.Context, n *ShareContract, id string) (any, error) {
	c, problems := n.contract(id)
	if err := faults(problems); err != nil {
		return nil, err
	}
	e := accounts.Entry{Owner: c.Owner, Among: make([]statement.Portion, len(c.Assets))}
	for i, asset := range c.Assets {
		e.Among[i].Asset = asset
	}
	problems, err := a.strangers(ctx, &e)
	if err != nil {
		return nil, err
	}
	for i := range problems {
		if problems[i].Field == "asset" {
			problems[i].Field = "assets"
		}
	}
	if err := faults(problems); err != nil {
		return nil, err
	}
	return c, a.alone(ctx, &c)
}

// alone refuses a contract that shares what another of the owner's shares.
func (a *API) alone(ctx context.Context, c *accounts.Contract) error {
	found, err := a.opts.Money.Terms(ctx, ledger.ContractTerms)
	if err != nil {
		return err
	}
	for _, t := range found {
		var o accounts.Contract
		if err := json.Unmarshal(t.Payload, &o); err != nil {
			return fmt.Errorf("read contract %s: %w", t.ID, err)
		}
		if o.ID == c.ID || o.Owner != c.Owner {
			continue
		}
		if len(c.Assets) == 0 && len(o.Assets) == 0 {
			return huma.Error409Conflict("the contract " + o.ID + " is of all assets of the owner, too")
		}
		for _, asset := range c.Assets {
			if slices.Contains(o.Assets, asset) {
				return huma.Error409Conflict(asset + " is in the contract " + o.ID)
			}
		}
	}
	return nil
}

func (a *API) routeContracts() {
	terms[ShareContract, ShareContractVersion]{
		api: a, kind: ledger.ContractTerms, one: "contract", many: "contracts", path: "/money/contracts",
		notes: "Tiers are paid first, then each party in the order of priority as far as the revenue goes; the rest is the owner's. " +
			"An asset is in one contract of its owner at most. Statements of months that are not closed change with it.",
		spec: tableSpec{
			name: "contracts", filters: []string{"owner_id"}, sort: []string{"id"}, aliases: map[string]string{"owner_id": "contract.owner_id"},
		},
		build: a.buildContract,
		view:  viewContractTerm,
	}.route()
}

// ownerExists is registry.ErrNotFound for an owner that nobody registered.
func (a *API) ownerExists(ctx context.Context, id string) error {
	_, err := a.opts.Registry.GetOwner(ctx, id)
	if errors.Is(err, registry.ErrNotFound) {
		return huma.Error404NotFound("there is no such owner")
	}
	return err
}
