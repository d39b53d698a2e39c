package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// SalePrice is what a swap or energy costs from one day to another, by the calendar of
// the station.
type SalePrice struct {
	Use          string     `json:"use" enum:"swap,swap_energy,energy" doc:"swap: for each swap that is completed; swap_energy: for each kWh handed out in swaps; energy: for each kWh that a station draws, which its owner pays"`
	OwnerID      string     `json:"owner_id,omitempty" maxLength:"64" doc:"at the stations of this owner"`
	SiteID       string     `json:"site_id,omitempty" maxLength:"64"`
	StationID    string     `json:"station_id,omitempty" maxLength:"64"`
	From         string     `json:"from" format:"date"`
	To           string     `json:"to,omitempty" format:"date" doc:"first day that it no longer holds; absent: it has no end"`
	Price        string     `json:"price" pattern:"^[0-9]{1,9}(\\.[0-9]{1,9})?$" doc:"exact decimal of the major unit" example:"0.1875"`
	Currency     string     `json:"currency" pattern:"^[A-Z]{3}$"`
	BatteryShare string     `json:"battery_share,omitempty" pattern:"^(0(\\.[0-9]{1,6})?|1(\\.0{1,6})?)$" doc:"of swaps: the part that is the owner's of the battery handed out, exact; the rest is the station's. Default 0" example:"0.25"`
	Hours        []SaleHour `json:"hours,omitempty" maxItems:"24" doc:"of energy: prices at some local hours; at all others price holds"`
}

// SaleHour is a price from one local hour to another.
type SaleHour struct {
	From  int    `json:"from" minimum:"0" maximum:"23"`
	To    int    `json:"to" minimum:"1" maximum:"24" doc:"exclusive"`
	Price string `json:"price" pattern:"^[0-9]{1,9}(\\.[0-9]{1,9})?$"`
}

// TermVersion is what is kept of a price or a contract beside its content.
type TermVersion struct {
	ID        string `json:"id"`
	Version   int64  `json:"version" doc:"one more with each change; all are kept"`
	ChangedBy string `json:"changed_by"`
	ChangedAt Time   `json:"changed_at"`
}

func versionedOf(t ledger.Term) TermVersion {
	return TermVersion{ID: t.ID, Version: t.Version, ChangedBy: t.ChangedBy, ChangedAt: Time(t.ChangedAt)}
}

// SalePriceVersion is a price as it is kept.
type SalePriceVersion struct {
	TermVersion
	Price *SalePrice `json:"price,omitempty" doc:"absent: it was withdrawn, and holds on no day"`
}

// dates reads the days of something; the problems name them.
func dates(from, to string) (first daycount.Date, end *daycount.Date, problems []accounts.Problem) {
	first, err := daycount.Parse(from)
	if err != nil {
		problems = append(problems, accounts.Problem{Field: "from", Detail: err.Error()})
	}
	if to != "" {
		d, err := daycount.Parse(to)
		if err != nil {
			problems = append(problems, accounts.Problem{Field: "to", Detail: err.Error()})
		}
		end = &d
	}
	return first, end, problems
}

// ppm reads an exact share as parts per million; ok is false where it has more
// decimals.
func ppm(text string) (n int64, ok bool) {
	if text == "" {
		return 0, true
	}
	r, err := money.ParseRatio(text)
	if err != nil || waterfall.Whole*r.Num%r.Den != 0 {
		return 0, false
	}
	return waterfall.Whole * r.Num / r.Den, true
}

// share writes parts per million.
func share(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%06d", n/waterfall.Whole, n%waterfall.Whole)
}

func (v *SalePrice) price(id string) (accounts.Price, []accounts.Problem) {
	from, to, problems := dates(v.From, v.To)
	p := accounts.Price{
		ID: id, Use: accounts.Use(v.Use), Owner: v.OwnerID, Site: v.SiteID, Station: v.StationID, From: from, To: to,
		Price: v.Price, Currency: money.Currency(v.Currency),
	}
	var ok bool
	if p.BatteryPPM, ok = ppm(v.BatteryShare); !ok {
		problems = append(problems, accounts.Problem{Field: "battery_share", Detail: "wants six decimals at most"})
	}
	for _, h := range v.Hours {
		p.Hours = append(p.Hours, accounts.HourPrice(h))
	}
	return p, append(problems, p.Check()...)
}

func viewPrice(p *accounts.Price) SalePrice {
	v := SalePrice{
		Use: string(p.Use), OwnerID: p.Owner, SiteID: p.Site, StationID: p.Station, From: p.From.String(), To: dayText(p.To),
		Price: p.Price, Currency: string(p.Currency), BatteryShare: share(p.BatteryPPM),
	}
	for _, h := range p.Hours {
		v.Hours = append(v.Hours, SaleHour(h))
	}
	return v
}

func viewPriceTerm(t ledger.Term) (SalePriceVersion, error) {
	v := SalePriceVersion{TermVersion: versionedOf(t)}
	if len(t.Payload) == 0 {
		return v, nil
	}
	var p accounts.Price
	if err := json.Unmarshal(t.Payload, &p); err != nil {
		return v, fmt.Errorf("read price %s: %w", t.ID, err)
	}
	view := viewPrice(&p)
	v.Price = &view
	return v, nil
}

// terms are the routes of prices or of contracts: N is what is entered, V what is
// kept.
type terms[N, V any] struct {
	api             *API
	kind            ledger.TermKind
	one, many, path string
	notes           string
	spec            tableSpec
	build           func(ctx context.Context, n *N, id string) (any, error)
	view            func(ledger.Term) (V, error)
}

type termRowsInput struct{ Query }

type putTermInput[N any] struct {
	DevicePath
	Body N
}

func (r terms[N, V]) route() {
	one := r.path + "/{id}"
	addTable(r.api, operation{
		id: "list-" + r.many, path: r.path, tag: moneyTag, summary: "The " + r.many + " in force", right: access.Operate,
	}, r.spec, func(ctx context.Context, _ *termRowsInput) ([]V, error) {
		found, err := r.api.opts.Money.Terms(ctx, r.kind)
		if err != nil {
			return nil, err
		}
		return r.views(found)
	})
	add(r.api, operation{
		id: "get-" + r.one, method: http.MethodGet, path: one, tag: moneyTag, summary: "All versions of a " + r.one + ", the newest first",
		right: access.Operate, errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *DevicePath) (*itemOutput[items[V]], error) {
		found, err := r.api.opts.Money.TermHistory(ctx, r.kind, in.ID)
		if err != nil {
			return nil, moneyProblem(err)
		}
		views, err := r.views(found)
		return &itemOutput[items[V]]{Body: items[V]{Items: views}}, err
	})
	add(r.api, operation{
		id: "put-" + r.one, method: http.MethodPut, path: one, tag: moneyTag, summary: "Enter or change a " + r.one, right: access.Operate,
		notes: r.notes, errors: moneyErrors(),
	}, func(ctx context.Context, in *putTermInput[N]) (*itemOutput[V], error) {
		v, err := r.build(ctx, &in.Body, in.ID)
		if err != nil {
			return nil, err
		}
		t, err := r.api.opts.Money.PutTerm(ctx, r.kind, in.ID, access.From(ctx).Name, v)
		if err != nil {
			return nil, moneyProblem(err)
		}
		out, err := r.view(t)
		return &itemOutput[V]{Body: out}, err
	})
	add(r.api, operation{
		id: "withdraw-" + r.one, method: http.MethodDelete, path: one, tag: moneyTag, summary: "Withdraw a " + r.one, right: access.Operate,
		notes:  "It no longer holds, on any day; its versions stay. To end it, enter its last day instead.",
		status: http.StatusNoContent, errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *DevicePath) (*struct{}, error) {
		_, err := r.api.opts.Money.PutTerm(ctx, r.kind, in.ID, access.From(ctx).Name, nil)
		return nil, moneyProblem(err)
	})
}

func (r terms[N, V]) views(of []ledger.Term) ([]V, error) {
	out := make([]V, len(of))
	for i, t := range of {
		var err error
		if out[i], err = r.view(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *API) routePrices() {
	terms[SalePrice, SalePriceVersion]{
		api: a, kind: ledger.PriceTerms, one: "price", many: "prices", path: "/money/prices",
		notes: "Of the prices of a use that hold on a day, that of the station counts, or else of its site, its owner, or everybody; " +
			"of several alike, the one that began last. Statements of months that are not closed change with it.",
		spec: tableSpec{
			name: "prices", filters: []string{"use", "owner_id", "site_id", "station_id"}, sort: []string{"id"},
			aliases: map[string]string{"use": "price.use", "owner_id": "price.owner_id", "site_id": "price.site_id", "station_id": "price.station_id"},
		},
		build: func(_ context.Context, n *SalePrice, id string) (any, error) {
			p, problems := n.price(id)
			return p, faults(problems)
		},
		view: viewPriceTerm,
	}.route()
}
