package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// larder is a telemetry store in memory.
type larder struct {
	mu       sync.Mutex
	readings map[string]map[int64]telemetry.Reading // by device and time
	fail     error
	reads    int
}

func (s *larder) put(readings ...telemetry.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readings == nil {
		s.readings = map[string]map[int64]telemetry.Reading{}
	}
	for _, r := range readings {
		if s.readings[r.Device] == nil {
			s.readings[r.Device] = map[int64]telemetry.Reading{}
		}
		s.readings[r.Device][r.TS] = r
	}
}

func (s *larder) drop(device string, before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ts := range s.readings[device] {
		if ts < before {
			delete(s.readings[device], ts)
		}
	}
}

func (s *larder) Range(_ context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	ids := slices.Sorted(slices.Values(q.Devices))
	for _, id := range slices.Compact(ids) {
		var times []int64
		for ts := range s.readings[id] {
			if q.Window.Contains(ts) {
				times = append(times, ts)
			}
		}
		slices.Sort(times)
		for _, ts := range times {
			s.reads++
			if err := yield(s.readings[id][ts]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *larder) Latest(context.Context, telemetry.RangeQuery) ([]telemetry.Sample, error) {
	return nil, errors.ErrUnsupported
}

func (s *larder) Aggregate(context.Context, telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	return nil, errors.ErrUnsupported
}

// batteryList is a registry in memory.
type batteryList map[string]devices.Battery

var errNoBattery = errors.New("no such battery")

func (c batteryList) GetBattery(_ context.Context, id string) (devices.Battery, error) {
	b, ok := c[id]
	if !ok {
		return b, errNoBattery
	}
	return b, nil
}

// lab runs the jobs of batteries on a real ledger.
type lab struct {
	t       *testing.T
	store   *larder
	ledger  *ledger.Ledger
	path    string // of the ledger
	assets  batteryList
	rules   dossier.Rules
	schema  *devices.Schema
	jobs    []Job
	today   int64
	lenient bool // failures are the test's
}

func newLab(t *testing.T, assets batteryList, rules dossier.Rules) *lab {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := ledger.Open(t.Context(), path, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &lab{t: t, store: &larder{}, ledger: l, path: path, assets: assets, rules: rules, schema: schema}
	b.jobs = []Job{
		BatterySwaps(l, "0 1 * * *"), Battery(b.store, schema, l, assets, rules, "0 1 * * *"), BatteryToday(b.store, schema, l, assets, rules, "0 * * * *"),
		Rollup(b.store, schema, "0 1 * * *"),
	}
	return b
}

// deliver stores readings, in the order given, and marks their days.
func (b *lab) deliver(readings []telemetry.Reading) {
	b.t.Helper()
	b.store.put(readings...)
	days := map[telemetry.DeviceDay]bool{}
	for _, r := range readings {
		days[telemetry.DeviceDay{Kind: r.Kind, Device: r.Device, Day: telemetry.DayOf(r.TS)}] = true
	}
	var list []telemetry.DeviceDay
	for d := range days {
		list = append(list, d)
	}
	if err := b.ledger.MarkDirty(b.t.Context(), list); err != nil {
		b.t.Fatal(err)
	}
}

func (b *lab) run(name string) done {
	b.t.Helper()
	for k := range b.jobs {
		if b.jobs[k].Name != name {
			continue
		}
		d, err := b.jobs[k].runOnce(b.t.Context(), b.ledger, b.ledger, slog.New(slog.DiscardHandler), b.today)
		if err != nil && !b.lenient {
			b.t.Fatalf("%s: %v", name, err)
		}
		return d
	}
	b.t.Fatalf("no job %s", name)
	return done{}
}

// state is all that is stored of the batteries, as text.
func (b *lab) state() map[string]string {
	b.t.Helper()
	ctx, out := b.t.Context(), map[string]string{}
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	var ids []string
	for id := range b.assets {
		ids = append(ids, id)
	}
	dossiers, err := b.ledger.Dossiers(ctx, ids)
	must(err)
	points, err := b.ledger.HealthPoints(ctx, ids)
	must(err)
	standings, err := b.ledger.Standings(ctx)
	must(err)
	for _, s := range standings {
		out["standing of "+s.Device] = cmp.Diff(dossier.Standing{}, s)
	}
	for _, id := range ids {
		days, err := b.ledger.BatteryDays(ctx, id, math.MinInt64, math.MaxInt64)
		must(err)
		for _, d := range days {
			out[fmt.Sprintf("day %d of %s", d.Day, id)] = fmt.Sprintf("%x %x", d.AppendUse(nil), d.AppendFound(nil))
		}
		if x := dossiers[id]; x != nil {
			out["dossier of "+id] = fmt.Sprintf("%x", x.Append(nil))
		}
		out["points of "+id] = fmt.Sprintf("%x", dossier.AppendPoints(nil, points[id]))
		records, err := b.ledger.BatteryHistory(ctx, id, math.MinInt64, math.MaxInt64)
		must(err)
		for _, r := range records {
			out[fmt.Sprintf("record %d of %s", r.Day, id)] = fmt.Sprintf("%x", r.Append(nil))
		}
	}
	return out
}

func sameState(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%s: %s differs:\n got %.400s\nwant %.400s", what, k, got[k], w)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: %s should not be there", what, k)
		}
	}
}

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// simulatedBatteries is a small fleet over some days, with its events and its truth.
type simulatedBatteries struct {
	assets   batteryList
	readings []telemetry.Reading
	events   []telemetry.Event
	fleet    *simulator.Fleet
}

func simulateBatteries(t testing.TB, cfg simulator.Config, days int) simulatedBatteries {
	t.Helper()
	f, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := simulatedBatteries{assets: batteryList{}, fleet: f}
	for _, b := range f.Inventory().Batteries {
		s.assets[b.ID] = b
	}
	for range days * int(24*time.Hour/cfg.Step) {
		f.Step(func(r telemetry.Reading) {
			if r.Kind == devices.KindBattery && r.TS < newYear.AddDate(0, 0, days).UnixMilli() {
				r.Values = slices.Clone(r.Values)
				s.readings = append(s.readings, r)
			}
		}, func(e telemetry.Event) { s.events = append(s.events, e) })
	}
	return s
}

func fewBatteries(batteries int) simulator.Config {
	cfg := simulator.Demo(7, newYear)
	cfg.Owners, cfg.Sites, cfg.Stations, cfg.Batteries, cfg.Buildings = 1, 1, 1, batteries, 0
	return cfg
}
