package api

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// MoneyResults are what was entered of money, and what follows from it.
type MoneyResults interface {
	MoneyBooks
	Statements
	Finances
}

// MoneyBooks are what was entered.
type MoneyBooks interface {
	// EnterMoney books entries, all or none, and says how many are new. Errors:
	// ledger.ErrBooked, ErrReversed, ErrNoMoney.
	EnterMoney(ctx context.Context, entries []accounts.Entry, by string) (created int, err error)
	// Money returns entries by time, then id.
	Money(ctx context.Context, q ledger.MoneyQuery) ([]accounts.Entry, error)
	// PutTerm saves a version of a price or a contract; nothing withdraws it. Error:
	// ledger.ErrNoMoney.
	PutTerm(ctx context.Context, kind ledger.TermKind, id, by string, v any) (ledger.Term, error)
	// Terms are those in force, by id.
	Terms(ctx context.Context, kind ledger.TermKind) ([]ledger.Term, error)
	// TermHistory are all versions of one, the newest first. Error: ledger.ErrNoMoney.
	TermHistory(ctx context.Context, kind ledger.TermKind, id string) ([]ledger.Term, error)
}

// Statements are what owners are told of their months. Errors:
// fleet.ErrContradiction.
type Statements interface {
	// Months are those that have a statement, the newest first.
	Months(ctx context.Context, owner string) ([]fleet.Month, error)
	// Statement is a month as it is told, with entries or folded. Error:
	// fleet.ErrFuture.
	Statement(ctx context.Context, owner string, m statement.Month, entries bool) (accounts.Statement, error)
	// CloseStatement keeps a statement as it is. Errors: fleet.ErrNotOver, ErrOrder,
	// ledger.ErrClosed.
	CloseStatement(ctx context.Context, owner string, m statement.Month, by string) (accounts.Statement, error)
}

// Finances are what assets returned. Errors: fleet.ErrContradiction.
type Finances interface {
	// Finance works out what assets returned. Error: fleet.ErrMixed.
	Finance(ctx context.Context, q fleet.Question) (fleet.Result, error)
	// Partners are the parties of the agreements of some owners, or of all.
	Partners(ctx context.Context, owners []string) ([]fleet.Partner, error)
	// Expand tells what a station at a site may return, by those of some owners.
	Expand(ctx context.Context, owners []string, site devices.Site, sites map[string]devices.Site) (fleet.Expansion, error)
}
