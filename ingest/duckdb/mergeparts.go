package duckdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	// mergeFrom is how many parts of like size a day that is still written
	// has to have before they are merged. Each merge at least doubles the part
	// it makes, so a reading is rewritten about log2(parts) times.
	mergeFrom = 4
	// mergeRows bounds a merged part, and with it what one merge has to sort.
	mergeRows = 8_000_000
	// quietAfterMillis is how long no part must have been added to a day, and
	// how long it must be over, until all its parts are merged into one.
	quietAfterMillis = 10 * 60 * 1000
)

// nextRun picks parts to merge of some day: neighbours by age, oldest first.
// With all, no day is left with several parts that could be one.
func (e *engine) nextRun(l *layout, all bool) []*part {
	now := e.opts.Now().UnixMilli()
	for rest := l.parts; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(p *part) bool { return p.day != rest[0].day })
		if n < 0 {
			n = len(rest)
		}
		day := rest[:n]
		rest = rest[n:]
		quiet := startOf(day[0].day+1)+quietAfterMillis <= now && day[n-1].created+quietAfterMillis <= now
		run, least := tier(day), mergeFrom
		if all || quiet {
			run, least = fitting(day), 2
		}
		if len(run) >= least {
			return run
		}
	}
	return nil
}

// tier are the newest parts of a day, up to one that has more rows than all
// that are newer.
func tier(day []*part) []*part {
	first, rows := len(day)-1, day[len(day)-1].rows
	for first > 0 && day[first-1].rows <= rows && rows+day[first-1].rows <= mergeRows {
		first--
		rows += day[first].rows
	}
	return day[first:]
}

// fitting is the oldest run of parts of a day that fit into one.
func fitting(day []*part) []*part {
	for first := range day {
		end, rows := first, int64(0)
		for end < len(day) && rows+day[end].rows <= mergeRows {
			rows += day[end].rows
			end++
		}
		if end-first >= 2 {
			return day[first:end]
		}
	}
	return nil
}

// mergeParts rewrites a run of parts of one day as one, in which each identity
// is once, and replaces them in the manifest.
func (s *Store) mergeParts(ctx context.Context, e *engine, kind devices.Kind, run []*part) error {
	t := e.tables[kind]
	id, err := s.reserve(ctx, e, 1)
	if err != nil {
		return fmt.Errorf("merge %d parts: %w", len(run), err)
	}
	merged := &part{id: id, kind: kind, day: run[0].day, seq: run[len(run)-1].seq, first: run[0].first, last: run[0].last}
	stored, overrides := int64(0), int64(0)
	for _, p := range run {
		merged.first, merged.last = min(merged.first, p.first), max(merged.last, p.last)
		merged.created = max(merged.created, p.created)
		merged.addFields(p)
		stored += p.rows
		overrides += p.overrides
	}
	v := &view{table: t, layout: &layout{parts: run}, path: e.path}
	from, args := v.from(telemetry.Window{From: startOf(merged.day), To: startOf(merged.day + 1)}, filter{}, t.all)
	err = e.apart(ctx, func(conn *duckdb.Conn) error {
		return e.writePart(ctx, conn, merged, "SELECT * FROM "+from+" ORDER BY device, ts_ms", args)
	})
	if err != nil {
		return fmt.Errorf("merge %d parts into %s: %w", len(run), e.path(merged), errors.Join(err, e.discard([]*part{merged})))
	}
	// What the parts of the run override of each other is gone now.
	merged.overrides = overrides - (stored - merged.rows)
	err = s.change(ctx, e, func(next *version) ([]garbage, error) {
		if err := e.replaceParts(ctx, next, kind, run, merged); err != nil {
			return nil, err
		}
		return e.files(run), e.step("commit")
	})
	if err != nil {
		return fmt.Errorf("commit %s: %w", e.path(merged), errors.Join(err, e.discard([]*part{merged})))
	}
	return e.step("merged")
}

// replaceParts takes old out of the manifest and the layout, and puts fresh in.
func (e *engine) replaceParts(ctx context.Context, next *version, kind devices.Kind, old []*part, fresh ...*part) error {
	for _, p := range old {
		if err := e.deletePart(ctx, p); err != nil {
			return err
		}
	}
	for _, p := range fresh {
		if err := e.insertPart(ctx, p); err != nil {
			return err
		}
	}
	l := next.layouts[kind]
	parts := slices.DeleteFunc(slices.Clone(l.parts), func(p *part) bool { return slices.Contains(old, p) })
	parts = append(parts, fresh...)
	slices.SortFunc(parts, comparePart)
	next.layouts[kind] = &layout{segments: l.segments, parts: parts}
	return nil
}

func (e *engine) files(parts []*part) []garbage {
	out := make([]garbage, len(parts))
	for i, p := range parts {
		out[i] = garbage{file: e.path(p)}
	}
	return out
}
