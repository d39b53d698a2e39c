// Package fleet runs the jobs that turn telemetry into results: which job runs
// when, over which days of which devices, and what became of each run.
//
// The maths is in the pure packages below it (battery, rollup, …); a job loads,
// calls them and saves. Results depend on the telemetry alone: a day that is
// computed again from the same readings gives the same bytes.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Job is one kind of computation.
type Job struct {
	Name     string
	Schedule string // five cron fields, UTC
	// Compute works out the results of one device for the days, which ascend.
	// It returns them with what it read; it saves nothing.
	Compute func(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error)
	// Kinds are the kinds of device it concerns.
	Kinds []devices.Kind
	// Spread is how many days before and after a day change with it.
	Spread int64
}

// done is what a run has worked through.
type done struct {
	window  telemetry.Window // of the days computed
	devices int
	rows    int // readings read
	failed  []error
}

// maxReported is how many failures a run reports by name.
const maxReported = 5

func (d *done) err() error {
	if len(d.failed) == 0 {
		return nil
	}
	err := errors.Join(d.failed[:min(len(d.failed), maxReported)]...)
	if n := len(d.failed) - maxReported; n > 0 {
		err = fmt.Errorf("%w\nand %d more devices", err, n)
	}
	return err
}

// runOnce computes every day that was marked since the job's watermark, and
// moves the watermark. A device that fails is marked again, so that it is tried
// at the next run and holds up no other.
func (j *Job) runOnce(ctx context.Context, results Results, marker Marker, log *slog.Logger) (done, error) {
	var d done
	mark, err := results.Watermark(ctx, j.Name)
	if err != nil {
		return d, fmt.Errorf("read watermark: %w", err)
	}
	dirty, upTo, err := results.Dirty(ctx, mark.Seq)
	if err != nil {
		return d, fmt.Errorf("read days to compute: %w", err)
	}
	for _, w := range j.work(dirty) {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		rows, err := j.device(ctx, results, w)
		d.rows += rows
		d.devices++
		d.cover(w.days)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		if errors.Is(err, telemetry.ErrUnavailable) {
			// The next device would fare no better, and the watermark has not moved.
			return d, fmt.Errorf("%s: %w", w.ref, err)
		}
		log.Error("job failed for a device", "job", j.Name, "device", w.ref.String(), "err", err)
		d.failed = append(d.failed, fmt.Errorf("%s: %w", w.ref, err))
		if err := marker.MarkDirty(ctx, w.marked); err != nil {
			return d, fmt.Errorf("mark %s for another try: %w", w.ref, err)
		}
	}
	if err := results.Commit(ctx, ledger.Changes{Job: j.Name, Watermark: &ledger.Watermark{Seq: upTo}}); err != nil {
		return d, fmt.Errorf("save watermark: %w", err)
	}
	return d, d.err()
}

func (d *done) cover(days []int64) {
	w := telemetry.Window{From: days[0] * telemetry.Day, To: (days[len(days)-1] + 1) * telemetry.Day}
	if d.window.Empty() {
		d.window = w
		return
	}
	d.window.From = min(d.window.From, w.From)
	d.window.To = max(d.window.To, w.To)
}

// device computes and saves one device; a panic is its error.
func (j *Job) device(ctx context.Context, results Results, w work) (rows int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	changes, rows, err := j.Compute(ctx, w.ref, w.days)
	if err != nil {
		return rows, err
	}
	changes.Job, changes.Watermark = j.Name, nil
	if err := results.Commit(ctx, changes); err != nil {
		return rows, fmt.Errorf("save results: %w", err)
	}
	return rows, nil
}

// work is one device and the days to compute for it.
type work struct {
	ref    devices.Ref
	marked []telemetry.DeviceDay // as they stood on the list
	days   []int64               // those and their neighbours, ascending
}

// work groups the marked days by device; they come ordered by device.
func (j *Job) work(dirty []ledger.DirtyDay) []work {
	var all []work
	for _, d := range dirty {
		if !slices.Contains(j.Kinds, d.Kind) {
			continue
		}
		if n := len(all); n == 0 || all[n-1].ref != d.Ref() {
			all = append(all, work{ref: d.Ref()})
		}
		w := &all[len(all)-1]
		w.marked = append(w.marked, d.DeviceDay)
		for day := d.Day - j.Spread; day <= d.Day+j.Spread; day++ {
			w.days = append(w.days, day)
		}
	}
	for i := range all {
		slices.Sort(all[i].days)
		all[i].days = slices.Compact(all[i].days)
	}
	return all
}
