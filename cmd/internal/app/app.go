// Package app wires fleetwatt together: it opens the stores, connects the
// sources to the pipeline, the jobs to the ledger and everything to the API,
// and ends it all in the right order.
//
// It is the only package that knows every adapter, and holds no logic of its
// own. End-to-end tests start an App.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/dirlock"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// App is a running fleetwatt server.
type App struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	now     func() time.Time

	adminKey   string
	store      store
	registry   *registry.Registry
	ledger     *ledger.Ledger
	quarantine *quarantine.Quarantine
	pipeline   *ingest.Pipeline
	source     source
	runner     *fleet.Runner
	api        *api.API
	http       net.Listener
	stopping   chan struct{} // closed when the end begins

	closers []func() error // of what New opened, in that order
}

// New opens everything; Run serves. Close must be called if Run is not.
func New(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (*App, error) {
	a := &App{cfg: cfg, version: version, log: log, now: time.Now, stopping: make(chan struct{})}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	if err := a.cfg.Validate(); err != nil {
		return err
	}
	schema, err := a.cfg.Schema()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.cfg.Data, 0o750); err != nil {
		return fmt.Errorf("make data directory (see --data): %w", err)
	}
	// Whatever the store is, the SQLite files beside it have one user.
	lock, err := dirlock.Take(a.cfg.Data, "fleetwatt.lock")
	if err != nil {
		return fmt.Errorf("lock data directory: %w", err)
	}
	a.onClose(lock.Release)
	if a.adminKey, err = adminKey(a.cfg, a.log); err != nil {
		return err
	}
	if err := a.openStores(ctx, schema); err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.openPipeline(schema, metrics)
	if err := a.openSource(); err != nil {
		return err
	}
	if err := a.openJobs(ctx, schema); err != nil {
		return err
	}
	return a.openAPI(schema, metrics)
}

func (a *App) openStores(ctx context.Context, schema *devices.Schema) (err error) {
	path := func(name string) string { return filepath.Join(a.cfg.Data, name) }
	if a.store, err = openStore(ctx, a.cfg, schema, a.log); err != nil {
		return err
	}
	a.onClose(a.store.Close)
	if a.registry, err = registry.Open(ctx, path("registry.db"), registry.Options{Now: a.now, Logger: a.log}); err != nil {
		return err
	}
	a.onClose(a.registry.Close)
	if a.ledger, err = ledger.Open(ctx, path("ledger.db"), ledger.Options{Now: a.now}); err != nil {
		return err
	}
	a.onClose(a.ledger.Close)
	if a.quarantine, err = quarantine.Open(ctx, path("quarantine.db"), quarantine.Options{Now: a.now}); err != nil {
		return err
	}
	a.onClose(a.quarantine.Close)
	return nil
}

func (a *App) openPipeline(schema *devices.Schema, metrics *prometheus.Registry) {
	limits := wire.DefaultLimits()
	limits.MaxAhead = a.cfg.MaxAhead
	a.pipeline = ingest.New(ingest.Options{
		Decoder:         wire.NewDecoder(schema, limits),
		Store:           a.store,
		Directory:       a.registry,
		Journal:         a.ledger,
		Quarantine:      toQuarantine{a.quarantine, a.log},
		Now:             a.now,
		Logger:          a.log,
		Metrics:         ingest.NewMetrics(metrics),
		AdmitUnknown:    a.cfg.AdmitUnknown,
		MaxPendingBytes: int64(a.cfg.MaxPendingMiB) << 20,
	})
	a.pipeline.ExposeAccounting(metrics)
	metrics.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fleetwatt_quarantine_dropped_total", Help: "Entries of the quarantine dropped because it was full or they were old.",
		}, func() float64 { return float64(a.quarantine.Purged()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fleetwatt_mqtt_subscribers_dropped_total", Help: "Messages that did not reach slow subscribers; they are stored.",
		}, func() float64 { return float64(a.source.Dropped()) }),
	)
}

func (a *App) openJobs(ctx context.Context, schema *devices.Schema) error {
	n, err := a.ledger.AbandonRuns(ctx, a.now())
	if err != nil {
		return err
	}
	if n > 0 {
		a.log.Warn("job runs were interrupted by the last stop", "runs", n)
	}
	a.runner, err = fleet.NewRunner(fleet.Options{
		Jobs: []fleet.Job{
			fleet.Rollup(a.store, schema, a.cfg.RollupSchedule),
			fleet.Capacity(a.store, a.registry, battery.DefaultRules(), a.cfg.CapacitySchedule),
		},
		Runs: a.ledger, Results: a.ledger, Marker: a.ledger, Now: a.now, Logger: a.log,
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
