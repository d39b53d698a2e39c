package api

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
)

// startPresence serves the presence of a battery that sends, one that is gone
// and has a fast clock, and a station that was never heard.
func startPresence(t *testing.T) *server {
	t.Helper()
	refs := []devices.Ref{{Kind: devices.KindStation, ID: "st1"}, {Kind: devices.KindBattery, ID: "B1"}, {Kind: devices.KindBattery, ID: "B2"}}
	tracker, err := presence.Open(t.Context(), filepath.Join(t.TempDir(), "presence.db"), presence.Options{
		Now:        func() time.Time { return clock },
		Registered: func(context.Context) ([]devices.Ref, error) { return refs, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
	})
	at := func(ago time.Duration) int64 { return clock.Add(-ago).UnixMilli() }
	reading := func(ts int64) *wire.Decoded { return &wire.Decoded{Readings: []telemetry.Reading{{TS: ts}}} }
	tracker.Observe(refs[1], at(time.Minute), reading(at(2*time.Minute)))
	tracker.Observe(refs[2], at(time.Hour), reading(at(time.Hour)))
	tracker.Observe(refs[2], at(59*time.Minute), &wire.Decoded{Events: []telemetry.Event{{Type: wire.StatusOffline, TS: at(59 * time.Minute)}}})
	tracker.Offset(refs[2], at(0), at(time.Hour), false)
	s := start(t, func(o *Options) { o.Presence = tracker })
	s.must("station", `{"id":"st1"}`)
	s.must("battery", `{"id":"B1"}`)
	s.must("battery", `{"id":"B2"}`)
	s.must("battery", `{"id":"B3"}`)
	return s
}

func TestListPresence(t *testing.T) {
	s := startPresence(t)
	tests := []struct {
		query string
		want  []string
		total string
	}{
		{"", []string{"battery/B1 online", "battery/B2 offline", "station/st1 never"}, "3"},
		{"?kind=battery", []string{"battery/B1 online", "battery/B2 offline"}, "2"},
		{"?state=never", []string{"station/st1 never"}, "1"},
		{"?kind=battery&state=never", nil, "0"},
		{"?limit=1&offset=1", []string{"battery/B2 offline"}, "3"},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			a := s.get("/api/v1/presence" + tt.query)
			var body struct{ Items []DevicePresence }
			a.into(t, &body)
			var got []string
			for _, p := range body.Items {
				got = append(got, p.Kind+"/"+p.ID+" "+p.State)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || a.header.Get("X-Total-Count") != tt.total {
				t.Errorf("got %s in all, want %s; (-want +got):\n%s", a.header.Get("X-Total-Count"), tt.total, diff)
			}
			if !strings.Contains(a.header.Get("Link"), `rel="last"`) {
				t.Errorf("Link: got %q", a.header.Get("Link"))
			}
		})
	}
	for query, at := range map[string]string{"?kind=toaster": "query.kind", "?state=gone": "query.state"} {
		p := refused(t, s.get("/api/v1/presence"+query), http.StatusUnprocessableEntity)
		if diff := cmp.Diff([]string{at}, p.locations()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestGetPresence(t *testing.T) {
	s := startPresence(t)
	tests := []struct {
		path string
		want object
	}{
		{"batteries/B1", object{
			"kind": "battery", "id": "B1", "state": "online", "first_seen": "2026-03-02T11:59:00.000Z", "last_seen": "2026-03-02T11:59:00.000Z",
			"newest_ts": "2026-03-02T11:58:00.000Z", "since": "2026-03-02T11:59:00.000Z", "offline_after_s": 900.0,
		}},
		{"batteries/B2", object{
			"kind": "battery", "id": "B2", "state": "offline", "first_seen": "2026-03-02T11:00:00.000Z", "last_seen": "2026-03-02T11:00:00.000Z",
			"newest_ts": "2026-03-02T11:00:00.000Z", "since": "2026-03-02T11:00:00.000Z", "offline_at": "2026-03-02T11:01:00.000Z", "offline_after_s": 900.0,
			"clock": object{"offset_ms": -3600001.0, "since": "2026-03-02T11:00:00.000Z", "observed_ms": -3600000.0, "samples": 1.0},
		}},
		{"stations/st1", object{"kind": "station", "id": "st1", "state": "never", "offline_after_s": 900.0}},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			got := must[object](s, http.StatusOK, http.MethodGet, "/api/v1/"+tt.path+"/presence", "")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	refused(t, s.get("/api/v1/buildings/absent/presence"), http.StatusNotFound)
	doc, n := s.document(), 0
	doc.each(func(method, path string, op specified) {
		if strings.HasSuffix(path, "/presence") {
			checkResponses(t, method+" "+path, op)
			n++
		}
	})
	checkRefs(t, doc)
	if want := 1 + len(devices.Kinds()); n != want {
		t.Errorf("got %d routes documented, want %d", n, want)
	}
}

// A server that follows no presence has no such routes.
func TestWithoutPresence(t *testing.T) {
	s := start(t)
	refused(t, s.get("/api/v1/presence"), http.StatusNotFound)
}
