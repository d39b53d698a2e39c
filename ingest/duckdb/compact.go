package duckdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// rollDelayMillis is how long after midnight UTC a day's segment is frozen, so
// that what is a little late is still in it.
const rollDelayMillis = 10 * 60 * 1000

// Compact seals all that is stored, merges the parts of each day, removes what
// is past retention and all files that no read uses. It is not needed for
// anything to be safe or visible: the store does the same by itself when the
// time has come.
func (s *Store) Compact(ctx context.Context) error {
	if err := s.compact(ctx, true); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	return nil
}

// The names of the halves.
const (
	sealingHalf = "sealing"
	mergingHalf = "merging"
)

// half is one half of a compaction. They run beside each other: a merge may
// take long, and what is frozen waits in memory.
type half struct {
	name string
	run  func(ctx context.Context, e *engine, kind devices.Kind, all bool) error

	turn chan struct{} // held by the one pass that runs
	wake chan struct{} // asks for a pass early
}

func newHalf(name string, run func(context.Context, *engine, devices.Kind, bool) error) *half {
	return &half{name: name, run: run, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// nudge asks for a pass now.
func (h *half) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// compact runs both halves, one after the other.
func (s *Store) compact(ctx context.Context, all bool) error {
	if err := s.pass(ctx, s.sealing, all); err != nil {
		return err
	}
	return s.pass(ctx, s.merging, all)
}

// firstRetry is how soon a pass that failed is repeated; the pause then doubles
// up to Options.CompactEvery.
const firstRetry = time.Second

// repeat runs a half until the store is closed.
func (s *Store) repeat(h *half) {
	next := time.NewTimer(s.opts.CompactEvery)
	defer next.Stop()
	retry := firstRetry
	for {
		select {
		case <-s.life.Done():
			return
		case <-next.C:
		case <-h.wake:
		}
		err := errors.Join(s.mend(s.life), s.pass(s.life, h, false))
		switch {
		case s.life.Err() != nil:
			return
		case err == nil && retry > firstRetry:
			s.log.Info("compaction goes on", "half", h.name)
			retry = firstRetry
		case err != nil && retry == firstRetry: // said once, not for each try
			s.log.Warn("compaction did not finish and is repeated until it does; nothing is lost", "half", h.name, "err", err)
		}
		pause := s.opts.CompactEvery
		if err != nil {
			pause = min(retry, pause)
			retry *= 2
		}
		next.Reset(pause)
	}
}

// mend replaces a broken engine, so that reads do not have to wait for somebody
// to append.
func (s *Store) mend(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
		return s.replaceEngine(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) pass(ctx context.Context, h *half, all bool) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return telemetry.ErrClosed
	}
	start := time.Now()
	err := s.use(ctx, func(ctx context.Context, e *engine) error {
		// A broken engine can be replaced only when nothing uses it.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(e.life, cancel)()
		var errs []error
		for _, kind := range devices.Kinds() {
			errs = append(errs, h.run(ctx, e, kind, all))
		}
		return errors.Join(errs...)
	})
	s.counts.pass(h, time.Since(start), err)
	return err
}

// sealKind freezes the active segment of a kind where it is due, and seals all
// that are frozen.
func (s *Store) sealKind(ctx context.Context, e *engine, kind devices.Kind, all bool) error {
	layout := func() *layout { return e.versions.current().layouts[kind] }
	long, err := e.longLog()
	if err != nil {
		return err
	}
	if all || long || e.due(layout().active()) {
		if err := s.exclusively(ctx, e, func() error { return e.freeze(kind) }); err != nil {
			return err
		}
	}
	for len(layout().frozen()) > 0 {
		if err := s.seal(ctx, e, kind); err != nil {
			return err
		}
		s.merging.nudge()
	}
	return nil
}

// mergeKind removes the parts of a kind that are past retention, merges those
// that are due, and removes the files that no read uses.
func (s *Store) mergeKind(ctx context.Context, e *engine, kind devices.Kind, all bool) error {
	expired, err := s.expire(ctx, e, kind)
	if err != nil {
		return err
	}
	s.counts.expired.Add(int64(expired))
	next := func() []*part {
		l := e.versions.current().layouts[kind]
		if !all && len(l.frozen()) > 0 {
			return nil // what is in memory first; sealing it asks for another pass
		}
		return e.nextRun(l, all)
	}
	for run := next(); run != nil; run = next() {
		if err := s.mergeParts(ctx, e, kind, run); err != nil {
			return err
		}
		s.counts.merges.Add(1)
	}
	return s.sweep(e)
}

// maxLog is from how many bytes on every segment is frozen, also a small one of
// a kind that has few readings: it would keep the log of all of them until its
// day is over.
const maxLog = 1 << 30

func (e *engine) longLog() (bool, error) {
	size, err := e.wal.Size()
	if err != nil {
		return false, fmt.Errorf("size of the log: %w", err)
	}
	return size > maxLog, nil
}

// due reports whether the active segment is to be frozen: it is large, or it
// was begun on a day that is over.
func (e *engine) due(active *segment) bool {
	rows, _ := active.size()
	today := telemetry.DayOf(e.opts.Now().UnixMilli() - rollDelayMillis)
	return rows >= e.opts.SegmentRows || (rows > 0 && telemetry.DayOf(active.begun) < today)
}

// rollOver freezes the segments that have become large, and has them sealed. It
// is called in an Append, which is done already: an error is for the log.
func (s *Store) rollOver(e *engine) {
	for kind, l := range e.versions.current().layouts {
		if int64(l.active().table.Rows()) < s.opts.SegmentRows {
			continue
		}
		if err := e.freeze(kind); err != nil {
			s.log.Warn("a large segment could not be frozen; the next append tries again", "kind", kind, "err", err)
			continue
		}
		s.sealing.nudge()
	}
}

// exclusively runs fn while no Append does.
func (s *Store) exclusively(ctx context.Context, e *engine, fn func() error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !e.sound() {
		return errors.New("the database broke")
	}
	return fn()
}

// change is restructure while no Append runs.
func (s *Store) change(ctx context.Context, e *engine, fn func(*version) ([]garbage, error)) error {
	return s.exclusively(ctx, e, func() error { return e.restructure(ctx, fn) })
}

// sweep removes the files that no version has any more, and forgets them. What it can't remove it
// keeps for the next time.
func (s *Store) sweep(e *engine) error {
	var errs []error
	var left []garbage
	gone := make(map[int64]bool)
	for _, g := range e.versions.sweep() {
		gone[g.part] = true
		if err := errors.Join(e.step("unlink"), remove(g.file)); err != nil {
			errs = append(errs, err)
			left = append(left, g)
		}
	}
	e.versions.unswept(left)
	if len(gone) > 0 {
		e.blocks.drop(gone)
	}
	return errors.Join(errs...)
}

// step is where a test lets a compaction fail or the process die.
func (e *engine) step(name string) error {
	if e.opts.fault == nil {
		return nil
	}
	return e.opts.fault(name)
}
