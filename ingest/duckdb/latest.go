package duckdb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Latest returns the newest samples; see telemetry.Reader. It reads backwards,
// twice as many days at each step, until all devices have all fields that the
// older days could still give them.
func (s *Store) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return nil, fmt.Errorf("latest: %w", err)
	}
	var samples []telemetry.Sample
	err = s.use(ctx, func(ctx context.Context, e *engine) error {
		if q.Window.Empty() || len(fields) == 0 {
			return nil
		}
		return e.viewSQL(ctx, q, func(v *view) error {
			walk := &latest{view: v, found: make(map[string]map[*devices.Field]telemetry.Sample), open: v.table.candidates(q, fields)}
			if err := walk.run(ctx, q, fields); err != nil {
				return err
			}
			samples = walk.samples()
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("latest: %w", err)
	}
	return samples, nil
}

// latest is a walk back through time.
type latest struct {
	view  *view
	found map[string]map[*devices.Field]telemetry.Sample
	open  map[string]int // by device, how many fields it lacks yet
}

// candidates are the devices that may have samples in the window of q.
func (t *table) candidates(q telemetry.RangeQuery, fields []*devices.Field) map[string]int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	open := make(map[string]int)
	if len(q.Devices) == 0 {
		for device, last := range t.newest {
			if last.ts.Load() >= q.Window.From {
				open[device] = len(fields)
			}
		}
	}
	for _, device := range q.Devices {
		if last, known := t.newest[device]; known && last.ts.Load() >= q.Window.From {
			open[device] = len(fields)
		}
	}
	return open
}

func (l *latest) run(ctx context.Context, q telemetry.RangeQuery, fields []*devices.Field) error {
	days := l.days(q.Window)
	asked, all := fields, len(l.open)
	for span := 1; len(l.open) > 0 && len(asked) > 0; span *= 2 {
		step := q
		if len(days) > span {
			step.Window.From = max(q.Window.From, startOf(days[span-1]))
			days = days[span:]
		} else {
			days = nil
		}
		if len(l.open) < all {
			step.Devices = slices.Collect(maps.Keys(l.open))
		}
		if err := l.step(ctx, step, asked); err != nil {
			return err
		}
		if step.Window.From == q.Window.From {
			return nil
		}
		q.Window.To = step.Window.From
		asked = l.older(q.Window, fields)
		for device, samples := range l.found {
			if !slices.ContainsFunc(asked, func(f *devices.Field) bool { _, has := samples[f]; return !has }) {
				delete(l.open, device)
			}
		}
	}
	return nil
}

// days are the days in w that have parts, the newest first.
func (l *latest) days(w telemetry.Window) []int64 {
	var days []int64
	for _, p := range l.view.within(w) {
		days = append(days, p.day)
	}
	slices.Reverse(days)
	return slices.Compact(days)
}

// older are those of fields that something in w may have.
func (l *latest) older(w telemetry.Window, fields []*devices.Field) []*devices.Field {
	has := &part{}
	for _, snap := range l.view.hot {
		has.addFields(&part{fields: snap.Cut(w, "", "").Survey().Carried})
	}
	for _, p := range l.view.within(w) {
		has.addFields(p)
	}
	var out []*devices.Field
	for _, f := range fields {
		if has.fields[f.Name] {
			out = append(out, f)
		}
	}
	return out
}

// step reads the samples of fields in the window of q that are not found yet.
func (l *latest) step(ctx context.Context, q telemetry.RangeQuery, fields []*devices.Field) error {
	var columns strings.Builder
	for _, f := range fields {
		// arg_max passes over the rows in which the field is NULL.
		fmt.Fprintf(&columns, ", arg_max(%[1]s, ts_ms), max(ts_ms) FILTER (WHERE %[1]s IS NOT NULL)", quote(f.Name))
	}
	from, args := l.view.from(q.Window, where(q), l.view.table.fieldColumns(fields))
	return l.view.each(ctx, "SELECT device"+columns.String()+" FROM "+from+" GROUP BY device", args, func(row []driver.Value) error {
		device := row[0].(string)
		for i, f := range fields {
			v, ok := valueFrom(f, row[1+2*i])
			if !ok {
				continue
			}
			if l.found[device] == nil {
				l.found[device] = make(map[*devices.Field]telemetry.Sample)
			}
			if _, newer := l.found[device][f]; !newer {
				l.found[device][f] = telemetry.Sample{Device: device, TS: row[2+2*i].(int64), Value: v}
			}
		}
		return nil
	})
}

func (l *latest) samples() []telemetry.Sample {
	var out []telemetry.Sample
	for _, byField := range l.found {
		out = slices.AppendSeq(out, maps.Values(byField))
	}
	slices.SortFunc(out, func(a, b telemetry.Sample) int {
		return cmp.Or(strings.Compare(a.Device, b.Device), cmp.Compare(a.Value.Field.Index, b.Value.Field.Index))
	})
	return out
}
