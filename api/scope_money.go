package api

import (
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// scopedMoney is that of the owner that the caller sees. Entries, prices and
// contracts are of many owners: they are for who sees all.
type scopedMoney struct {
	sight
	all MoneyResults
}

// EnterMoney takes the right to operate.
func (m scopedMoney) EnterMoney(ctx context.Context, entries []accounts.Entry, by string) (int, error) {
	if !access.From(ctx).SeesAll() {
		return 0, ledger.ErrNoMoney
	}
	return m.all.EnterMoney(ctx, entries, by)
}

func (m scopedMoney) Money(ctx context.Context, q ledger.MoneyQuery) ([]accounts.Entry, error) {
	if !access.From(ctx).SeesAll() {
		return nil, nil
	}
	return m.all.Money(ctx, q)
}

// PutTerm takes the right to operate.
func (m scopedMoney) PutTerm(ctx context.Context, kind ledger.TermKind, id, by string, v any) (ledger.Term, error) {
	if !access.From(ctx).SeesAll() {
		return ledger.Term{}, ledger.ErrNoMoney
	}
	return m.all.PutTerm(ctx, kind, id, by, v)
}

func (m scopedMoney) Terms(ctx context.Context, kind ledger.TermKind) ([]ledger.Term, error) {
	if !access.From(ctx).SeesAll() {
		return nil, nil
	}
	return m.all.Terms(ctx, kind)
}

func (m scopedMoney) TermHistory(ctx context.Context, kind ledger.TermKind, id string) ([]ledger.Term, error) {
	if !access.From(ctx).SeesAll() {
		return nil, ledger.ErrNoMoney
	}
	return m.all.TermHistory(ctx, kind, id)
}

func (m scopedMoney) Months(ctx context.Context, owner string) ([]fleet.Month, error) {
	if err := m.owner(ctx, owner); err != nil {
		return nil, err
	}
	return m.all.Months(ctx, owner)
}

func (m scopedMoney) Statement(ctx context.Context, owner string, month statement.Month, entries bool) (accounts.Statement, error) {
	if err := m.owner(ctx, owner); err != nil {
		return accounts.Statement{}, err
	}
	return m.all.Statement(ctx, owner, month, entries)
}

func (m scopedMoney) CloseStatement(ctx context.Context, owner string, month statement.Month, by string) (accounts.Statement, error) {
	if err := m.owner(ctx, owner); err != nil {
		return accounts.Statement{}, err
	}
	return m.all.CloseStatement(ctx, owner, month, by)
}

// owners narrows a question to the caller's owner; one about another is
// registry.ErrNotFound. It never leaves nobody, which would mean everybody.
func (m scopedMoney) owners(ctx context.Context, asked []string) ([]string, error) {
	p := access.From(ctx)
	if p.SeesAll() {
		return asked, nil
	}
	if len(asked) == 0 {
		asked = []string{p.OwnerID}
	}
	for _, id := range asked {
		if err := m.owner(ctx, id); err != nil {
			return nil, err
		}
	}
	return asked, nil
}

func (m scopedMoney) Finance(ctx context.Context, q fleet.Question) (fleet.Result, error) {
	var err error
	if q.Asset == "" {
		q.Owners, err = m.owners(ctx, q.Owners)
	} else {
		err = m.named(ctx, q.Asset)
	}
	if err != nil {
		return fleet.Result{}, err
	}
	return m.all.Finance(ctx, q)
}

// named is registry.ErrNotFound where the caller may not see the asset, by kind/id.
func (m scopedMoney) named(ctx context.Context, asset string) error {
	ref, err := devices.ParseRef(asset)
	if err == nil {
		return m.device(ctx, ref)
	}
	if access.From(ctx).SeesAll() {
		return nil
	}
	return fmt.Errorf("%s: %w", asset, registry.ErrNotFound)
}

func (m scopedMoney) Partners(ctx context.Context, owners []string) ([]fleet.Partner, error) {
	owners, err := m.owners(ctx, owners)
	if err != nil {
		return nil, err
	}
	return m.all.Partners(ctx, owners)
}

// Expand compares with the stations of the caller's owner, by the sites that the
// caller has been given.
func (m scopedMoney) Expand(ctx context.Context, owners []string, site devices.Site, sites map[string]devices.Site) (fleet.Expansion, error) {
	owners, err := m.owners(ctx, owners)
	if err != nil {
		return fleet.Expansion{}, err
	}
	return m.all.Expand(ctx, owners, site, sites)
}
