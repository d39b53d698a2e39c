package duckdb

import (
	"context"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// firstKept is the first UTC day that is not wholly past retention.
func (e *engine) firstKept() int64 {
	if e.opts.Retention <= 0 {
		return math.MinInt64
	}
	return telemetry.DayOf(e.opts.Now().Add(-e.opts.Retention).UnixMilli())
}

// expire takes the parts that are past retention out of the manifest and
// returns how many. Hot rows that old are left out when their segment is sealed.
func (s *Store) expire(ctx context.Context, e *engine, kind devices.Kind) (int, error) {
	keep := e.firstKept()
	var old []*part
	for _, p := range e.versions.current().layouts[kind].parts {
		if p.day < keep {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		return 0, nil
	}
	e.tables[kind].forget(keep)
	err := s.change(ctx, e, func(next *version) ([]garbage, error) {
		return e.files(old), e.replaceParts(ctx, next, kind, old)
	})
	if err != nil {
		return 0, fmt.Errorf("remove %d expired parts: %w", len(old), err)
	}
	return len(old), e.step("expired")
}
