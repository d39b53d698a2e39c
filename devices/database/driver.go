package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// pgConnector, conn, stmt, transaction and rows are a driver for database/sql
// on pgx. pgx has one of its own; this one says of every error whether it means
// ErrUnavailable, converts arguments by the rules of database/sql, as the
// driver of SQLite does, and tries again on a fresh connection what surely did
// nothing on a stale one.
type pgConnector struct {
	config *pgx.ConnConfig
	// readOnly says that the connections can't write, so that any statement
	// outside of a transaction may be repeated.
	readOnly bool
}

func (c *pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	under, err := pgx.ConnectConfig(ctx, c.config)
	if err != nil {
		return nil, classify(ctx, err)
	}
	return &conn{under: under, readOnly: c.readOnly, used: time.Now()}, nil
}

func (c *pgConnector) Driver() driver.Driver { return pgDriver{} }

// pgDriver is there because database/sql asks for it; connections come from
// connectors.
type pgDriver struct{}

func (pgDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("open PostgreSQL through a connector")
}

const (
	// idleCheck is after how long without use a connection is asked whether it
	// still is one.
	idleCheck = time.Second
	// farewell bounds how long closing a connection may take.
	farewell = 2 * time.Second
)

type conn struct {
	under    *pgx.Conn
	readOnly bool
	inTx     bool
	end      time.Time // of the transaction under way; zero: none
	used     time.Time
}

// within is ctx with the end of the transaction under way: who runs a statement
// of it may do so under a context of its own, which need not have one.
func (c *conn) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.end.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, c.end)
}

// fail classifies an error of a statement. Where the statement surely had no
// effect, the error makes database/sql try it on another connection.
func (c *conn) fail(ctx context.Context, err error, harmless bool) error {
	err = classify(ctx, err)
	if errors.Is(err, ErrUnavailable) && c.under.IsClosed() && !c.inTx && (harmless || c.readOnly) {
		return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
	}
	return err
}

func (c *conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	return c.under.Close(ctx)
}

// IsValid says whether the connection may be used again.
func (c *conn) IsValid() bool { return !c.under.IsClosed() }

// ResetSession is called before the connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.under.IsClosed() {
		return driver.ErrBadConn
	}
	if time.Since(c.used) > idleCheck {
		if err := c.under.Ping(ctx); err != nil {
			return driver.ErrBadConn
		}
	}
	c.used = time.Now()
	return nil
}

func (c *conn) Ping(ctx context.Context) error { return c.fail(ctx, c.under.Ping(ctx), true) }

func (c *conn) Prepare(query string) (driver.Stmt, error) { return &stmt{c, query}, nil }

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction of the kind that the session was opened for.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if sql.IsolationLevel(opts.Isolation) != sql.LevelDefault {
		return nil, errors.New("transactions have the isolation of their pool")
	}
	tx, err := c.under.BeginTx(ctx, pgx.TxOptions{})
	if err != nil {
		return nil, c.fail(ctx, err, true)
	}
	c.inTx = true
	c.end, _ = ctx.Deadline()
	return &transaction{ctx, c, tx}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	within, cancel := c.within(ctx)
	defer cancel()
	tag, err := c.under.Exec(within, query, values(args)...)
	if err != nil {
		return nil, c.fail(ctx, err, false)
	}
	return driver.RowsAffected(tag.RowsAffected()), nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	within, cancel := c.within(ctx)
	under, err := c.under.Query(within, query, values(args)...)
	if err != nil {
		cancel()
		return nil, c.fail(ctx, err, false)
	}
	// The first row, because an error of the statement comes with it, and its
	// columns are known by then.
	r := &rows{ctx: ctx, cancel: cancel, conn: c, under: under, ahead: true, more: under.Next()}
	if err := under.Err(); err != nil {
		under.Close()
		cancel()
		return nil, c.fail(ctx, err, false)
	}
	return r, nil
}

func values(args []driver.NamedValue) []any {
	v := make([]any, len(args))
	for i, a := range args {
		v[i] = a.Value
	}
	return v
}

// stmt is a statement by its text: pgx prepares each text once for a
// connection, by itself.
type stmt struct {
	conn  *conn
	query string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 } // the server counts

// Exec is what database/sql no longer calls.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is what database/sql no longer calls.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

type transaction struct {
	ctx  context.Context // it was begun under
	conn *conn
	tx   pgx.Tx
}

func (t *transaction) Commit() error {
	err := t.conn.fail(t.ctx, t.tx.Commit(t.ctx), false)
	t.conn.inTx, t.conn.end = false, time.Time{}
	return err
}

// Rollback is done also where the context ended that the transaction began
// under: that is when it is called.
func (t *transaction) Rollback() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), farewell)
	defer cancel()
	err := t.conn.fail(ctx, t.tx.Rollback(ctx), false)
	t.conn.inTx, t.conn.end = false, time.Time{}
	return err
}

type rows struct {
	ctx         context.Context // of the query
	cancel      context.CancelFunc
	conn        *conn
	under       pgx.Rows
	ahead, more bool // Next was called already, and said more
}

func (r *rows) Columns() []string {
	fields := r.under.FieldDescriptions()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

func (r *rows) Close() error {
	r.under.Close()
	r.cancel()
	return r.conn.fail(r.ctx, r.under.Err(), false)
}

func (r *rows) Next(dest []driver.Value) error {
	more := r.more
	if !r.ahead {
		more = r.under.Next()
	}
	r.ahead = false
	if !more {
		if err := r.under.Err(); err != nil {
			return r.conn.fail(r.ctx, err, false)
		}
		return io.EOF
	}
	got, err := r.under.Values()
	if err != nil {
		return err
	}
	for i, v := range got {
		if dest[i], err = plain(v); err != nil {
			return fmt.Errorf("column %s: %w", r.under.FieldDescriptions()[i].Name, err)
		}
	}
	return nil
}

// plain is a value of PostgreSQL as database/sql knows it.
func plain(v any) (driver.Value, error) {
	switch v := v.(type) {
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case float32:
		return float64(v), nil
	case driver.Valuer: // numeric, the type of a sum of integers
		return v.Value()
	}
	if driver.IsValue(v) {
		return v, nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}
