package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// MoneyEntry is an amount that was entered. An amount is positive in the usual
// direction of its kind: a cost that was paid, a revenue that came in.
type MoneyEntry struct {
	ID        string         `json:"id"`
	At        Time           `json:"at"`
	Kind      string         `json:"kind"`
	Amount    MoneyAmount    `json:"amount"`
	Asset     string         `json:"asset,omitempty" doc:"kind/id"`
	Among     []MoneyPortion `json:"among,omitempty"`
	OwnerID   string         `json:"owner_id,omitempty" doc:"of an owner and no asset"`
	Partner   string         `json:"partner,omitempty"`
	Note      string         `json:"note,omitempty"`
	Reverses  string         `json:"reverses,omitempty" doc:"the entry that it takes back"`
	EnteredBy string         `json:"entered_by"`
	EnteredAt Time           `json:"entered_at"`
}

// MoneyPortion is an asset's weight in an entry of several.
type MoneyPortion struct {
	Asset  string `json:"asset" maxLength:"80" doc:"kind/id"`
	Weight int64  `json:"weight" minimum:"0" maximum:"2147483647"`
}

// NewMoneyEntry is an amount to enter.
type NewMoneyEntry struct {
	At      time.Time      `json:"at" doc:"decides whose it is and in which month it counts"`
	Kind    string         `json:"kind" enum:"swap_price,subscription,energy_savings,carbon_credits,energy_cost,maintenance,rent,insurance,other_cost,capital_cost,residual_value,recycling"`
	Amount  MoneyAmount    `json:"amount"`
	Asset   string         `json:"asset,omitempty" maxLength:"80" doc:"kind/id of a station, battery, building or site; or among, or owner_id"`
	Among   []MoneyPortion `json:"among,omitempty" maxItems:"1000" doc:"several assets by weight, to the last cent"`
	OwnerID string         `json:"owner_id,omitempty" maxLength:"64"`
	Partner string         `json:"partner,omitempty" maxLength:"100" doc:"whom it was paid to, or who paid"`
	Note    string         `json:"note,omitempty" maxLength:"500"`
}

func viewMoneyEntry(e accounts.Entry) MoneyEntry {
	v := MoneyEntry{
		ID: e.ID, At: Time(e.At), Kind: string(e.Kind), Amount: moneyOf(e.Amount), Asset: e.Asset, OwnerID: e.Owner,
		Partner: e.Partner, Note: e.Note, Reverses: e.Reverses, EnteredBy: e.EnteredBy, EnteredAt: Time(e.EnteredAt),
	}
	for _, p := range e.Among {
		v.Among = append(v.Among, MoneyPortion(p))
	}
	return v
}

func (n *NewMoneyEntry) entry(id string) (accounts.Entry, []accounts.Problem) {
	e := accounts.Entry{
		ID: id, At: n.At.UnixMilli(), Kind: statement.Kind(n.Kind), Asset: n.Asset, Owner: n.OwnerID, Partner: n.Partner, Note: n.Note,
	}
	for _, p := range n.Among {
		e.Among = append(e.Among, statement.Portion(p))
	}
	var err error
	if e.Amount, err = n.Amount.parse(); err != nil {
		return e, []accounts.Problem{{Field: "amount", Detail: err.Error()}}
	}
	return e, e.Check()
}

type entryRowsInput struct {
	Query
	Asset   string    `query:"asset" maxLength:"80" doc:"kind/id; entries of it alone"`
	OwnerID string    `query:"owner_id" maxLength:"64" doc:"entries of an owner and no asset"`
	Partner string    `query:"partner" maxLength:"100"`
	From    time.Time `query:"from"`
	To      time.Time `query:"to" doc:"exclusive"`
}

type enterInput struct {
	DevicePath
	Body NewMoneyEntry
}

// MoneyReversal takes an entry back.
type MoneyReversal struct {
	At   *time.Time `json:"at,omitempty" doc:"absent: the instant of the entry, so that its month is as if it had never been"`
	Note string     `json:"note" minLength:"1" maxLength:"500" doc:"why"`
}

type reverseInput struct {
	DevicePath
	Body MoneyReversal
}

func (a *API) routeEntries() {
	addTable(a, operation{
		id: "list-money-entries", path: "/money/entries", tag: moneyTag, summary: "Amounts that were entered, by time", right: access.Operate,
	}, tableSpec{name: "entries", filters: []string{"kind", "reverses"}, sort: []string{"at", "id"}}, a.listEntries)
	add(a, operation{
		id: "get-money-entry", method: http.MethodGet, path: "/money/entries/{id}", tag: moneyTag, summary: "An amount that was entered",
		right: access.Operate, errors: []int{http.StatusNotFound},
	}, a.getEntry)
	add(a, operation{
		id: "enter-money", method: http.MethodPut, path: "/money/entries/{id}", tag: moneyTag, summary: "Enter an amount under an id of your own", right: access.Operate,
		notes:  "To enter the same again changes nothing. What was entered is never changed: it is reversed, and entered anew under another id.",
		errors: moneyErrors(),
	}, a.enter)
	add(a, operation{
		id: "reverse-money", method: http.MethodPost, path: "/money/entries/{id}/reversal", tag: moneyTag, summary: "Take an entry back", right: access.Operate,
		notes:  "It stays, and a reversal of the same amount with the other sign is entered as ID:reversal.",
		errors: append(moneyErrors(), http.StatusNotFound),
	}, a.reverse)
	add(a, operation{
		id: "import-money", method: http.MethodPost, path: "/money/import", tag: moneyTag, summary: "Enter many amounts from a CSV file", right: access.Operate,
		notes: "The first line names the columns: id, at, kind, amount, currency and asset or owner_id; partner and note may be there. " +
			"A date in at is its midnight in UTC, which west of there is still the day before: give the time with its offset where that is another month. " +
			"All lines are entered or none: each that can't be is told. A line that says what is there already is left alone.",
		errors: moneyErrors(),
	}, a.importMoney)
}

func (a *API) listEntries(ctx context.Context, in *entryRowsInput) ([]MoneyEntry, error) {
	q := ledger.MoneyQuery{Asset: in.Asset, Owner: in.OwnerID, Partner: in.Partner}
	if !in.From.IsZero() || !in.To.IsZero() {
		q.Window = telemetry.Window{From: -1 << 53, To: 1 << 53}
		if !in.From.IsZero() {
			q.Window.From = in.From.UnixMilli()
		}
		if !in.To.IsZero() {
			q.Window.To = in.To.UnixMilli()
		}
	}
	found, err := a.opts.Money.Money(ctx, q)
	out := make([]MoneyEntry, len(found))
	for i, e := range found {
		out[i] = viewMoneyEntry(e)
	}
	return out, err
}

func (a *API) entry(ctx context.Context, id string) (accounts.Entry, error) {
	found, err := a.opts.Money.Money(ctx, ledger.MoneyQuery{IDs: []string{id}})
	if err == nil && len(found) == 0 {
		err = huma.Error404NotFound("there is no such entry")
	}
	if err != nil {
		return accounts.Entry{}, err
	}
	return found[0], nil
}

func (a *API) getEntry(ctx context.Context, in *DevicePath) (*itemOutput[MoneyEntry], error) {
	e, err := a.entry(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &itemOutput[MoneyEntry]{Body: viewMoneyEntry(e)}, nil
}

func (a *API) enter(ctx context.Context, in *enterInput) (*itemOutput[MoneyEntry], error) {
	e, problems := in.Body.entry(in.ID)
	if err := faults(problems); err != nil {
		return nil, err
	}
	problems, err := a.strangers(ctx, &e)
	if err != nil {
		return nil, err
	}
	if err := faults(problems); err != nil {
		return nil, err
	}
	return a.book(ctx, e)
}

// book enters one entry and answers with it as it is kept.
func (a *API) book(ctx context.Context, e accounts.Entry) (*itemOutput[MoneyEntry], error) {
	if _, err := a.opts.Money.EnterMoney(ctx, []accounts.Entry{e}, access.From(ctx).Name); err != nil {
		return nil, moneyProblem(err)
	}
	kept, err := a.entry(ctx, e.ID)
	return &itemOutput[MoneyEntry]{Body: viewMoneyEntry(kept)}, err
}

func (a *API) reverse(ctx context.Context, in *reverseInput) (*itemOutput[MoneyEntry], error) {
	e, err := a.entry(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	at := e.At
	if in.Body.At != nil {
		at = in.Body.At.UnixMilli()
	}
	return a.book(ctx, e.Reversal("", at, in.Body.Note))
}
