package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// pass is one run of a job over what is due.
type pass struct {
	job     *Job
	several Batch // nil: the job computes one device at a time
	results Results
	marker  Marker
	log     *slog.Logger

	mu   sync.Mutex
	done done
}

// runOnce computes every day that was marked since the job's watermark, and
// moves the watermark. A device that fails is marked again, so that it is tried
// at the next run and holds up no other. today is the day that has not ended.
func (j *Job) runOnce(ctx context.Context, results Results, marker Marker, log *slog.Logger, today int64) (done, error) {
	if j.Whole != nil {
		made, err := j.Whole(ctx)
		return done{rows: made}, err
	}
	at, err := j.progress(ctx, results)
	if err != nil {
		return done{}, err
	}
	p := pass{job: j, several: j.Batch, results: results, marker: marker, log: log}
	for more := true; more; {
		var due []ledger.DirtyDay
		if due, more, err = j.due(ctx, results, &at, today); err != nil {
			return p.done, err
		}
		if err := p.all(ctx, j.work(due, today)); err != nil {
			return p.done, err
		}
		if err := j.save(ctx, results, at); err != nil {
			return p.done, err
		}
	}
	return p.done, p.done.err()
}

// all computes and saves the work, some devices at a time.
func (p *pass) all(ctx context.Context, work []Work) (err error) {
	if p.job.Begin != nil {
		if p.several, err = p.job.Begin(ctx, len(work)); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
	}
	g, inner := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	g.SetLimit(workers)
	for _, batch := range batches(work, workers) {
		if inner.Err() != nil {
			break
		}
		g.Go(func() error { return p.batch(inner, batch) })
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// batch computes and saves some devices. Its error ends the run.
func (p *pass) batch(ctx context.Context, work []Work) error {
	outcomes, err := p.compute(ctx, work)
	if err != nil {
		return err
	}
	p.mu.Lock()
	for k, o := range outcomes {
		p.done.devices++
		p.done.rows += o.Rows
		p.done.cover(work[k].Days)
	}
	p.mu.Unlock()
	if err := p.commit(ctx, outcomes); err != nil {
		return err
	}
	for k, o := range outcomes {
		if o.Err == nil {
			continue
		}
		if p.job.Gone != nil && p.job.Gone(o.Err) {
			p.log.Debug("device passed over: it is not registered", "job", p.job.Name, "device", work[k].Ref.String())
			continue
		}
		if err := p.failed(ctx, work[k], o.Err); err != nil {
			return err
		}
	}
	return nil
}

// compute returns an outcome for each device; its error is one that no other
// device would fare better with.
func (p *pass) compute(ctx context.Context, work []Work) ([]Outcome, error) {
	if p.several != nil && len(work) > 1 {
		outcomes, err := p.together(ctx, work)
		if err == nil {
			return outcomes, fatal(ctx, work, outcomes)
		}
		if ctx.Err() != nil || down(err) {
			return nil, errors.Join(err, ctx.Err())
		}
		p.log.Warn("job failed for several devices at once; trying them one by one", "job", p.job.Name, "devices", len(work), "err", err)
	}
	outcomes := make([]Outcome, len(work))
	for k := range work {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		outcomes[k] = p.alone(ctx, work[k])
		if err := fatal(ctx, work[k:k+1], outcomes[k:k+1]); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// fatal is the first error that ends the run: the next device would fare no
// better, and the watermark has not moved.
func fatal(ctx context.Context, work []Work, outcomes []Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for k, o := range outcomes {
		if down(o.Err) {
			return fmt.Errorf("%s: %w", work[k].Ref, o.Err)
		}
	}
	return nil
}

// down reports whether a store or the ledger can't be reached.
func down(err error) bool {
	return errors.Is(err, telemetry.ErrUnavailable) || errors.Is(err, ledger.ErrUnavailable)
}

// together computes several devices; a panic is their error.
func (p *pass) together(ctx context.Context, work []Work) (outcomes []Outcome, err error) {
	defer recovered(&err)
	if outcomes, err = p.several(ctx, work); err == nil && len(outcomes) != len(work) {
		err = fmt.Errorf("%d outcomes of %d devices", len(outcomes), len(work))
	}
	return outcomes, err
}

// alone computes one device; a panic is its error.
func (p *pass) alone(ctx context.Context, w Work) (o Outcome) {
	defer recovered(&o.Err)
	if p.several == nil {
		o.Changes, o.Rows, o.Err = p.job.Compute(ctx, w.Ref, w.Days)
		return o
	}
	outcomes, err := p.together(ctx, []Work{w})
	if err != nil {
		return Outcome{Err: err}
	}
	return outcomes[0]
}

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// commit saves the outcomes without an error, all at once, or one by one where
// that fails; what can't be saved is that device's error.
func (p *pass) commit(ctx context.Context, outcomes []Outcome) error {
	all, n := ledger.Changes{Job: p.job.Name}, 0
	for _, o := range outcomes {
		if o.Err == nil {
			all.Rollups = append(all.Rollups, o.Changes.Rollups...)
			all.Parts = append(all.Parts, o.Changes.Parts...)
			n++
		}
	}
	if len(all.Rollups)+len(all.Parts) == 0 {
		return nil
	}
	if err := p.results.Commit(ctx, all); err == nil || down(err) {
		return err
	}
	for k := range outcomes {
		o := &outcomes[k]
		if o.Err != nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.Changes.Job, o.Changes.Watermark = p.job.Name, nil
		if err := p.results.Commit(ctx, o.Changes); err != nil {
			o.Err = fmt.Errorf("save results: %w", err)
		}
	}
	return nil
}

// failed marks the device's days again.
func (p *pass) failed(ctx context.Context, w Work, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.log.Error("job failed for a device", "job", p.job.Name, "device", w.Ref.String(), "err", cause)
	p.mu.Lock()
	p.done.fail(fmt.Errorf("%s: %w", w.Ref, cause))
	p.mu.Unlock()
	if err := p.marker.MarkDirty(ctx, w.marked); err != nil {
		return fmt.Errorf("mark %s for another try: %w", w.Ref, err)
	}
	return nil
}
