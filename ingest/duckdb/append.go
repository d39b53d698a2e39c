package duckdb

import (
	"context"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

// Append commits readings: all or none. It returns when the log is on disk. One
// Append runs at a time, others wait.
//
// A reading newer than all that its device has is written as it is. The
// others, late or repeated, are looked up and merged; where merging changes
// nothing, nothing is written.
func (s *Store) Append(ctx context.Context, readings []telemetry.Reading) (telemetry.Appended, error) {
	if err := s.awaitRoom(ctx); err != nil {
		return telemetry.Appended{}, fmt.Errorf("append batch: %w", err)
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return telemetry.Appended{}, fmt.Errorf("append batch: %w", ctx.Err())
	}
	if err := s.replaceEngine(ctx); err != nil {
		return telemetry.Appended{}, fmt.Errorf("append batch: %w", err)
	}
	var done telemetry.Appended
	err := s.use(ctx, func(ctx context.Context, e *engine) error {
		b := newBatch(e, readings)
		if err := b.resolve(ctx); err != nil {
			return err
		}
		if err := b.write(ctx); err != nil {
			return err
		}
		s.rollOver(e)
		done = telemetry.Appended{New: b.fresh, Merged: len(readings) - len(b.rejected) - b.fresh, Rejected: b.rejected}
		return nil
	})
	if err != nil {
		return telemetry.Appended{}, fmt.Errorf("append batch: %w", err)
	}
	return done, nil
}

// frozenRows bounds the rows of a kind that are frozen, and with them memory: one
// and a half times Options.SegmentRows, so that one segment waits while another
// is sealed, but at least this many, since small segments cost little.
const frozenRows = 100_000

// roomTime is how long an Append waits for a segment to be sealed before it
// gives up.
const roomTime = 10 * time.Second

// awaitRoom waits while segments come faster than they are sealed. Where
// sealing fails there is no room until it succeeds again. It is called before
// the turn is taken, which a seal needs to commit.
func (s *Store) awaitRoom(ctx context.Context) error {
	if full, err := s.crowded(ctx); err != nil || !full {
		return err // the usual case
	}
	deadline := time.NewTimer(roomTime)
	defer deadline.Stop()
	for {
		sealed := s.counts.sealed() // asked for before the look, so that none is missed
		full, err := s.crowded(ctx)
		if err != nil || !full {
			return err
		}
		s.sealing.nudge()
		select {
		case <-sealed:
		case <-deadline.C:
			why := s.counts.read().SealTrouble
			if why == "" {
				why = "it takes longer than readings come in"
			}
			return fmt.Errorf("%w: too much waits to be sealed into files: %s", telemetry.ErrUnavailable, why)
		case <-ctx.Done():
			return ctx.Err()
		case <-s.life.Done():
			return telemetry.ErrClosed
		}
	}
}

func (s *Store) crowded(ctx context.Context) (full bool, err error) {
	s.gate.RLock()
	broken := s.engine == nil || !s.engine.sound()
	s.gate.RUnlock()
	if broken {
		return false, nil // to be replaced first
	}
	err = s.use(ctx, func(_ context.Context, e *engine) error {
		for _, l := range e.versions.current().layouts {
			rows := int64(0)
			for _, seg := range l.frozen() {
				rows += int64(seg.table.Rows())
			}
			full = full || rows > max(s.opts.SegmentRows*3/2, frozenRows)
		}
		return nil
	})
	return full, err
}

// batch is one Append.
type batch struct {
	engine   *engine
	readings []telemetry.Reading
	version  *version
	rejected []telemetry.Rejection

	plain      []telemetry.Reading // to write as they are
	overriding []telemetry.Reading // to write over a reading of an older segment or part, and whole
	late       []int               // indexes of readings that may be stored already
	advanced   []*recency          // devices with newer readings than before
	fresh      int                 // identities that were not there before
}

// newBatch sorts out what can't be stored, and what may be stored already.
func newBatch(e *engine, readings []telemetry.Reading) *batch {
	b := &batch{engine: e, readings: readings, version: e.versions.current(), plain: readings}
	e.turns++
	for i := range readings {
		r := &readings[i]
		t := e.tables[r.Kind]
		if reason := refuse(t, r); reason != "" {
			b.rejected = append(b.rejected, telemetry.Rejection{Index: i, Reason: reason})
			b.part(i)
			continue
		}
		if len(b.plain) != len(readings) {
			b.plain = append(b.plain, *r)
		}
		last := t.newest[r.Device]
		if last == nil {
			last = t.meet(r.Device)
		}
		if last.turn != e.turns { // the first of its device in the batch
			last.turn, last.next = e.turns, last.ts.Load()
			b.advanced = append(b.advanced, last)
		}
		if r.TS > last.next {
			last.next = r.TS
		} else {
			b.late = append(b.late, i)
		}
	}
	return b
}

// part makes plain a list of its own, because the reading at i is not in it.
func (b *batch) part(i int) {
	if len(b.plain) == len(b.readings) {
		b.plain = append(make([]telemetry.Reading, 0, len(b.readings)), b.readings[:i]...)
	}
}

// write logs the batch and then shows it.
func (b *batch) write(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(b.plain)+len(b.overriding) == 0 {
		return nil
	}
	if err := b.engine.wal.Append(b.engine.record(b.plain, b.overriding)); err != nil {
		return fmt.Errorf("%w: %w", telemetry.ErrUnavailable, err)
	}
	for kind := range b.kinds() {
		seg := b.version.layouts[kind].active()
		err := seg.table.PutAll(func(list, i int, o hot.Outcome) {
			switch {
			case o != hot.Added:
			case list == 0:
				b.fresh++
			default:
				seg.override(b.overriding[i].TS)
			}
		}, b.plain, b.overriding)
		if err != nil { // refused what refuse let through: what is shown is not what is logged
			b.engine.distrust()
			return err
		}
	}
	for _, last := range b.advanced {
		last.ts.Store(last.next)
	}
	return nil
}

// kinds are those that the batch has readings of.
func (b *batch) kinds() map[devices.Kind]bool {
	kinds := make(map[devices.Kind]bool, 1)
	last := devices.Kind("")
	for _, list := range [][]telemetry.Reading{b.plain, b.overriding} {
		for i := range list {
			if list[i].Kind != last {
				last = list[i].Kind
				kinds[last] = true
			}
		}
	}
	return kinds
}

// refuse says why a reading can't be stored; empty if it can.
func refuse(t *table, r *telemetry.Reading) string {
	if t == nil {
		return fmt.Sprintf("unknown kind %q", r.Kind)
	}
	if r.Device == "" || !utf8.ValidString(r.Device) {
		return fmt.Sprintf("device %q is empty or not UTF-8", r.Device)
	}
	for i := range r.Values {
		v := &r.Values[i]
		if !t.takes(v.Field) {
			return fmt.Sprintf("a %s has no %s field %q", r.Kind, v.Field.Type, v.Field.Name)
		}
		switch {
		case v.Field.Numeric() && (math.IsNaN(v.Num) || math.IsInf(v.Num, 0)):
			return fmt.Sprintf("%s is not finite", v.Field.Name)
		case !v.Field.Numeric() && !utf8.ValidString(v.Text):
			return fmt.Sprintf("%s is not UTF-8", v.Field.Name)
		}
	}
	return ""
}
