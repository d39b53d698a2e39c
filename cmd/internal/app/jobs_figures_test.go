package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// How TestJobsFigures is asked for, and how it tells its child where to look.
const (
	figuresBatteries = "FLEETWATT_JOBS_FIGURES"     // how many batteries
	figuresHistory   = "FLEETWATT_JOBS_FIGURES_AGE" // days that they have been followed for; default 364
	figuresChild     = "FLEETWATT_JOBS_FIGURES_DIR"
)

// The night that is measured, and the hour of the day after it.
const (
	figuresLives = 60 // simulated; every battery lives one of them
	figuresHour  = 12
	figuresStep  = 15 * time.Minute
	fleetStart   = "2026-01-01"
)

// TestJobsFigures measures the nightly jobs of a fleet that has been followed for
// a year, and its jobs of one hour, on the embedded store. The child process that
// runs them holds nothing else, so its memory is theirs.
//
//	FLEETWATT_JOBS_FIGURES=100000 go test -run '^TestJobsFigures$' -v -timeout 2h ./cmd/internal/app
func TestJobsFigures(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(figuresBatteries))
	if err != nil {
		t.Skip("set " + figuresBatteries + " to a number of batteries to measure their jobs")
	}
	history := 364
	if v, err := strconv.Atoi(os.Getenv(figuresHistory)); err == nil {
		history = v
	}
	f := figures{t: t, dir: t.TempDir(), batteries: n, history: history}
	f.fill()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestJobsFiguresChild$", "-test.v", "-test.timeout=2h")
	cmd.Env = append(os.Environ(), figuresChild+"="+f.dir, figuresHistory+"="+strconv.Itoa(history), "GOMEMLIMIT=600MiB")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if _, figure, ok := strings.Cut(line, "FIGURE "); ok {
			t.Log(strings.TrimSpace(figure))
		}
	}
}

type figures struct {
	t         *testing.T
	dir       string
	batteries int
	history   int // days before the night's

	store    *duckdb.Store
	ledger   *ledger.Ledger
	registry *registry.Registry
	clock    atomic.Int64
	schema   *devices.Schema
}

func (f *figures) start() time.Time {
	at, err := time.Parse(time.DateOnly, fleetStart)
	f.must(err)
	return at
}

// night is the day that is settled.
func (f *figures) night() int64 { return telemetry.DayOf(f.start().UnixMilli()) + int64(f.history) }

func (f *figures) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *figures) open() {
	f.t.Helper()
	var err error
	f.schema, err = devices.NewSchema()
	f.must(err)
	ctx := f.t.Context()
	now := func() time.Time { return time.UnixMilli(f.clock.Load()) }
	f.store, err = duckdb.Open(ctx, f.dir, f.schema, duckdb.Options{MemoryLimit: "384MB", CompactEvery: time.Second, Now: now})
	f.must(err)
	f.ledger, err = ledger.Open(ctx, filepath.Join(f.dir, "ledger.db"), ledger.Options{Now: now})
	f.must(err)
	f.registry, err = registry.Open(ctx, filepath.Join(f.dir, "registry.db"), registry.Options{Now: now})
	f.must(err)
}

func (f *figures) close() {
	f.must(errors.Join(f.store.Close(), f.ledger.Close(), f.registry.Close()))
}

func figureID(k int) string { return fmt.Sprintf("battery-%06d", k) }

// life is what a simulated battery went through.
type life struct {
	asset devices.Battery
	days  []dossier.Day // before the night's
	tail  []telemetry.Reading
}

// fill makes the fleet as it stands on the morning after the night's day, half a
// day on.
func (f *figures) fill() {
	f.clock.Store(f.start().UnixMilli())
	f.open()
	lives := f.lives()
	f.register(lives)
	f.remember(lives)
	f.append(lives)
	f.close()
}

func (f *figures) lives() []life {
	began := time.Now()
	sim, err := simulator.New(simulator.Demo(1, f.start()))
	f.must(err)
	lives, at := make([]life, figuresLives), map[string]int{}
	for k, b := range sim.Inventory().Batteries {
		lives[k].asset, at[b.ID] = b, k
	}
	rules := dossier.DefaultRules()
	pending := make([][]telemetry.Reading, figuresLives)
	tail := (f.night() - 1) * telemetry.Day
	for day := range int64(f.history + 2) {
		for range int(24 * time.Hour / figuresStep) {
			sim.Step(func(r telemetry.Reading) {
				if r.Kind != devices.KindBattery {
					return
				}
				r.Values = slices.Clone(r.Values)
				k := at[r.Device]
				pending[k] = append(pending[k], r)
				if r.TS >= tail {
					lives[k].tail = append(lives[k].tail, r)
				}
			}, nil)
		}
		if day >= int64(f.history) {
			continue
		}
		for k := range lives {
			d := telemetry.DayOf(f.start().UnixMilli()) + day
			made, err := fleet.MeasureDay(d, pending[k], f.schema, dossier.SheetOf(lives[k].asset), rules)
			f.must(err)
			lives[k].days = append(lives[k].days, made)
			pending[k] = telemetry.Within(pending[k], telemetry.Window{From: (d+1)*telemetry.Day - dossier.Lookback, To: (d + 2) * telemetry.Day})
			pending[k] = slices.Clone(pending[k])
		}
	}
	f.t.Logf("%d lives of %d days simulated in %.0f s", figuresLives, f.history, time.Since(began).Seconds())
	return lives
}

func (f *figures) register(lives []life) {
	began := time.Now()
	for k := range f.batteries {
		b := lives[k%figuresLives].asset
		b.Asset = devices.Asset{ID: figureID(k), Commissioned: b.Commissioned}
		_, err := f.registry.CreateBattery(f.t.Context(), b)
		f.must(err)
	}
	f.t.Logf("%d batteries registered in %.0f s", f.batteries, time.Since(began).Seconds())
}

// remember fills the ledger with what the nights before have left. Findings that
// nobody asks for on this night are left out.
func (f *figures) remember(lives []life) {
	began := time.Now()
	type kept struct {
		state, points []byte
		standing      dossier.Standing
		due           bool
	}
	templates := map[string]kept{}
	rules := dossier.DefaultRules()
	var batch ledger.BatteryResults
	flush := func() {
		f.must(f.ledger.Commit(f.t.Context(), ledger.Changes{Job: "battery", Parts: []ledger.Part{batch}}))
		batch = nil
	}
	for k := range f.batteries {
		id, l := figureID(k), &lives[k%figuresLives]
		key := fmt.Sprint(k%figuresLives, "/", dossier.New(id).Phase)
		m, ok := templates[key]
		if !ok {
			x, sheet := dossier.New(id), dossier.SheetOf(l.asset)
			last := x.LastDue(l.days)
			var points []battery.HealthPoint
			for i, d := range l.days {
				if p := x.Add(d, sheet, rules); p != nil {
					points = append(points, *p)
				}
				if i == last {
					x.Report(dossier.Findings(l.days[:i+1]), points, sheet, rules)
				}
			}
			x.Basis = sheet.Fingerprint(rules.Fingerprint())
			m = kept{x.Append(nil), dossier.AppendPoints(nil, points), x.Standing(id, 0, sheet, rules), x.Due(f.night())}
			templates[key] = m
		}
		standing := m.standing
		standing.Device = id
		days := l.days[len(l.days)-1:]
		if m.due {
			days = l.days[max(0, len(l.days)-dossier.Window):]
		}
		batch = append(batch, ledger.BatteryResult{Device: id, State: m.state, Points: m.points, Standing: &standing, Days: days})
		if len(batch) == 500 {
			flush()
		}
	}
	flush()
	f.t.Logf("the ledger's past written in %.0f s", time.Since(began).Seconds())
}

// append stores the readings of the evening before, of the night's day and of half
// a day more, by time.
func (f *figures) append(lives []life) {
	began, ctx := time.Now(), f.t.Context()
	from, to := f.night()*telemetry.Day-dossier.Lookback, (f.night()+1)*telemetry.Day+(figuresHour+1)*telemetry.Hour
	rows := 0
	var batch []telemetry.Reading
	flush := func() {
		_, err := f.store.Append(ctx, batch)
		f.must(err)
		rows += len(batch)
		batch = batch[:0]
	}
	for i := range lives[0].tail {
		ts := lives[0].tail[i].TS
		if ts < from || ts >= to {
			continue
		}
		f.clock.Store(ts)
		for k := range f.batteries {
			r := lives[k%figuresLives].tail[i]
			r.Device = figureID(k)
			if batch = append(batch, r); len(batch) == 10_000 {
				flush()
			}
		}
	}
	flush()
	for day := f.night(); day <= f.night()+1; day++ {
		marks := make([]telemetry.DeviceDay, f.batteries)
		for k := range marks {
			marks[k] = telemetry.DeviceDay{Kind: devices.KindBattery, Device: figureID(k), Day: day}
		}
		f.must(f.ledger.MarkDirty(ctx, marks))
	}
	f.must(f.store.Compact(ctx))
	f.t.Logf("%d readings stored in %.0f s", rows, time.Since(began).Seconds())
}

// TestJobsFiguresChild is the process that TestJobsFigures measures.
func TestJobsFiguresChild(t *testing.T) {
	dir := os.Getenv(figuresChild)
	if dir == "" {
		t.Skip("it is run by TestJobsFigures")
	}
	f := figures{t: t, dir: dir}
	var err error
	f.history, err = strconv.Atoi(os.Getenv(figuresHistory))
	f.must(err)
	f.clock.Store((f.night()+1)*telemetry.Day + telemetry.Hour)
	f.open()
	rules := dossier.DefaultRules()
	f.measure("night", fleet.Battery(f.store, f.schema, f.ledger, allBatteries{f.registry}, rules, "20 1 * * *"))

	// The morning, and then one hour more.
	upTo := &cut{Store: f.store, before: (f.night()+1)*telemetry.Day + figuresHour*telemetry.Hour}
	f.clock.Store(upTo.before)
	today := fleet.BatteryToday(upTo, f.schema, f.ledger, allBatteries{f.registry}, rules, "5 * * * *")
	f.measure("morning", today)
	upTo.before += telemetry.Hour
	f.clock.Store(upTo.before)
	marks := []telemetry.DeviceDay{}
	standings, err := f.ledger.Standings(t.Context())
	f.must(err)
	for _, s := range standings {
		marks = append(marks, telemetry.DeviceDay{Kind: devices.KindBattery, Device: s.Device, Day: f.night() + 1})
	}
	f.must(f.ledger.MarkDirty(t.Context(), marks))
	f.measure("hour", today)
	began := time.Now()
	all, err := f.ledger.Standings(t.Context())
	f.must(err)
	ok := 0
	for _, s := range all {
		if s.OutlookStatus == "ok" {
			ok++
		}
	}
	f.t.Logf("FIGURE %d standings read in %.2f s, %d with an outlook", len(all), time.Since(began).Seconds(), ok)
	f.close()
}

// cut is a store in which nothing has arrived from an instant on.
type cut struct {
	*duckdb.Store
	before int64
}

func (c *cut) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	q.Window.To = min(q.Window.To, c.before)
	return c.Store.Range(ctx, q, yield)
}

// neverMissed keeps a runner from catching up on a run beside the one that is
// measured.
type neverMissed struct {
	*ledger.Ledger
	now func() time.Time
}

func (n neverMissed) LastRun(_ context.Context, job string) (ledger.Run, bool, error) {
	return ledger.Run{Job: job, Start: n.now(), End: n.now()}, true, nil
}

// measure runs a job once, as the runner does.
func (f *figures) measure(what string, j fleet.Job) {
	f.t.Helper()
	now := func() time.Time { return time.UnixMilli(f.clock.Load()) }
	r, err := fleet.NewRunner(fleet.Options{Jobs: []fleet.Job{j}, Runs: neverMissed{f.ledger, now}, Results: f.ledger, Marker: f.ledger, Now: now, Logger: slog.New(slog.DiscardHandler)})
	f.must(err)
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	before, began := cpu(f.t), time.Now()
	run, err := r.Trigger(ctx, j.Name, true)
	took, used := time.Since(began), cpu(f.t)-before
	cancel()
	f.must(errors.Join(err, <-done))
	if run.Err != "" {
		f.t.Fatal(run.Err)
	}
	f.t.Logf("FIGURE %s: %.1f s, %.1f s of CPU, %d readings, %.0f a second, peak %d MB", what, took.Seconds(), used.Seconds(),
		run.Rows, float64(run.Rows)/took.Seconds(), peakMB(f.t))
}

// cpu is the time that all threads have spent, of the user and of the system.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMB is the most memory that the process has had resident.
func peakMB(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb / 1024
		}
	}
	return 0
}
