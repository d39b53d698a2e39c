package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
)

// maxReaders bounds the reads that run at once; more wait their turn.
const maxReaders = 8

// engine is an open database: a pool of connections to read and the one
// connection that writes, which is not of the pool.
type engine struct {
	db     *sql.DB
	writer *duckdb.Conn
	tables map[devices.Kind]*table

	// verdict is held for writing while a commit runs. A read that looks at
	// broken under it knows that no commit failed beside it.
	verdict sync.RWMutex
	broken  bool
}

func openEngine(ctx context.Context, path string, schema *devices.Schema, opts Options) (*engine, error) {
	if strings.ContainsAny(path, "?#%") {
		return nil, fmt.Errorf("%s: the path may not contain ?, # or %%", path)
	}
	settings := url.Values{
		"memory_limit": {opts.MemoryLimit},
		"threads":      {strconv.Itoa(opts.Threads)},
		// All that is needed is linked in: the engine shall not fetch code.
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
	}
	connector, err := duckdb.NewConnector(path+"?"+settings.Encode(), nil)
	if err != nil {
		return nil, err
	}
	e := &engine{db: sql.OpenDB(connector), tables: make(map[devices.Kind]*table)}
	e.db.SetMaxOpenConns(maxReaders)
	e.db.SetMaxIdleConns(maxReaders)
	if err := e.prepare(ctx, connector, schema); err != nil {
		e.distrust()
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *engine) prepare(ctx context.Context, connector *duckdb.Connector, schema *devices.Schema) error {
	conn, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	e.writer = conn.(*duckdb.Conn)
	// See commit: closing a broken engine must not write.
	if _, err := execute(ctx, e.writer, "PRAGMA disable_checkpoint_on_shutdown"); err != nil {
		return err
	}
	for _, kind := range devices.Kinds() {
		t, err := openTable(ctx, e.writer, schema.Measurement(kind))
		if err != nil {
			return err
		}
		e.tables[kind] = t
	}
	return nil
}

// commit ends tx. If it fails, the engine is broken. A commit may also write
// the log into the database file, and where that fails for want of space,
// DuckDB goes on with tables in memory that have lost rows; its next checkpoint
// would lose them on disk as well. The files are still whole, so the engine has
// to be opened anew, and nothing read or written before.
func (e *engine) commit(tx driver.Tx) error {
	e.verdict.Lock()
	defer e.verdict.Unlock()
	err := tx.Commit()
	if err != nil {
		e.broken = true
	}
	return err
}

// distrust marks the engine broken.
func (e *engine) distrust() {
	e.verdict.Lock()
	defer e.verdict.Unlock()
	e.broken = true
}

// sound reports whether all that was read so far can be trusted.
func (e *engine) sound() bool {
	e.verdict.RLock()
	defer e.verdict.RUnlock()
	return !e.broken
}

// close writes the log into the database file, unless the engine is broken,
// and closes all connections. The caller sees to it that none is in use.
func (e *engine) close() error {
	var errs []error
	if e.writer != nil {
		if e.sound() {
			_, err := execute(context.Background(), e.writer, "CHECKPOINT")
			errs = append(errs, err)
		}
		errs = append(errs, e.writer.Close())
		e.writer = nil
	}
	return errors.Join(append(errs, e.db.Close())...)
}

// begin starts a transaction on the writer. BEGIN itself is not to be
// cancelled: the driver could report it as cancelled after it took place, and
// leave the connection in a transaction that nobody ends.
func begin(ctx context.Context, conn *duckdb.Conn) (driver.Tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return conn.BeginTx(context.WithoutCancel(ctx), driver.TxOptions{})
}

// snapshot calls fn with a transaction of the pool, for reads that take several
// queries, and ends it. For its BEGIN the same holds as for begin's.
func (e *engine) snapshot(ctx context.Context, fn func(*sql.Tx) error) (err error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	return fn(tx)
}

// execute runs a statement on the writer and returns the number of rows that it
// changed.
func execute(ctx context.Context, conn *duckdb.Conn, statement string, args ...any) (int64, error) {
	res, err := conn.ExecContext(ctx, statement, named(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs a query on the writer and calls fn for each row, which is valid
// during the call only.
func query(ctx context.Context, conn *duckdb.Conn, statement string, args []any, fn func(row []driver.Value) error) (err error) {
	rows, err := conn.QueryContext(ctx, statement, named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}

func named(args []any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}
