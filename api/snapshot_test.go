package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// TestSummaryCountsTheRegistryOfNow changes what is remembered beside batteries.
func TestSummaryCountsTheRegistryOfNow(t *testing.T) {
	s := start(t)
	for _, step := range []struct{ kind, body, want string }{
		{"owner", `{"id":"o1","name":"One"}`, "1 0 0 0"},
		{"site", `{"id":"p1","owner_id":"o1","name":"Place","time_zone":"UTC"}`, "1 1 0 0"},
		{"station", `{"id":"s1","owner_id":"o1"}`, "1 1 1 0"},
		{"building", `{"id":"h1","owner_id":"o1"}`, "1 1 1 1"},
	} {
		s.must(step.kind, step.body)
		for range 2 { // read, then remembered
			got := must[FleetSummary](s, http.StatusOK, http.MethodGet, prefix+"/fleet/summary", "")
			if text := fmt.Sprint(got.Owners, got.Sites, got.Stations.Active, got.Buildings.Active); text != step.want {
				t.Errorf("after a %s: got %s, want %s", step.kind, text, step.want)
			}
		}
	}
}

// TestKnownBatteriesAreRatedAnew changes the rating without new measurements.
func TestKnownBatteriesAreRatedAnew(t *testing.T) {
	measured := []battery.Capacity{{Method: battery.FullDischarge, From: 1, To: 2, CapacityAh: 36.123456789}}
	b := (*known)(nil).of(devices.Battery{}).with(ledger.BatteryChange{Health: battery.Assess(measured, 0)})
	for _, rated := range []float64{0, 40, 50} {
		b = b.of(devices.Battery{RatedCapacityAh: rated})
		if diff := cmp.Diff(summarize(battery.Assess(measured, rated)), b.health()); diff != "" {
			t.Errorf("rated %g Ah (-want +got):\n%s", rated, diff)
		}
	}
	unknown := (*known)(nil).of(devices.Battery{RatedCapacityAh: 40})
	if diff := cmp.Diff(summarize(battery.Assess(nil, 40)), unknown.health()); diff != "" {
		t.Errorf("not measured (-want +got):\n%s", diff)
	}
}

// The days of a part are those of its batteries, whatever days came when, of them or
// of others.
func TestExtentFollowsTheDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSnapshot(&spans{}).with([]devices.Battery{
			{Asset: devices.Asset{ID: "b1", OwnerID: "a"}}, {Asset: devices.Asset{ID: "b2", OwnerID: "a"}}, {Asset: devices.Asset{ID: "b3", OwnerID: "b"}},
		}, true, nil)
		days := map[string][]int64{}
		for range rapid.IntRange(1, 20).Draw(t, "days") {
			id, day := rapid.SampledFrom([]string{"b1", "b2", "b3", "not registered"}).Draw(t, "id"), rapid.Int64Range(0, 6).Draw(t, "day")
			days[id] = append(days[id], day)
			s.spans.merge(map[string]ledger.DaySpan{id: {First: day, Last: day}})
			for owner, ids := range map[string][]string{"": {"b1", "b2", "b3"}, "a": {"b1", "b2"}, "b": {"b3"}} {
				var all []int64
				for _, id := range ids {
					all = append(all, days[id]...)
				}
				var want *Extent
				if len(all) > 0 {
					want = &Extent{From: Time(slices.Min(all) * telemetry.Day), To: Time((slices.Max(all) + 1) * telemetry.Day)}
				}
				part := fleetPart{snapshot: s, filter: registry.Filter{OwnerID: owner}, some: true, whole: true}
				if got := part.extent(); !cmp.Equal(got, want) {
					t.Fatalf("owner %q, days %v: got %v, want %v", owner, days, got, want)
				}
			}
		}
	})
}

var errNotNow = errors.New("not now")

func TestFailuresAreNotRemembered(t *testing.T) {
	s := newSnapshot(&spans{})
	calls := 0
	build := func() (int, error) {
		if calls++; calls <= 2 {
			return 0, errNotNow
		}
		return calls, nil
	}
	// Who fails has built once: a store that is down is not asked twice.
	for k, want := range []int{0, 0, 3, 3} {
		if got, err := attempt(s, "question", build); got != want || (want == 0) != errors.Is(err, errNotNow) {
			t.Errorf("attempt %d: got %d, %v, want %d", k, got, err, want)
		}
	}
}

// TestFailuresAreNotToldToOthers has one ask while another fails.
func TestFailuresAreNotToldToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSnapshot(&spans{})
		fail, failed := make(chan struct{}), make(chan error)
		go func() {
			_, err := attempt(s, "question", func() (int, error) { <-fail; return 0, errNotNow })
			failed <- err
		}()
		synctest.Wait() // it builds
		other := make(chan int)
		go func() {
			got, _ := attempt(s, "question", func() (int, error) { return 7, nil })
			other <- got
		}()
		close(fail)
		if err := <-failed; !errors.Is(err, errNotNow) {
			t.Errorf("who asked first: got %v, want its failure", err)
		}
		if got := <-other; got != 7 {
			t.Errorf("who waited: got %d, want what it builds itself", got)
		}
	})
}

// TestMirrorIsReadBeforeAnybodyAsks starts with a registry that can't be read at
// first.
func TestMirrorIsReadBeforeAnybodyAsks(t *testing.T) {
	s := start(t)
	failing := &failingChanges{BatteryChanges: s.registry, left: 1}
	m := newMirror(&Options{Registry: s.registry, Results: s.ledger, Batteries: s.ledger, BatteryChanges: failing, ResultChanges: s.ledger})
	if m.ready() {
		t.Error("it is ready before it has read anything")
	}
	m.start(t.Context(), slog.New(slog.DiscardHandler))
	if !m.ready() || failing.left >= 0 {
		t.Errorf("after start: ready %t, %d failures left", m.ready(), failing.left)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	failing.left = 1000
	m = newMirror(&Options{Registry: s.registry, Results: s.ledger, Batteries: s.ledger, BatteryChanges: failing, ResultChanges: s.ledger})
	m.start(stopped, slog.New(slog.DiscardHandler)) // returns
	s.api.fleet.mirror.now.Store(nil)
	p := refused(t, s.send(http.MethodGet, "/readyz", "", nil), http.StatusServiceUnavailable)
	if p.Detail != "not ready: fleet" {
		t.Errorf("got %q, want that the fleet is not ready", p.Detail)
	}
}

type failingChanges struct {
	BatteryChanges
	left int
}

func (f *failingChanges) Revision(ctx context.Context) (int64, error) {
	if f.left--; f.left >= 0 {
		return 0, errors.New("down")
	}
	return f.BatteryChanges.Revision(ctx)
}

// BenchmarkSnapshot reports the memory that a battery takes, in bytes.
func BenchmarkSnapshot(b *testing.B) {
	const n = 100_000
	read := func() (list []devices.Battery, results []ledger.BatteryChange) {
		number := func(v float64) *float64 { return &v }
		at := int64(1)
		for k := range n {
			id := fmt.Sprintf("battery-%06d", k)
			list = append(list, devices.Battery{Asset: devices.Asset{
				ID: id, OwnerID: fmt.Sprint("owner-", k%100), SiteID: fmt.Sprint("site-", k%500), Serial: fmt.Sprint("SN", k), Commissioned: &clock,
				Status: devices.Status(strings.Clone("active")),
			}, Chemistry: strings.Clone("LFP"), RatedCapacityAh: 40})
			s := &dossier.Standing{Device: id, Status: strings.Clone("ok"), OutlookReason: strings.Repeat("reason ", 10)}
			known := make([]float64, 29)
			for i, p := range []**float64{
				&s.HealthScore, &s.Confidence, &s.CapacityAh, &s.SoHPct, &s.SoHErrPct, &s.EnergySoHPct, &s.ResistanceMOhm, &s.ImbalanceMV,
				&s.RoundTripPct, &s.CalendarShare, &s.RULDays.Median, &s.RULCycles.Median, &s.ReplaceAt.Median, &s.Utilization, &s.SoCPct,
			} {
				*p = &known[i]
			}
			results = append(results, ledger.BatteryChange{Device: id, Standing: s, Health: battery.Health{CapacityAh: number(40), MeasuredAt: &at}})
		}
		return list, results
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		list, results := read()
		s := newSnapshot(&spans{}).with(list, true, results)
		clear(list)
		clear(results)
		b.ReportMetric(float64(heap()-before)/n, "B/battery")
		runtime.KeepAlive(s)
	}
}

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
		if diff := cmp.Diff(read.view(read.all, true), kept.view(kept.all, true)); diff != "" {
			t.Errorf("%s (-read +kept):\n%s", step.name, diff)
		}
		again, err := mirror.current(t.Context())
		if err != nil || again != kept {
			t.Errorf("%s: nothing changed, but the snapshot did (%v)", step.name, err)
		}
	}
}
