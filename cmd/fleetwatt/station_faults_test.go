package main

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
	"github.com/fleetwatt/fleetwatt/simulator/generate"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

// stationWeeks has the stations of a small city publish 21 days with faults, and
// returns the results of all but the first and the last day or two.
func stationWeeks(t *testing.T, of faults.Config) (rows []stationRow, hit int) {
	t.Helper()
	const days = 21
	end := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -3)
	fleet, err := simulator.New(cityOf(2, end.AddDate(0, 0, -days)))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	s.registerStations(fleet.Inventory())
	p, err := publish.New(publish.Options{Broker: "tcp://" + s.mqtt, Connections: 2, MaxBackoff: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	g, err := generate.New(fleet, generate.Plan{Faults: of, Seed: 9, Batch: 24, Truth: 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	do := func(b generate.Block) error {
		for _, record := range b.Truth {
			if record.Device.Kind == devices.KindStation && len(record.Quantity) > 6 && record.Quantity[:6] == "fault." {
				hit++
			}
		}
		for _, a := range b.Actions {
			if a.Ref.Kind != devices.KindStation {
				continue
			}
			if a.Act != faults.Send {
				hit++
			}
			if err := p.Do(t.Context(), a); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(g.Run(t.Context(), end, do), do(g.Flush()), p.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.accounting()
	s.runJob("stations")
	rows = get[rowsOf[stationRow]](s, fmt.Sprintf("/api/v1/fleet/stations?days=%d&as_of=%s", days-4, end.AddDate(0, 0, -1).Format(time.DateOnly))).Items
	if len(rows) != 2 {
		t.Fatalf("got %d stations, want 2", len(rows))
	}
	return rows, hit
}

// tolerance is by how much a fault may move the results of stations.
type tolerance struct {
	visits float64 // swaps and refusals, by count
	share  float64 // completion, availability, uptime, use of slots
	energy float64 // relative
	packs  int     // needed
}

// Each fault on its own, at a rate far beyond what is usual, against the same
// three weeks without: no result of a station moves by more than is stated here,
// or it says that the data is insufficient.
func TestStationsWithFaults(t *testing.T) {
	t.Parallel()
	exact := tolerance{}
	tests := []struct {
		name   string
		faults faults.Config
		within tolerance
		mild   bool // may leave no note
	}{
		{name: "offline", faults: faults.Config{Offline: faults.Spell{PerYear: 100, Hours: 12}}, within: exact},
		{name: "reconnect storms", faults: faults.Config{ReconnectStorms: faults.Storm{PerYear: 200, Share: 0.7}}, within: exact},
		{name: "wrong credentials", faults: faults.Config{WrongCredentials: faults.Rate{PerYear: 100}}, within: exact},
		{name: "doubled", faults: faults.Config{Doubled: faults.Share{Share: 0.3}}, within: exact, mild: true},
		{name: "shuffled", faults: faults.Config{Shuffled: faults.Share{Share: 0.5}}, within: exact, mild: true},
		{name: "malformed", faults: faults.Config{Malformed: faults.Share{Share: 0.3}}, within: exact, mild: true},
		// Visits at midnight go to the other day, and packs ready are looked up
		// minutes off: by one report at most.
		{name: "clock offset", faults: faults.Config{ClockOffset: faults.Offset{Devices: 1, Seconds: 240}}, within: tolerance{visits: 4, share: 0.01, energy: 0.002, packs: 1}},
		{name: "clock drift", faults: faults.Config{ClockDrift: faults.Drift{Devices: 1, PPM: 100}}, within: tolerance{visits: 4, share: 0.01, energy: 0.002, packs: 1}},
		// What is counted around a reset is not known, and not made up.
		{name: "counter reset", faults: faults.Config{CounterReset: faults.Rate{PerYear: 100}}, within: tolerance{energy: 0.01}},
		{name: "counter rollover", faults: faults.Config{CounterRollover: faults.Rollover{Devices: 1, At: 1e6}}, within: tolerance{energy: 0.02}},
		{name: "stuck", faults: faults.Config{Stuck: faults.Spell{PerYear: 50, Hours: 24}}, within: exact},
		{name: "drifting sensor", faults: faults.Config{DriftingSensor: faults.Creep{Devices: 1, PerYear: 0.5}}, within: exact},
		// A reading with an impossible value is refused whole; the one before
		// stands for it.
		{name: "spike", faults: faults.Config{Spike: faults.Spike{Share: 0.03, Factor: 20}}, within: tolerance{share: 0.01, energy: 0.002, packs: 1}},
		{name: "missing", faults: faults.Config{Missing: faults.Share{Share: 0.2}}, within: tolerance{share: 0.01, energy: 0.002, packs: 1}},
	}
	clean, _ := stationWeeks(t, faults.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, hit := stationWeeks(t, tt.faults)
			if hit == 0 && !tt.mild {
				t.Error("no fault happened")
			}
			worst := tolerance{}
			for k, row := range rows {
				worst.add(t, row, clean[k])
			}
			t.Logf("%d faults noted; results moved by at most %+v, tolerance %+v", hit, worst, tt.within)
			if worst.visits > tt.within.visits || worst.share > tt.within.share || worst.energy > tt.within.energy || worst.packs > tt.within.packs {
				t.Errorf("results moved by %+v, more than %+v", worst, tt.within)
			}
		})
	}
}

// add takes note of how far a station is from what it would be without faults.
// What says that it is insufficient is far from nothing.
func (w *tolerance) add(t *testing.T, got, clean stationRow) {
	t.Helper()
	if clean.Swaps < 300 || clean.Completion == nil || clean.GridWh == nil || clean.PacksNeeded == nil || clean.PackAvailability == nil {
		t.Fatalf("%s, without faults: got %+v", clean.ID, clean)
	}
	w.visits = max(w.visits, math.Abs(float64(got.Swaps-clean.Swaps)), math.Abs(float64(got.Failures-clean.Failures)), math.Abs(float64(got.Reneged-clean.Reneged)))
	for _, x := range []struct{ got, clean *float64 }{
		{got.Completion, clean.Completion}, {got.PackAvailability, clean.PackAvailability}, {got.Uptime, clean.Uptime},
		{got.Occupied, clean.Occupied}, {got.PackInService, clean.PackInService}, {got.Availability, clean.Availability},
	} {
		if x.got != nil && x.clean != nil {
			w.share = max(w.share, math.Abs(*x.got-*x.clean))
		}
	}
	if got.GridWh != nil {
		w.energy = max(w.energy, math.Abs(*got.GridWh/(*clean.GridWh)-1))
	}
	if got.PacksNeeded != nil {
		w.packs = max(w.packs, int(math.Abs(float64(*got.PacksNeeded-*clean.PacksNeeded))))
	}
}
