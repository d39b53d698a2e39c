package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

func TestHealthzAndMetrics(t *testing.T) {
	s := start(t)
	s.health.breaks("disk full")
	if a := s.send(http.MethodGet, "/healthz", "", nil); a.status != http.StatusOK || strings.TrimSpace(a.body) != `{"status":"ok"}` {
		t.Errorf("healthz: got %d %s, want 200 ok whatever the checks say", a.status, a.body)
	}
	a := s.send(http.MethodGet, "/metrics", "", nil)
	if a.status != http.StatusOK || a.body != "fleetwatt_up 1\n" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("metrics: got %d %s %q", a.status, a.header.Get("Content-Type"), a.body)
	}
}

func TestReadyz(t *testing.T) {
	s := start(t)
	checks := func(ok bool, detail string) []any {
		store := object{"name": "store", "ok": ok}
		if detail != "" {
			store["detail"] = detail
		}
		return []any{object{"name": "registry", "ok": true}, store}
	}
	var got object
	a := s.send(http.MethodGet, "/readyz", "", nil)
	a.into(t, &got)
	if diff := cmp.Diff(object{"status": "ready", "checks": checks(true, "")}, got); a.status != http.StatusOK || diff != "" {
		t.Errorf("ready: got %d (-want +got):\n%s", a.status, diff)
	}
	s.health.breaks("disk full")
	a = s.send(http.MethodGet, "/readyz", "", nil)
	refused(t, a, http.StatusServiceUnavailable)
	got = nil
	a.into(t, &got)
	want := object{
		"title": "Service Unavailable", "status": 503.0, "detail": "not ready: store", "checks": checks(false, "disk full"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not ready (-want +got):\n%s", diff)
	}
}

func TestIngestAccounting(t *testing.T) {
	s := start(t)
	got := must[Accounting](s, http.StatusOK, http.MethodGet, "/api/v1/ingest", "")
	if diff := cmp.Diff(fakeIngest{}.Accounting(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJobs(t *testing.T) {
	s := start(t)
	want := object{"items": []any{
		object{
			"name": "rollup", "schedule": "*/5 * * * *", "next": "2026-03-02T12:05:00.000Z",
			"last_run": object{
				"id": 7.0, "job": "rollup", "trigger": "schedule", "status": "ok", "rows": 12.0, "duration_s": 60.0,
				"start": "2026-03-02T11:50:00.000Z", "end": "2026-03-02T11:51:00.000Z",
				"window_from": "1970-01-01T00:00:00.000Z", "window_to": "1970-01-02T00:00:00.000Z",
			},
		},
		object{"name": "busy", "schedule": "0 * * * *"},
	}}
	if diff := cmp.Diff(want, must[object](s, http.StatusOK, http.MethodGet, "/api/v1/jobs", "")); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
	refused(t, s.do(http.MethodPost, "/api/v1/jobs/absent/run", ""), http.StatusNotFound)
	refused(t, s.do(http.MethodPost, "/api/v1/jobs/busy/run", ""), http.StatusConflict)
	refused(t, s.get("/api/v1/jobs/absent/runs"), http.StatusNotFound)
	p := refused(t, s.do(http.MethodPost, "/api/v1/jobs/rollup/run?wait=maybe", ""), http.StatusUnprocessableEntity)
	if diff := cmp.Diff([]string{"query.wait"}, p.locations()); diff != "" {
		t.Errorf("wait=maybe (-want +got):\n%s", diff)
	}
	begun := must[JobRun](s, http.StatusAccepted, http.MethodPost, "/api/v1/jobs/rollup/run", "")
	if begun.Status != "running" || begun.End != nil {
		t.Errorf("without wait: got %+v, want a run under way", begun)
	}
	ended := must[JobRun](s, http.StatusOK, http.MethodPost, "/api/v1/jobs/rollup/run?wait=true", "")
	if ended.Status != "failed" || ended.Error != "battery/B1: no luck" || *ended.DurationSeconds != 1.5 {
		t.Errorf("with wait: got %+v, want a failed run", ended)
	}
}

// A wait is not cut off by the timeout of other requests.
func TestJobsAreWaitedFor(t *testing.T) {
	s := start(t, func(o *Options) { o.RequestTimeout = time.Millisecond })
	answered := make(chan answer, 1)
	go func() { answered <- s.do(http.MethodPost, "/api/v1/jobs/busy/run?wait=true", "") }()
	select {
	case a := <-answered:
		t.Fatalf("answered before the run ended: %d %s", a.status, a.body)
	case <-time.After(50 * time.Millisecond): // far beyond the timeout
	}
	close(s.jobs.held)
	if a := <-answered; a.status != http.StatusOK {
		t.Errorf("got %d %s, want 200", a.status, a.body)
	}
}

func TestJobRuns(t *testing.T) {
	s := start(t)
	for i := range 3 {
		if _, err := s.ledger.BeginRun(t.Context(), "rollup", clock.Add(time.Duration(i)*time.Hour), "schedule"); err != nil {
			t.Fatal(err)
		}
	}
	got := must[struct{ Items []JobRun }](s, http.StatusOK, http.MethodGet, "/api/v1/jobs/rollup/runs?limit=2", "")
	if len(got.Items) != 2 || got.Items[0].ID <= got.Items[1].ID {
		t.Errorf("got %+v, want the two newest, newest first", got.Items)
	}
	none := must[object](s, http.StatusOK, http.MethodGet, "/api/v1/jobs/busy/runs", "")
	if diff := cmp.Diff(object{"items": []any{}}, none); diff != "" {
		t.Errorf("none (-want +got):\n%s", diff)
	}
}

func TestQuarantine(t *testing.T) {
	s := start(t)
	long := strings.Repeat("é", maxListedPayload) // two bytes each, so the limit falls on a border
	odd := "x" + long                             // and here within a character
	entry := func(reason wire.Reason, device, payload string) quarantine.Entry {
		return quarantine.Entry{Topic: "fleet/v1/" + device + "/telemetry", Device: device, Principal: "gw", Reason: reason, Detail: "why", Payload: []byte(payload)}
	}
	err := s.quarantine.Put(t.Context(), []quarantine.Entry{
		entry(wire.ReasonMalformed, "battery/B1", `{"soc`),
		entry(wire.ReasonInvalidUTF8, "battery/B2", "\xff\xfe"),
		entry(wire.ReasonMalformed, "battery/B2", odd),
	})
	if err != nil {
		t.Fatal(err)
	}
	list := func(query string) ([]Quarantined, http.Header) {
		t.Helper()
		a := s.get("/api/v1/quarantine" + query)
		var body struct{ Items []Quarantined }
		a.into(t, &body)
		return body.Items, a.header
	}
	all, header := list("")
	if len(all) != 3 || header.Get("X-Total-Count") != "3" || !strings.Contains(header.Get("Link"), `rel="last"`) {
		t.Fatalf("got %d entries, %v", len(all), header)
	}
	newest, binary, oldest := all[0], all[1], all[2]
	want := Quarantined{
		ID: oldest.ID, ReceivedAt: timeOf(clock), Topic: "fleet/v1/battery/B1/telemetry", Device: "battery/B1", Principal: "gw",
		Reason: "malformed", Detail: "why", PayloadBytes: 5, Payload: ptr(`{"soc`),
	}
	if diff := cmp.Diff(want, oldest); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if binary.Payload != nil || binary.PayloadBase64 == nil || *binary.PayloadBase64 != base64.StdEncoding.EncodeToString([]byte("\xff\xfe")) {
		t.Errorf("binary: got %+v, want base64 alone", binary)
	}
	if !newest.Truncated || newest.PayloadBytes != len(odd) || *newest.Payload != odd[:maxListedPayload-1] {
		t.Errorf("long: got %d of %d bytes, truncated %v; want the cut between characters", len(*newest.Payload), newest.PayloadBytes, newest.Truncated)
	}
	for query, n := range map[string]int{
		"?reason=malformed": 2, "?device=battery/B2": 2, "?reason=malformed&device=battery/B2": 1, "?limit=1": 1, "?offset=2": 1, "?reason=future": 0,
	} {
		if got, _ := list(query); len(got) != n {
			t.Errorf("%s: got %d entries, want %d", query, len(got), n)
		}
	}
	counts := must[object](s, http.StatusOK, http.MethodGet, "/api/v1/quarantine/counts", "")
	wantCounts := object{"items": []any{object{"reason": "malformed", "count": 2.0}, object{"reason": "invalid_utf8", "count": 1.0}}}
	if diff := cmp.Diff(wantCounts, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	path := fmt.Sprintf("/api/v1/quarantine/%d", newest.ID)
	if whole := must[Quarantined](s, http.StatusOK, http.MethodGet, path, ""); whole.Truncated || *whole.Payload != odd {
		t.Errorf("entry: got %d bytes, truncated %v; want all of it", len(*whole.Payload), whole.Truncated)
	}
	if a := s.do(http.MethodDelete, path, ""); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("delete: got %d %s, want 204", a.status, a.body)
	}
	refused(t, s.do(http.MethodDelete, path, ""), http.StatusNotFound)
	refused(t, s.get(path), http.StatusNotFound)
	for _, id := range []string{"0", "-1", "first"} {
		p := refused(t, s.get("/api/v1/quarantine/"+id), http.StatusUnprocessableEntity)
		if diff := cmp.Diff([]string{"path.id"}, p.locations()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

func TestCredentials(t *testing.T) {
	s := start(t)
	s.must("station", `{"id":"st1"}`)
	s.must("battery", `{"id":"B1"}`)
	const path = "/api/v1/stations/st1/credential"
	first := must[Secret](s, http.StatusOK, http.MethodPut, path, "")
	if first.Username != "st1" || len(first.Secret) < 32 {
		t.Errorf("got %+v, want the id and a long secret", first)
	}
	second := must[Secret](s, http.StatusOK, http.MethodPut, path, `{"username":"north"}`)
	if second.Username != "north" || second.Secret == first.Secret {
		t.Errorf("got %+v, want a new name and secret", second)
	}
	refused(t, s.do(http.MethodPut, "/api/v1/batteries/B1/credential", `{"username":"north"}`), http.StatusConflict)
	refused(t, s.do(http.MethodPut, "/api/v1/batteries/absent/credential", ""), http.StatusNotFound)
	p := refused(t, s.do(http.MethodPut, path, `{"username":"a\u0001b"}`), http.StatusUnprocessableEntity)
	if diff := cmp.Diff([]string{"body.username"}, p.locations()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	list := s.get("/api/v1/credentials")
	want := `{"items":[{"device":"station/st1","type":"secret","username":"north","created_at":"2026-03-02T12:00:00.000Z"}]}`
	if got := strings.TrimSpace(list.body); got != want {
		t.Errorf("list: got %s, want %s", got, want)
	}
	if a := s.do(http.MethodDelete, path, ""); a.status != http.StatusNoContent {
		t.Errorf("delete: got %d %s, want 204", a.status, a.body)
	}
	refused(t, s.do(http.MethodDelete, path, ""), http.StatusNotFound)
	if log := s.log.String(); strings.Contains(log, first.Secret) || strings.Contains(log, second.Secret) {
		t.Error("a secret is in the log")
	}
}
