// Package ledger owns what the jobs work from and what they have worked out:
// events, the days whose results are out of date, the runs of the jobs, how far
// each job has come, and the results themselves. Everything is in one SQLite
// file or one schema of a PostgreSQL server, so that results and the watermark
// that goes with them are saved together or not at all.
//
// It computes nothing and runs nothing. One process at a time may have a
// ledger's file open; the schema of a server is for any number of them, of
// which one leads each job.
package ledger

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

// ErrNoRun says that a job run does not exist or has ended already.
var ErrNoRun = errors.New("no such open run")

//go:embed migrations/*.sql
var migrations embed.FS

// Options adjust a ledger. The zero value is ready to use.
type Options struct {
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// ErrUnavailable is the error of every call while the database can't be
// reached.
var ErrUnavailable = database.ErrUnavailable

// ErrRefused is the error of a call with a value that the database can't store.
var ErrRefused = database.ErrRefused

// schema is the ledger's in PostgreSQL.
const schema = "ledger"

// Ledger is a ledger on a database. Goroutines may share it. What a method wrote
// is on disk when the method returns; where it returns an error nothing was
// written, and the call may be repeated. After ErrUnavailable from a call that
// writes it may have been written; to repeat the call is right then too.
type Ledger struct {
	db    *database.DB
	now   func() time.Time
	log   *slog.Logger
	dirty dirtySet
}

// Open opens the ledger at where, a file's path or a postgres:// URL, makes it
// where there is none, and brings its schema up to date. A server that can't be
// reached is waited for. Runs that a crash left open stay open: see AbandonRuns.
func Open(ctx context.Context, where string, opts Options) (*Ledger, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	db, err := database.Open(ctx, where, database.Options{Schema: schema, Migrations: files, Logger: opts.Logger})
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Ledger{db: db, now: opts.Now, log: opts.Logger}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	return l, nil
}

// Ping says whether the database answers.
func (l *Ledger) Ping(ctx context.Context) error { return l.db.Ping(ctx) }

// Close releases the database. It may be called twice.
func (l *Ledger) Close() error { return l.db.Close() }
