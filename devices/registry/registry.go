// Package registry owns who exists and who owns it: owners, sites, stations,
// batteries and buildings, which device may speak for which, and the
// credentials that devices sign in with. It keeps them in SQLite and answers
// what ingest asks for every message from memory.
//
// It knows nothing of telemetry, of MQTT or of HTTP. One process at a time may
// have a registry's file open, since the directory in memory is kept in step
// with the writes of this process alone.
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
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/sqlite"
)

// Errors of a registry, beside *Invalid. They are wrapped with what they are
// about, in words fit for a user.
var (
	ErrNotFound      = errors.New("not found")
	ErrExists        = errors.New("already exists")
	ErrConflict      = errors.New("conflict")
	ErrBadCredential = errors.New("bad username or password")
)

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

// Registry is a registry on SQLite. Goroutines may share it. What a method
// wrote is on disk when the method returns; where it returns an error nothing
// was written, and the call may be repeated.
type Registry struct {
	db   *sqlite.DB
	opts Options

	// writing is held over a commit and the change of the directory that
	// belongs to it, so that the directory changes in the order of the commits.
	writing sync.Mutex
	dir     directory
}

// Open opens the registry in the file at path, which is made where there is
// none, brings its schema up to date and loads the directory.
func Open(ctx context.Context, path string, opts Options) (*Registry, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	db, err := sqlite.Open(ctx, path, files)
	if err != nil {
		return nil, fmt.Errorf("open registry: %w", err)
	}
	r := &Registry{db: db, opts: opts.withDefaults()}
	if err := r.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("load registry: %w", err), db.Close())
	}
	return r, nil
}

// Close releases the file. It may be called twice.
func (r *Registry) Close() error { return r.db.Close() }

// now is the time of a write, to the millisecond that is stored.
func (r *Registry) now() time.Time { return r.opts.Now().UTC().Truncate(time.Millisecond) }
