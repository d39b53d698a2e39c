package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/api/access"
)

// The life of a key: made, used, rotated, revoked; its text is shown once.
func TestKeys(t *testing.T) {
	x := startTenants(t, alpha)
	made := must[NewAccessKey](x.server, http.StatusCreated, http.MethodPost, "/api/v1/keys",
		`{"name":"Anna","role":"owner","owner_id":"alpha7f3-owner","expires_at":"2026-06-01T00:00:00Z"}`)
	want := AccessKey{
		Prefix: made.Prefix, Name: "Anna", Role: "owner", OwnerID: "alpha7f3-owner", Status: "active", CreatedAt: Time(clock.UnixMilli()), CreatedBy: "admin",
		ExpiresAt: ptr(Time(1780272000000)),
	}
	if diff := cmp.Diff(want, made.AccessKey); diff != "" {
		t.Errorf("made (-want +got): %s", diff)
	}
	if prefix, err := access.KeyPrefix(made.Key); err != nil || prefix != made.Prefix {
		t.Errorf("the key %q has the prefix %q, %v", made.Key, prefix, err)
	}
	var me Me
	a := x.ask(made.Key, http.MethodGet, "/api/v1/me", "")
	a.into(t, &me)
	if diff := cmp.Diff(Me{Name: "key " + made.Prefix + " (Anna)", Role: "owner", OwnerID: "alpha7f3-owner", Expires: want.ExpiresAt}, me); diff != "" {
		t.Errorf("me (-want +got): %s", diff)
	}
	if a.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("me may be kept: %q", a.header.Get("Cache-Control"))
	}

	fresh := must[NewAccessKey](x.server, http.StatusOK, http.MethodPost, "/api/v1/keys/"+made.Prefix+"/rotate", `{"grace":"7d"}`)
	if fresh.Prefix == made.Prefix || fresh.Name != "Anna" || fresh.OwnerID != "alpha7f3-owner" || fresh.ExpiresAt != nil {
		t.Errorf("rotated: got %+v", fresh.AccessKey)
	}
	works := func(what, key string, want int) {
		t.Helper()
		if a := x.ask(key, http.MethodGet, "/api/v1/me", ""); a.status != want {
			t.Errorf("%s: got %d %s, want %d", what, a.status, a.body, want)
		}
	}
	works("in the grace", made.Key, http.StatusOK)
	works("the new one", fresh.Key, http.StatusOK)
	at := must[NewAccessKey](x.server, http.StatusOK, http.MethodPost, "/api/v1/keys/"+fresh.Prefix+"/rotate", `{"grace":"0s"}`)
	works("without grace", fresh.Key, http.StatusUnauthorized)
	if a := x.do(http.MethodDelete, "/api/v1/keys/"+at.Prefix, ""); a.status != http.StatusNoContent {
		t.Errorf("revoke: got %d %s", a.status, a.body)
	}
	works("revoked", at.Key, http.StatusUnauthorized)
	refused(t, x.do(http.MethodPost, "/api/v1/keys/"+at.Prefix+"/rotate", ""), http.StatusConflict)
	refused(t, x.do(http.MethodDelete, "/api/v1/keys/nobody99", ""), http.StatusNotFound)

	var listed struct{ Items []AccessKey }
	list := x.get("/api/v1/keys")
	list.into(t, &listed)
	statuses := map[string]string{}
	for _, k := range listed.Items {
		statuses[k.Prefix] = k.Status
	}
	if diff := cmp.Diff(map[string]string{made.Prefix: "active", fresh.Prefix: "expired", at.Prefix: "revoked"}, statuses); diff != "" {
		t.Errorf("statuses (-want +got): %s", diff)
	}
	for _, key := range []string{made.Key, fresh.Key, at.Key} {
		_, secret, _ := strings.Cut(strings.TrimPrefix(key, "fwk_"), "_")
		if strings.Contains(list.body, secret) || strings.Contains(x.log.String(), secret) {
			t.Error("the list or the log has the text of a key")
		}
	}
}

func TestRefusedKeys(t *testing.T) {
	x := startTenants(t, alpha)
	for name, tt := range map[string]struct{ body, at string }{
		"owner of nothing":    {`{"name":"n","role":"owner"}`, "body.role"},
		"bound administrator": {`{"name":"n","role":"admin","owner_id":"alpha7f3-owner"}`, "body.role"},
		"device without":      {`{"name":"n","role":"device"}`, "body.role"},
		"viewer of a device":  {`{"name":"n","role":"viewer","device":"battery/alpha7f3-battery"}`, "body.device"},
		"no device":           {`{"name":"n","role":"device","device":"battery"}`, "body.device"},
		"unknown device":      {`{"name":"n","role":"device","device":"battery/none"}`, "body.device"},
		"unknown owner":       {`{"name":"n","role":"owner","owner_id":"none"}`, "body.owner_id"},
		"unknown role":        {`{"name":"n","role":"root"}`, "body.role"},
		"no name":             {`{"name":"","role":"viewer"}`, "body.name"},
		"over":                {`{"name":"n","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}`, "body.expires_at"},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, x.do(http.MethodPost, "/api/v1/keys", tt.body), http.StatusUnprocessableEntity)
			if diff := cmp.Diff([]string{tt.at}, p.locations()); diff != "" {
				t.Errorf("locations (-want +got): %s", diff)
			}
		})
	}
	_, prefix := x.key(`{"name":"n","role":"viewer"}`)
	for _, grace := range []string{"-1h", "91d", "soon"} {
		refused(t, x.do(http.MethodPost, "/api/v1/keys/"+prefix+"/rotate", `{"grace":"`+grace+`"}`), http.StatusUnprocessableEntity)
	}
	// The answer is a secret, which is kept for nobody.
	a := x.ask(testKey, http.MethodPost, "/api/v1/keys", `{"name":"n","role":"viewer"}`, "Idempotency-Key", "k")
	refused(t, a, http.StatusUnprocessableEntity)
}

// What was refused is in the log, with who asked but without what it knew.
func TestRefusalsAreLogged(t *testing.T) {
	x := startTenants(t, alpha)
	viewer, prefix := x.key(`{"name":"Eve","role":"viewer","owner_id":"alpha7f3-owner"}`)
	refused(t, x.ask(viewer, http.MethodGet, "/api/v1/jobs", ""), http.StatusForbidden)
	wrong := viewer[:len(viewer)-4] + "aaaa"
	refused(t, x.ask(wrong, http.MethodGet, "/api/v1/owners", ""), http.StatusUnauthorized)
	log := x.log.String()
	for _, want := range []string{`msg="access refused"`, "operation=list-jobs", "role=viewer", "key " + prefix + " (Eve)", `msg="caller turned away"`, "path=/api/v1/owners", "address=127.0.0.1"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(log, viewer) || strings.Contains(log, wrong) || strings.Contains(log, testKey) {
		t.Error("the log has a key")
	}
}

// Who asks too often is told when to come back; another key, and the
// administrator, are not held up.
func TestRateLimit(t *testing.T) {
	x := startTenantsWith(t, func(o *Options) { o.Rate, o.Burst = 0.5, 3 }, alpha)
	one, _ := x.key(`{"name":"one","role":"viewer"}`)
	two, _ := x.key(`{"name":"two","role":"viewer"}`)
	for k := range 3 {
		if a := x.ask(one, http.MethodGet, "/api/v1/me", ""); a.status != http.StatusOK {
			t.Fatalf("request %d: got %d", k, a.status)
		}
	}
	a := x.ask(one, http.MethodGet, "/api/v1/me", "")
	refused(t, a, http.StatusTooManyRequests)
	if got := a.header.Get("Retry-After"); got != "2" { // half a request a second, and the clock stands
		t.Errorf("Retry-After: got %q, want 2", got)
	}
	safe(t, a)
	for _, key := range []string{two, testKey, testKey, testKey, testKey} {
		if a := x.ask(key, http.MethodGet, "/api/v1/me", ""); a.status != http.StatusOK {
			t.Errorf("another: got %d %s", a.status, a.body)
		}
	}
}

func TestWrongKeysAreSlowedDown(t *testing.T) {
	x := startTenantsWith(t, func(o *Options) { o.WrongKeys = 2 })
	for range 2 {
		refused(t, x.ask("fwk_aaaaaaaa_"+strings.Repeat("b", 52), http.MethodGet, "/api/v1/me", ""), http.StatusUnauthorized)
	}
	a := x.ask("wrong", http.MethodGet, "/api/v1/me", "")
	refused(t, a, http.StatusTooManyRequests)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if a := x.ask(testKey, http.MethodGet, "/api/v1/me", ""); a.status != http.StatusOK {
		t.Errorf("a right key from the same address: got %d", a.status)
	}
}

// safe checks the headers that every answer has, and the ones that none has.
func safe(t *testing.T, a answer) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%d: %s: got %q, want %q", a.status, name, got, want)
		}
	}
	if got := a.header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
		t.Errorf("%d: Content-Security-Policy: got %q", a.status, got)
	}
	if got := a.header.Get("Cache-Control"); got == "" || strings.Contains(got, "public") {
		t.Errorf("%d: Cache-Control: got %q", a.status, got)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Server" || name == "X-Powered-By" {
			t.Errorf("%d: got the header %s", a.status, name)
		}
	}
}

// No page of another origin is told that it may read anything: there is no CORS.
func TestHeadersOfEveryAnswer(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	owner, _ := x.key(`{"name":"n","role":"owner","owner_id":"alpha7f3-owner"}`)
	from := []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization"}
	seen := map[int]int{}
	check := func(a answer) {
		t.Helper()
		safe(t, a)
		seen[a.status]++
	}
	x.document().each(func(method, path string, op specified) {
		if op.OperationID == "stream" {
			return
		}
		target, _ := x.fill(path, bravo)
		check(x.ask("", method, target, "", from...))
		check(x.ask("wrong", method, target, "", from...))
		check(x.ask("", http.MethodOptions, target, "", from...))
		if method == http.MethodGet {
			check(x.ask(owner, method, target, "", from...))
			check(x.ask(testKey, method, target, "", from...))
			check(x.ask(testKey, http.MethodHead, target, "", from...))
		}
	})
	check(x.ask(testKey, http.MethodGet, "/api/v1/nothing", "", from...))
	check(x.ask("", http.MethodGet, "/nothing", "", from...))
	check(x.ask(testKey, http.MethodPut, "/api/v1/owners", "", from...))
	check(x.ask(testKey, http.MethodPost, "/api/v1/owners", "{", from...))
	for _, status := range []int{200, 204, 400, 401, 403, 404, 405} {
		if seen[status] == 0 {
			t.Errorf("no answer was %d: got %v", status, seen)
		}
	}
}
