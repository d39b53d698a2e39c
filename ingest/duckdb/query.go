package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// filter is a condition on the rows of a table, and the arguments in it.
type filter struct {
	conditions []string
	args       []any
}

func (f *filter) and(condition string, args ...any) {
	f.conditions = append(f.conditions, condition)
	f.args = append(f.args, args...)
}

func (f filter) String() string { return " WHERE " + strings.Join(f.conditions, " AND ") }

// with is f and one more condition; f stays as it is.
func (f filter) with(condition string, args ...any) filter {
	g := filter{slices.Clone(f.conditions), slices.Clone(f.args)}
	g.and(condition, args...)
	return g
}

// where selects the devices and the window of q.
func where(q telemetry.RangeQuery) filter {
	var f filter
	f.and("ts_ms >= ? AND ts_ms < ?", q.Window.From, q.Window.To)
	switch len(q.Devices) {
	case 0:
	case 1:
		f.and("device = ?", q.Devices[0])
	default:
		f.and("device IN (SELECT unnest(?::VARCHAR[]))", q.Devices)
	}
	return f
}

// holding selects the rows that have at least one of fields.
func (f filter) holding(fields []*devices.Field) filter {
	some := make([]string, len(fields))
	for i, field := range fields {
		some[i] = quote(field.Name) + " IS NOT NULL"
	}
	return f.with("(" + strings.Join(some, " OR ") + ")")
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each runs a query and calls fn for each row, which is valid during the call
// only.
func each(ctx context.Context, db querier, statement string, args []any, fn func(row []any) error) (err error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	row := make([]any, len(names))
	into := make([]any, len(names))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// valueFrom makes a value of what the driver gave for a column of f; false for
// NULL.
func valueFrom(f *devices.Field, v any) (telemetry.Value, bool) {
	switch v := v.(type) {
	case float64:
		return telemetry.Value{Field: f, Num: v}, true
	case string:
		return telemetry.Value{Field: f, Text: v}, true
	}
	return telemetry.Value{}, false
}
