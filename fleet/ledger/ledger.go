// Package ledger owns what the jobs work from and what they have worked out:
// events, the days whose results are out of date, the runs of the jobs, how far
// each job has come, and the results themselves. Everything is in one SQLite
// file, so that results and the watermark that goes with them are saved
// together or not at all.
//
// It computes nothing and runs nothing. One process at a time may have a
// ledger's file open, since which days need no marking is known in the memory
// of this process alone.
package ledger

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/sqlite"
)

// ErrNoRun says that a job run does not exist or has ended already.
var ErrNoRun = errors.New("no such open run")

//go:embed migrations/*.sql
var migrations embed.FS

// Options adjust a ledger. The zero value is ready to use.
type Options struct {
	Now func() time.Time // default time.Now
}

// Ledger is a ledger on SQLite. Goroutines may share it. What a method wrote
// is on disk when the method returns; where it returns an error nothing was
// written, and the call may be repeated.
type Ledger struct {
	db    *sqlite.DB
	now   func() time.Time
	dirty dirtySet
	pack  packer
}

// Open opens the ledger in the file at path, which is made where there is none,
// and brings its schema up to date. Runs that a crash left open stay open: see
// AbandonRuns.
func Open(ctx context.Context, path string, opts Options) (*Ledger, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	db, err := sqlite.Open(ctx, path, files)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l := &Ledger{db: db, now: opts.Now}
	if l.now == nil {
		l.now = time.Now
	}
	return l, nil
}

// Close releases the file. It may be called twice.
func (l *Ledger) Close() error { return l.db.Close() }
