package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// quarantined puts an entry for each hour from the clock's on; of each three the
// last is of battery/B2 and another reason.
func (s *server) quarantined(n int) {
	s.t.Helper()
	for i := range n {
		e := quarantine.Entry{
			ReceivedAt: clock.Add(time.Duration(i) * time.Hour), Topic: "fleet/v1/battery/B1/telemetry", Device: "battery/B1",
			Principal: "gw", Reason: wire.ReasonUnknownField, Detail: "colour", Payload: []byte(`{"colour":1}`),
		}
		if i%3 == 2 {
			e.Device, e.Reason = "battery/B2", wire.ReasonFuture
		}
		if err := s.quarantine.Put(s.t.Context(), []quarantine.Entry{e}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestQuarantineByTime(t *testing.T) {
	s := start(t)
	s.quarantined(6)
	for query, want := range map[string]int{
		"?since=2026-03-02T14:00:00Z":                            4,
		"?until=2026-03-02T14:00:00Z":                            2,
		"?since=2026-03-02T13:00:00Z&until=2026-03-02T15:00:00Z": 2,
		"?since=2026-03-02T13:00:00Z&device=battery/B2":          2,
	} {
		got := must[struct{ Items []Quarantined }](s, http.StatusOK, http.MethodGet, "/api/v1/quarantine"+query, "")
		if len(got.Items) != want {
			t.Errorf("%s: got %d entries, want %d", query, len(got.Items), want)
		}
	}
	for query, at := range map[string]string{
		"?reason=nonsense": "query.reason",
		"?since=2026-03-02T13:00:00Z&until=2026-03-02T13:00:00Z": "query.since",
		"?since=yesterday": "query.since",
	} {
		p := refused(t, s.get("/api/v1/quarantine"+query), http.StatusUnprocessableEntity)
		if diff := cmp.Diff([]string{at}, p.locations()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestPurgeQuarantine(t *testing.T) {
	s := start(t)
	s.quarantined(9)
	for _, query := range []string{"", "?dry_run=true", "?all=true&reason=future", "?all=true&keep_bytes=1"} {
		p := refused(t, s.do(http.MethodDelete, "/api/v1/quarantine"+query, ""), http.StatusUnprocessableEntity)
		if diff := cmp.Diff([]string{"query.all"}, p.locations()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	left := 9
	for _, tt := range []struct {
		query string
		want  int
	}{
		{"?reason=future&dry_run=true", 3},
		{"?reason=future", 3},
		{"?until=2026-03-02T14:00:00Z", 2},
		{"?keep_bytes=500&dry_run=true", 2},
		{"?keep_bytes=500", 2},
		{"?all=true", 2},
		{"?all=true", 0},
	} {
		got := must[Purged](s, http.StatusOK, http.MethodDelete, "/api/v1/quarantine"+tt.query, "")
		if got.Entries != tt.want || (got.Bytes > 0) != (tt.want > 0) {
			t.Errorf("%s: got %+v, want %d entries", tt.query, got, tt.want)
		}
		if !got.DryRun {
			left -= tt.want
		}
		if _, total, err := s.quarantine.List(t.Context(), quarantine.Filter{Limit: 1}); err != nil || total != left {
			t.Errorf("%s: got %d left, %v, want %d", tt.query, total, err, left)
		}
	}
}

// choosy is an intake that takes the records of B2 and puts the others into
// quarantine again, and another sender's beside each.
type choosy struct {
	fakeIngest
	server *server
}

func (c *choosy) Replay(ctx context.Context, e quarantine.Entry) (records, quarantined int, err error) {
	switch {
	case e.Reason == wire.ReasonForeign:
		return 0, 0, ErrNotReplayable
	case e.Device == "battery/B2":
		return 1, 0, nil
	}
	other := e
	other.Principal = "somebody else"
	e.Reason, e.Detail = wire.ReasonWrongType, fmt.Sprintf("entry %d", e.ID)
	return 1, 1, c.server.quarantine.Put(ctx, []quarantine.Entry{other, e})
}

func TestReplayTellsWhy(t *testing.T) {
	var intake choosy
	s := start(t, func(o *Options) { o.Ingest = &intake })
	intake.server = s
	s.quarantined(6)
	if err := s.quarantine.Put(t.Context(), []quarantine.Entry{{Device: "battery/B9", Reason: wire.ReasonForeign}}); err != nil {
		t.Fatal(err)
	}
	got := must[Replayed](s, http.StatusOK, http.MethodPost, "/api/v1/quarantine/replay", "")
	want := Replayed{
		Entries: 6, Stored: 2, Quarantined: 4, Skipped: 1, After: 7, Through: 7, Reasons: []ReasonCount{{"wrong_type", 4}},
	}
	for i, entry := range []int64{1, 2, 4, 5} {
		want.Failed = append(want.Failed, Refailed{
			// Others' entries arrive meanwhile.
			Entry: entry, ID: int64(9 + 2*i), Device: "battery/B1", Reason: "wrong_type", Detail: fmt.Sprintf("entry %d", entry),
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The window keeps those that came since out of it.
	for query, want := range map[string]int{"?after=7&through=7": 0, "?after=7&through=8": 1, "?reason=wrong_type&since=2026-03-03T00:00:00Z": 0} {
		got := must[Replayed](s, http.StatusOK, http.MethodPost, "/api/v1/quarantine/replay"+query, "")
		if got.Quarantined != want || got.More {
			t.Errorf("%s: got %+v, want %d that fail again", query, got, want)
		}
	}
	newest, _, err := s.quarantine.List(t.Context(), quarantine.Filter{Device: "battery/B1", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	one := must[Replayed](s, http.StatusOK, http.MethodPost, fmt.Sprintf("/api/v1/quarantine/%d/replay", newest[0].ID), "")
	if len(one.Failed) != 1 || one.Failed[0].Entry != newest[0].ID || one.Failed[0].Reason != "wrong_type" {
		t.Errorf("one: got %+v, want why it failed", one)
	}
}

func TestReplayInSteps(t *testing.T) {
	s := start(t)
	s.quarantined(maxReplay/100 + 5)
	var all Replayed
	query := ""
	for range 100 {
		got := must[Replayed](s, http.StatusOK, http.MethodPost, "/api/v1/quarantine/replay"+query, "")
		all.Entries += got.Entries
		all.Stored += got.Stored
		query = fmt.Sprintf("?after=%d&through=%d", got.After, got.Through)
		if !got.More {
			break
		}
	}
	if all.Entries != maxReplay/100+5 || all.Stored != all.Entries {
		t.Errorf("got %+v, want all of them", all)
	}
}

func TestRotateCredential(t *testing.T) {
	s := start(t)
	s.must("station", `{"id":"st1"}`)
	const path = "/api/v1/stations/st1/credential"
	refused(t, s.do(http.MethodPost, path+"/rotate", ""), http.StatusNotFound)
	first := must[Secret](s, http.StatusCreated, http.MethodPost, path, `{"username":"north"}`)
	refused(t, s.do(http.MethodPost, path, ""), http.StatusConflict)
	for grace, want := range map[string]time.Duration{"": 24 * time.Hour, `{"grace":"7d"}`: 7 * 24 * time.Hour} {
		second := must[Secret](s, http.StatusOK, http.MethodPost, path+"/rotate", grace)
		if second.Username != "north" || second.Secret == first.Secret || second.PreviousUntil == nil || *second.PreviousUntil != timeOf(clock.Add(want)) {
			t.Errorf("%s: got %+v, want a new secret and the old one for %s", grace, second, want)
		}
		for _, secret := range []string{first.Secret, second.Secret} {
			if _, err := s.registry.Authenticate(t.Context(), "north", secret); err != nil {
				t.Errorf("%s: %v", grace, err)
			}
		}
		refused(t, s.do(http.MethodPost, path+"/rotate", grace), http.StatusConflict) // the old one still works
		first = must[Secret](s, http.StatusOK, http.MethodPut, path, `{"username":"north"}`)
	}
	for _, grace := range []string{"59s", "91d", "-1h", "soon"} {
		p := refused(t, s.do(http.MethodPost, path+"/rotate", fmt.Sprintf(`{"grace":%q}`, grace)), http.StatusUnprocessableEntity)
		if diff := cmp.Diff([]string{"body.grace"}, p.locations()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", grace, diff)
		}
	}
}

func TestCertificates(t *testing.T) {
	s := start(t)
	s.must("station", `{"id":"st1"}`)
	s.must("battery", `{"id":"B1"}`)
	const path = "/api/v1/stations/st1/certificates"
	bind := func(name string) string {
		t.Helper()
		body, err := json.Marshal(map[string]string{"common_name": name})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	// These mean something in a URL, and are to mean themselves.
	names := []string{"depot nr 1", "a+b", "a b", "Dev/4", "100%2B", "?&=#", "..", "ü"}
	for i, name := range names {
		bound := must[Credential](s, http.StatusOK, http.MethodPut, path, bind(name))
		want := Credential{Device: "station/st1", Type: "certificate", CommonName: name, CreatedAt: timeOf(clock)}
		if diff := cmp.Diff(want, bound); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
		ref, err := s.registry.AuthenticateCertificate(t.Context(), name)
		if err != nil || ref != (devices.Ref{Kind: devices.KindStation, ID: "st1"}) {
			t.Errorf("%q: got %v, %v, want the station", name, ref, err)
		}
		all, err := s.registry.Certificates(t.Context())
		if err != nil || len(all) != i+1 {
			t.Errorf("%q: got %v, %v, want %d certificates", name, all, err, i+1)
		}
	}
	refused(t, s.do(http.MethodPut, "/api/v1/batteries/B1/certificates", bind("a+b")), http.StatusConflict)
	refused(t, s.do(http.MethodPut, "/api/v1/batteries/absent/certificates", bind("x")), http.StatusNotFound)
	refused(t, s.do(http.MethodPut, path, `{}`), http.StatusUnprocessableEntity)
	refused(t, s.do(http.MethodPut, path, bind("")), http.StatusUnprocessableEntity)
	must[Secret](s, http.StatusOK, http.MethodPut, "/api/v1/batteries/B1/credential", "")
	for query, want := range map[string]int{"": 1 + len(names), "?device=station/st1": len(names), "?device=battery/B1": 1, "?device=battery/none": 0} {
		got := must[struct{ Items []Credential }](s, http.StatusOK, http.MethodGet, "/api/v1/credentials"+query, "")
		if len(got.Items) != want {
			t.Errorf("%s: got %v, want %d", query, got.Items, want)
		}
	}
	refused(t, s.get("/api/v1/credentials?device=st1"), http.StatusUnprocessableEntity)
	refused(t, s.do(http.MethodDelete, path, ""), http.StatusUnprocessableEntity)
	refused(t, s.do(http.MethodDelete, path+"?common_name=other", ""), http.StatusNotFound)
	for i, name := range names {
		if a := s.do(http.MethodDelete, path+"?"+url.Values{"common_name": {name}}.Encode(), ""); a.status != http.StatusNoContent {
			t.Errorf("delete %q: got %d %s, want 204", name, a.status, a.body)
		}
		if _, err := s.registry.AuthenticateCertificate(t.Context(), name); err == nil {
			t.Errorf("%q: a certificate that was taken away lets in", name)
		}
		if all, err := s.registry.Certificates(t.Context()); err != nil || len(all) != len(names)-i-1 {
			t.Errorf("%q: got %v, %v, want only this one to go", name, all, err)
		}
	}
}
