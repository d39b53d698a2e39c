package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

const moneyTag = "money"

// MoneyAmount is an amount of money. It is a string so that no program reads it as a float.
type MoneyAmount struct {
	Amount   string `json:"amount" maxLength:"24" pattern:"^-?[0-9]{1,16}(\\.[0-9]{1,4})?$" doc:"decimal number of the major unit" example:"12.30"`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217" example:"EUR"`
}

func moneyOf(a money.Amount) MoneyAmount { return MoneyAmount{a.Decimal(), string(a.Currency)} }

func minorOf(minor int64, c money.Currency) MoneyAmount { return moneyOf(money.Of(minor, c)) }

// parse reads the amount.
func (m MoneyAmount) parse() (money.Amount, error) {
	return money.Text{Amount: m.Amount, Currency: money.Currency(m.Currency)}.Parse()
}

// moneyProblem turns the errors of money into answers.
func moneyProblem(err error) error {
	switch {
	case errors.Is(err, ledger.ErrNoMoney):
		return huma.Error404NotFound("there is no such entry")
	case errors.Is(err, fleet.ErrFuture):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, ledger.ErrBooked), errors.Is(err, ledger.ErrReversed), errors.Is(err, ledger.ErrClosed),
		errors.Is(err, fleet.ErrNotOver), errors.Is(err, fleet.ErrOrder), errors.Is(err, fleet.ErrContradiction):
		return huma.Error409Conflict(err.Error())
	}
	return err
}

// faults is a 422 that names each property at fault; nil where there is none.
func faults(problems []accounts.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	details := make([]error, len(problems))
	for i, p := range problems {
		details[i] = &huma.ErrorDetail{Location: "body." + p.Field, Message: p.Detail}
	}
	return huma.Error422UnprocessableEntity("validation failed", details...)
}

// assetExists says whether kind/id names a site or a device that is registered.
func (a *API) assetExists(ctx context.Context, asset string) error {
	if id, ok := strings.CutPrefix(asset, registry.KindSite+"/"); ok {
		_, err := a.opts.Registry.GetSite(ctx, id)
		return err
	}
	ref, err := devices.ParseRef(asset)
	if err != nil {
		return registry.ErrNotFound
	}
	return a.exists(ctx, ref)
}

// named reports those of an entry's assets and owner that do not exist.
func (a *API) strangers(ctx context.Context, e *accounts.Entry) ([]accounts.Problem, error) {
	var p []accounts.Problem
	for _, asset := range e.Assets() {
		if err := a.assetExists(ctx, asset); errors.Is(err, registry.ErrNotFound) {
			p = append(p, accounts.Problem{Field: "asset", Detail: "there is no " + asset})
		} else if err != nil {
			return nil, err
		}
	}
	if e.Owner != "" {
		if _, err := a.opts.Registry.GetOwner(ctx, e.Owner); errors.Is(err, registry.ErrNotFound) {
			p = append(p, accounts.Problem{Field: "owner_id", Detail: "there is no such owner"})
		} else if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// moneyErrors are the statuses of operations that enter money.
func moneyErrors() []int {
	return []int{http.StatusBadRequest, http.StatusConflict, http.StatusUnsupportedMediaType}
}

// routeMoney registers what is entered and what follows from it; without a ledger
// of money nothing.
func (a *API) routeMoney() {
	if a.opts.Money == nil {
		return
	}
	a.routeEntries()
	a.routePrices()
	a.routeContracts()
	a.routeStatements()
	a.routeFinance()
}
