package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// recorded simulates a small fleet for six weeks.
func recorded(t *testing.T) (simulator.Inventory, []telemetry.Reading) {
	t.Helper()
	cfg := simulator.Demo(7, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	cfg.Owners, cfg.Sites, cfg.Stations, cfg.Slots, cfg.Batteries, cfg.Buildings = 1, 1, 1, 4, 6, 1
	f, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var all []telemetry.Reading
	for range 42 * 96 {
		f.Step(func(r telemetry.Reading) {
			r.Values = append([]telemetry.Value(nil), r.Values...)
			all = append(all, r)
		}, nil)
	}
	return f.Inventory(), all
}

// deliver publishes readings in arrays of each device, in the order given.
func (s *server) deliver(id string, readings []telemetry.Reading, size int) {
	s.t.Helper()
	c := s.client(id)
	piles := map[devices.Ref][]telemetry.Reading{}
	flush := func(ref devices.Ref) {
		topic := wire.Topic{Device: ref, Channel: wire.Telemetry}.String()
		send(s.t, c, topic, wire.AppendReadings(nil, piles[ref]))
		piles[ref] = nil
	}
	for _, r := range readings {
		piles[r.Ref()] = append(piles[r.Ref()], r)
		if len(piles[r.Ref()]) >= size {
			flush(r.Ref())
		}
	}
	for ref, pile := range piles {
		if len(pile) > 0 {
			flush(ref)
		}
	}
}

// results are the bytes of everything computed.
func (s *server) results(inv simulator.Inventory) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	fetch := func(path string) { out[path] = string(s.call(http.StatusOK, http.MethodGet, path, "")) }
	span := "from=2026-02-25T00:00:00Z&to=2026-04-20T00:00:00Z"
	device := func(kind, id string) {
		fetch("/api/v1/" + kind + "/" + id + "/rollups?every=1h&" + span)
		fetch("/api/v1/" + kind + "/" + id + "/rollups?every=1d&" + span)
		fetch("/api/v1/" + kind + "/" + id + "/telemetry?limit=100000&" + span)
	}
	for _, b := range inv.Batteries {
		device("batteries", b.ID)
		fetch("/api/v1/batteries/" + b.ID + "/health")
	}
	for _, b := range inv.Stations {
		device("stations", b.ID)
	}
	for _, b := range inv.Buildings {
		device("buildings", b.ID)
	}
	return out
}

func (s *server) rate(inv simulator.Inventory) {
	s.t.Helper()
	for _, b := range inv.Batteries {
		body, err := json.Marshal(map[string]any{
			"id": b.ID, "rated_capacity_ah": b.RatedCapacityAh, "rated_voltage_v": b.RatedVoltageV, "cutoff_voltage_v": b.CutoffVoltageV,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/batteries", string(body))
	}
}

// The same stream shuffled, doubled and half of it late gives the same bytes as
// the clean one.
func TestMessyInputSameResults(t *testing.T) {
	t.Parallel()
	inv, all := recorded(t)

	clean := serve(t)
	clean.rate(inv)
	clean.deliver("clean", all, 96)
	clean.runJob("rollup")
	clean.runJob("battery")
	want := clean.results(inv)

	messy := serve(t)
	messy.rate(inv)
	rng := rand.New(rand.NewPCG(1, 2))
	var early, late []telemetry.Reading
	for _, r := range all {
		half := &early
		if rng.IntN(2) == 0 {
			half = &late
		}
		*half = append(*half, r, r)
	}
	for i, half := range [][]telemetry.Reading{early, late} { // between them the jobs see half of everything
		rng.Shuffle(len(half), func(a, b int) { half[a], half[b] = half[b], half[a] })
		messy.deliver([]string{"early", "late"}[i], half, 37)
		messy.runJob("rollup")
		messy.runJob("battery")
	}
	if a, n := messy.accounting(), uint64(len(all)); a.Stored != n || a.Duplicate != n {
		t.Errorf("got accounting %+v, want %d stored and as many duplicate", a, n)
	}
	got := messy.results(inv)
	capacities := 0
	for path, w := range want {
		if got[path] != w {
			t.Errorf("%s differs:\nclean %.300s\nmessy %.300s", path, w, got[path])
		}
		if len(w) < 100 {
			t.Errorf("%s is nearly empty: %s", path, w)
		}
	}
	for _, b := range inv.Batteries {
		capacities += len(get[struct{ Partials []any }](clean, "/api/v1/batteries/"+b.ID+"/health").Partials)
	}
	if capacities < 20 {
		t.Errorf("only %d capacities were measured: nothing much was compared", capacities)
	}
	t.Logf("%d answers with %d capacities are equal byte for byte", len(want), capacities)
}
