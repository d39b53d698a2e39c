package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

var (
	_ Registry    = (*registry.Registry)(nil)
	_ Credentials = (*registry.Registry)(nil)
	_ Results     = (*ledger.Ledger)(nil)
	_ Events      = (*ledger.Ledger)(nil)
	_ Quarantine  = (*quarantine.Quarantine)(nil)
)

func TestNewReportsEveryProblem(t *testing.T) {
	_, err := New(Options{AdminKey: "short", ReadTimeout: -1})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, name := range []string{
		"AdminKey", "Schema", "Log", "Now", "Registry", "Credentials", "Telemetry", "Results", "Events", "Quarantine",
		"Jobs", "Health", "Ingest", "Metrics", "OnDeviceChanged", "ReadTimeout",
	} {
		if !strings.Contains(err.Error(), name+":") {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Errorf("the error quotes the key: %v", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func TestShutdownBeforeServe(t *testing.T) {
	api, err := New(harness(t).options())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := api.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	ln := listen(t)
	if err := api.Serve(ln); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: got %v, want %v", err, ErrClosed)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

// Whichever of the two comes first, Serve returns.
func TestShutdownWhileServeStarts(t *testing.T) {
	opts := harness(t).options()
	for range 8 {
		api, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		ln := listen(t)
		served := make(chan error, 1)
		go func() { served <- api.Serve(ln) }()
		if err := api.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		select {
		case err := <-served:
			if !errors.Is(err, ErrClosed) {
				t.Errorf("Serve: got %v, want %v", err, ErrClosed)
			}
		case <-time.After(time.Minute):
			t.Fatal("Serve does not return")
		}
	}
}

func TestListenReportsATakenPort(t *testing.T) {
	api, err := New(harness(t).options())
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Listen(listen(t).Addr().String()); err == nil || errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want the port to be taken", err)
	}
}

// begin starts a request that waits for a job, and returns when it has come
// to the job.
func (s *server) begin() <-chan answer {
	s.t.Helper()
	s.jobs.mu.Lock()
	before := s.jobs.runs
	s.jobs.mu.Unlock()
	answered := make(chan answer, 1)
	go func() { answered <- s.do(http.MethodPost, "/api/v1/jobs/busy/run?wait=true", "") }()
	for deadline := time.Now().Add(time.Minute); ; {
		s.jobs.mu.Lock()
		begun := s.jobs.runs > before
		s.jobs.mu.Unlock()
		if begun {
			return answered
		}
		if time.Now().After(deadline) {
			s.t.Fatal("the request does not arrive")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestShutdownWaitsForRequests(t *testing.T) {
	s := start(t)
	answered := s.begin()
	down := make(chan error, 2)
	for range 2 {
		go func() { down <- s.api.Shutdown(t.Context()) }()
	}
	close(s.jobs.held)
	if a := <-answered; a.status != http.StatusOK {
		t.Errorf("got %d %s, want the answer of a request under way", a.status, a.body)
	}
	for range 2 {
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://")); err == nil {
		t.Error("the port still answers")
	}
}

func TestShutdownCutsOffAtItsDeadline(t *testing.T) {
	s := harness(t)
	api, err := New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	served := make(chan error, 1)
	go func() { served <- api.Serve(ln) }()
	s.url, s.client = "http://"+ln.Addr().String(), http.DefaultClient
	answered := s.begin()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := api.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: got %v, want %v", err, context.DeadlineExceeded)
	}
	if a := <-answered; a.status != http.StatusServiceUnavailable {
		t.Errorf("got %d %s, want 503 for the request that was cut off", a.status, a.body)
	}
	if err := <-served; !errors.Is(err, ErrClosed) {
		t.Errorf("Serve: got %v, want %v", err, ErrClosed)
	}
}

type credentialPort = Credentials // a field can't have the name of its method

// keeper keeps the strings that it is given, as a cache would.
type keeper struct {
	credentialPort // of which the test calls nothing else
	mu             sync.Mutex
	kept           []devices.Ref
}

func (k *keeper) SetCredential(_ context.Context, device devices.Ref, username string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, device, devices.Ref{Kind: device.Kind, ID: username})
	return "secret of " + username, nil
}

// Strings of a request outlive it and must not change when the server uses its
// buffers for the next one.
func TestConcurrentRequestsKeepTheirStrings(t *testing.T) {
	var k keeper
	s := start(t, func(o *Options) { o.Credentials = &k })
	const clients, each = 8, 25
	id := func(client, i int) string {
		return fmt.Sprintf("B-%d-%02d-%s", client, i, strings.Repeat(string(rune('a'+client)), 8))
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				id := id(c, i)
				if a := s.do(http.MethodPut, "/api/v1/batteries/"+id+"/credential", ""); !strings.Contains(a.body, "secret of "+id) {
					t.Errorf("credential of %s: got %d %s", id, a.status, a.body)
				}
				if i%5 == 0 { // it is large
					if a := s.send(http.MethodGet, "/openapi.json", "", nil); a.status != http.StatusOK {
						t.Errorf("openapi.json: got %d", a.status)
					}
				}
				refused(t, s.get("/api/v1/batteries/"+id+"/telemetry?fields="+id), http.StatusUnprocessableEntity)
			}
		})
	}
	wg.Wait()
	kept := map[string]int{}
	for _, ref := range k.kept {
		kept[ref.ID]++
	}
	for c := range clients {
		for i := range each {
			if n := kept[id(c, i)]; n != 2 {
				t.Errorf("%s: kept %d times, want 2", id(c, i), n)
			}
		}
	}
}
