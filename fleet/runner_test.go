package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// job computes nothing and remembers what it was asked for.
type asked struct {
	mu    sync.Mutex
	calls map[string][]int64
	do    func(ctx context.Context, ref devices.Ref) error
}

func (a *asked) job(schedule string) Job {
	a.calls = map[string][]int64{}
	return Job{
		Name: "count", Schedule: schedule, Kinds: []devices.Kind{devices.KindBattery}, Spread: 1,
		Compute: func(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error) {
			a.mu.Lock()
			a.calls[ref.ID] = days
			do := a.do
			a.mu.Unlock()
			if do != nil {
				if err := do(ctx, ref); err != nil {
					return ledger.Changes{}, 0, err
				}
			}
			return ledger.Changes{}, len(days), nil
		},
	}
}

// started runs a runner until the end of the test. Its job has run just before,
// unless it has already.
func started(t *testing.T, m *memory, j Job) *Runner {
	t.Helper()
	if _, ok, _ := m.LastRun(t.Context(), j.Name); !ok {
		id, _ := m.BeginRun(t.Context(), j.Name, time.Now(), BySchedule)
		_ = m.EndRun(t.Context(), id, ledger.RunResult{End: time.Now()})
	}
	return begun(t, m, j)
}

func begun(t *testing.T, m *memory, j Job) *Runner {
	t.Helper()
	r, err := NewRunner(Options{Jobs: []Job{j}, Runs: m, Results: m, Marker: m, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func trigger(t *testing.T, r *Runner) ledger.Run {
	t.Helper()
	run, err := r.Trigger(t.Context(), "count", true)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestOnlyWhatWasMarkedIsComputed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := newMemory(), &asked{}
		r := started(t, m, a.job("0 0 1 1 *"))
		m.mark(t, "a", 10, 11, 20)
		m.mark(t, "b", 5)
		run := trigger(t, r)
		want := map[string][]int64{"a": {9, 10, 11, 12, 19, 20, 21}, "b": {4, 5, 6}}
		if diff := cmp.Diff(want, a.calls); diff != "" {
			t.Errorf("computed (-want +got):\n%s", diff)
		}
		if want := (telemetry.Window{From: 4 * telemetry.Day, To: 22 * telemetry.Day}); run.Window != want || run.Rows != 10 || run.Err != "" {
			t.Errorf("got run %+v, want 10 rows over %s", run, want)
		}
		clear(a.calls)
		if run := trigger(t, r); len(a.calls) != 0 || run.Rows != 0 {
			t.Errorf("got %v computed without a mark", a.calls)
		}
		m.mark(t, "a", 11) // late data
		trigger(t, r)
		if diff := cmp.Diff(map[string][]int64{"a": {10, 11, 12}}, a.calls); diff != "" {
			t.Errorf("computed after late data (-want +got):\n%s", diff)
		}
	})
}

// A device that fails, or panics, is tried again at the next run and holds up no
// other.
func TestOneDeviceFails(t *testing.T) {
	tests := []struct {
		name string
		do   func(context.Context, devices.Ref) error
	}{
		{"error", func(_ context.Context, ref devices.Ref) error {
			if ref.ID == "bad" {
				return errors.New("broken")
			}
			return nil
		}},
		{"panic", func(_ context.Context, ref devices.Ref) error {
			if ref.ID == "bad" {
				panic("broken")
			}
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, a := newMemory(), &asked{}
				j := a.job("0 0 1 1 *")
				a.do = tt.do
				r := started(t, m, j)
				m.mark(t, "bad", 1)
				m.mark(t, "good", 1)
				if run := trigger(t, r); run.Err == "" {
					t.Error("the run does not tell of the failure")
				}
				if len(a.calls) != 2 {
					t.Errorf("got %v computed, want both devices", a.calls)
				}
				clear(a.calls)
				a.do = nil
				if run := trigger(t, r); run.Err != "" {
					t.Errorf("got error %q after the cause was mended", run.Err)
				}
				if diff := cmp.Diff(map[string][]int64{"bad": {0, 1, 2}}, a.calls); diff != "" {
					t.Errorf("computed again (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Results that can't be saved leave the watermark where it was.
func TestFailedSaveIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := newMemory(), &asked{}
		r := started(t, m, a.job("0 0 1 1 *"))
		m.mark(t, "a", 1)
		m.fail = errors.New("disk full")
		if run := trigger(t, r); run.Err == "" {
			t.Error("the run does not tell of the failure")
		}
		m.fail = nil
		clear(a.calls)
		if run := trigger(t, r); run.Err != "" || len(a.calls) != 1 {
			t.Errorf("got %v computed with error %q", a.calls, run.Err)
		}
	})
}

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // starts at 2000-01-01 00:00 UTC
		m, a := newMemory(), &asked{}
		started(t, m, a.job("*/15 * * * *"))
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		var at []string
		for _, run := range m.all() {
			at = append(at, run.Trigger+" "+run.Start.UTC().Format("15:04"))
		}
		want := []string{"schedule 00:00", "schedule 00:15", "schedule 00:30", "schedule 00:45", "schedule 01:00"}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
	})
}

// A job that never ran does so at the start: at its hour the process may never be
// up.
func TestFirstRunIsAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := newMemory(), &asked{}
		m.mark(t, "a", 10)
		begun(t, m, a.job("0 0 1 1 *"))
		synctest.Wait()
		if runs := m.all(); len(runs) != 1 || runs[0].Trigger != ByCatchUp || len(a.calls) != 1 {
			t.Errorf("got runs %+v of %v, want one that catches up", runs, a.calls)
		}
	})
}

// A run that was due while the process was down happens at the start; one that
// was not due does not.
func TestCatchUp(t *testing.T) {
	for down, want := range map[time.Duration]int{10 * time.Minute: 1, 3 * time.Hour: 2} {
		t.Run(fmt.Sprint(down), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, a := newMemory(), &asked{}
				id, _ := m.BeginRun(t.Context(), "count", time.Now().Add(5*time.Minute), BySchedule)
				_ = m.EndRun(t.Context(), id, ledger.RunResult{End: time.Now().Add(6 * time.Minute)})
				time.Sleep(5*time.Minute + down)
				started(t, m, a.job("0 * * * *"))
				synctest.Wait()
				runs := m.all()
				if len(runs) != want {
					t.Fatalf("got %d runs, want %d", len(runs), want)
				}
				if want == 2 && runs[1].Trigger != ByCatchUp {
					t.Errorf("got trigger %s, want %s", runs[1].Trigger, ByCatchUp)
				}
			})
		})
	}
}

func TestNoOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := newMemory(), &asked{}
		j := a.job("*/5 * * * *")
		running, most := 0, 0
		a.do = func(context.Context, devices.Ref) error {
			running++
			most = max(most, running)
			time.Sleep(12 * time.Minute) // two schedules pass meanwhile
			running--
			return nil
		}
		r := started(t, m, j)
		m.mark(t, "a", 1)
		time.Sleep(5*time.Minute + time.Second)
		if _, err := r.Trigger(t.Context(), "count", false); !errors.Is(err, ErrRunning) {
			t.Errorf("got %v, want ErrRunning", err)
		}
		m.mark(t, "a", 2)
		run := trigger(t, r) // waits for its turn
		if run.Err != "" || most != 1 {
			t.Errorf("got error %q and %d at once, want none and 1", run.Err, most)
		}
		if got := run.End.Sub(run.Start); got != 12*time.Minute {
			t.Errorf("the run took %s, want 12m", got)
		}
	})
}

func TestTriggerUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{}
		r := started(t, newMemory(), a.job("0 0 1 1 *"))
		if _, err := r.Trigger(t.Context(), "other", true); !errors.Is(err, ErrUnknownJob) {
			t.Errorf("got %v, want ErrUnknownJob", err)
		}
	})
}

// A caller who goes away does not cut a run short.
func TestTriggerCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := newMemory(), &asked{}
		j := a.job("0 0 1 1 *")
		a.do = func(ctx context.Context, _ devices.Ref) error {
			select {
			case <-time.After(time.Hour):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r := started(t, m, j)
		m.mark(t, "a", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := r.Trigger(ctx, "count", true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		time.Sleep(2 * time.Hour)
		if run := m.all()[0]; run.Err != "" || run.End.IsZero() {
			t.Errorf("got run %+v, want it ended well", run)
		}
	})
}

func TestBadSchedule(t *testing.T) {
	a := &asked{}
	if _, err := NewRunner(Options{Jobs: []Job{a.job("every day")}, Now: time.Now}); err == nil {
		t.Error("a schedule that is none was taken")
	}
}
