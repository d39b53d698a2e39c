package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/chunks"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hotscan"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/wal"
)

// maxReaders bounds the reads that run at once; more wait their turn.
const maxReaders = 8

// engine is what is open of a store: the log and what it has that no part has;
// a database that holds the manifest and writes the parts; and one that reads
// parts by column, which needs no manifest.
type engine struct {
	db        *sql.DB
	connector *duckdb.Connector
	writer    *duckdb.Conn
	scans     *hotscan.Scans
	query     *chunks.DB    // reads parts
	blocks    *blocks       // what it has read
	readers   chan struct{} // one for each read that may run at once
	tables    map[devices.Kind]*table
	log       *slog.Logger
	opts      Options

	// Used by the one Append that runs.
	wal            *wal.Log
	encoder        *hot.Encoder
	scratch, frame []byte
	turns          uint64 // number of the Append

	versions versions
	sealed   string       // the directory of the parts
	parts    atomic.Int64 // ids given so far

	// life ends when the engine breaks, so that a compaction lets go of it.
	life context.Context
	end  context.CancelFunc

	// verdict is held for writing while a commit runs. A read that looks at
	// broken under it knows that no commit failed beside it.
	verdict sync.RWMutex
	broken  bool
}

// engineMemory is the limit of one of the two databases, those that read and that write,
// which share Options.MemoryLimit.
func engineMemory(limit string) (string, error) {
	at := strings.IndexFunc(limit, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if at < 0 {
		return "", fmt.Errorf("memory limit %q: want a number and its unit", limit)
	}
	n, err := strconv.ParseFloat(limit[:at], 64)
	if err != nil {
		return "", fmt.Errorf("memory limit %q: %w", limit, err)
	}
	return strconv.FormatFloat(n/2, 'f', -1, 64) + limit[at:], nil
}

func openEngine(ctx context.Context, path string, schema *devices.Schema, opts Options) (*engine, error) {
	if strings.ContainsAny(path, "?#%*[") { // the last two would be patterns where parts are read
		return nil, fmt.Errorf("%s: the path may not contain any of ? # %% * [", path)
	}
	memory, err := engineMemory(opts.MemoryLimit)
	if err != nil {
		return nil, err
	}
	settings := url.Values{
		"memory_limit": {memory},
		"threads":      {"1"}, // see openQueries; a merge costs 40 % less of the processor
		// All that is needed is linked in: the engine shall not fetch code.
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		"temp_directory":               {path + ".tmp"},
	}
	// In memory, with the file attached: a database that is opened by its file is
	// shared within the process, and opening it waits for as long as anybody
	// still has a broken one open.
	connector, err := duckdb.NewConnector("?"+settings.Encode(), nil)
	if err != nil {
		return nil, err
	}
	e := &engine{
		db:     sql.OpenDB(connector),
		tables: make(map[devices.Kind]*table),
		log:    opts.Logger,
		opts:   opts,
		sealed: filepath.Join(filepath.Dir(path), "sealed"),

		connector: connector,
		blocks:    newBlocks(opts.CacheBytes),
		readers:   make(chan struct{}, maxReaders),
		encoder:   hot.NewEncoder(),
	}
	if e.query, err = openQueries(ctx, memory); err != nil {
		return nil, errors.Join(err, e.db.Close())
	}
	if e.wal, err = wal.Open(filepath.Join(filepath.Dir(path), "log"), opts.Logger); err != nil {
		e.query.Close()
		return nil, errors.Join(err, e.db.Close())
	}
	e.life, e.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := e.prepare(ctx, path, schema); err != nil {
		e.distrust()
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// openQueries opens the database in which parts are read. It has nothing to
// spill: what it has in memory is some pages of results. A query has one thread,
// that of who asks: with more, that one waits for the others in a busy loop, which
// costs a third of the processor. Several pages are read at once instead.
func openQueries(ctx context.Context, memory string) (*chunks.DB, error) {
	db, err := chunks.Open(map[string]string{
		"memory_limit":                 memory,
		"threads":                      "1",
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
		"temp_directory":               "",
	}, max(4, runtime.GOMAXPROCS(0)))
	if err != nil {
		return nil, err
	}
	for _, setting := range []string{
		// Parts never change, so what was read of their footers stays true.
		"SET GLOBAL parquet_metadata_cache = true",
		// Of all row groups, at each query, and there is nothing to be gained.
		"SET GLOBAL disabled_optimizers = 'statistics_propagation'",
	} {
		if err := db.Execute(ctx, setting); err != nil {
			db.Close()
			return nil, fmt.Errorf("prepare the query database: %w", err)
		}
	}
	return db, nil
}

func (e *engine) prepare(ctx context.Context, path string, schema *devices.Schema) error {
	conn, err := e.connector.Connect(ctx)
	if err != nil {
		return err
	}
	e.writer = conn.(*duckdb.Conn)
	for _, setting := range []string{
		"ATTACH " + literal(path) + " AS manifest",
		"USE manifest", // readers need nothing of it
		// See commit: closing a broken engine must not write.
		"PRAGMA disable_checkpoint_on_shutdown",
		// Parts never change, so what was read of their footers stays true.
		"SET GLOBAL parquet_metadata_cache = true",
	} {
		if _, err := execute(ctx, e.writer, setting); err != nil {
			return err
		}
	}
	pooled, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	e.scans, err = hotscan.Register(pooled)
	if err := errors.Join(err, pooled.Close()); err != nil {
		return err
	}
	return e.load(ctx, schema)
}

// commit ends tx, which changes the manifest. If it fails, the engine is broken.
// A commit may also write DuckDB's log into the database file, and where that
// fails for want of space, DuckDB goes on with tables in memory that have lost
// rows; its next checkpoint would lose them on disk as well. The files are still
// whole, so the engine has to be opened anew, and nothing read or written
// before.
func (e *engine) commit(tx driver.Tx) error {
	e.verdict.Lock()
	defer e.verdict.Unlock()
	err := tx.Commit()
	if err != nil {
		e.broken = true
		e.end()
	}
	return err
}

// distrust marks the engine broken.
func (e *engine) distrust() {
	e.verdict.Lock()
	defer e.verdict.Unlock()
	e.broken = true
	e.end()
}

// sound reports whether all that was read so far can be trusted.
func (e *engine) sound() bool {
	e.verdict.RLock()
	defer e.verdict.RUnlock()
	return !e.broken
}

// close writes DuckDB's log into the database file, unless the engine is broken,
// and closes all connections and the log. The caller sees to it that none is in use.
func (e *engine) close() error {
	e.end()
	e.query.Close()
	var errs []error
	if e.writer != nil {
		if e.sound() {
			_, err := execute(context.Background(), e.writer, "CHECKPOINT")
			errs = append(errs, err)
		}
		errs = append(errs, e.writer.Close())
		e.writer = nil
	}
	return errors.Join(append(errs, e.db.Close(), e.wal.Close())...)
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

// atomically runs fn in a transaction of conn while the engine is being opened.
func atomically(ctx context.Context, conn *duckdb.Conn, fn func() error) error {
	tx, err := begin(ctx, conn)
	if err != nil {
		return err
	}
	if err := fn(); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// restructure runs fn in a transaction of the writer and makes the layouts that
// it returns the current ones. The caller holds the store's turn. What becomes
// garbage is removed once no read uses it.
func (e *engine) restructure(ctx context.Context, fn func(next *version) ([]garbage, error)) error {
	tx, err := begin(ctx, e.writer)
	if err != nil {
		return e.doubt(err)
	}
	next := e.versions.current().clone()
	dead, err := fn(next)
	if err != nil {
		return e.abandon(tx, err)
	}
	if err := e.commit(tx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	e.versions.publish(next, dead)
	return nil
}

// abandon rolls tx back because of err, which may be nil.
func (e *engine) abandon(tx driver.Tx, err error) error {
	if rollback := tx.Rollback(); rollback != nil {
		e.distrust()
		err = errors.Join(err, fmt.Errorf("roll back: %w", rollback))
	}
	return e.doubt(err)
}

// doubt marks the engine broken if err says that it will do no more.
func (e *engine) doubt(err error) error {
	var cause *duckdb.Error
	if errors.As(err, &cause) && (cause.Type == duckdb.ErrorTypeFatal || cause.Type == duckdb.ErrorTypeInternal) {
		e.distrust()
	}
	return err
}

// apart calls fn with a connection of its own, for what must not wait until
// readers have given one back.
func (e *engine) apart(ctx context.Context, fn func(*duckdb.Conn) error) (err error) {
	conn, err := e.connector.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return fn(conn.(*duckdb.Conn))
}

// execute runs a statement and returns the number of rows that it
// changed.
func execute(ctx context.Context, conn *duckdb.Conn, statement string, args ...any) (int64, error) {
	res, err := conn.ExecContext(ctx, statement, named(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// cancelCheckRows is after how many rows a query looks at its context.
const cancelCheckRows = 4096

// query runs a query and calls fn for each row, which is valid
// during the call only.
func query(ctx context.Context, conn *duckdb.Conn, statement string, args []any, fn func(row []driver.Value) error) (err error) {
	rows, err := conn.QueryContext(ctx, statement, named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for n := 0; ; n++ {
		// The driver has the whole result, so it does not look itself.
		if n%cancelCheckRows == cancelCheckRows-1 && ctx.Err() != nil {
			return ctx.Err()
		}
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
