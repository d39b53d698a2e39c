package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Errors of money that was entered.
var (
	// ErrBooked says that an id has been used for an entry that says something else.
	ErrBooked = errors.New("an entry of this id says something else")
	// ErrReversed says that an entry has been taken back already, or takes back
	// another itself.
	ErrReversed = errors.New("the entry was reversed, or is a reversal itself")
	// ErrNoMoney says that nobody entered what was asked for.
	ErrNoMoney = errors.New("no such entry")
)

const moneyColumns = `id, at, kind, minor, currency, asset, among, owner, partner, note, reverses, entered_by, entered_at`

func scanMoney(row database.Scanner) (e accounts.Entry, err error) {
	var kind, currency, among string
	err = row.Scan(&e.ID, &e.At, &kind, &e.Amount.Minor, &currency, &e.Asset, &among, &e.Owner, &e.Partner, &e.Note, &e.Reverses, &e.EnteredBy, &e.EnteredAt)
	if err == nil && among != "" {
		err = json.Unmarshal([]byte(among), &e.Among)
	}
	e.Kind, e.Amount.Currency = statement.Kind(kind), money.Currency(currency)
	return e, err
}

// EnterMoney books entries, all of them or none, and says how many are new. One
// that is there and says the same is left alone. Errors: ErrBooked, ErrReversed.
func (l *Ledger) EnterMoney(ctx context.Context, entries []accounts.Entry, by string) (created int, err error) {
	at := l.now().UnixMilli()
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		created = 0
		for i := range entries {
			e := entries[i]
			e.EnteredBy, e.EnteredAt = by, at
			isNew, err := enterMoney(ctx, tx, &e)
			if err != nil {
				return fmt.Errorf("%s: %w", e.ID, err)
			}
			if isNew {
				created++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("enter money: %w", err)
	}
	return created, nil
}

func enterMoney(ctx context.Context, tx *sql.Tx, e *accounts.Entry) (created bool, err error) {
	old, err := scanMoney(tx.QueryRowContext(ctx, `SELECT `+moneyColumns+` FROM money_entries WHERE id = $1`, e.ID))
	switch {
	case err == nil && old.Same(e):
		return false, nil
	case err == nil:
		return false, ErrBooked
	case !errors.Is(err, sql.ErrNoRows):
		return false, err
	}
	if e.Reverses != "" {
		if err := reversible(ctx, tx, e.Reverses); err != nil {
			return false, err
		}
	}
	among := []byte{}
	if len(e.Among) > 0 {
		if among, err = json.Marshal(e.Among); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO money_entries (`+moneyColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		e.ID, e.At, string(e.Kind), e.Amount.Minor, string(e.Amount.Currency), e.Asset, string(among), e.Owner, e.Partner, e.Note, e.Reverses, e.EnteredBy, e.EnteredAt)
	return err == nil, err
}

// reversible refuses what is not there, what was reversed, and a reversal.
func reversible(ctx context.Context, tx *sql.Tx, id string) error {
	var reverses string
	err := tx.QueryRowContext(ctx, `SELECT reverses FROM money_entries WHERE id = $1`, id).Scan(&reverses)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoMoney
	}
	if err != nil {
		return err
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM money_entries WHERE reverses = $1`, id).Scan(&n); err != nil {
		return err
	}
	if reverses != "" || n > 0 {
		return ErrReversed
	}
	return nil
}

// MoneyQuery selects entries. What is empty selects everything.
type MoneyQuery struct {
	IDs     []string
	Asset   string           // of this one alone, not of several with it
	Owner   string           // of an owner and no asset
	Partner string           //
	Kinds   []statement.Kind //
	Window  telemetry.Window // zero: all time
}

// Money returns entries by time, then id.
func (l *Ledger) Money(ctx context.Context, q MoneyQuery) ([]accounts.Entry, error) {
	s := database.NewQuery(`SELECT ` + moneyColumns + ` FROM money_entries`)
	if q.IDs != nil {
		s.WhereIn("id", q.IDs)
	}
	if q.Asset != "" {
		s.Where("asset = ?", q.Asset)
	}
	if q.Owner != "" {
		s.Where("owner = ?", q.Owner)
	}
	if q.Partner != "" {
		s.Where("partner = ?", q.Partner)
	}
	if len(q.Kinds) > 0 {
		kinds := make([]string, len(q.Kinds))
		for i, k := range q.Kinds {
			kinds[i] = string(k)
		}
		s.WhereIn("kind", kinds)
	}
	if q.Window != (telemetry.Window{}) {
		s.Where("at >= ?", q.Window.From).Where("at < ?", q.Window.To)
	}
	s.Page("at, id", 0, 0)
	all, err := database.Collect(ctx, l.db.Read, scanMoney, s.Text(), s.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read money: %w", err)
	}
	return all, nil
}
