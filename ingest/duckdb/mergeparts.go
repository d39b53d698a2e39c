package duckdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/chunks"
)

const (
	// mergeFrom is how many sets of like size a day that is still written
	// has to have before they are merged. Each merge at least doubles the set
	// it makes, so a reading is rewritten about log2(sets) times.
	mergeFrom = 4
	// mergeRows bounds a merged set, and with it how long a merge takes; a part
	// that a set can't be divided into is sorted as a whole.
	mergeRows = 64_000_000
	soleRows  = 8_000_000
	// quietAfterMillis is how long no part must have been added to a day, and
	// how long it must be over, until all its parts are merged into one set.
	quietAfterMillis = 10 * 60 * 1000
)

// sets puts parts, which are ordered, together where they are of one day and
// one age: such parts have different devices.
func sets(parts []*part) [][]*part {
	var out [][]*part
	for _, p := range parts {
		if n := len(out); n > 0 && out[n-1][0].day == p.day && out[n-1][0].seq == p.seq {
			out[n-1] = append(out[n-1], p)
		} else {
			out = append(out, []*part{p})
		}
	}
	return out
}

func rowsOf(parts []*part) (n int64) {
	for _, p := range parts {
		n += p.rows
	}
	return n
}

// nextRun picks sets to merge of some day, as the parts they have: neighbours by
// age, oldest first. With all, no day is left with several sets that could be
// one.
func (e *engine) nextRun(l *layout, all bool) []*part {
	now := e.opts.Now().UnixMilli()
	for rest := l.parts; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(p *part) bool { return p.day != rest[0].day })
		if n < 0 {
			n = len(rest)
		}
		day := sets(rest[:n])
		quiet := startOf(rest[0].day+1)+quietAfterMillis <= now && rest[n-1].created+quietAfterMillis <= now
		rest = rest[n:]
		run, least := tier(day), mergeFrom
		if all || quiet {
			run, least = fitting(day), 2
		}
		if len(run) >= least {
			return slices.Concat(run...)
		}
	}
	return nil
}

// tier are the newest sets of a day, up to one that has more rows than all that
// are newer.
func tier(day [][]*part) [][]*part {
	first := len(day) - 1
	rows := rowsOf(day[first])
	for first > 0 && rowsOf(day[first-1]) <= rows && rows+rowsOf(day[first-1]) <= soleRows {
		first--
		rows += rowsOf(day[first])
	}
	return day[first:]
}

// fitting is the oldest run of sets of a day that fit into one.
func fitting(day [][]*part) [][]*part {
	for first := range day {
		limit := int64(mergeRows)
		if first > 0 { // see tiles
			limit = soleRows
		}
		end, rows := first, int64(0)
		for end < len(day) && rows+rowsOf(day[end]) <= limit {
			rows += rowsOf(day[end])
			end++
		}
		if end-first >= 2 {
			return day[first:end]
		}
	}
	return nil
}

// mergeParts rewrites a run of sets of one day as one, in which each identity is
// once, and replaces them in the manifest.
func (s *Store) mergeParts(ctx context.Context, e *engine, kind devices.Kind, run []*part) error {
	t := e.tables[kind]
	v := e.viewOf(t, &layout{parts: run})
	merged, err := e.tiles(ctx, v, e.versions.current().layouts[kind], run)
	if err != nil {
		return fmt.Errorf("merge %d parts: %w", len(run), err)
	}
	first, err := s.reserve(ctx, e, len(merged))
	if err != nil {
		return fmt.Errorf("merge %d parts: %w", len(run), err)
	}
	err = e.apart(ctx, func(conn *duckdb.Conn) error {
		for i, p := range merged {
			p.id = first + int64(i)
			from, args := v.from(during(p.day), devicesOf(p), t.all)
			if err := e.writePart(ctx, conn, p, "SELECT * FROM "+from+" ORDER BY device, ts_ms", args); err != nil {
				return fmt.Errorf("write %s: %w", e.path(p), err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("merge %d parts: %w", len(run), errors.Join(err, e.discard(merged)))
	}
	// What the parts of the run override of each other is gone now.
	if len(merged) == 1 {
		overrides := int64(0)
		for _, p := range run {
			overrides += p.overrides
		}
		merged[0].overrides = overrides - (rowsOf(run) - merged[0].rows)
	}
	err = s.change(ctx, e, func(next *version) ([]garbage, error) {
		if err := e.replaceParts(ctx, next, kind, run, merged...); err != nil {
			return nil, err
		}
		return e.files(run), e.step("commit")
	})
	if err != nil {
		return fmt.Errorf("commit the merge of %d parts: %w", len(run), errors.Join(err, e.discard(merged)))
	}
	return e.step("merged")
}

// tiles are the parts, not written yet, that a run is merged into: each has
// some neighbouring devices, so that a read of few devices leaves the others
// closed, and a merge has little to sort at a time. Where older parts of the day
// stay outside the run, it is one, since nobody knows of which devices the rows
// are that override those.
func (e *engine) tiles(ctx context.Context, v *view, l *layout, run []*part) ([]*part, error) {
	whole := part{kind: run[0].kind, day: run[0].day, seq: run[len(run)-1].seq, first: run[0].first, last: run[0].last}
	for _, p := range run {
		whole.first, whole.last = min(whole.first, p.first), max(whole.last, p.last)
		whole.created = max(whole.created, p.created)
		whole.addFields(p)
	}
	oldest := slices.IndexFunc(l.parts, func(p *part) bool { return p.day == whole.day })
	n := (rowsOf(run) + e.opts.tile/2) / e.opts.tile
	if n < 2 || l.parts[oldest] != run[0] {
		return []*part{&whole}, nil
	}
	var out []*part
	done := int64(0)
	err := e.query.Each(ctx, "SELECT device, count(*) FROM ("+v.scan(run, nil)+") GROUP BY device ORDER BY device", func(c *chunks.Chunk) {
		counts := c.Int64s(1)
		for i, device := range c.Texts(0) {
			if next := rowsOf(run) * int64(len(out)) / n; len(out) == 0 || done >= next {
				p := whole
				p.fromDevice = string(device.Bytes())
				out = append(out, &p)
			}
			p := out[len(out)-1]
			p.toDevice = string(device.Bytes())
			done += counts[i]
		}
	})
	if err != nil {
		return nil, fmt.Errorf("count the rows of each device: %w", err)
	}
	return out, nil
}

// devicesOf selects the devices of a part.
func devicesOf(p *part) filter {
	if p.toDevice == "" {
		return filter{}
	}
	f := filter{first: p.fromDevice, last: p.toDevice}
	f.and("device BETWEEN ? AND ?", f.first, f.last)
	return f
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
		out[i] = garbage{e.path(p), p.id}
	}
	return out
}
