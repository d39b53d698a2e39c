package influx

import (
	"cmp"
	"context"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Bounds of one write request: 5,000 lines is what InfluxDB advises; 1 MiB is
// what proxies in front of it let through, so that there is room for the line
// that crosses maxBytes.
const (
	maxLines = 5000
	maxBytes = 1_000_000
)

// Append writes the readings, those of one identity merged into one point.
// InfluxDB can't tell whether an identity was there before, so Merged counts
// the readings that repeat one within the call.
//
// A server that is unreachable, silent, overloaded or refuses the token is
// telemetry.ErrUnavailable; points that it refuses for what they are, are
// searched out and rejected.
func (s *Store) Append(ctx context.Context, readings []telemetry.Reading) (telemetry.Appended, error) {
	if err := s.begin(ctx); err != nil {
		return telemetry.Appended{}, err
	}
	var out telemetry.Appended
	points := s.points(readings, &out)
	b := batch{readings: readings}
	flush := func() error {
		rejected, err := s.commit(ctx, &b, b.points)
		out.Rejected = append(out.Rejected, rejected...)
		b.points, b.lines = b.points[:0], b.lines[:0]
		return err
	}
	for _, p := range points {
		b.add(p)
		if len(b.points) == maxLines || len(b.lines) >= maxBytes {
			if err := flush(); err != nil {
				return telemetry.Appended{}, err
			}
		}
	}
	if err := flush(); err != nil {
		return telemetry.Appended{}, err
	}
	account(&out, points)
	return out, nil
}

// point is one identity and the readings that make it up.
type point struct {
	indices    []int // into the readings, in their order; at least one
	start, end int   // of its line in the batch, the newline included
}

// points groups the readings by identity, in the order of their first
// appearance, and rejects those that can't be sent.
func (s *Store) points(readings []telemetry.Reading, out *telemetry.Appended) []point {
	type identity struct {
		kind   devices.Kind
		device string
		ts     int64
	}
	seen := make(map[identity]int, len(readings))
	first := make([]int, len(readings)) // one array in place of many small ones
	points := make([]point, 0, len(readings))
	for i := range readings {
		r := &readings[i]
		if reason := defect(r, s.schema); reason != "" {
			out.Rejected = append(out.Rejected, telemetry.Rejection{Index: i, Reason: reason})
			continue
		}
		id := identity{r.Kind, r.Device, r.TS}
		if at, ok := seen[id]; ok {
			points[at].indices = append(points[at].indices, i)
			continue
		}
		seen[id] = len(points)
		first[i] = i
		points = append(points, point{indices: first[i : i+1 : i+1]})
	}
	return points
}

// account counts the readings that were not rejected and orders those that
// were.
func account(out *telemetry.Appended, points []point) {
	slices.SortFunc(out.Rejected, func(a, b telemetry.Rejection) int { return cmp.Compare(a.Index, b.Index) })
	refused := make(map[int]bool, len(out.Rejected))
	for _, r := range out.Rejected {
		refused[r.Index] = true
	}
	for _, p := range points {
		kept := 0
		for _, i := range p.indices {
			if !refused[i] {
				kept++
			}
		}
		if kept > 0 {
			out.New++
			out.Merged += kept - 1
		}
	}
}

// batch is the points of one request and their lines, one after the other.
type batch struct {
	readings []telemetry.Reading
	points   []point
	lines    []byte
}

func (b *batch) add(p point) {
	r := b.readings[p.indices[0]]
	if len(p.indices) > 1 {
		r.Values = slices.Clone(r.Values)
		for _, i := range p.indices[1:] {
			r.Merge(b.readings[i])
		}
	}
	p.start = len(b.lines)
	b.lines = appendLine(b.lines, &r)
	p.end = len(b.lines)
	b.points = append(b.points, p)
}

// has reports whether the point carries the field.
func (b *batch) has(p point, kind, field string) bool {
	for _, i := range p.indices {
		if _, ok := b.readings[i].Get(field); ok && string(b.readings[i].Kind) == kind {
			return true
		}
	}
	return false
}
