package database

import (
	"context"
	"database/sql"
	"math"
	"strconv"
	"strings"
)

// Query is the text and the arguments of a statement whose conditions depend
// on what was asked for.
type Query struct {
	text strings.Builder
	args []any
	cond bool
}

// NewQuery starts a statement with text that holds no placeholder.
func NewQuery(text string) *Query {
	q := &Query{}
	q.text.WriteString(text)
	return q
}

// Where adds a condition whose ? stands for arg. Conditions are joined by AND.
func (q *Query) Where(condition string, arg any) *Query {
	q.and()
	q.text.WriteString(strings.Replace(condition, "?", q.bind(arg), 1))
	return q
}

// Holds adds a condition without an argument.
func (q *Query) Holds(condition string) *Query {
	q.and()
	q.text.WriteString(condition)
	return q
}

// WhereIn adds the condition that column is one of values; no value at all
// selects nothing.
func (q *Query) WhereIn(column string, values []string) *Query {
	q.and()
	if len(values) == 0 {
		q.text.WriteString("1 = 0")
		return q
	}
	q.text.WriteString(column + " IN (")
	for i, v := range values {
		if i > 0 {
			q.text.WriteString(", ")
		}
		q.text.WriteString(q.bind(v))
	}
	q.text.WriteString(")")
	return q
}

// Page ends the statement with an order and a page. A limit of 0 or less means
// all rows, an offset below 0 means 0.
func (q *Query) Page(orderBy string, limit, offset int) *Query {
	n := int64(limit)
	if n <= 0 {
		n = math.MaxInt64
	}
	q.text.WriteString(" ORDER BY " + orderBy + " LIMIT " + q.bind(n) + " OFFSET " + q.bind(max(offset, 0)))
	return q
}

// Text is the statement, and Args are its arguments.
func (q *Query) Text() string { return q.text.String() }

// Args are the arguments of Text, in the order of its placeholders.
func (q *Query) Args() []any { return q.args }

func (q *Query) and() {
	if q.cond {
		q.text.WriteString(" AND ")
		return
	}
	q.cond = true
	q.text.WriteString(" WHERE ")
}

func (q *Query) bind(arg any) string {
	q.args = append(q.args, arg)
	return "$" + strconv.Itoa(len(q.args))
}

// Querier is a pool, a connection or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Scanner is a row.
type Scanner interface {
	Scan(dest ...any) error
}

// Collect runs a query and reads all its rows with scan. The result of no rows
// is empty and not nil. What scan decodes at once it may read into sql.RawBytes,
// which are not copied and gone with the row.
func Collect[T any](ctx context.Context, db Querier, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong while reading is in rows.Err
	all := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
