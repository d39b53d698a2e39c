package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

const financeTag = "finance"

// FinanceTerms are what returns rest on beside the books.
type FinanceTerms struct {
	Currency string  `query:"currency" pattern:"^[A-Z]{3}$" doc:"of which to answer where amounts are in several"`
	Rate     float64 `query:"rate" default:"0.08" doc:"-0.9 to 10: to discount by, a year"`
	Riskless float64 `query:"riskless" default:"0.02" doc:"-0.9 to 1: return without risk, a year"`
	Life     float64 `query:"life_years" doc:"0 to 30: that the assets will serve on; default: of a battery, its outlook"`
	Residual float64 `query:"residual" doc:"0 to 1000000000000: value at the end of that life, major unit"`
	Fade     float64 `query:"fade" doc:"0 to 1: share of the revenue lost each year to come"`
	Capacity float64 `query:"capacity_swaps_per_day" doc:"0 to 1000000: full use, for the break-even utilization"`
	Runs     int     `query:"runs" default:"0" minimum:"0" maximum:"20000" doc:"of a simulation of what is to come; 100 at least, 0: none"`
	Seed     int64   `query:"seed" default:"1" doc:"of the simulation; the same seed gives the same result"`
}

func (t *FinanceTerms) assumed() (accounts.Assumptions, error) {
	a := accounts.Assumptions{
		Rate: t.Rate, Riskless: t.Riskless, Residual: t.Residual, Fade: t.Fade, Capacity: t.Capacity, Runs: t.Runs, Seed: uint64(t.Seed),
	}
	for _, p := range []struct {
		name            string
		value, from, to float64
	}{
		{"rate", t.Rate, -0.9, 10}, {"riskless", t.Riskless, -0.9, 1}, {"life_years", t.Life, 0, 30}, {"residual", t.Residual, 0, 1e12},
		{"fade", t.Fade, 0, 1}, {"capacity_swaps_per_day", t.Capacity, 0, 1e6},
	} {
		if !(p.value >= p.from && p.value <= p.to) { // NaN is neither
			return a, badParameter("query."+p.name, fmt.Sprintf("is not from %v to %v", p.from, p.to), nil)
		}
	}
	if t.Runs > 0 && t.Runs < 100 {
		return a, badParameter("query.runs", "want 0, or at least 100", t.Runs)
	}
	if t.Life > 0 {
		a.Life.Median = &t.Life
	}
	return a, nil
}

type assetFinanceInput struct {
	DevicePath
	FinanceTerms
}

type fleetFinanceInput struct {
	OwnerID string `query:"owner_id" maxLength:"64" doc:"of this owner alone"`
	FinanceTerms
}

type partnersInput struct {
	Query
	OwnerID string `query:"owner_id" maxLength:"64" doc:"of this owner alone"`
}

// FinancePartner is what a party of agreements got.
type FinancePartner struct {
	Party    string      `json:"party"`
	OwnerID  string      `json:"owner_id" doc:"whose revenue was shared"`
	Paid     MoneyAmount `json:"paid"`
	Owed     MoneyAmount `json:"owed" doc:"at the end of the newest month"`
	Months   int         `json:"months" doc:"in which an agreement was in force"`
	First    string      `json:"first_month"`
	Last     string      `json:"last_month"`
	Currency string      `json:"currency"`
}

type expansionInput struct {
	Site    string `query:"site" required:"true" minLength:"1" maxLength:"64" doc:"id of a registered site"`
	OwnerID string `query:"owner_id" maxLength:"64" doc:"by the stations of this owner alone"`
}

// FinanceExpansion is what a new station may return a year: its operating result
// over what it costs.
type FinanceExpansion struct {
	Status   string          `json:"status" enum:"ok,insufficient_data"`
	Reason   string          `json:"reason,omitempty"`
	Method   string          `json:"method"`
	Version  string          `json:"version"`
	Site     string          `json:"site"`
	Currency string          `json:"currency,omitempty" doc:"of the stations that it rests on"`
	Count    int             `json:"count" doc:"stations it rests on"`
	Left     int             `json:"left_out" doc:"stations without a capital cost, three months that are over, prices or coordinates, or in another currency"`
	Median   *float64        `json:"median"`
	Mean     *float64        `json:"mean"`
	Low      *float64        `json:"low"`
	High     *float64        `json:"high"`
	Level    float64         `json:"level" doc:"share of such new stations that fall between low and high"`
	Peers    []FinancePeer   `json:"peers" nullable:"false" doc:"the most alike first"`
	Features []FinanceTraits `json:"features" nullable:"false" doc:"what sites are compared by"`
}

// FinancePeer is a station that an expansion rests on.
type FinancePeer struct {
	StationID string  `json:"station_id"`
	Return    float64 `json:"return"`
	Distance  float64 `json:"distance" doc:"in standard deviations of the features"`
}

// FinanceTraits is a feature of the site.
type FinanceTraits struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Outside bool    `json:"outside" doc:"true: beyond all stations that it rests on, so that what is told is a guess"`
}

func (a *API) routeFinance() {
	errs := []int{http.StatusNotFound, http.StatusConflict}
	for _, kind := range devices.Kinds() {
		add(a, operation{
			id: "get-" + string(kind) + "-finance", method: http.MethodGet, path: "/" + kind.Plural() + "/{id}/finance", tag: financeTag,
			summary: "What a " + string(kind) + " returned, and what is to come", right: access.Read, errors: errs,
		}, func(ctx context.Context, in *assetFinanceInput) (*itemOutput[FinanceResult], error) {
			ref := devices.Ref{Kind: kind, ID: in.ID}
			if err := a.exists(ctx, ref); err != nil {
				return nil, err
			}
			return a.finance(ctx, fleet.Question{Asset: ref.String()}, &in.FinanceTerms)
		})
	}
	add(a, operation{
		id: "get-owner-finance", method: http.MethodGet, path: "/owners/{id}/finance", tag: financeTag,
		summary: "What all assets of an owner returned, and what is to come", right: access.Read, errors: errs,
	}, func(ctx context.Context, in *assetFinanceInput) (*itemOutput[FinanceResult], error) {
		if err := a.ownerExists(ctx, in.ID); err != nil {
			return nil, err
		}
		return a.finance(ctx, fleet.Question{Owners: []string{in.ID}}, &in.FinanceTerms)
	})
	add(a, operation{
		id: "get-fleet-finance", method: http.MethodGet, path: "/fleet/finance", tag: financeTag,
		summary: "What all assets returned that the caller sees", right: access.Read, errors: errs,
	}, func(ctx context.Context, in *fleetFinanceInput) (*itemOutput[FinanceResult], error) {
		owners, err := a.ownersSeen(ctx, in.OwnerID)
		if err != nil {
			return nil, err
		}
		return a.finance(ctx, fleet.Question{Owners: owners}, &in.FinanceTerms)
	})
	addTable(a, operation{
		id: "list-partner-finance", path: "/fleet/finance/partners", tag: financeTag, summary: "What the parties of agreements got", right: access.Read, errors: errs,
	}, tableSpec{name: "partners", filters: []string{"party", "currency"}, sort: []string{"owner_id", "party"}}, a.listPartners)
	add(a, operation{
		id: "get-expansion", method: http.MethodGet, path: "/fleet/finance/expansion", tag: financeTag,
		summary: "What one more station at a site may return, by stations at sites like it", right: access.Read, errors: errs,
	}, a.expansion)
}

// ownersSeen are the owners that the caller asks of: nobody named means all, for
// those who see all, or else the caller's own.
func (a *API) ownersSeen(ctx context.Context, named string) ([]string, error) {
	p := access.From(ctx)
	if named != "" {
		if !p.SeesOwner(named) {
			return nil, huma.Error404NotFound("there is no such owner")
		}
		return []string{named}, a.ownerExists(ctx, named)
	}
	if p.SeesAll() {
		return nil, nil
	}
	if p.OwnerID == "" {
		return nil, huma.Error404NotFound("there is no such owner")
	}
	return []string{p.OwnerID}, nil
}

func (a *API) finance(ctx context.Context, q fleet.Question, terms *FinanceTerms) (*itemOutput[FinanceResult], error) {
	q.Currency = money.Currency(terms.Currency)
	var err error
	if q.Assumed, err = terms.assumed(); err != nil {
		return nil, err
	}
	r, err := a.opts.Money.Finance(ctx, q)
	mixed := errors.Is(err, fleet.ErrMixed)
	if err != nil && !mixed {
		return nil, moneyProblem(err)
	}
	v := viewFinance(&r)
	switch {
	case mixed:
		v.Reason = err.Error() + ": " + strings.Join(v.Currencies, ", ") + "; name one by currency"
	case r.Track == nil && len(v.Currencies) > 0:
		v.Reason = "nothing was booked in " + terms.Currency + ", but in " + strings.Join(v.Currencies, ", ")
	}
	return &itemOutput[FinanceResult]{Body: v}, nil
}

func (a *API) listPartners(ctx context.Context, in *partnersInput) ([]FinancePartner, error) {
	owners, err := a.ownersSeen(ctx, in.OwnerID)
	if err != nil {
		return nil, err
	}
	found, err := a.opts.Money.Partners(ctx, owners)
	if err != nil {
		return nil, moneyProblem(err)
	}
	out := make([]FinancePartner, len(found))
	for i, p := range found {
		out[i] = FinancePartner{
			Party: p.Party, OwnerID: p.Owner, Paid: moneyOf(p.Paid), Owed: moneyOf(p.Owed), Months: p.Months,
			First: p.First.String(), Last: p.Last.String(), Currency: string(p.Currency),
		}
	}
	return out, nil
}

func (a *API) expansion(ctx context.Context, in *expansionInput) (*itemOutput[FinanceExpansion], error) {
	owners, err := a.ownersSeen(ctx, in.OwnerID)
	if err != nil {
		return nil, err
	}
	site, err := a.opts.Registry.GetSite(ctx, in.Site)
	if err != nil {
		return nil, err
	}
	if owners == nil {
		all, _, err := a.opts.Registry.ListOwners(ctx, registry.Filter{Deleted: true})
		if err != nil {
			return nil, err
		}
		for _, o := range all {
			owners = append(owners, o.ID)
		}
	}
	list, _, err := a.opts.Registry.ListSites(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	sites := map[string]devices.Site{}
	for _, s := range list {
		sites[s.ID] = s
	}
	x, err := a.opts.Money.Expand(ctx, owners, site, sites)
	if err != nil {
		return nil, moneyProblem(err)
	}
	return &itemOutput[FinanceExpansion]{Body: viewExpansion(in.Site, &x)}, nil
}

func viewExpansion(site string, x *fleet.Expansion) FinanceExpansion {
	v := FinanceExpansion{
		Status: "ok", Reason: x.Reason, Method: "operating result a year over capital cost, of the stations most alike; interval of order statistics",
		Version: accounts.ReturnsVersion, Site: site, Currency: string(x.Currency), Count: x.Count, Left: x.Left,
		Median: x.Median, Mean: x.Mean, Low: x.Low, High: x.High, Level: x.Level, Peers: make([]FinancePeer, len(x.Peers)), Features: []FinanceTraits{},
	}
	if x.Status != finance.OK {
		v.Status = "insufficient_data"
	}
	for i, p := range x.Peers {
		v.Peers[i] = FinancePeer{p.ID, p.Return, p.Distance}
	}
	names := fleet.ExpansionFeatures()
	for i, value := range x.Features {
		v.Features = append(v.Features, FinanceTraits{Name: names[i], Value: value})
	}
	for _, i := range x.Outside {
		v.Features[i].Outside = true
	}
	return v
}
