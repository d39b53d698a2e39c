package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

var (
	b1 = devices.Ref{Kind: devices.KindBattery, ID: "B1"}
	b2 = devices.Ref{Kind: devices.KindBattery, ID: "B2"}
	s1 = devices.Ref{Kind: devices.KindStation, ID: "S1"}
)

// The tracker is the decoder's clock.
var _ wire.Clock = (*Tracker)(nil)

func atEpoch() time.Time { return time.UnixMilli(epoch) }

func open(t testing.TB, path string, opts Options) *Tracker {
	t.Helper()
	if opts.Now == nil {
		opts.Now = atEpoch
	}
	tr, err := Open(context.Background(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "presence.db") }

func registered(refs ...devices.Ref) func(context.Context) ([]devices.Ref, error) {
	return func(context.Context) ([]devices.Ref, error) { return refs, nil }
}

func TestList(t *testing.T) {
	tr := open(t, file(t), Options{Registered: registered(s1, b2, b1)})
	tr.Observe(b1, epoch-minute, reading(epoch-2*minute))
	tr.Observe(b2, epoch-2*hour, reading(epoch-2*hour))
	tr.Offset(b1, epoch+hour, epoch, false)
	all := []string{"battery/B1 online", "battery/B2 offline", "station/S1 never"}
	tests := []struct {
		name  string
		f     Filter
		want  []string
		total int
	}{
		{"all", Filter{}, all, 3},
		{"of a kind", Filter{Kind: devices.KindBattery}, all[:2], 2},
		{"in a state", Filter{State: Never}, all[2:], 1},
		{"of a kind in a state", Filter{Kind: devices.KindBattery, State: Offline}, all[1:2], 1},
		{"none", Filter{State: Stale}, nil, 0},
		{"a page", Filter{Limit: 1, Offset: 1}, all[1:2], 3},
		{"beyond the end", Filter{Offset: 10}, nil, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, total, err := tr.List(t.Context(), tt.f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range page {
				got = append(got, p.Device.String()+" "+string(p.State))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || total != tt.total {
				t.Errorf("got %d in all, want %d; (-want +got):\n%s", total, tt.total, diff)
			}
		})
	}
	want := Presence{
		Device: b1, State: Online, First: epoch - minute, Last: epoch - minute, Newest: epoch - 2*minute, Since: epoch - minute,
		Allowed: 15 * time.Minute,
		Clock:   &Estimate{OffsetMS: -hour - 1, SinceMS: epoch, ObservedMS: -hour, Known: true, Samples: 1, Spells: 2},
	}
	if diff := cmp.Diff(want, tr.Get(b1)); diff != "" {
		t.Errorf("one device (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Presence{Device: s1, State: Never, Allowed: 15 * time.Minute}, tr.Get(s1)); diff != "" {
		t.Errorf("never heard (-want +got):\n%s", diff)
	}
}

func TestListFailsWithTheRegistry(t *testing.T) {
	broken := errors.New("disk on fire")
	tr := open(t, file(t), Options{Registered: func(context.Context) ([]devices.Ref, error) { return nil, broken }})
	if _, _, err := tr.List(t.Context(), Filter{}); !errors.Is(err, broken) {
		t.Errorf("List: got %v, want %v", err, broken)
	}
	reg := prometheus.NewRegistry()
	tr.Expose(reg)
	if _, err := reg.Gather(); err != nil {
		t.Errorf("a scrape: got %v, want the other metrics", err)
	}
}

func TestExpose(t *testing.T) {
	tr := open(t, file(t), Options{Registered: registered(s1, b2), MaxDevices: 1})
	tr.Observe(b1, epoch, reading(epoch))
	tr.Observe(b2, epoch, reading(epoch))  // no room
	tr.Observe(b1, epoch, &wire.Decoded{}) // says nothing
	tr.Offset(b1, epoch+hour, epoch, false)
	reg := prometheus.NewRegistry()
	tr.Expose(reg)
	want := map[string]float64{
		"fleetwatt_clock_changes_total":      1,
		"fleetwatt_clock_corrected_total":    1,
		"fleetwatt_clock_wrong_devices":      1,
		"fleetwatt_presence_untracked_total": 1,
	}
	for _, k := range devices.Kinds() {
		for _, s := range States() {
			want[fmt.Sprintf("fleetwatt_devices kind=%s state=%s", k, s)] = 0
		}
	}
	want["fleetwatt_devices kind=battery state=online"] = 1
	want["fleetwatt_devices kind=battery state=never"] = 1
	want["fleetwatt_devices kind=station state=never"] = 1
	if diff := cmp.Diff(want, gathered(t, reg)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// gathered is the value of each series.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

// A reading of a clock that is an hour ahead, as the decoder gives it, is the
// same reading when it is delivered again an hour later.
func TestWithTheDecoder(t *testing.T) {
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	tr := open(t, file(t), Options{})
	d := wire.NewCorrectingDecoder(schema, wire.DefaultLimits(), tr)
	payload := []byte(fmt.Sprintf(`{"ts": %d, "sent_at": %d, "soc_pct": 50}`, epoch+hour-minute, epoch+hour))
	for _, late := range []int64{0, 80, 2 * hour} {
		got := d.Telemetry(b1, payload, epoch+late, late > 80)
		if len(got.Readings) != 1 || got.Readings[0].TS != epoch-minute-1 {
			t.Errorf("delivered %d ms late: got %+v, want one reading at %d", late, got, epoch-minute-1)
		}
	}
}

// What was saved is there after a restart; a clock is, once it is persisted, and
// goes on as if nothing had happened.
func TestRestart(t *testing.T) {
	path := file(t)
	tr := open(t, path, Options{})
	tr.Observe(b1, epoch-minute, reading(epoch-minute))
	tr.Observe(b1, epoch, reading(epoch))
	ref := func(i int) devices.Ref { return devices.Ref{Kind: devices.KindBattery, ID: fmt.Sprintf("C%d", i)} }
	aheads := []int64{hour, -hour, 0, 365 * day}
	traffic := func(i int) []sample { return every(epoch, 10*second, 400, aheads[i], prompt) }
	want := make([][]int64, len(aheads))
	for i := range aheads {
		for _, s := range traffic(i) {
			want[i] = append(want[i], tr.Offset(ref(i), s.sent, s.received, false))
		}
	}
	if !tr.Unpersisted() {
		t.Error("clocks changed: want something to persist")
	}
	if err := errors.Join(tr.Persist(t.Context()), tr.Save(t.Context()), tr.Close()); err != nil {
		t.Fatal(err)
	}
	if tr.Unpersisted() {
		t.Error("persisted: want nothing left")
	}
	before := tr.Get(b1)
	tr = open(t, path, Options{})
	if diff := cmp.Diff(before, tr.Get(b1)); diff != "" {
		t.Errorf("presence (-before +after):\n%s", diff)
	}
	for i := range aheads {
		for j, s := range traffic(i) {
			if got := tr.Offset(ref(i), s.sent, s.received+hour, true); got != want[i][j] {
				t.Fatalf("clock %d ms ahead, message %d delivered again: got %d, want %d", aheads[i], j, got, want[i][j])
			}
		}
	}
	if tr.Unpersisted() {
		t.Error("delivered again: want nothing to persist")
	}
}

// A write that fails is tried again.
func TestPersistAgain(t *testing.T) {
	path := file(t)
	tr := open(t, path, Options{})
	tr.Observe(b1, epoch, reading(epoch))
	tr.Offset(b1, epoch+hour, epoch, false)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Persist(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Persist: got %v, want %v", err, context.Canceled)
	}
	if err := tr.Save(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Save: got %v, want %v", err, context.Canceled)
	}
	if err := errors.Join(tr.Persist(t.Context()), tr.Save(t.Context()), tr.Close(), tr.Close()); err != nil {
		t.Fatal(err)
	}
	after := open(t, path, Options{}).Get(b1)
	if after.Last != epoch || after.Clock == nil || after.Clock.OffsetMS != -hour-1 {
		t.Errorf("got %+v, clock %+v", after, after.Clock)
	}
}

// Run saves at its pace and at its end.
func TestRun(t *testing.T) {
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		tr, err := Open(context.Background(), path, Options{Now: atEpoch})
		if err != nil {
			t.Fatal(err)
		}
		saved := func() (n int) {
			t.Helper()
			if err := tr.db.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM presence`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- tr.Run(ctx) }()
		tr.Observe(b1, epoch, reading(epoch))
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if got := saved(); got != 1 {
			t.Errorf("after a minute: got %d rows, want 1", got)
		}
		tr.Observe(b2, epoch, reading(epoch))
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := saved(); got != 2 {
			t.Errorf("at the end: got %d rows, want 2", got)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Connections decode at once, while the committer observes and persists.
func TestConcurrently(t *testing.T) {
	tr := open(t, file(t), Options{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			for i := range int64(2000) {
				ref := devices.Ref{Kind: devices.KindBattery, ID: fmt.Sprintf("B%d", rng.IntN(50))}
				tr.Offset(ref, epoch+i*second+rng.Int64N(2*hour), epoch+i*second, rng.IntN(4) == 0)
				tr.Observe(ref, epoch+i*second, reading(epoch+i*second))
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if err := errors.Join(tr.Persist(t.Context()), tr.Save(t.Context())); err != nil {
				t.Error(err)
			}
			if _, _, err := tr.List(t.Context(), Filter{}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if err := tr.Persist(t.Context()); err != nil || tr.Unpersisted() {
		t.Errorf("got %v, unpersisted %v", err, tr.Unpersisted())
	}
}

func TestNoAllocation(t *testing.T) {
	tr := open(t, file(t), Options{})
	d := reading(epoch)
	tr.Observe(b1, epoch, d)
	tr.Offset(b1, epoch, epoch, false)
	if got := testing.AllocsPerRun(100, func() { tr.Observe(b1, epoch, d); tr.Offset(b1, epoch, epoch, false) }); got != 0 {
		t.Errorf("got %v allocations for a known device, want none", got)
	}
}

func BenchmarkTracker(b *testing.B) {
	tr := open(b, file(b), Options{})
	refs := make([]devices.Ref, 10_000)
	for i := range refs {
		refs[i] = devices.Ref{Kind: devices.KindBattery, ID: fmt.Sprintf("battery-%05d", i)}
		tr.Observe(refs[i], epoch, reading(epoch))
	}
	d := reading(epoch)
	b.Run("op=observe/devices=10000", func(b *testing.B) {
		b.ReportAllocs()
		at := epoch
		for b.Loop() {
			at++
			tr.Observe(refs[at%int64(len(refs))], at, d)
		}
	})
	b.Run("op=offset/devices=10000", func(b *testing.B) {
		b.ReportAllocs()
		at := epoch
		for b.Loop() {
			at++
			tr.Offset(refs[at%int64(len(refs))], at, at+80, false)
		}
	})
}

// A file that is new, as after an upgrade, does not make a fleet that was heard
// look as if it never was.
func TestNewest(t *testing.T) {
	path := file(t)
	calls := 0
	opts := Options{
		Registered: registered(b1, b2, s1),
		Newest: func(_ context.Context, yield func(devices.Ref, int64)) error {
			calls++
			yield(b1, epoch-2*day)
			yield(b2, epoch-minute)
			return nil
		},
	}
	states := func(tr *Tracker) []State { return []State{tr.Get(b1).State, tr.Get(b2).State, tr.Get(s1).State} }
	tr := open(t, path, opts)
	if diff := cmp.Diff([]State{Offline, Online, Never}, states(tr)); diff != "" {
		t.Errorf("of a new file (-want +got):\n%s", diff)
	}
	if p := tr.Get(b1); p.First != epoch-2*day || p.Last != epoch-2*day || p.Newest != epoch-2*day || p.Left != 0 {
		t.Errorf("got %+v, want the time of the newest reading", p)
	}
	tr.Observe(b1, epoch, reading(epoch))
	if p := tr.Get(b1); p.State != Online || p.Since != epoch {
		t.Errorf("heard again: got %+v, want it online since then", p)
	}
	if err := errors.Join(tr.Save(t.Context()), tr.Close()); err != nil {
		t.Fatal(err)
	}
	tr = open(t, path, opts)
	if diff := cmp.Diff([]State{Online, Online, Never}, states(tr)); diff != "" || calls != 1 {
		t.Errorf("opened again: asked %d times, want once; (-want +got):\n%s", calls, diff)
	}

	ahead := open(t, file(t), Options{Newest: func(_ context.Context, yield func(devices.Ref, int64)) error {
		yield(b1, epoch+hour)
		return nil
	}})
	if p := ahead.Get(b1); p.Last != epoch || p.Newest != epoch+hour {
		t.Errorf("a clock that was ahead: got %+v, want it heard now", p)
	}
	broken := open(t, file(t), Options{Newest: func(context.Context, func(devices.Ref, int64)) error { return errors.New("no store") }})
	if got := broken.Get(b1).State; got != Never {
		t.Errorf("a store that can't be read: got %s, want %s", got, Never)
	}
}
