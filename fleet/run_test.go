package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// picky is a ledger that can't save what it is told not to.
type picky struct {
	*memory
	mu    sync.Mutex
	bad   map[string]bool // by device
	saved map[string]int
}

func (p *picky) Commit(ctx context.Context, c ledger.Changes) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range c.Rollups {
		if p.bad[r.Device] {
			return fmt.Errorf("%s can't be saved", r.Device)
		}
	}
	for _, r := range c.Rollups {
		p.saved[r.Device]++
	}
	return p.memory.Commit(ctx, c)
}

// together is a job of batches; devices named in fails do so in the way given.
func together(fails map[string]string) Job {
	return Job{
		Name: "together", Kinds: []devices.Kind{devices.KindBattery},
		Batch: func(_ context.Context, work []Work) ([]Outcome, error) {
			out := make([]Outcome, len(work))
			for k, w := range work {
				switch fails[w.Ref.ID] {
				case "panic":
					panic("broken")
				case "all":
					return nil, errors.New("unreadable")
				case "down":
					return nil, fmt.Errorf("down: %w", telemetry.ErrUnavailable)
				case "alone":
					out[k].Err = errors.New("no such battery")
				default:
					out[k].Changes.Rollups = []ledger.RollupDay{{DeviceDay: telemetry.DeviceDay{Device: w.Ref.ID}}}
					out[k].Rows = len(w.Days)
				}
			}
			return out, nil
		},
	}
}

// Of a batch in which one device fails, in whatever way, all others are saved, once
// each, and that one is marked again.
func TestBatchWithOneThatFails(t *testing.T) {
	for _, how := range []string{"panic", "all", "alone", "commit"} {
		t.Run(how, func(t *testing.T) {
			m := &picky{memory: newMemory(), bad: map[string]bool{}, saved: map[string]int{}}
			want := map[string]int{}
			for k := range 30 {
				id := fmt.Sprintf("b%02d", k)
				m.mark(t, id, 5)
				want[id] = 1
			}
			delete(want, "b07")
			j := together(map[string]string{"b07": how})
			if how == "commit" {
				m.bad["b07"] = true
			}
			d, err := j.runOnce(t.Context(), m, m, slog.New(slog.DiscardHandler), 100)
			if err == nil || len(d.failed) != 1 || d.devices != 30 {
				t.Errorf("got %d devices and %v, want 30 and one failure", d.devices, err)
			}
			if diff := cmp.Diff(want, m.saved); diff != "" {
				t.Errorf("saved (-want +got):\n%s", diff)
			}
			if due := m.left(t, &j, 100); len(due) != 1 || due[0].Device != "b07" {
				t.Errorf("got %v left to do, want the one that failed", due)
			}
		})
	}
}

// A store that is down stops the run; everything is still to be done.
func TestBatchWhileTheStoreIsDown(t *testing.T) {
	m := newMemory()
	m.mark(t, "a", 5)
	m.mark(t, "b", 5)
	j := together(map[string]string{"b": "down"})
	if _, err := j.runOnce(t.Context(), m, m, slog.New(slog.DiscardHandler), 100); !errors.Is(err, telemetry.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if due := m.left(t, &j, 100); len(due) != 2 {
		t.Errorf("got %v left to do, want both", due)
	}
}

// Days that are too many for one page are worked off page by page: each is done
// once, progress is kept after each page, and what has not ended stays.
func TestPagesOfDueDays(t *testing.T) {
	const today = 20
	for _, page := range []int{0, 1, 5, 7} {
		m := newMemory()
		m.page = page
		for day := range int64(today + 1) {
			m.mark(t, "a", day)
			m.mark(t, "b", day)
		}
		counts, stop := map[string]int{}, 12
		j := Job{
			Name: "paged", Kinds: []devices.Kind{devices.KindBattery}, Ended: true,
			Batch: func(_ context.Context, work []Work) ([]Outcome, error) {
				out := make([]Outcome, len(work))
				for k, w := range work {
					if slices.Contains(w.Days, int64(stop)) {
						return nil, fmt.Errorf("down: %w", telemetry.ErrUnavailable)
					}
					for _, day := range w.Days {
						counts[fmt.Sprint(w.Ref.ID, day)]++
					}
					out[k].Rows = len(w.Days)
				}
				return out, nil
			},
		}
		log := slog.New(slog.DiscardHandler)
		if _, err := j.runOnce(t.Context(), m, m, log, today); !errors.Is(err, telemetry.ErrUnavailable) {
			t.Fatalf("pages of %d: got %v, want it to stop", page, err)
		}
		if page > 0 && m.marks["paged"].Seq < int64(24-2*page) {
			t.Errorf("pages of %d: got a watermark of %d, want those before the stop to be kept", page, m.marks["paged"].Seq)
		}
		stop = -1
		if d, err := j.runOnce(t.Context(), m, m, log, today); err != nil || page == 0 && d.rows != 2*today {
			t.Errorf("pages of %d: got %d days, %v", page, d.rows, err)
		}
		if len(counts) != 2*today || slices.Max(slices.Collect(maps.Values(counts))) > 1 && page < 2 {
			t.Errorf("pages of %d: got %v, want every day that has ended", page, counts)
		}
		if left := m.left(t, &j, today); len(left) != 0 {
			t.Errorf("pages of %d: got %v left", page, left)
		}
		if d, err := j.runOnce(t.Context(), m, m, log, today+1); err != nil || d.rows != 2 {
			t.Errorf("pages of %d: a day later got %d days, %v, want the one that has ended since", page, d.rows, err)
		}
	}
}

// A run in which more devices fail than there are on a page ends: what it marks
// for another try is the next one's. Of the failures it keeps a few.
func TestPagesOfFailures(t *testing.T) {
	const devices, rest = 9, 9 - maxReported
	m := newMemory()
	m.page = 2
	for k := range devices {
		m.mark(t, fmt.Sprint("b", k), 5)
	}
	tries := 0
	j := together(nil)
	j.Batch = func(_ context.Context, work []Work) ([]Outcome, error) {
		out := make([]Outcome, len(work))
		for k := range work {
			if tries++; tries > 10*devices {
				return nil, fmt.Errorf("no end: %w", telemetry.ErrUnavailable)
			}
			out[k].Err = errors.New("broken")
		}
		return out, nil
	}
	for run := range 2 {
		d, err := j.runOnce(t.Context(), m, m, slog.New(slog.DiscardHandler), 100)
		if tries != (run+1)*devices || d.failures != devices || len(d.failed) != maxReported {
			t.Fatalf("run %d: got %d tries in all, %d failures and %d kept, want %d, %d and %d",
				run, tries, d.failures, len(d.failed), (run+1)*devices, devices, maxReported)
		}
		if want := fmt.Sprintf("battery/b0: broken\nbattery/b1: broken\nbattery/b2: broken\nbattery/b3: broken\nbattery/b4: broken\nand %d more devices", rest); err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

// A device that is not registered any more is passed over, and not tried again.
func TestGoneDevicesArePassedOver(t *testing.T) {
	gone, m := errors.New("not found"), newMemory()
	m.mark(t, "gone", 5)
	m.mark(t, "here", 5)
	done := map[string]int{}
	j := Job{
		Name: "gone", Kinds: []devices.Kind{devices.KindBattery}, Gone: func(err error) bool { return errors.Is(err, gone) },
		Compute: func(_ context.Context, ref devices.Ref, _ []int64) (ledger.Changes, int, error) {
			done[ref.ID]++
			if ref.ID == "gone" {
				return ledger.Changes{}, 0, fmt.Errorf("battery %s: %w", ref.ID, gone)
			}
			return ledger.Changes{}, 0, nil
		},
	}
	for range 2 {
		if _, err := j.runOnce(t.Context(), m, m, slog.New(slog.DiscardHandler), 10); err != nil {
			t.Errorf("got %v", err)
		}
	}
	if want := map[string]int{"gone": 1, "here": 1}; !maps.Equal(done, want) {
		t.Errorf("computed %v, want %v", done, want)
	}
}

// A job of days that have ended leaves the others until they have, and does none
// twice.
func TestDaysThatHaveEnded(t *testing.T) {
	m := newMemory()
	got := map[string][]int64{}
	j := Job{
		Name: "ended", Kinds: []devices.Kind{devices.KindBattery}, After: 1, Ended: true,
		Compute: func(_ context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error) {
			got[ref.ID] = days
			return ledger.Changes{}, 0, nil
		},
	}
	for _, step := range []struct {
		mark  []int64
		today int64
		want  []int64
	}{
		{[]int64{8, 9, 10}, 10, []int64{8, 9}},
		{nil, 10, nil},
		{[]int64{10}, 10, nil},
		{nil, 11, []int64{10}},
		{nil, 11, nil},
		{[]int64{8, 11}, 11, []int64{8, 9}},
		{nil, 14, []int64{11, 12}},
		{nil, 14, nil},
	} {
		clear(got)
		if step.mark != nil {
			m.mark(t, "b", step.mark...)
		}
		if _, err := j.runOnce(t.Context(), m, m, slog.New(slog.DiscardHandler), step.today); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got["b"], step.want) {
			t.Errorf("marked %v, on day %d: computed %v, want %v", step.mark, step.today, got["b"], step.want)
		}
	}
}

// Batches hold every device once, no more than may be in memory, and no more than a
// share of the work.
func TestBatches(t *testing.T) {
	var all []Work
	for k := range 3500 {
		w := Work{Ref: devices.Ref{ID: fmt.Sprint(k)}, Days: make([]int64, 1+k%3)}
		if k == 7 {
			w.Days = make([]int64, 5*batchDays)
		}
		all = append(all, w)
	}
	seen := map[string]bool{}
	for _, b := range batches(all, 2) {
		days := 0
		for _, w := range b {
			days += len(w.Days)
			seen[w.Ref.ID] = true
		}
		if len(b) > batchDevices || days > batchDays && len(b) > 1 {
			t.Errorf("a batch of %d devices and %d days", len(b), days)
		}
	}
	if len(seen) != len(all) {
		t.Errorf("got %d devices, want %d", len(slices.Collect(maps.Keys(seen))), len(all))
	}
	for _, c := range []struct{ devices, workers, want int }{{0, 2, 0}, {1, 2, 1}, {16, 2, 1}, {200, 2, 13}, {200, 64, 13}, {10_000, 2, 16}, {100_000, 2, 100}} {
		work := make([]Work, c.devices)
		if got := len(batches(work, c.workers)); got != c.want {
			t.Errorf("%d devices, %d workers: got %d batches, want %d", c.devices, c.workers, got, c.want)
		}
	}
}
