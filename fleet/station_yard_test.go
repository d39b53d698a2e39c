package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// shelf is a telemetry store in memory, of stations, that counts what is read.
type shelf struct {
	telemetry.Reader
	readings map[string]map[int64]telemetry.Reading
	ranges   int
}

func (s *shelf) put(r telemetry.Reading) {
	if s.readings == nil {
		s.readings = map[string]map[int64]telemetry.Reading{}
	}
	if s.readings[r.Device] == nil {
		s.readings[r.Device] = map[int64]telemetry.Reading{}
	}
	s.readings[r.Device][r.TS] = r
}

func (s *shelf) Range(_ context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	s.ranges++
	for _, id := range q.Devices {
		var found []telemetry.Reading
		for ts, r := range s.readings[id] {
			if q.Window.Contains(ts) {
				found = append(found, r)
			}
		}
		slices.SortFunc(found, func(a, b telemetry.Reading) int { return cmp.Compare(a.TS, b.TS) })
		for _, r := range found {
			if err := yield(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// places is a registry.
type places struct {
	stations map[string]devices.Station
	sites    map[string]devices.Site
}

func placesOf(inv simulator.Inventory) *places {
	p := &places{map[string]devices.Station{}, map[string]devices.Site{}}
	for _, s := range inv.Stations {
		p.stations[s.ID] = s
	}
	for _, s := range inv.Sites {
		p.sites[s.ID] = s
	}
	return p
}

func (p *places) GetStation(_ context.Context, id string) (devices.Station, error) {
	return p.stations[id], nil
}

func (p *places) GetSite(_ context.Context, id string) (devices.Site, error) {
	return p.sites[id], nil
}

// yard is the job of stations with all that it works from.
type yard struct {
	t      *testing.T
	store  shelf
	ledger *ledger.Ledger
	places *places
	job    Job
}

func newYard(t *testing.T, inv simulator.Inventory) *yard {
	t.Helper()
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	y := &yard{t: t, ledger: l, places: placesOf(inv)}
	y.job = Stations(&y.store, l, y.places, station.DefaultRules(), "@hourly")
	return y
}

// take stores readings and events as ingest does.
func (y *yard) take(readings []telemetry.Reading, events []telemetry.Event) {
	y.t.Helper()
	days := map[telemetry.DeviceDay]bool{}
	for _, r := range readings {
		y.store.put(r)
		days[telemetry.DeviceDay{Kind: r.Kind, Device: r.Device, Day: telemetry.DayOf(r.TS)}] = true
	}
	for _, e := range events {
		days[telemetry.DeviceDay{Kind: e.Kind, Device: e.Device, Day: telemetry.DayOf(e.TS)}] = true
	}
	if _, err := y.ledger.AppendEvents(y.t.Context(), events); err != nil {
		y.t.Fatal(err)
	}
	var marked []telemetry.DeviceDay
	for d := range days {
		marked = append(marked, d)
	}
	if err := y.ledger.MarkDirty(y.t.Context(), marked); err != nil {
		y.t.Fatal(err)
	}
}

// run runs the job.
func (y *yard) run() {
	y.t.Helper()
	r, err := NewRunner(Options{Jobs: []Job{y.job}, Runs: y.ledger, Results: y.ledger, Marker: y.ledger, Now: time.Now})
	if err != nil {
		y.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(y.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	run, err := r.Trigger(ctx, "stations", true)
	stop()
	<-ended
	if err != nil || run.Err != "" {
		y.t.Fatalf("run: %v %s", err, run.Err)
	}
}

func (y *yard) days(id string) []station.Day {
	y.t.Helper()
	days, err := y.ledger.StationDays(y.t.Context(), id, 0, 100_000)
	if err != nil {
		y.t.Fatal(err)
	}
	return days
}

func (y *yard) faults(id string) []station.Fault {
	y.t.Helper()
	all, err := y.ledger.StationFaults(y.t.Context(), id)
	if err != nil {
		y.t.Fatal(err)
	}
	return all[id]
}

// stored is every result, as bytes.
func (y *yard) stored() string {
	y.t.Helper()
	var out strings.Builder
	totals, err := y.ledger.StationTotals(y.t.Context(), 0, 100_000)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, id := range slices.Sorted(func(yield func(string) bool) {
		for id := range y.places.stations {
			if !yield(id) {
				return
			}
		}
	}) {
		b, err := json.Marshal(y.days(id))
		if err != nil {
			y.t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %s\n%+v\n%+v\n", id, b, y.faults(id), totals[id])
	}
	return out.String()
}
