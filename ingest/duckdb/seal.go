package duckdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hotscan"
)

// freeze begins a new active segment, where the present one has rows. The
// caller holds the store's turn.
func (e *engine) freeze(kind devices.Kind) error {
	if err := e.step("freeze"); err != nil {
		return err
	}
	active := e.versions.current().layouts[kind].active()
	if active.table.Rows() == 0 {
		return nil
	}
	last, err := e.wal.Rotate()
	if err != nil {
		return fmt.Errorf("freeze segment %d of %s: %w", active.seq, kind, err)
	}
	next := e.versions.current().clone()
	l := next.layouts[kind]
	fresh := newSegment(e.tables[kind], active.seq+1, e.opts.Now().UnixMilli(), last+1)
	next.layouts[kind] = &layout{segments: append(slices.Clone(l.segments), fresh), parts: l.parts}
	e.versions.publish(next, nil)
	return e.step("frozen")
}

// seal writes the oldest frozen segment of a kind to parts, one for each UTC
// day that it has readings of, and then takes them into the manifest, in one
// transaction. Days that are past retention are left out. Appends wait for that
// transaction only.
func (s *Store) seal(ctx context.Context, e *engine, kind devices.Kind) error {
	l := e.versions.current().layouts[kind]
	t, seg := e.tables[kind], l.segments[0]
	overrides, keep := seg.overridesByDay(), e.firstKept()
	t.forget(keep)
	days, _ := seg.table.Days()
	days = slices.DeleteFunc(days, func(day int64) bool { return day < keep })
	first, err := s.reserve(ctx, e, len(days))
	if err != nil {
		return fmt.Errorf("seal segment %d of %s: %w", seg.seq, kind, err)
	}
	var parts []*part
	err = e.apart(ctx, func(conn *duckdb.Conn) error {
		for i, day := range days {
			p := &part{id: first + int64(i), kind: kind, day: day, seq: seg.seq, overrides: overrides[day], created: e.opts.Now().UnixMilli()}
			parts = append(parts, p)
			if err := e.sealDay(ctx, conn, t, seg, p); err != nil {
				return fmt.Errorf("write %s: %w", e.path(p), err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("seal segment %d of %s: %w", seg.seq, kind, errors.Join(err, e.discard(parts)))
	}
	if err := s.commitSeal(ctx, e, t, seg, parts); err != nil {
		return fmt.Errorf("commit the parts of segment %d of %s: %w", seg.seq, kind, err)
	}
	s.counts.seal()
	return e.step("sealed")
}

// discard removes the files of parts that did not get into the manifest. A
// failed try must not take space that the next one needs. Where it is uncertain
// whether they got there, they stay until the store is opened again.
func (e *engine) discard(parts []*part) error {
	if !e.sound() {
		return nil
	}
	var errs []error
	for _, p := range parts {
		errs = append(errs, remove(e.path(p)))
	}
	return errors.Join(errs...)
}

// sealDay writes what seg has of the day of p, in the order in which it is: by
// device, then time.
func (e *engine) sealDay(ctx context.Context, conn *duckdb.Conn, t *table, seg *segment, p *part) error {
	snap := seg.table.Snapshot(nil, telemetry.Window{From: startOf(p.day), To: startOf(p.day + 1)})
	holds := snap.Survey()
	p.first, p.last, p.fields = holds.First, holds.Last, holds.Carried
	rows := hotscan.Rows{Snapshot: snap}
	for _, c := range t.all {
		if p.fields[c.name] {
			rows.Columns = append(rows.Columns, hot.Column{Name: c.name, Text: c.text()})
		}
	}
	statement, done := e.scans.Open(rows)
	defer done()
	if err := e.writePart(ctx, conn, p, statement, nil); err != nil {
		return err
	}
	if p.rows != int64(holds.Rows) {
		return fmt.Errorf("wrote %d rows of %d", p.rows, holds.Rows)
	}
	return nil
}

func (s *Store) commitSeal(ctx context.Context, e *engine, t *table, seg *segment, parts []*part) error {
	kind := t.measurement.Kind
	times := make(map[string]int64) // of the newest readings, where the manifest does not know later ones
	seg.table.Newest(func(device string, ts int64) {
		if known, ok := t.sealed[device]; !ok || ts > known {
			times[device] = ts
		}
	})
	// Before the segment is taken away from those who read.
	t.remember(seg)
	rows := 0
	err := s.change(ctx, e, func(next *version) ([]garbage, error) {
		if err := e.replaceParts(ctx, next, kind, nil, parts...); err != nil {
			return nil, err
		}
		l := next.layouts[kind]
		if err := e.saveSealed(ctx, kind, l.segments[1].log-1); err != nil {
			return nil, err
		}
		var err error
		if rows, err = e.saveNewest(ctx, t, times); err != nil {
			return nil, err
		}
		next.layouts[kind] = &layout{segments: slices.Clone(l.segments[1:]), parts: l.parts}
		return nil, e.step("commit")
	})
	if err != nil {
		return errors.Join(err, e.discard(parts))
	}
	t.sealedRows = rows
	for device, ts := range times {
		t.sealed[device] = ts
	}
	if err := e.step("trim"); err != nil {
		return err
	}
	return s.exclusively(ctx, e, e.trimLog)
}
