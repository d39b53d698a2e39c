// Package figures measures what a night of buildings costs: the real job, with the
// embedded store, ledger and registry.
package figures

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb"
)

// history is how long the buildings have been followed, in days: a year before a
// measure and more than one after it.
const history = 760

// portfolio is how many buildings a figure is extrapolated to, linearly: they share
// nothing but the disk.
const portfolio = 10_000

// BenchmarkNight is a night of FLEETWATT_BUILDINGS buildings (4 by default) with
// hourly registers. All have the same readings; each chooses its present model in
// a night of its own, as buildings do.
//
//	FLEETWATT_BUILDINGS=500 go test -run '^$' -bench Night -benchtime 1x -timeout 1h ./fleet/building/figures
func BenchmarkNight(b *testing.B) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("FLEETWATT_BUILDINGS"), "4"))
	if err != nil || n < 1 {
		b.Fatalf("FLEETWATT_BUILDINGS: got %q, want a number", os.Getenv("FLEETWATT_BUILDINGS"))
	}
	for _, o := range []building.MeterOptions{{Interval: energy.Daily}, {Interval: energy.Hourly, Model: "towt-hourly-weighted"}} {
		b.Run(fmt.Sprintf("buildings=%d/interval=%s/model=%s", n, o.Interval, cmp.Or(o.Model, "auto")), func(b *testing.B) {
			f := open(b, n, o)
			f.first()
			f.night() // every building chooses the first present model of its own
			var all cost
			for b.Loop() {
				c := f.night()
				all.cpu += c.cpu
				all.clock += c.clock
			}
			each := 1 / float64(b.N*n)
			b.ReportMetric(1000*each*all.cpu, "cpu-ms/building")
			b.ReportMetric(portfolio*each*all.cpu, "cpu-s/10,000-buildings")
			b.ReportMetric(portfolio*each*all.clock, "s/10,000-buildings")
		})
	}
}

// fixture is a portfolio on the embedded stores.
type fixture struct {
	b         *testing.B
	buildings int
	options   building.MeterOptions
	store     *duckdb.Store
	ledger    *ledger.Ledger
	registry  *registry.Registry
	fields    map[string]*devices.Field
	rng       *rand.Rand
	total     float64 // of the register, Wh
	now       time.Time
}

func open(b *testing.B, n int, o building.MeterOptions) *fixture {
	b.Helper()
	f := &fixture{b: b, buildings: n, options: o, rng: rand.New(rand.NewPCG(1, 1)), now: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), fields: map[string]*devices.Field{}}
	schema, err := devices.NewSchema()
	f.must(err)
	for _, name := range []string{"energy_wh", "outdoor_c"} {
		f.fields[name] = schema.Field(devices.KindBuilding, name)
	}
	ctx, dir, now := b.Context(), b.TempDir(), func() time.Time { return f.now }
	f.store, err = duckdb.Open(ctx, dir, schema, duckdb.Options{MemoryLimit: "384MB", Now: now})
	f.must(err)
	f.ledger, err = ledger.Open(ctx, filepath.Join(dir, "ledger.db"), ledger.Options{Now: now})
	f.must(err)
	f.registry, err = registry.Open(ctx, filepath.Join(dir, "registry.db"), registry.Options{Now: now})
	f.must(err)
	b.Cleanup(func() { f.must(errors.Join(f.store.Close(), f.ledger.Close(), f.registry.Close())) })
	_, err = f.registry.CreateSite(ctx, devices.Site{ID: "s", Name: "s", TimeZone: "Europe/Berlin"})
	f.must(err)
	for k := range n {
		_, err := f.registry.CreateBuilding(ctx, devices.Building{Asset: devices.Asset{ID: id(k), SiteID: "s"}, FloorAreaM2: 1000})
		f.must(err)
		_, err = f.ledger.PutEntry(ctx, ledger.Settings, id(k), "", "", building.Settings{Meters: map[building.Meter]*building.MeterOptions{building.Electricity: &o}})
		f.must(err)
		_, err = f.ledger.PutEntry(ctx, ledger.Interventions, id(k), "led", "", building.Intervention{
			ID: "led", Title: "LED", Concerns: []building.Meter{building.Electricity}, Start: "2024-01-05",
		})
		f.must(err)
	}
	return f
}

func (f *fixture) must(err error) {
	f.b.Helper()
	if err != nil {
		f.b.Fatal(err)
	}
}

func id(k int) string { return fmt.Sprintf("building-%05d", k) }

// day draws the next day of hourly readings.
func (f *fixture) day() []telemetry.Reading {
	var out []telemetry.Reading
	for range 24 {
		c := 10 - 11*math.Cos(2*math.Pi*float64(f.now.YearDay())/365) - 4*math.Cos(2*math.Pi*float64(f.now.Hour())/24) + f.rng.NormFloat64()
		r := telemetry.Reading{Kind: devices.KindBuilding, TS: f.now.UnixMilli()}
		r.Set(telemetry.Value{Field: f.fields["energy_wh"], Num: math.Round(f.total)})
		r.Set(telemetry.Value{Field: f.fields["outdoor_c"], Num: math.Round(10*c) / 10})
		out = append(out, r)
		load := 5000 + 300*max(15-c, 0) + 500*max(c-20, 0) + 300*f.rng.NormFloat64()
		if h := f.now.Hour(); h > 6 && h < 19 && f.now.Weekday() != time.Sunday {
			load += 8000
		}
		f.total += load
		f.now = f.now.Add(time.Hour)
	}
	return out
}

// deliver stores the readings of a building and marks their days.
func (f *fixture) deliver(k int, readings []telemetry.Reading) {
	f.b.Helper()
	marks := map[int64]telemetry.DeviceDay{}
	for i := range readings {
		readings[i].Device = id(k)
		day := telemetry.DayOf(readings[i].TS)
		marks[day] = telemetry.DeviceDay{Kind: devices.KindBuilding, Device: id(k), Day: day}
	}
	_, err := f.store.Append(f.b.Context(), readings)
	f.must(err)
	var days []telemetry.DeviceDay
	for _, m := range marks {
		days = append(days, m)
	}
	f.must(f.ledger.MarkDirty(f.b.Context(), days))
}

// first follows one building to now, and gives what came of it to the others.
func (f *fixture) first() {
	f.b.Helper()
	ctx := f.b.Context()
	var all []telemetry.Reading
	for range history {
		all = append(all, f.day()...)
	}
	f.deliver(0, all)
	f.run()
	state, err := f.ledger.BuildingState(ctx, id(0))
	f.must(err)
	result, found, err := f.ledger.BuildingResult(ctx, id(0))
	if err != nil || !found || result.Savings[0].Assessment.Normalised == nil {
		f.b.Fatalf("got %+v, %v", result, err)
	}
	kept, err := f.ledger.BuildingDays(ctx, id(0))
	f.must(err)
	var days []building.Day
	for _, payload := range kept {
		d, err := building.Decode(payload)
		f.must(err)
		days = append(days, d)
	}
	for k := 1; k < f.buildings; k++ {
		r := *result
		r.Building, r.Headline.Building = id(k), id(k)
		change := &ledger.BuildingChange{Building: id(k), Days: days, State: state, Result: &r}
		f.must(f.ledger.Commit(ctx, ledger.Changes{Job: "buildings", Parts: []ledger.Part{change}}))
	}
}

// cost is what a run of the job took, in seconds: of the processor, and by the clock.
type cost struct{ cpu, clock float64 }

// night delivers a day to every building and runs the job over it; the delivery is
// no part of the cost.
func (f *fixture) night() cost {
	f.b.Helper()
	readings := f.day()
	for k := range f.buildings {
		f.deliver(k, readings)
	}
	return f.run()
}

// run runs the job once, as the runner does.
func (f *fixture) run() cost {
	f.b.Helper()
	job := (&fleet.Buildings{Telemetry: f.store, Sites: f.registry, Entries: f.ledger, Store: f.ledger, Rules: building.DefaultRules()}).Job("0 0 1 1 *")
	r, err := fleet.NewRunner(fleet.Options{
		Jobs: []fleet.Job{job}, Runs: f.ledger, Results: f.ledger, Marker: f.ledger, Now: func() time.Time { return f.now }, Logger: slog.New(slog.DiscardHandler),
	})
	f.must(err)
	ctx, cancel := context.WithCancel(f.b.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	cpu, clock := f.cpu(), time.Now()
	run, err := r.Trigger(ctx, job.Name, true)
	used := cost{cpu: f.cpu() - cpu, clock: time.Since(clock).Seconds()}
	cancel()
	f.must(errors.Join(err, <-done))
	if run.Err != "" {
		f.b.Fatal(run.Err)
	}
	return used
}

// cpu is what this process has used, in user and kernel mode.
func (f *fixture) cpu() float64 {
	f.b.Helper()
	var u syscall.Rusage
	f.must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
