package duckdb

import (
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// The engine holds the whole result of a query in memory, so all that is longer
// is read in pages. A read has some four of them at a time.
const (
	pageRows  = 1 << 17
	pageBytes = 6 << 20
)

// Range streams readings; see telemetry.Reader. All of it is read from one
// snapshot, so what is appended meanwhile is not in it. Memory is bounded by
// some pages, however wide the window is.
func (s *Store) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return fmt.Errorf("range: %w", err)
	}
	var stopped error // what yield returned, which is passed on as it is
	err = s.use(ctx, func(ctx context.Context, e *engine) error {
		if q.Window.Empty() || len(fields) == 0 {
			return nil
		}
		return e.view(ctx, q, func(v *view) error {
			x := &emitter{fields: fields, reading: telemetry.Reading{Kind: q.Kind}, yield: yield}
			err := v.plan(q, v.table.fieldColumns(fields), s.page, true).each(ctx, func(r *run) error {
				if s.life.Err() != nil { // ctx ends a little later
					return telemetry.ErrClosed
				}
				return x.emit(r)
			})
			stopped = x.stopped
			return err
		})
	})
	switch {
	case stopped != nil:
		return stopped
	case err != nil:
		return fmt.Errorf("range: %w", err)
	}
	return nil
}

// emitter makes readings of runs.
type emitter struct {
	fields  []*devices.Field
	reading telemetry.Reading
	yield   func(telemetry.Reading) error
	stopped error
}

// emit yields the readings of r that have one of the fields.
func (x *emitter) emit(r *run) error {
	x.reading.Device = r.device
	for row, ts := range r.ts {
		values := x.reading.Values[:0]
		for i, f := range x.fields {
			v := &r.values[i]
			if f.Numeric() {
				if n, ok := v.num(row); ok {
					values = append(values, telemetry.Value{Field: f, Num: n})
				}
			} else if text, ok := v.text(row); ok {
				values = append(values, telemetry.Value{Field: f, Text: text})
			}
		}
		x.reading.TS, x.reading.Values = ts, values
		if len(values) == 0 {
			continue
		}
		if x.stopped = x.yield(x.reading); x.stopped != nil {
			return x.stopped
		}
	}
	return nil
}
