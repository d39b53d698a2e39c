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
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Batch works out the results of devices that are read together. There is an
// outcome for each, in their order. An error is of all of them: unless it is
// telemetry.ErrUnavailable they are tried again one by one.
type Batch func(ctx context.Context, work []Work) ([]Outcome, error)

// Job is one kind of computation. It has Compute, Batch, Begin or Whole.
type Job struct {
	Name     string
	Schedule string // five cron fields, UTC
	// Compute works out the results of one device for the days, which ascend.
	// It returns them with what it read; it saves nothing. Several devices are
	// computed at once.
	Compute func(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error)
	// Batch does so for many devices, whose telemetry is read together; see Batch.
	Batch Batch
	// Begin makes the Batch of a run over so many devices, once it is known which
	// days are due: what it reads is not older than their marks.
	Begin func(ctx context.Context, devices int) (Batch, error)
	// Whole does all that there is to do, and says how many results are new. What is
	// due it finds out by itself: it is of no devices or days.
	Whole func(ctx context.Context) (made int, err error)
	// Kinds are the kinds of device it concerns.
	Kinds []devices.Kind
	// Spread is how many days before and after a day change with it; Before and
	// After are further ones on one side.
	Spread, Before, After int64
	// Ended leaves days to a later run that have not ended; Today leaves out all
	// others.
	Ended, Today bool
	// Gone says of an error that the device is not registered, or not any more:
	// there is nothing to compute, and nothing to try again. nil: no error does.
	Gone func(error) bool
}

// Work is one device and the days to compute for it.
type Work struct {
	Ref    devices.Ref
	Days   []int64 // those marked and their neighbours, ascending
	marked []telemetry.DeviceDay
}

// Outcome is what became of a Work.
type Outcome struct {
	Changes ledger.Changes
	Rows    int // readings read
	Err     error
}

// done is what a run has worked through.
type done struct {
	window  telemetry.Window // of the days computed
	devices int
	rows    int // readings read
	// Devices that failed, one more than once where its days come on several pages,
	// and the first errors of these, by their text.
	failures int
	failed   []error
}

// maxReported is how many failures a run reports by name.
const maxReported = 5

func (d *done) fail(err error) {
	d.failures++
	k, _ := slices.BinarySearchFunc(d.failed, err, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	d.failed = slices.Insert(d.failed, k, err)
	d.failed = d.failed[:min(len(d.failed), maxReported)]
}

func (d *done) err() error {
	err := errors.Join(d.failed...)
	if n := d.failures - len(d.failed); n > 0 {
		err = fmt.Errorf("%w\nand %d more devices", err, n)
	}
	return err
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

// work groups the marked days by device; they come ordered by device. Days that
// have not ended by today are left out where the job leaves them to a later run,
// and so are devices without any day left.
func (j *Job) work(dirty []ledger.DirtyDay, today int64) []Work {
	var all []Work
	for _, d := range dirty {
		if !slices.Contains(j.Kinds, d.Kind) {
			continue
		}
		if n := len(all); n == 0 || all[n-1].Ref != d.Ref() {
			all = append(all, Work{Ref: d.Ref()})
		}
		w := &all[len(all)-1]
		w.marked = append(w.marked, d.DeviceDay)
		for day := d.Day - j.Spread - j.Before; day <= d.Day+j.Spread+j.After; day++ {
			if j.Ended && day >= today || j.Today && day != today {
				continue
			}
			w.Days = append(w.Days, day)
		}
	}
	for i := range all {
		slices.Sort(all[i].Days)
		all[i].Days = slices.Compact(all[i].Days)
	}
	return slices.DeleteFunc(all, func(w Work) bool { return len(w.Days) == 0 })
}

// What is computed and saved together. A batch has a fixed price, a query and a
// commit, and one worker; so a run is cut into some pieces for each worker, that
// none is idle while another has half of the fleet before it.
const (
	batchDevices    = 1000 // at most
	batchDevicesMin = 16   // where the run has as many
	batchDays       = 1000 // at most, of all devices
	batchesEach     = 8    // of a worker
)

// batches cuts the work into pieces, each of which is saved at once.
func batches(all []Work, workers int) [][]Work {
	most := min(max(len(all)/(batchesEach*workers), batchDevicesMin), batchDevices)
	var out [][]Work
	for len(all) > 0 {
		n, days := 0, 0
		for n < min(len(all), most) && (n == 0 || days+len(all[n].Days) <= batchDays) {
			days += len(all[n].Days)
			n++
		}
		out = append(out, all[:n])
		all = all[n:]
	}
	return out
}
