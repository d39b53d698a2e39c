package fleet

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// progress is how far a job has come: what was marked up to seq is worked off. A
// job that leaves the days which have not ended to a later run has worked off
// those before ended alone, and has to look at what was marked after low again.
type progress struct {
	low, seq int64
	ended    int64 // day
}

// seenOf is under which name the second number is kept.
func seenOf(job string) string { return job + "/seen" }

func (j *Job) progress(ctx context.Context, results Results) (p progress, err error) {
	mark, err := results.Watermark(ctx, j.Name)
	if err != nil {
		return p, fmt.Errorf("read watermark: %w", err)
	}
	p = progress{low: mark.Seq, seq: mark.Seq}
	if !j.Ended {
		return p, nil
	}
	seen, err := results.Watermark(ctx, seenOf(j.Name))
	if err != nil {
		return p, fmt.Errorf("read watermark: %w", err)
	}
	p.seq = seen.Seq
	if !mark.At.IsZero() {
		p.ended = telemetry.DayOf(mark.At.UnixMilli())
	}
	return p, nil
}

// due returns the marked days that have not been worked off, and the progress
// once they are.
func (j *Job) due(ctx context.Context, results Results, today int64) (due []ledger.DirtyDay, next progress, err error) {
	p, err := j.progress(ctx, results)
	if err != nil {
		return nil, next, err
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if j.Today { // no other day comes to anything
		from, to = today-j.Spread-j.After, today+j.Spread+j.Before+1
	}
	dirty, upTo, err := results.DirtyOf(ctx, p.low, j.Kinds, from, to)
	if err != nil {
		return nil, next, fmt.Errorf("read days to compute: %w", err)
	}
	next = progress{low: upTo, seq: upTo, ended: today}
	if !j.Ended {
		return dirty, next, nil
	}
	due = dirty[:0]
	for _, d := range dirty {
		switch {
		case d.Day >= today:
			next.low = min(next.low, d.Seq-1)
		case d.Day >= p.ended || d.Seq > p.seq:
			due = append(due, d)
		}
	}
	return due, next, nil
}

// save keeps the progress. Of the two numbers the first may be ahead of the
// second after a crash: then some days are computed once more.
func (j *Job) save(ctx context.Context, results Results, p progress) error {
	mark := ledger.Watermark{Seq: p.low}
	if j.Ended {
		mark.At = time.UnixMilli(p.ended * telemetry.Day).UTC()
	}
	if err := results.Commit(ctx, ledger.Changes{Job: j.Name, Watermark: &mark}); err != nil {
		return fmt.Errorf("save watermark: %w", err)
	}
	if !j.Ended {
		return nil
	}
	if err := results.Commit(ctx, ledger.Changes{Job: seenOf(j.Name), Watermark: &ledger.Watermark{Seq: p.seq}}); err != nil {
		return fmt.Errorf("save watermark: %w", err)
	}
	return nil
}
