package registrytest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// clock moves by a second each time it is read, and off the whole millisecond,
// which no registry keeps.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 123456789, time.FixedZone("", 3600))}
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

// start opens a registry with a clock that moves.
func start(t *testing.T, open Opener) Registry {
	t.Helper()
	r := open(t, registry.Options{Now: newClock().read})
	t.Cleanup(func() { closed(t, r) })
	return r
}

func closed(t *testing.T, r Registry) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// must returns v and fails the test at an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("got error %v, want none", err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: want − got +\n%s", what, diff)
	}
}

func is(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// invalid checks which fields an error reports.
func invalid(t *testing.T, what string, err error, fields ...string) {
	t.Helper()
	var reported *registry.Invalid
	if !errors.As(err, &reported) {
		t.Errorf("%s: got error %v, want an Invalid", what, err)
		return
	}
	var got []string
	for _, p := range reported.Problems {
		got = append(got, p.Field)
		if p.Detail == "" {
			t.Errorf("%s: %s: got no detail", what, p.Field)
		}
	}
	same(t, what, got, fields)
}

func ptr[T any](v T) *T { return &v }

func battery(id string) devices.Ref  { return devices.Ref{Kind: devices.KindBattery, ID: id} }
func station(id string) devices.Ref  { return devices.Ref{Kind: devices.KindStation, ID: id} }
func building(id string) devices.Ref { return devices.Ref{Kind: devices.KindBuilding, ID: id} }

// anOwner registers an owner and a site of his.
func anOwner(t *testing.T, r Registry, id string) {
	t.Helper()
	must[devices.Owner](t)(r.CreateOwner(t.Context(), devices.Owner{ID: id, Name: "Owner " + id}))
	must[devices.Site](t)(r.CreateSite(t.Context(), devices.Site{
		ID: id + "-site", OwnerID: id, Name: "Site of " + id, TimeZone: "Europe/London",
	}))
}
