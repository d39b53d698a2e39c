// Package sqlite opens SQLite files the way fleetwatt depends on: a commit is
// on disk when it returns, readers never wait for a writer, foreign keys hold,
// and the schema is up to date. It also writes the parts of SQL text that every
// list query shares.
//
// It knows nothing of what is stored. The packages that use it keep their
// queries to SQL that PostgreSQL understands too ($1 placeholders, ON CONFLICT,
// RETURNING, window functions); only their migrations are SQLite's own.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

const (
	// busyTimeoutMS is how long a statement waits for a lock of another
	// process, say a backup. Within a process nothing waits: there is one writer.
	busyTimeoutMS = 10_000
	// journalLimit is what the write-ahead log is cut back to, in bytes, after
	// a long read had kept it from being folded into the file.
	journalLimit = 64 << 20
	// readers bounds the read pool. Reads run on the CPU for the most part.
	readers = 4
)

// DB is one SQLite file. Write is a single connection: a second transaction
// waits for the first one's end. Read is a pool that can't write and sees what
// was committed when its transaction, or its statement, began.
type DB struct {
	Write *sql.DB
	Read  *sql.DB
}

// Open opens the file at path, readable by its owner alone, and applies the
// migrations that it does not have: goose files named 00001_name.sql at the
// root of the file system. A file that has a later version than the newest of
// the migrations is left as it is and reported as an error.
func Open(ctx context.Context, path string, migrations fs.FS) (*DB, error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	write, err := connect(path, "_txlock=immediate", 1)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, write, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("bring %s up to date: %w (if the file is damaged, restore it from a backup or move it away)", path, err), write.Close())
	}
	read, err := connect(path, "_query_only=1", readers)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &DB{Write: write, Read: read}, nil
}

// create makes the file with the mode that SQLite will give to its journal
// too, and makes the name of the file survive a loss of power.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// connect opens a pool of at most n connections. Settings are part of the
// name, so that a connection opened later has them as well.
//
// In WAL mode synchronous=FULL syncs the log at each commit; NORMAL would not,
// and a commit could be lost with the power.
func connect(path, extra string, n int) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs
	}
	name := fmt.Sprintf("file://%s?_busy_timeout=%d&_foreign_keys=1&_journal_mode=WAL&_synchronous=FULL&_pragma=journal_size_limit(%d)&%s",
		(&url.URL{Path: abs}).EscapedPath(), busyTimeoutMS, journalLimit, extra)
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, migrations)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("the file has schema version %d, written by a newer release; this one knows up to %d", current, target)
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes both pools after the calls under way have ended. It may be
// called twice.
func (db *DB) Close() error { return errors.Join(db.Read.Close(), db.Write.Close()) }

// Update runs fn in a write transaction and commits it when fn returns nil.
// After an error nothing of it is there. Where ctx ended, its error is among
// those returned.
func (db *DB) Update(ctx context.Context, fn func(*sql.Tx) error) error {
	return run(ctx, db.Write, nil, fn)
}

// View runs fn in a read transaction: all its queries see one state.
func (db *DB) View(ctx context.Context, fn func(*sql.Tx) error) error {
	return run(ctx, db.Read, &sql.TxOptions{ReadOnly: true}, fn)
}

func run(ctx context.Context, pool *sql.DB, opts *sql.TxOptions, fn func(*sql.Tx) error) (err error) {
	defer func() {
		// The end of ctx rolls the transaction back, and what is called next
		// may say no more than that the transaction is gone.
		if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			err = errors.Join(err, ctx.Err())
		}
	}()
	tx, err := pool.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	// After a commit this does nothing, and the error of fn says more than the
	// error of a rollback.
	defer func() { _ = tx.Rollback() }()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}
