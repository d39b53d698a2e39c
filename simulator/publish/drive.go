package publish

import (
	"context"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Source is a simulation that is moved on step by step. The readings it emits
// are valid during the call only.
type Source interface {
	Now() time.Time
	Step(emit func(telemetry.Reading), event func(telemetry.Event))
}

// Backfill steps src until its time reaches until and publishes everything in
// full messages, then waits for all acknowledgements.
func (f *Fleet) Backfill(ctx context.Context, src Source, until time.Time) error {
	b := f.Backlog()
	for src.Now().Before(until) {
		var err error
		src.Step(
			func(r telemetry.Reading) {
				if err == nil {
					err = b.Reading(ctx, r)
				}
			},
			func(e telemetry.Event) {
				if err == nil {
					err = b.Event(ctx, e)
				}
			})
		if err != nil {
			return err
		}
	}
	if err := b.Send(ctx); err != nil {
		return err
	}
	return f.Flush(ctx)
}

// Live steps src up to the time of each tick and publishes every reading as an
// object of its own, until ctx ends, which is no error, or ticks is closed. It
// does not wait for acknowledgements.
func (f *Fleet) Live(ctx context.Context, src Source, ticks <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case now, ok := <-ticks:
			if !ok {
				return nil
			}
			if err := f.upTo(ctx, src, now); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (f *Fleet) upTo(ctx context.Context, src Source, now time.Time) error {
	for src.Now().Before(now) {
		var err error
		one := make([]telemetry.Reading, 1)
		src.Step(
			func(r telemetry.Reading) {
				if one[0] = r; err == nil {
					err = f.Publish(ctx, r.Ref(), one)
				}
			},
			func(e telemetry.Event) {
				if err == nil {
					err = f.PublishEvent(ctx, e)
				}
			})
		if err != nil {
			return err
		}
	}
	return nil
}
