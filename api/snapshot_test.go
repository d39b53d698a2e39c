package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// TestMirrorSeesEveryChange asks the same lists after each change: of a server that
// keeps batteries in memory, and of one that reads all for each question.
func TestMirrorSeesEveryChange(t *testing.T) {
	s := start(t, func(o *Options) {
		o.BatteryChanges, o.ResultChanges = o.Registry.(BatteryChanges), o.Batteries.(ResultChanges)
	})
	led, mirror := s.ledger, s.api.fleet.mirror
	direct := newMirror(&Options{Registry: s.registry, Results: led, Batteries: led})
	commit := func(id string, score float64) {
		t.Helper()
		standing := dossier.Standing{Device: id, Day: 20_000, First: 20_000, Days: 1, Status: "ok", HealthScore: &score, OutlookStatus: "insufficient_data"}
		err := led.Commit(t.Context(), ledger.Changes{Job: "battery", Parts: []ledger.Part{ledger.BatteryResults{{Device: id, Standing: &standing}}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.must("owner", `{"id":"o1","name":"One"}`)
	steps := []struct {
		name string
		do   func()
		want string // by health, the worst first
	}{
		{"registered", func() { s.must("battery", `{"id":"B1"}`); s.must("battery", `{"id":"B2"}`) }, "[B1 B2]"},
		{"a result", func() { commit("B2", 50) }, "[B2 B1]"},
		{"a worse one", func() { commit("B1", 40) }, "[B1 B2]"},
		{"a result before its battery", func() { commit("B0", 30) }, "[B1 B2]"},
		{"its battery", func() { s.must("battery", `{"id":"B0"}`) }, "[B0 B1 B2]"},
		{"deleted", func() { s.do(http.MethodDelete, "/api/v1/batteries/B1", "") }, "[B0 B2]"},
		{"a day", func() {
			if err := led.MarkDirty(t.Context(), []telemetry.DeviceDay{{Kind: devices.KindBattery, Device: "B2", Day: 20_000}}); err != nil {
				t.Fatal(err)
			}
		}, "[B0 B2]"},
	}
	for _, step := range steps {
		step.do()
		body := must[struct{ Items []Battery }](s, http.StatusOK, http.MethodGet, "/api/v1/batteries?sort=health", "")
		ids := []string{}
		for _, b := range body.Items {
			ids = append(ids, b.ID)
		}
		if got := fmt.Sprint(ids); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
		kept, err := mirror.current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		read, err := direct.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(read.view(read.all), kept.view(kept.all)); diff != "" {
			t.Errorf("%s (-read +kept):\n%s", step.name, diff)
		}
		again, err := mirror.current(t.Context())
		if err != nil || again != kept {
			t.Errorf("%s: nothing changed, but the snapshot did (%v)", step.name, err)
		}
	}
}
