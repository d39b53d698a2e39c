package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/fleetwatt/fleetwatt/simulator/generate"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
	"github.com/fleetwatt/fleetwatt/simulator/truth"
)

// history publishes up to the end of it: as fast as it goes, or at a multiple of
// the speed of time.
func (s *simulation) history(ctx context.Context, g *generate.Generator, t *takers) error {
	if s.speed == 0 {
		return g.Run(ctx, s.until, t.block(ctx))
	}
	wall := time.Duration(float64(s.scenario.Step) / s.speed)
	return s.follow(ctx, g, t, max(wall, time.Millisecond), s.until)
}

// follow takes a step every wall of real time, and spreads its messages over
// it, up to the end, or with none as long as ctx lasts. Without an end it catches
// up with the time of day first.
func (s *simulation) follow(ctx context.Context, g *generate.Generator, t *takers, wall time.Duration, end time.Time) error {
	tick := time.NewTicker(wall)
	defer tick.Stop()
	for end.IsZero() || g.Now().Before(end) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			// A step that is late is not spread, but caught up with.
			for n := 0; n == 0 || end.IsZero() && g.Now().Add(wall).Before(now); n++ {
				over := wall / 2
				if end.IsZero() && g.Now().Add(2*wall).Before(now) {
					over = 0
				}
				if err := t.spread(ctx, g.Step(), over); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// takers are where the blocks of a fleet go.
type takers struct {
	lines    *generate.Lines
	truth    truth.Sink
	fleet    *publish.Fleet
	bar      *bar
	readings int64
	closers  []func() error
}

// open creates the files that were asked for.
func (s *simulation) open(ctx context.Context) (*takers, error) {
	t := &takers{}
	create := func(path string) (*os.File, error) {
		f, err := os.Create(path)
		if err == nil {
			t.closers = append(t.closers, f.Close)
		}
		return f, err
	}
	if s.out != "" {
		f, err := create(s.out)
		if err != nil {
			return nil, err
		}
		t.lines = generate.NewLines(f)
	}
	if s.truth != "" {
		sink, end, err := openTruth(ctx, s.truth)
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t.truth, t.closers = sink, append(t.closers, end)
	}
	return t, nil
}

func (t *takers) close() error {
	var errs []error
	if t.lines != nil {
		errs = append(errs, t.lines.Flush())
	}
	for _, c := range t.closers {
		errs = append(errs, c())
	}
	t.closers = nil
	return errors.Join(errs...)
}

// block takes blocks as fast as they come.
func (t *takers) block(ctx context.Context) func(generate.Block) error {
	return func(b generate.Block) error { return t.spread(ctx, b, 0) }
}

// spread takes a block and publishes it over some time.
func (t *takers) spread(ctx context.Context, b generate.Block, over time.Duration) error {
	t.readings += int64(b.Readings)
	if t.bar != nil {
		t.bar.set(t.readings)
	}
	if t.truth != nil {
		for _, r := range b.Truth {
			if err := t.truth.Write(r); err != nil {
				return err
			}
		}
	}
	if t.lines != nil {
		for _, a := range b.Actions {
			if err := t.lines.Write(a); err != nil {
				return err
			}
		}
	}
	if t.fleet != nil {
		return t.fleet.Spread(ctx, b.Actions, over)
	}
	return nil
}
