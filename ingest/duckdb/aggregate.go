package duckdb

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Aggregate folds samples into buckets; see telemetry.Reader. Its results are
// the same to the bit in whatever order the readings were appended, and whether
// they are in memory or in parts. The exception are mean and sum of a field that
// admits numbers beyond 2^50, or that holds some more than twice beyond its
// bounds: there the last bits may differ, as floating-point sums do.
func (s *Store) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return nil, fmt.Errorf("aggregate: %w", err)
	}
	var buckets []telemetry.Bucket
	err = s.use(ctx, func(ctx context.Context, e *engine) error {
		if q.Window.Empty() || len(fields) == 0 {
			return nil
		}
		return e.view(ctx, q.RangeQuery, func(v *view) error {
			a := newAggregation(q, fields)
			if err := v.plan(q.RangeQuery, v.table.fieldColumns(fields), s.page, false).each(ctx, a.fold); err != nil {
				return err
			}
			buckets = a.buckets()
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("aggregate: %w", err)
	}
	return buckets, nil
}

// aggregation folds runs, which come in the order of time for each device.
type aggregation struct {
	fields  []*devices.Field
	folders []folder
	every   int64
	fleet   bool

	series map[string]*series // by device; not of a fleet
	steps  map[int64][]folded // by start, of a fleet
	total  int                // of buckets that are done
	slab   []telemetry.Value  // shared by many buckets, which are allocated together
	recent *series            // of the run before
	device string
}

// series is the buckets of one device.
type series struct {
	done  []telemetry.Bucket
	open  []folded // by field, of the last step
	start int64
	some  bool // something is open
}

func newAggregation(q telemetry.AggregateQuery, fields []*devices.Field) *aggregation {
	a := &aggregation{
		fields: fields, every: q.Every.Milliseconds(), fleet: q.Fleet,
		series: make(map[string]*series), steps: make(map[int64][]folded),
	}
	for _, f := range fields {
		a.folders = append(a.folders, newFolder(q, f))
	}
	return a
}

// fold folds a run in, step by step.
func (a *aggregation) fold(r *run) error {
	for from := 0; from < len(r.ts); {
		start := telemetry.Floor(r.ts[from], a.every)
		to := from + 1
		for to < len(r.ts) && r.ts[to]-start < a.every {
			to++
		}
		open := a.open(r.device, start)
		for i := range a.folders {
			a.folders[i].add(&open[i], &r.values[i], r.ts, from, to)
		}
		from = to
	}
	return nil
}

// open is what the samples of a device in a step have come to so far.
func (a *aggregation) open(device string, start int64) []folded {
	if a.fleet {
		open := a.steps[start]
		if open == nil {
			open = make([]folded, len(a.fields))
			a.steps[start] = open
		}
		return open
	}
	if a.recent == nil || a.device != device {
		a.recent, a.device = a.series[device], device
		if a.recent == nil {
			a.recent = &series{open: make([]folded, len(a.fields))}
			a.series[device] = a.recent
		}
	}
	s := a.recent
	if s.some && s.start != start {
		a.finish(device, s)
	}
	s.start, s.some = start, true
	return s.open
}

// finish makes a bucket of what is open, unless no sample is in it.
func (a *aggregation) finish(device string, s *series) {
	if values := a.values(s.open); len(values) > 0 {
		s.done = append(s.done, telemetry.Bucket{Device: device, Start: s.start, Values: values})
		a.total++
	}
	clear(s.open)
	s.some = false
}

// slabBuckets is for how many buckets values are allocated at once, at most: as
// many as there are already.
const slabBuckets = 512

func (a *aggregation) values(of []folded) []telemetry.Value {
	if cap(a.slab)-len(a.slab) < len(a.fields) {
		a.slab = make([]telemetry.Value, 0, min(slabBuckets, max(32, a.total))*len(a.fields))
	}
	first := len(a.slab)
	for i, f := range a.fields {
		if n, ok := a.folders[i].result(&of[i]); ok {
			a.slab = append(a.slab, telemetry.Value{Field: f, Num: n})
		}
	}
	return a.slab[first:len(a.slab):len(a.slab)]
}

// buckets are the buckets in their order. Nothing can be folded in after it.
func (a *aggregation) buckets() []telemetry.Bucket {
	var out []telemetry.Bucket
	for start, open := range a.steps {
		if values := a.values(open); len(values) > 0 {
			out = append(out, telemetry.Bucket{Start: start, Values: values})
		}
	}
	slices.SortFunc(out, func(a, b telemetry.Bucket) int { return cmp.Compare(a.Start, b.Start) })
	for device, s := range a.series {
		if a.finish(device, s); len(a.series) == 1 {
			return s.done
		}
	}
	out = slices.Grow(out, a.total)
	for _, device := range slices.Sorted(maps.Keys(a.series)) {
		out = append(out, a.series[device].done...)
		delete(a.series, device)
	}
	return out
}
