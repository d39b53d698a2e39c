package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
)

// ErrClosed says that a month of an owner has been closed.
var ErrClosed = errors.New("the month is closed")

// Closing is a statement as it was told when its month was closed.
type Closing struct {
	Month    string // 2026-03
	ClosedBy string
	ClosedAt int64 // Unix milliseconds
	Told     accounts.Statement
}

// CloseMonth keeps the statement of an owner's month; ErrClosed where that was
// done before.
func (l *Ledger) CloseMonth(ctx context.Context, owner, month, by string, told accounts.Statement) (Closing, error) {
	packed, err := deflate(told)
	if err != nil {
		return Closing{}, fmt.Errorf("close %s of %s: %w", month, owner, err)
	}
	c := Closing{Month: month, ClosedBy: by, ClosedAt: l.now().UnixMilli(), Told: told}
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO money_closings (owner, month, closed_by, closed_at, payload)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, owner, month, by, c.ClosedAt, packed)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return ErrClosed
	})
	if err != nil {
		return Closing{}, fmt.Errorf("close %s of %s: %w", month, owner, err)
	}
	return c, nil
}

// Closings are the closed months of an owner, ascending.
func (l *Ledger) Closings(ctx context.Context, owner string) ([]Closing, error) {
	all, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (c Closing, err error) {
		var packed []byte
		if err = row.Scan(&c.Month, &c.ClosedBy, &c.ClosedAt, &packed); err != nil {
			return c, err
		}
		return c, inflate(packed, &c.Told)
	}, `SELECT month, closed_by, closed_at, payload FROM money_closings WHERE owner = $1 ORDER BY month`, owner)
	if err != nil {
		return nil, fmt.Errorf("read closed months of %s: %w", owner, err)
	}
	return all, nil
}
