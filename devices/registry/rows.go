package registry

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

// rower is a pool or a transaction.
type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// list returns a page of the rows that where selects, ordered by id, and how
// many there are in all, both of one state.
func list[T any](ctx context.Context, db *database.DB, table, columns string, scan func(database.Scanner) (T, error),
	f Filter, where func(*database.Query)) (items []T, total int, err error) {
	count := database.NewQuery("SELECT count(*) FROM " + table)
	page := database.NewQuery("SELECT " + columns + " FROM " + table)
	where(count)
	where(page)
	if !f.Deleted {
		count.Holds("deleted_at IS NULL")
		page.Holds("deleted_at IS NULL")
	}
	page.Page("id", f.Limit, f.Offset)
	err = db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, count.Text(), count.Args()...).Scan(&total); err != nil {
			return err
		}
		items, err = database.Collect(ctx, tx, scan, page.Text(), page.Args()...)
		return err
	})
	return items, total, err
}

func whereNotEmpty(q *database.Query, condition, value string) {
	if value != "" {
		q.Where(condition, value)
	}
}

// found turns the absence of a row into ErrNotFound.
func found[T any](v T, err error) (T, error) {
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return v, err
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// null stores a zero value, which stands for what is not known, as NULL.
func null[T comparable](v T) sql.Null[T] {
	var zero T
	return sql.Null[T]{V: v, Valid: v != zero}
}

func timeOrNil(ms sql.Null[int64]) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := time.UnixMilli(ms.V).UTC()
	return &t
}

func millisOrNull(t *time.Time) sql.Null[int64] {
	if t == nil {
		return sql.Null[int64]{}
	}
	return sql.Null[int64]{V: t.UnixMilli(), Valid: true}
}
