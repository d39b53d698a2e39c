// Package app wires fleetwatt together: it opens the stores, connects the
// sources to the pipeline, the jobs to the ledger and everything to the API,
// and ends it all in the right order.
//
// It is the only package that knows every adapter, and holds no logic of its
// own. End-to-end tests start an App.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/dirlock"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/export"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

// App is a running fleetwatt server.
type App struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	now     func() time.Time

	schema     *devices.Schema
	adminKey   string
	store      store
	registry   *registry.Registry
	ledger     *ledger.Ledger
	quarantine *quarantine.Quarantine
	presence   *presence.Tracker
	live       *api.Live
	pipeline   *ingest.Pipeline
	sparkplug  *sparkplug.Host // nil: off
	source     source
	runner     *fleet.Runner
	api        *api.API
	http       net.Listener
	stopping   chan struct{} // closed when the end begins
	claim      *claim        // nil: the store may be shared, or the ledger is not

	closers []func() error // of what New opened, in that order
}

// New opens everything; Run serves. Close must be called if Run is not.
func New(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (*App, error) {
	a := &App{cfg: cfg, version: version, log: log, now: time.Now, live: api.NewLive(time.Now()), stopping: make(chan struct{})}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	if err := a.cfg.Validate(); err != nil {
		return err
	}
	var err error
	if a.schema, err = a.cfg.Schema(); err != nil {
		return err
	}
	if err := os.MkdirAll(a.cfg.Data, 0o750); err != nil {
		return fmt.Errorf("make data directory (choose another with --data): %w", err)
	}
	// Whatever the store is, the SQLite files beside it have one user.
	lock, err := dirlock.Take(a.cfg.Data, "fleetwatt.lock")
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("user %d may not write in the data directory %s: give it to that user, or choose another with --data: %w", os.Getuid(), a.cfg.Data, err)
	}
	if err != nil {
		return fmt.Errorf("lock data directory: %w", err)
	}
	a.onClose(lock.Release)
	if a.adminKey, err = adminKey(a.cfg, a.log); err != nil {
		return err
	}
	if err := export.Tidy(a.cfg.Data); err != nil {
		a.log.Warn("remove what exports have left", "err", err)
	}
	if err := a.openStores(ctx); err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.openPipeline(metrics)
	if err := a.openSource(); err != nil {
		return err
	}
	a.expose(metrics)
	if err := a.openJobs(ctx); err != nil {
		return err
	}
	return a.openAPI(metrics)
}

func (a *App) openStores(ctx context.Context) (err error) {
	path := func(name string) string { return filepath.Join(a.cfg.Data, name) }
	shared := func(name string) string { return cmp.Or(a.cfg.Database, path(name)) }
	// First, because a registry that a newer release has written keeps an older
	// one from starting, and from what it would not find in the store.
	if a.registry, err = registry.Open(ctx, shared("registry.db"), registry.Options{Now: a.now, Logger: a.log}); err != nil {
		return err
	}
	a.onClose(a.registry.Close)
	if err := a.refuseForgotten(ctx, path("registry.db")); err != nil {
		return err
	}
	if a.store, err = openStore(ctx, a.cfg, a.schema, a.log); err != nil {
		return err
	}
	a.onClose(a.store.Close)
	if a.ledger, err = ledger.Open(ctx, shared("ledger.db"), ledger.Options{Now: a.now, Logger: a.log}); err != nil {
		return err
	}
	a.onClose(a.ledger.Close)
	if err := a.claimStore(ctx); err != nil {
		return err
	}
	if a.quarantine, err = quarantine.Open(ctx, path("quarantine.db"), quarantine.Options{
		Now: a.now, MaxBytes: int64(a.cfg.QuarantineMiB) << 20, MaxAge: a.cfg.QuarantineAge,
	}); err != nil {
		return err
	}
	a.onClose(a.quarantine.Close)
	if a.presence, err = presence.Open(ctx, path("presence.db"), presence.Options{
		Now: a.now, Logger: a.log, Registered: a.registry.Refs, Newest: a.newest,
	}); err != nil {
		return err
	}
	a.onClose(a.presence.Close)
	return nil
}

// newest tells of the newest reading that the store has of each device.
func (a *App) newest(ctx context.Context, yield func(devices.Ref, int64)) error {
	for _, kind := range devices.Kinds() {
		samples, err := a.store.Latest(ctx, telemetry.RangeQuery{Kind: kind, Window: telemetry.Window{From: 0, To: a.now().UnixMilli()}})
		if err != nil {
			return err
		}
		last := telemetry.Sample{}
		for _, s := range samples { // ordered by device
			if s.Device != last.Device && last.Device != "" {
				yield(devices.Ref{Kind: kind, ID: last.Device}, last.TS)
				last = telemetry.Sample{}
			}
			last.Device, last.TS = s.Device, max(last.TS, s.TS)
		}
		if last.Device != "" {
			yield(devices.Ref{Kind: kind, ID: last.Device}, last.TS)
		}
	}
	return nil
}

func (a *App) limits() wire.Limits {
	limits := wire.DefaultLimits()
	limits.MaxAhead = a.cfg.MaxAhead
	return limits
}

func (a *App) openPipeline(metrics *prometheus.Registry) {
	a.pipeline = ingest.New(ingest.Options{
		Decoder:         wire.NewCorrectingDecoder(a.schema, a.limits(), a.presence),
		Store:           a.store,
		Directory:       a.registry,
		Journal:         journal{a.ledger},
		Quarantine:      toQuarantine{a.quarantine, a.log},
		Clock:           a.presence,
		Observer:        observers{a.presence, a.live},
		Now:             a.now,
		Logger:          a.log,
		Metrics:         ingest.NewMetrics(metrics),
		AdmitUnknown:    a.cfg.AdmitUnknown,
		MaxPendingBytes: int64(a.cfg.MaxPendingMiB) << 20,
	})
}

func (a *App) openJobs(ctx context.Context) error {
	n, err := a.ledger.AbandonRuns(ctx, a.now())
	if err != nil {
		return err
	}
	if n > 0 {
		a.log.Warn("job runs were interrupted by the last stop", "runs", n)
	}
	a.runner, err = fleet.NewRunner(fleet.Options{
		Jobs: slices.Concat([]fleet.Job{
			fleet.Rollup(a.store, a.schema, a.cfg.RollupSchedule),
		}, a.batteryJobs(), a.stationJobs(), a.buildingJobs(), a.moneyJobs()),
		Runs: newLiveRuns(a.ledger, a.live), Results: a.ledger, Marker: a.ledger, Leader: a.ledger, Now: a.now, Logger: a.log,
		Gone: func(err error) bool { return errors.Is(err, registry.ErrNotFound) },
	})
	return err
}

// Registry is the server's registry, for a demonstration to fill.
func (a *App) Registry() *registry.Registry { return a.registry }

// Runner is the server's job runner.
func (a *App) Runner() *fleet.Runner { return a.runner }

// Accounting counts what was ingested.
func (a *App) Accounting() ingest.Accounting { return a.pipeline.Accounting() }

// AdminKey is the key of the API.
func (a *App) AdminKey() string { return a.adminKey }

// URL is where the API is served.
func (a *App) URL() string { return "http://" + a.http.Addr().String() }

// MQTTAddr is the address of the embedded broker; empty where there is none.
func (a *App) MQTTAddr() string { return a.source.Addr() }

func (a *App) onClose(f func() error) { a.closers = append(a.closers, f) }

// Close releases what New opened and Run has not closed, the last first. It may
// be called twice.
func (a *App) Close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}
