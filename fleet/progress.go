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
	// Of the present run: up to where it has looked, and whether it has left days
	// that were marked before that.
	looked int64
	left   bool
	// Up to where the run looks at all, where it takes several pages: what it marks
	// again itself, for another try, is the next one's. 0: not known yet.
	end int64
}

// seenOf is under which name the second number is kept.
func seenOf(job string) string { return job + "/seen" }

func (j *Job) progress(ctx context.Context, results Results) (p progress, err error) {
	mark, err := results.Watermark(ctx, j.Name)
	if err != nil {
		return p, fmt.Errorf("read watermark: %w", err)
	}
	p = progress{low: mark.Seq, seq: mark.Seq, looked: mark.Seq}
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

// maxDue bounds the days that are held in memory as due.
const maxDue = 500_000

// due returns marked days that have not been worked off, of more than maxDue those
// that were marked first, and takes the progress on to where they are. more says
// that there are others, which are then to be asked for.
func (j *Job) due(ctx context.Context, results Results, p *progress, today int64) (due []ledger.DirtyDay, more bool, err error) {
	q := ledger.DirtyQuery{After: p.looked, Kinds: j.Kinds, FromDay: math.MinInt64, ToDay: math.MaxInt64, UpTo: p.end, Limit: maxDue}
	if j.Today { // no other day comes to anything
		q.FromDay, q.ToDay, q.Newest = today-j.Spread-j.After, today+j.Spread+j.Before+1, maxDue
	}
	dirty, upTo, more, err := results.DirtyOf(ctx, q)
	if err != nil {
		return nil, false, fmt.Errorf("read days to compute: %w", err)
	}
	p.looked = upTo
	if more && p.end == 0 {
		now, err := results.Revisions(ctx)
		if err != nil {
			return nil, false, err
		}
		p.end = now.Days
	}
	if !j.Ended {
		p.low = upTo
		return dirty, more, nil
	}
	low := upTo
	due = dirty[:0]
	for _, d := range dirty {
		switch {
		case d.Day >= today:
			low = min(low, d.Seq-1)
		case d.Day >= p.ended || d.Seq > p.seq:
			due = append(due, d)
		}
	}
	if !p.left {
		p.low, p.left = low, low < upTo
	}
	p.seq = max(p.seq, upTo)
	if !more {
		p.ended = today
	}
	return due, more, nil
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
