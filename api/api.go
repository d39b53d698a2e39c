// Package api serves fleetwatt over HTTP: who exists, what was measured, what
// was computed from it, and the operation of the server itself. It owns the
// routes, the admin key, the OpenAPI document and how an error looks to a
// client. It computes nothing and stores nothing: all it knows of registry,
// stores and jobs are the ports that it declares.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

const (
	maxBody        = 1 << 20 // bytes of a request body
	maxImport      = 8 << 20 // bytes of a file that is imported
	maxHeader      = 16 << 10
	maxConnections = 4096
	minKeyLength   = 16
)

// Options are what the API needs. Every field is required but for those that
// say otherwise.
type Options struct {
	AdminKey string // at least 16 bytes; never logged
	Version  string // of the program, for the OpenAPI document
	Schema   *devices.Schema
	Log      *slog.Logger
	Now      func() time.Time

	Registry    Registry
	Credentials Credentials
	Telemetry   telemetry.Reader
	Results     Results
	Events      Events
	Quarantine  Quarantine
	Jobs        Jobs
	Health      Health
	Ingest      Ingest
	Presence    Presence // nil: not followed, and without routes
	Keys        Keys     // nil: there are none beside the admin key, and no routes for them
	Batteries   BatteryResults

	// BatteryChanges and ResultChanges say what became of Registry, and of Results
	// and Batteries, so that lists are made from memory; nil, both: all is read for
	// each question.
	BatteryChanges BatteryChanges
	ResultChanges  ResultChanges

	Book      BatteryBook // nil: no assessments, and without their routes
	Stations  StationResults
	Buildings BuildingResults
	Money     MoneyResults // nil: without routes of money
	// BuildingReports write down the savings of a building; nil: no reports.
	BuildingReports BuildingReports
	Live            *Live        // nil: nothing is passed on, and without the stream
	Metrics         http.Handler // answers /metrics

	// Access finds out who a caller is that does not have the admin key; nil: nobody.
	Access access.Authenticator
	// Rate is how many requests a second one caller may make, and Burst how many
	// at once; 0: as many as it likes. The administrator has no limit.
	Rate  float64
	Burst int
	// WrongKeys is how many wrong keys one address may send at once before it is
	// told to wait; 0: 50.
	WrongKeys int

	// StationRules are what the operator says of a station; nil:
	// station.DefaultRules.
	StationRules func(id string) station.Rules

	// Earlier shows owners what their devices did before they had them.
	Earlier bool
	// OnDeviceChanged is called after a change of the registry that makes
	// results out of date: a battery's ratings, a building's floor area or site,
	// the zone of the site it stands on. An error is the client's 500;
	// the change itself stays, and repeating the request calls again.
	OnDeviceChanged func(ctx context.Context, device devices.Ref) error

	TempDir string // where exports are put together; empty: as os.TempDir says

	RequestTimeout time.Duration // of one operation; 0: 30 s
	ReadTimeout    time.Duration // of one request with its body; 0: 10 s
	WriteTimeout   time.Duration // of one answer; 0: 60 s
	IdleTimeout    time.Duration // of a connection between requests; 0: 2 min
}

// API is the HTTP server. Its methods may be called from any goroutine.
type API struct {
	opts   Options
	fleet  fleetView
	app    *fiber.App
	huma   huma.API
	base   context.Context // of every request; ends with Shutdown
	cancel context.CancelFunc

	delivery delivery
	imports  [][]string // the paths of operations that take files, in segments

	mu       sync.Mutex
	listener net.Listener
	closed   bool
	starting sync.WaitGroup

	shutdown    sync.Once
	shutdownErr error
}

// New returns a server that does not listen yet. It reports all options that
// are missing or wrong at once.
func New(opts Options) (*API, error) {
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("api options: %w", err)
	}
	opts.setDefaults()
	seen := opts.scope()
	a := &API{opts: opts, fleet: seen}
	a.base, a.cancel = context.WithCancel(context.Background())
	a.app = fiber.New(fiber.Config{
		AppName:               "fleetwatt",
		BodyLimit:             maxBody,
		CaseSensitive:         true,
		Concurrency:           maxConnections,
		DisableStartupMessage: true,
		ErrorHandler:          a.failed,
		IdleTimeout:           opts.IdleTimeout,
		Immutable:             true, // huma takes its strings from the request and handlers keep them
		ReadBufferSize:        maxHeader,
		ReadTimeout:           opts.ReadTimeout,
		UnescapePath:          true,
		WriteTimeout:          opts.WriteTimeout,
	})
	a.app.Server().Handler = refuseMethods(a.app.Server().Handler)
	a.limitBodies()
	a.app.Use(a.edge)
	a.app.Use(prefix, newGuard(&a.opts).admit)
	a.app.Use(prefix, a.once)
	a.huma = humafiber.New(a.app, humaConfig(opts.Version))
	a.huma.UseMiddleware(a.permit, refuseUnknown(a.huma))
	a.route()
	if err := a.serveDocs(); err != nil {
		a.cancel()
		return nil, err
	}
	a.answerHead()
	return a, nil
}

// App is the Fiber application, for tests.
func (a *API) App() *fiber.App { return a.app }

func (a *API) route() {
	a.routeSystem()
	a.routeOwners()
	a.routeSites()
	a.routeHistory()
	a.routeBulk()
	a.routeStations()
	a.routeBatteries()
	a.routeBuildings()
	for _, kind := range devices.Kinds() {
		a.routeTelemetry(kind)
		a.routeRollups(kind)
		a.routeEvents(kind)
		a.routeCredential(kind)
	}
	a.routeCredentials()
	a.routeHealth()
	a.routeFleet()
	a.routeJobs()
	a.routeQuarantine()
	a.routePresence()
	a.routeExport()
	a.routeKeys()
	a.routeStream()
	a.routeBatteryResults()
	a.routeStationResults()
	a.routeBuildingResults()
	a.routeMoney()
}

// answerHead gives every GET route its HEAD: humafiber registers no such, and
// the server leaves out the body by itself.
func (a *API) answerHead() {
	for _, r := range a.app.GetRoutes(true) {
		if r.Method == fiber.MethodGet && !a.hasHead(r.Path) {
			a.app.Add(fiber.MethodHead, r.Path, r.Handlers...)
		}
	}
}

func (a *API) hasHead(path string) bool {
	for _, r := range a.app.GetRoutes(true) {
		if r.Method == fiber.MethodHead && r.Path == path {
			return true
		}
	}
	return false
}

func (o *Options) validate() error {
	var errs []error
	if len(o.AdminKey) < minKeyLength {
		errs = append(errs, fmt.Errorf("AdminKey: need at least %d bytes", minKeyLength))
	}
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"Schema", o.Schema == nil}, {"Log", o.Log == nil}, {"Now", o.Now == nil},
		{"Registry", o.Registry == nil}, {"Credentials", o.Credentials == nil},
		{"Telemetry", o.Telemetry == nil}, {"Results", o.Results == nil}, {"Events", o.Events == nil},
		{"Quarantine", o.Quarantine == nil}, {"Jobs", o.Jobs == nil}, {"Health", o.Health == nil},
		{"Ingest", o.Ingest == nil}, {"Metrics", o.Metrics == nil}, {"OnDeviceChanged", o.OnDeviceChanged == nil},
		{"Batteries", o.Batteries == nil},
	} {
		if required.missing {
			errs = append(errs, fmt.Errorf("%s: missing", required.name))
		}
	}
	if (o.BatteryChanges == nil) != (o.ResultChanges == nil) {
		errs = append(errs, errors.New("BatteryChanges, ResultChanges: one without the other"))
	}
	for _, timeout := range []struct {
		name string
		d    time.Duration
	}{
		{"RequestTimeout", o.RequestTimeout}, {"ReadTimeout", o.ReadTimeout},
		{"WriteTimeout", o.WriteTimeout}, {"IdleTimeout", o.IdleTimeout},
	} {
		if timeout.d < 0 {
			errs = append(errs, fmt.Errorf("%s: negative", timeout.name))
		}
	}
	return errors.Join(errs...)
}

func (o *Options) setDefaults() {
	if o.WrongKeys == 0 {
		o.WrongKeys = 50
	}
	if o.StationRules == nil {
		o.StationRules = func(string) station.Rules { return station.DefaultRules() }
	}
	for _, timeout := range []struct {
		d      *time.Duration
		preset time.Duration
	}{
		{&o.RequestTimeout, 30 * time.Second}, {&o.ReadTimeout, 10 * time.Second},
		{&o.WriteTimeout, time.Minute}, {&o.IdleTimeout, 2 * time.Minute},
	} {
		if *timeout.d == 0 {
			*timeout.d = timeout.preset
		}
	}
}
