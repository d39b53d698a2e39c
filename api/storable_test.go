package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

func TestStorableJSON(t *testing.T) {
	for body, want := range map[string]bool{
		`{"name":"x"}`: true, `{"name":"é\n"}`: true, `{"name":"\\u0000"}`: true, ``: true, `\`: true,
		`{"name":"\u0000"}`: false, `{"name":"\\\u0000"}`: false, `"\\u0000 \u0000"`: false, "{\"name\":\"\xff\"}": false,
	} {
		if got := storableJSON([]byte(body)); got != want {
			t.Errorf("%s: got %v, want %v", body, got, want)
		}
	}
}

// Text that PostgreSQL can't hold is refused before a handler sees it.
func TestTextThatNoDatabaseHolds(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/api/v1/audit?actor=%00", "/api/v1/audit?actor=%ff", "/api/v1/batteries/%00", "/api/v1/audit?actor=a&%zz=1&kind=x%00"} {
		refused(t, s.get(path), http.StatusBadRequest)
	}
	refused(t, s.do(http.MethodPost, "/api/v1/owners", `{"id":"acme","name":"a\u0000"}`), http.StatusBadRequest)
	refused(t, s.do(http.MethodPost, "/api/v1/owners", "{\"id\":\"acme\",\"name\":\"\xff\"}"), http.StatusBadRequest)
	for _, key := range []string{"\xff", "a\tb"} {
		refused(t, s.with(http.MethodPost, "/api/v1/owners", `{"id":"acme","name":"a"}`, map[string]string{"Idempotency-Key": key}), http.StatusUnprocessableEntity)
	}
	csv := map[string]string{"Content-Type": "text/csv"}
	for _, file := range []string{"id,name\na\x00,x\n", "id,name\na,x\xff\n"} {
		refused(t, s.with(http.MethodPost, "/api/v1/import?kind=owner", file, csv), http.StatusUnprocessableEntity)
	}
	refused(t, s.send(http.MethodGet, "/api/v1/owners", "", map[string]string{"Authorization": "Bearer fwk_\xff\xffaaaaaa_" + strings.Repeat("a", 52)}), http.StatusUnauthorized)
}

// Batteries whose ratings an import changes are computed anew, and no others.
func TestImportedRatingsAreComputedAnew(t *testing.T) {
	s := start(t)
	csv := func(file string, status int) {
		t.Helper()
		if a := s.with(http.MethodPost, "/api/v1/import?kind=battery", file, map[string]string{"Content-Type": "text/csv"}); a.status != status {
			t.Fatalf("got %d %s, want %d", a.status, a.body, status)
		}
	}
	csv("id,rated_capacity_ah,name\na,50,\nb,50,\nc,,\n", http.StatusOK)
	s.changed.taken()
	csv("id,rated_capacity_ah,name\na,60,\nb,50,new\nc,,\n", http.StatusOK)
	a := devices.Ref{Kind: devices.KindBattery, ID: "a"}
	if diff := cmp.Diff([]devices.Ref{a, a}, s.changed.taken()); diff != "" { // before and after
		t.Errorf("computed anew: want − got +\n%s", diff)
	}
	csv("id,rated_capacity_ah,name\na,much,\n", http.StatusUnprocessableEntity)
	if got := s.changed.taken(); len(got) > 0 {
		t.Errorf("a refused import: got %v, want nobody", got)
	}
}

// A patch for one version, which can't be repeated, is not made where the results
// can't be told of it.
func TestPatchOfAVersionIsToldBefore(t *testing.T) {
	s := start(t)
	s.must("battery", `{"id":"b"}`)
	tag := s.get("/api/v1/batteries/b").header.Get("ETag")
	if i := strings.LastIndex(tag, `"`); i < 1 {
		t.Fatalf("got ETag %q", tag)
	}
	s.changed.mu.Lock()
	s.changed.err = registry.ErrUnavailable
	s.changed.mu.Unlock()
	patch := func() answer {
		return s.with(http.MethodPatch, "/api/v1/batteries/b", `{"rated_capacity_ah":60}`, map[string]string{"If-Match": tag})
	}
	refused(t, patch(), http.StatusServiceUnavailable)
	s.changed.mu.Lock()
	s.changed.err = nil
	s.changed.mu.Unlock()
	if a := patch(); a.status != http.StatusOK {
		t.Errorf("repeated: got %d %s, want it made", a.status, a.body)
	}
}

// hanging is a registry whose database does not answer.
type hanging struct{ Registry }

func (h hanging) BeginAnswer(ctx context.Context, _ registry.Request) (registry.Answer, bool, error) {
	<-ctx.Done()
	return registry.Answer{}, false, ctx.Err()
}

func TestIdempotencyKeyWithoutADatabase(t *testing.T) {
	s := start(t, func(o *Options) { o.Registry = hanging{o.Registry} })
	began := time.Now()
	a := s.with(http.MethodPost, "/api/v1/owners", `{"id":"acme","name":"Acme"}`, map[string]string{"Idempotency-Key": "k"})
	refused(t, a, http.StatusServiceUnavailable)
	if took := time.Since(began); took > 2*settleTime || a.header.Get("Retry-After") != "5" {
		t.Errorf("got an answer after %s, to be repeated after %q s", took, a.header.Get("Retry-After"))
	}
}
