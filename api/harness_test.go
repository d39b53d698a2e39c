package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

const testKey = "test-admin-key-0123456789"

// clock is the time at which all tests stand still.
var clock = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// server is an API on a free port, with the real registry, ledger and
// quarantine on SQLite behind it and fakes for the rest.
type server struct {
	t          *testing.T
	api        *API
	url        string
	client     *http.Client
	registry   *registry.Registry
	ledger     *ledger.Ledger
	quarantine *quarantine.Quarantine
	readings   *fakeReader
	jobs       *fakeJobs
	health     *fakeHealth
	changed    *recorder
	log        *logBuffer
}

// start serves until the test ends. The changes are made to the options before.
func start(t *testing.T, change ...func(*Options)) *server {
	t.Helper()
	return startWith(t, func(*API) {}, change...)
}

// startWith is start with more routes.
func startWith(t *testing.T, route func(*API), change ...func(*Options)) *server {
	t.Helper()
	s := harness(t)
	opts := s.options()
	for _, c := range change {
		c(&opts)
	}
	api, err := New(opts)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	route(api)
	s.api = api
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- api.Serve(ln) }()
	if _, err := api.fleet.mirror.current(t.Context()); err != nil { // it is ready then
		t.Fatal(err)
	}
	s.client = &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := api.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve: got %v, want %v", err, ErrClosed)
		}
	})
	return s
}

// emptyStores are the files of stores that nothing was written to, by name: to
// bring a file up to date takes longer than most tests.
var emptyStores = sync.OnceValues(func() (files map[string][]byte, err error) {
	dir, err := os.MkdirTemp("", "stores")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	reg, led, q, err := openStores(context.Background(), dir)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(reg.Close(), led.Close(), q.Close()); err != nil {
		return nil, err
	}
	files = map[string][]byte{}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err == nil {
			files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		}
	}
	return files, err
})

func openStores(ctx context.Context, dir string) (*registry.Registry, *ledger.Ledger, *quarantine.Quarantine, error) {
	now := func() time.Time { return clock }
	reg, err := registry.Open(ctx, filepath.Join(dir, "registry.db"), registry.Options{Now: now})
	if err != nil {
		return nil, nil, nil, err
	}
	led, err := ledger.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Options{Now: now})
	if err != nil {
		return nil, nil, nil, errors.Join(err, reg.Close())
	}
	q, err := quarantine.Open(ctx, filepath.Join(dir, "quarantine.db"), quarantine.Options{Now: now})
	if err != nil {
		return nil, nil, nil, errors.Join(err, reg.Close(), led.Close())
	}
	return reg, led, q, nil
}

// harness opens the stores.
func harness(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	files, err := emptyStores()
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	reg, led, q, err := openStores(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(reg.Close(), led.Close(), q.Close()); err != nil {
			t.Error(err)
		}
	})
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return &server{
		t: t, registry: reg, ledger: led, quarantine: q,
		readings: &fakeReader{schema: schema}, jobs: newFakeJobs(), health: &fakeHealth{}, changed: &recorder{}, log: &logBuffer{},
	}
}

func (s *server) options() Options {
	return Options{
		AdminKey: testKey, Version: "test", Schema: s.readings.schema, Now: func() time.Time { return clock },
		Log:      slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Registry: s.registry, Credentials: s.registry, Telemetry: s.readings, Results: s.ledger, Events: s.ledger,
		Quarantine: s.quarantine, Jobs: s.jobs, Health: s.health, Ingest: fakeIngest{}, OnDeviceChanged: s.changed.call,
		Batteries: s.ledger, Stations: s.ledger, Buildings: s.ledger, Money: s.money(),
		BatteryChanges: s.registry, ResultChanges: s.ledger,
		Book: fleet.NewBatteryBook(s.ledger, s.registry, batteryRules()),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "fleetwatt_up 1\n")
		}),
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// into decodes the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
}

// problemBody is an RFC 9457 problem as a client reads it.
type problemBody struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
		Value    any    `json:"value"`
	} `json:"errors"`
}

func (p problemBody) locations() []string {
	var at []string
	for _, e := range p.Errors {
		at = append(at, e.Location)
	}
	return at
}

// do sends a request with the admin key.
func (s *server) do(method, path, body string) answer {
	s.t.Helper()
	return s.send(method, path, body, map[string]string{"Authorization": "Bearer " + testKey})
}

func (s *server) get(path string) answer {
	s.t.Helper()
	return s.do(http.MethodGet, path, "")
}

func (s *server) send(method, path, body string, header map[string]string) answer {
	s.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(read)}
}

// must is the decoded answer of a request that has to end with the status.
func must[T any](s *server, status int, method, path, body string) T {
	s.t.Helper()
	a := s.do(method, path, body)
	if a.status != status {
		s.t.Fatalf("%s %s: got %d %s, want %d", method, path, a.status, a.body, status)
	}
	var v T
	a.into(s.t, &v)
	return v
}

// refused checks that an answer is a problem of the status, and returns it.
func refused(t *testing.T, a answer, status int) problemBody {
	t.Helper()
	if a.status != status {
		t.Fatalf("status: got %d, want %d; %s", a.status, status, a.body)
	}
	if got := a.header.Get("Content-Type"); got != mimeProblem {
		t.Errorf("Content-Type: got %q, want %q", got, mimeProblem)
	}
	var p problemBody
	a.into(t, &p)
	if p.Status != status || p.Title == "" {
		t.Errorf("problem: got %+v, want status %d and a title", p, status)
	}
	return p
}
