package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// with sends a request with the admin key and more headers.
func (s *server) with(method, path, body string, header map[string]string) answer {
	s.t.Helper()
	all := map[string]string{"Authorization": "Bearer " + testKey}
	maps.Copy(all, header)
	return s.send(method, path, body, all)
}

func ifMatch(tags string) map[string]string { return map[string]string{"If-Match": tags} }

func TestIfMatch(t *testing.T) {
	s := start(t)
	made := s.do(http.MethodPost, "/api/v1/batteries", `{"id":"b1"}`)
	first := made.header.Get("ETag")
	if got := s.get("/api/v1/batteries/b1").header.Get("ETag"); got != first || !strings.HasPrefix(first, `"1-`) {
		t.Errorf("ETag of a creation: got %s, then %s, want the same of version 1", first, got)
	}
	second := s.with(http.MethodPatch, "/api/v1/batteries/b1", `{"name":"one"}`, ifMatch(first))
	if second.status != http.StatusOK {
		t.Fatalf("patch of the version that is there: got %d %s", second.status, second.body)
	}
	tag := second.header.Get("ETag")
	for _, tt := range []struct {
		name, tags string
		want       int
	}{
		{"the version before", first, http.StatusPreconditionFailed},
		{"any", "*", http.StatusOK},
		{"now changed by that", tag, http.StatusPreconditionFailed},
		{"one of several", `"9-x", "3-y", ` + first, http.StatusOK},
		{"none of several", `"9-x", ` + first, http.StatusPreconditionFailed},
		{"weak", `W/"4-x"`, http.StatusPreconditionFailed},
		{"no tag of ours", `"abc"`, http.StatusPreconditionFailed},
		{"no tag at all", "4", http.StatusPreconditionFailed},
		{"by its number alone", `"4"`, http.StatusOK},
	} {
		a := s.with(http.MethodPatch, "/api/v1/batteries/b1", `{"serial":"`+tt.name+`"}`, ifMatch(tt.tags))
		if a.status != tt.want {
			t.Errorf("%s: got %d %s, want %d", tt.name, a.status, a.body, tt.want)
		}
		if a.status != http.StatusOK {
			refused(t, a, http.StatusPreconditionFailed)
		}
	}
	refused(t, s.with(http.MethodPatch, "/api/v1/batteries/none", `{}`, ifMatch(`"1-x"`)), http.StatusNotFound)
	now := s.get("/api/v1/batteries/b1")
	if a := s.with(http.MethodGet, "/api/v1/batteries/b1", "", map[string]string{"If-None-Match": now.header.Get("ETag")}); a.status != http.StatusNotModified {
		t.Errorf("If-None-Match: got %d, want 304", a.status)
	}
	refused(t, s.with(http.MethodDelete, "/api/v1/batteries/b1", "", ifMatch(first)), http.StatusPreconditionFailed)
	if a := s.with(http.MethodDelete, "/api/v1/batteries/b1", "", ifMatch(now.header.Get("ETag"))); a.status != http.StatusNoContent {
		t.Errorf("delete: got %d %s", a.status, a.body)
	}
}

// Every collection can be deleted from and restored to.
func TestDeleteAndRestore(t *testing.T) {
	type listed struct{ Items []object }
	for _, tt := range []struct{ many, create, id string }{
		{"owners", `{"id":"x","name":"X"}`, "x"},
		{"sites", `{"id":"x","name":"X","time_zone":"UTC","city":"Leeds"}`, "x"},
		{"stations", `{"id":"x"}`, "x"},
		{"batteries", `{"id":"x"}`, "x"},
		{"buildings", `{"id":"x"}`, "x"},
	} {
		t.Run(tt.many, func(t *testing.T) {
			s := start(t)
			path := "/api/v1/" + tt.many
			must[object](s, http.StatusCreated, http.MethodPost, path, tt.create)
			for range 2 {
				if a := s.do(http.MethodDelete, path+"/x", ""); a.status != http.StatusNoContent {
					t.Fatalf("delete: got %d %s", a.status, a.body)
				}
			}
			if got := must[listed](s, http.StatusOK, http.MethodGet, path, ""); len(got.Items) != 0 {
				t.Errorf("list: got %v, want nothing", got.Items)
			}
			if got := must[listed](s, http.StatusOK, http.MethodGet, path+"?deleted=true", ""); len(got.Items) != 1 {
				t.Errorf("list with deleted: got %v, want one", got.Items)
			}
			if got := must[object](s, http.StatusOK, http.MethodGet, path+"/x", ""); got["deleted_at"] == nil || got["version"] != 2.0 {
				t.Errorf("got: %v, want deleted_at and version 2", got)
			}
			refused(t, s.do(http.MethodPatch, path+"/x", `{"name":"Y"}`), http.StatusConflict)
			if got := must[object](s, http.StatusOK, http.MethodPost, path+"/x/restore", ""); got["deleted_at"] != nil || got["version"] != 3.0 {
				t.Errorf("restored: got %v, want no deleted_at and version 3", got)
			}
			refused(t, s.do(http.MethodDelete, path+"/none", ""), http.StatusNotFound)
			refused(t, s.do(http.MethodPost, path+"/none/restore", ""), http.StatusNotFound)
		})
	}
}

func TestDeletedDeviceCannotSignIn(t *testing.T) {
	s := start(t)
	must[object](s, http.StatusCreated, http.MethodPost, "/api/v1/stations", `{"id":"x"}`)
	given := must[struct{ Secret string }](s, http.StatusCreated, http.MethodPost, "/api/v1/stations/x/credential", `{}`)
	if _, err := s.registry.Authenticate(t.Context(), "x", given.Secret); err != nil {
		t.Fatal(err)
	}
	s.do(http.MethodDelete, "/api/v1/stations/x", "")
	if _, err := s.registry.Authenticate(t.Context(), "x", given.Secret); err == nil {
		t.Error("a deleted station signs in")
	}
}

func TestAuditAndOwnership(t *testing.T) {
	s := start(t)
	for _, id := range []string{"acme", "bolt"} {
		must[object](s, http.StatusCreated, http.MethodPost, "/api/v1/owners", fmt.Sprintf(`{"id":%q,"name":%q}`, id, id))
	}
	must[object](s, http.StatusCreated, http.MethodPost, "/api/v1/batteries", `{"id":"b","owner_id":"acme"}`)
	sold := must[object](s, http.StatusOK, http.MethodPatch, "/api/v1/batteries/b", `{"owner_id":"bolt","owner_since":"2026-02-01T00:00:00Z"}`)
	if got, want := sold["owner_since"], "2026-02-01T00:00:00.000Z"; got != want {
		t.Errorf("owner_since: got %v, want %v", got, want)
	}
	p := refused(t, s.do(http.MethodPatch, "/api/v1/batteries/b", `{"owner_id":"acme","owner_since":"2026-01-01T00:00:00Z"}`), http.StatusUnprocessableEntity)
	if diff := cmp.Diff([]string{"body.owner_since"}, p.locations()); diff != "" {
		t.Errorf("sold before it was bought: want − got +\n%s", diff)
	}
	type listed struct{ Items []object }
	history := must[listed](s, http.StatusOK, http.MethodGet, "/api/v1/batteries/b/owners", "")
	before := object{"kind": "battery", "id": "b", "owner_id": "acme", "to": "2026-02-01T00:00:00.000Z"}
	after := object{"kind": "battery", "id": "b", "owner_id": "bolt", "from": "2026-02-01T00:00:00.000Z"}
	if diff := cmp.Diff(listed{[]object{before, after}}, history); diff != "" {
		t.Errorf("owners: want − got +\n%s", diff)
	}
	for query, want := range map[string][]object{
		"":                           {before},
		"?from=2026-02-01T00:00:00Z": {},
		"?to=2026-02-01T00:00:00Z":   {before},
		"?kind=site":                 {},
	} {
		got := must[listed](s, http.StatusOK, http.MethodGet, "/api/v1/owners/acme/assets"+query, "")
		if diff := cmp.Diff(want, got.Items); diff != "" {
			t.Errorf("assets%s: want − got +\n%s", query, diff)
		}
	}
	refused(t, s.get("/api/v1/owners/none/assets"), http.StatusNotFound)
	refused(t, s.get("/api/v1/batteries/none/owners"), http.StatusNotFound)
	refused(t, s.get("/api/v1/sites/none/owners"), http.StatusNotFound)

	log := must[listed](s, http.StatusOK, http.MethodGet, "/api/v1/audit?kind=battery&object=b", "")
	if len(log.Items) != 2 {
		t.Fatalf("audit: got %v, want two changes", log.Items)
	}
	update := log.Items[0]
	was, is := update["before"].(map[string]any), update["after"].(map[string]any)
	if update["actor"] != "admin" || update["action"] != "update" || was["owner_id"] != "acme" || is["owner_id"] != "bolt" {
		t.Errorf("audit: got %v, want the sale by admin", update)
	}
	for query, want := range map[string]int{"?actor=nobody": 0, "?action=create": 3, "?limit=1": 1, "?to=2026-03-02T12:00:00Z": 0, "?from=2026-03-02T12:00:00Z": 4} {
		if got := must[listed](s, http.StatusOK, http.MethodGet, "/api/v1/audit"+query, ""); len(got.Items) != want {
			t.Errorf("audit%s: got %d changes, want %d", query, len(got.Items), want)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	s := start(t)
	key := func(k string) map[string]string { return map[string]string{"Idempotency-Key": k} }
	const path, body = "/api/v1/owners", `{"id":"acme","name":"Acme"}`
	first := s.with(http.MethodPost, path, body, key("one"))
	for range 2 {
		again := s.with(http.MethodPost, path, body, key("one"))
		if again.status != http.StatusCreated || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("again: got %d %s, want the answer of the first", again.status, again.body)
		}
		for _, h := range []string{"Location", "ETag", "Content-Type"} {
			if got, want := again.header.Get(h), first.header.Get(h); got != want || got == "" {
				t.Errorf("again: got %s %q, want %q", h, got, want)
			}
		}
	}
	refused(t, s.with(http.MethodPost, path, `{"id":"other","name":"Acme"}`, key("one")), http.StatusUnprocessableEntity)
	refused(t, s.with(http.MethodPost, "/api/v1/sites", body, key("one")), http.StatusUnprocessableEntity)
	refused(t, s.with(http.MethodPost, path, body, key("two")), http.StatusConflict)
	// A refusal is an answer too, and stays one when it would not be by now.
	bad := s.with(http.MethodPost, "/api/v1/batteries", `{"id":"b","owner_id":"bolt"}`, key("three"))
	refused(t, bad, http.StatusUnprocessableEntity)
	must[object](s, http.StatusCreated, http.MethodPost, path, `{"id":"bolt","name":"Bolt"}`)
	if again := s.with(http.MethodPost, "/api/v1/batteries", `{"id":"b","owner_id":"bolt"}`, key("three")); again.body != bad.body {
		t.Errorf("a refusal again: got %d %s", again.status, again.body)
	}
	must[object](s, http.StatusCreated, http.MethodPost, "/api/v1/stations", `{"id":"s"}`)
	refused(t, s.with(http.MethodPost, "/api/v1/stations/s/credential", `{}`, key("four")), http.StatusUnprocessableEntity)
	refused(t, s.with(http.MethodPost, path, body, key(strings.Repeat("k", 256))), http.StatusUnprocessableEntity)
}

// Of requests with one key at once, one is made.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	s := start(t)
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		answers = map[int]int{}
	)
	for range 16 {
		wg.Go(func() {
			a := s.with(http.MethodPost, "/api/v1/owners", `{"id":"acme","name":"Acme"}`, map[string]string{"Idempotency-Key": "k"})
			mu.Lock()
			defer mu.Unlock()
			answers[a.status]++
			if a.status == http.StatusConflict && !strings.Contains(a.body, "under way") {
				t.Errorf("got %s, want it to tell that one is under way", a.body)
			}
		})
	}
	wg.Wait()
	if answers[http.StatusCreated] == 0 || answers[http.StatusCreated]+answers[http.StatusConflict] != 16 {
		t.Errorf("got %v, want 201, or 409 where one was under way", answers)
	}
	if log := must[struct{ Items []object }](s, http.StatusOK, http.MethodGet, "/api/v1/audit", ""); len(log.Items) != 1 {
		t.Errorf("got %d changes, want 1", len(log.Items))
	}
}

func TestImportAndExport(t *testing.T) {
	s := start(t)
	csv := func(method, path, body string) answer {
		t.Helper()
		return s.with(method, path, body, map[string]string{"Content-Type": "text/csv"})
	}
	type report struct {
		Created, Updated, Unchanged int
		DryRun                      bool `json:"dry_run"`
		Problems                    []struct {
			Line           int
			Column, Detail string
		}
	}
	const file = "id,name\nacme,Acme\nbolt,Bolt\n"
	for _, tt := range []struct {
		query string
		want  report
	}{
		{"kind=owner&dry_run=true", report{Created: 2, DryRun: true}},
		{"kind=owner", report{Created: 2}},
		{"kind=owner", report{Unchanged: 2}},
	} {
		a := csv(http.MethodPost, "/api/v1/import?"+tt.query, file)
		if a.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", tt.query, a.status, a.body)
		}
		var got report
		a.into(t, &got)
		tt.want.Problems = got.Problems[:0:0]
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: want − got +\n%s", tt.query, diff)
		}
	}
	got := s.get("/api/v1/export/registry?kind=owner")
	if got.body != file || got.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("export: got %s %q, want what was imported", got.header.Get("Content-Type"), got.body)
	}
	const bad = "id,owner_id,rated_capacity_ah\nb1,acme,50\nb2,nobody,much\n"
	p := refused(t, csv(http.MethodPost, "/api/v1/import?kind=battery", bad), http.StatusUnprocessableEntity)
	if diff := cmp.Diff([]string{"body.line3.rated_capacity_ah"}, p.locations()); diff != "" {
		t.Errorf("refused: want − got +\n%s", diff)
	}
	dry := csv(http.MethodPost, "/api/v1/import?kind=battery&dry_run=true", bad)
	var told report
	dry.into(t, &told)
	if dry.status != http.StatusOK || told.Created != 1 || len(told.Problems) != 1 || told.Problems[0].Line != 3 {
		t.Errorf("dry run: got %d %+v, want a problem of line 3", dry.status, told)
	}
	refused(t, s.get("/api/v1/batteries/b1"), http.StatusNotFound)
	refused(t, csv(http.MethodPost, "/api/v1/import?kind=battery", "name\n"), http.StatusUnprocessableEntity)
	refused(t, csv(http.MethodPost, "/api/v1/import?kind=robot", file), http.StatusUnprocessableEntity)
}

// TestImportOfManyOwners sends a file that is longer, and takes longer, than other
// requests may, also packed, and one too long.
func TestImportOfManyOwners(t *testing.T) {
	s := start(t, func(o *Options) { o.RequestTimeout = time.Nanosecond })
	const at = "/api/v1/import?kind=owner"
	csv := map[string]string{"Content-Type": "text/csv"}
	var file strings.Builder
	file.WriteString("id,name\n")
	for n := 0; file.Len() <= maxBody; n++ {
		fmt.Fprintf(&file, "o%d,%s\n", n, strings.Repeat("x", 190))
	}
	for _, tt := range []struct{ name, body, want string }{
		{"plain", file.String(), `"unchanged":0`},
		{"gzip", packed(t, file.String()), `"created":0`},
	} {
		if a := s.with(http.MethodPost, at, tt.body, csv); a.status != http.StatusOK || !strings.Contains(a.body, tt.want) {
			t.Errorf("%s: got %d %.300s, want %s", tt.name, a.status, a.body, tt.want)
		}
	}
	refused(t, s.with(http.MethodPost, at, "\x1f\x8b and no more", csv), http.StatusUnprocessableEntity)
	refused(t, s.with(http.MethodPost, at, packed(t, strings.Repeat(" ", MaxUnpacked+1)), csv), http.StatusRequestEntityTooLarge)
	too := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", at, testKey, MaxImport+1)
	refused(t, s.raw(too), http.StatusRequestEntityTooLarge)
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
