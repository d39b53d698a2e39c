package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/api/access"
)

func TestEveryGuardedRouteWantsTheKey(t *testing.T) {
	s := start(t, func(o *Options) { o.WrongKeys = 1 << 20 })
	n := 0
	s.document().each(func(method, path string, op specified) {
		if len(op.Security) == 0 {
			return
		}
		n++
		target := pathParameter.ReplaceAllString(path, "x1")
		for name, header := range map[string]map[string]string{
			"no header":    nil,
			"wrong key":    {"Authorization": "Bearer " + testKey + "x"},
			"other scheme": {"Authorization": "Basic " + testKey},
			"bare key":     {"Authorization": testKey},
			"empty":        {"Authorization": "Bearer "},
		} {
			a := s.send(method, target, "", header)
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s %s with %s: got %d, want 401", method, target, name, a.status)
				continue
			}
			refused(t, a, http.StatusUnauthorized)
			if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
				t.Errorf("%s %s: WWW-Authenticate %q", method, target, got)
			}
		}
	})
	if n < 40 {
		t.Errorf("got %d guarded operations, want all of them", n)
	}
}

func TestKeyIsAcceptedAndNeverLogged(t *testing.T) {
	s := start(t)
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER   "} {
		a := s.send(http.MethodGet, "/api/v1/owners", "", map[string]string{"Authorization": scheme + testKey})
		if a.status != http.StatusOK {
			t.Errorf("%q: got %d, want 200", scheme, a.status)
		}
	}
	s.send(http.MethodGet, "/api/v1/nope?x="+"1", "", map[string]string{"Authorization": "Bearer " + testKey})
	if log := s.log.String(); strings.Contains(log, testKey) || !strings.Contains(log, "msg=request") {
		t.Errorf("log: got %s, want requests without the key", log)
	}
}

func TestGuardHidesWhichRoutesExist(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/api/v1", "/api/v1/", "/api/v1/nope", "/api/v1/owners/nope/what"} {
		if a := s.send(http.MethodGet, path, "", nil); a.status != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", path, a.status)
		}
	}
	// None of these may reach the collection without the key.
	for _, path := range []string{"/API/v1/owners", "//api/v1/owners", "/api/v1%2Fowners", "/docs/../api/v1/owners", "/./api/v1/owners"} {
		if a := s.send(http.MethodGet, path, "", nil); a.status != http.StatusUnauthorized && a.status != http.StatusNotFound {
			t.Errorf("%s: got %d %s, want 401 or 404", path, a.status, a.body)
		}
	}
}

func TestPublicRoutesNeedNoKey(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"} {
		if a := s.send(http.MethodGet, path, "", nil); a.status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", path, a.status)
		}
	}
}

// nobodyKnown is an access.Authenticator that can't find out anything.
type nobodyKnown struct{}

func (nobodyKnown) Authenticate(context.Context, string) (access.Principal, error) {
	return access.Principal{}, access.ErrUnavailable
}

func TestAdminKeyNeedsNobodyElse(t *testing.T) {
	s := start(t, func(o *Options) { o.Access = nobodyKnown{} })
	for key, want := range map[string]int{testKey: http.StatusOK, "other": http.StatusServiceUnavailable} {
		if a := s.send(http.MethodGet, prefix+"/me", "", map[string]string{"Authorization": "Bearer " + key}); a.status != want {
			t.Errorf("%s: got %d %s, want %d", key, a.status, a.body, want)
		}
	}
}
