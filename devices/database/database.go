// Package database opens the two kinds of database that fleetwatt keeps its
// rows in, an SQLite file or a schema of a PostgreSQL server, so that the
// packages which use it need not know which of them it is: one text of SQL, one
// text of migrations, the same promises. A commit is on disk when it returns, a
// write transaction is as if it ran alone, a read transaction sees one state
// and waits for no writer, foreign keys hold, texts compare bytewise, and the
// schema is up to date.
//
// It knows nothing of what is stored. The packages that use it keep their
// queries to SQL that both understand: $1 placeholders, ON CONFLICT, RETURNING,
// window functions, no functions of one engine alone. Their migrations are
// written for SQLite and translated; see translate.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// ErrUnavailable says that the database can't be reached now, and that the call
// may be repeated later. Whether a commit that ended so has happened is not
// known; every other statement has not.
var ErrUnavailable = errors.New("the database can't be reached")

// Options say what is opened.
type Options struct {
	// Schema is the name that the tables live under in PostgreSQL, beside other
	// schemas of the same database. A file is one schema by itself.
	Schema string
	// Migrations are goose files named 00001_name.sql at the root.
	Migrations fs.FS
	Logger     *slog.Logger // default: nothing is logged
	// TryTime bounds one try of an Update on a server, in which the server may
	// not answer at all; 0: two minutes.
	TryTime time.Duration
}

// DB is one open database. With SQLite, Write is a single connection: a second
// transaction waits for the first one's end; with PostgreSQL it is a pool whose
// transactions are serializable. Read is a pool that can't write, and a
// transaction of it sees what was committed when it began.
type DB struct {
	Write *sql.DB
	Read  *sql.DB

	locks   *sql.DB // of PostgreSQL: a connection for each lock; nil: SQLite
	retried func(err error) bool
	tryTime time.Duration // 0: no bound
	writes  atomic.Int64
}

// IsURL reports whether where names a PostgreSQL server and not a file.
func IsURL(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// Open opens the database at where, a file's path or a postgres:// URL, and
// applies the migrations that it does not have. A database of a later version
// than the newest of the migrations is left as it is and reported as an error.
// A server that can't be reached is waited for until ctx ends.
func Open(ctx context.Context, where string, o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if IsURL(where) {
		return openPostgres(ctx, where, o)
	}
	return openSQLite(ctx, where, o)
}

// Shared reports whether other processes may use the database at the same
// time. An SQLite file of fleetwatt's has one user.
func (db *DB) Shared() bool { return db.locks != nil }

// Writes is a number that has grown by the time that a call of Update returns,
// however it ended: as long as it is the same, so is the database. alone is false
// where other processes may write too, so that it says nothing.
func (db *DB) Writes() (n int64, alone bool) { return db.writes.Load(), !db.Shared() }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.Read.PingContext(ctx) }

// Close closes the pools after the calls under way have ended. It may be called
// twice.
func (db *DB) Close() error {
	errs := []error{db.Read.Close(), db.Write.Close()}
	if db.locks != nil {
		errs = append(errs, db.locks.Close())
	}
	return errors.Join(errs...)
}

// The pauses between two tries of a transaction, and how many there are.
const (
	firstPause = time.Millisecond
	maxPause   = 200 * time.Millisecond
	maxTries   = 30
)

// Update runs fn in a write transaction and commits it when fn returns nil.
// After an error nothing of it is there, but see ErrUnavailable. Where ctx
// ended, its error is among those returned.
//
// fn runs again where PostgreSQL found that transactions at the same time
// contradict each other, so it must set whatever it leaves behind from scratch.
func (db *DB) Update(ctx context.Context, fn func(*sql.Tx) error) error {
	defer db.writes.Add(1)
	pause := firstPause
	for try := 1; ; try++ {
		err := db.try(ctx, fn)
		if err == nil || db.retried == nil || !db.retried(err) || ctx.Err() != nil {
			return err
		}
		if try == maxTries {
			return &unavailable{err}
		}
		// By chance, or those that collided would collide again.
		select {
		case <-time.After(rand.N(pause) + pause/2):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
		pause = min(2*pause, maxPause)
	}
}

// try runs fn in a write transaction once. A server that does not answer in time
// is one that can't be reached.
func (db *DB) try(ctx context.Context, fn func(*sql.Tx) error) error {
	if db.tryTime == 0 {
		return run(ctx, db.Write, nil, fn)
	}
	bounded, cancel := context.WithTimeout(ctx, db.tryTime)
	defer cancel()
	err := run(bounded, db.Write, nil, fn)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return &unavailable{fmt.Errorf("no end within %s: %w", db.tryTime, err)}
	}
	return err
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
