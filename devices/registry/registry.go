// Package registry owns who exists and who owns it: owners, sites, stations,
// batteries and buildings, which device may speak for which, the credentials
// that devices sign in with, and what all of that was before. It keeps them in
// SQLite or in PostgreSQL and answers what ingest asks for every message from
// memory.
//
// It knows nothing of telemetry, of MQTT or of HTTP. One process at a time may
// have a registry's file open. Any number may share a server: each keeps its
// memory in step with its own changes at once, and with those of the others as
// Follow reads them.
package registry

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

// Errors of a registry, beside *Invalid. They are wrapped with what they are
// about, in words fit for a user.
var (
	ErrNotFound      = errors.New("not found")
	ErrExists        = errors.New("already exists")
	ErrConflict      = errors.New("conflict")
	ErrBadCredential = errors.New("bad username or password")
	// ErrVersion says that an entry is not of the version that a change was
	// made for.
	ErrVersion = errors.New("changed meanwhile")
	// ErrUnavailable is the error of whatever needs the database while that
	// can't be reached. What is answered from memory is answered.
	ErrUnavailable = database.ErrUnavailable
)

// errDeleted refuses changes of what is deleted.
var errDeleted = fmt.Errorf("%w: it is deleted; restore it first", ErrConflict)

// schema is the registry's in PostgreSQL.
const schema = "registry"

//go:embed migrations/*.sql
var migrations embed.FS

// Options adjust a registry. The zero value is ready to use.
type Options struct {
	Now    func() time.Time // default time.Now
	Rand   io.Reader        // source of secrets; default crypto/rand
	Logger *slog.Logger     // default: nothing is logged
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Registry is a registry on a database. Goroutines may share it. What a method
// wrote is on disk when the method returns; where it returns an error nothing
// was written, and the call may be repeated. After ErrUnavailable it may have
// been written all the same.
type Registry struct {
	db   *database.DB
	opts Options

	// writing is held over a commit and the change of the directory that
	// belongs to it, so that the directory changes in the order of the commits.
	writing turn
	dir     directory
	follow  follow
	owed    owed
}

// Open opens the registry at where, a file's path or a postgres:// URL, makes it
// where there is none, brings its schema up to date and loads the directory. A
// server that can't be reached is waited for.
func Open(ctx context.Context, where string, opts Options) (*Registry, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	opts = opts.withDefaults()
	db, err := database.Open(ctx, where, database.Options{Schema: schema, Migrations: files, Logger: opts.Logger})
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	r := &Registry{db: db, opts: opts, writing: newTurn()}
	latest, err := r.load(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load registry: %w", err), db.Close())
	}
	r.follow.seen.Store(&latest)
	return r, nil
}

// turn is a mutex that is not waited for longer than a context lasts: who holds
// it may be waiting for a server that does not answer.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for another change: %w", ctx.Err())
	}
}

func (t turn) give() { <-t }

// Ping says whether the database answers.
func (r *Registry) Ping(ctx context.Context) error { return r.db.Ping(ctx) }

// Close releases the database. It may be called twice.
func (r *Registry) Close() error { return r.db.Close() }

// now is the time of a write, to the millisecond that is stored.
func (r *Registry) now() time.Time { return r.opts.Now().UTC().Truncate(time.Millisecond) }
