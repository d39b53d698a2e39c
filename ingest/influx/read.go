package influx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Range streams the readings as the server sends them; at most one chunk is in
// memory.
func (s *Store) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return err
	}
	where, some := condition(q)
	if !some {
		return nil
	}
	statement := fmt.Sprintf("SELECT %s FROM %s WHERE %s GROUP BY %s",
		columns(fields, ""), quoteIdent(string(q.Kind)), where, quoteIdent(deviceTag))
	r := telemetry.Reading{Kind: q.Kind}
	return s.query(ctx, statement, func(_ int, sr *series) error {
		device := sr.Tags.Device
		if device == "" {
			return nil
		}
		return s.rows(ctx, q.Kind, sr, func(ts int64, vs []telemetry.Value) error {
			if device < r.Device || device == r.Device && ts <= r.TS {
				return fmt.Errorf("influxdb answered out of order: %s at %d after %s at %d", device, ts, r.Device, r.TS)
			}
			r.Device, r.TS, r.Values = device, ts, vs
			return yield(r)
		})
	})
}

// rows calls yield for each row of sr that has a value, with the values in the
// order of the columns, and stops when ctx ends. A value of another type than
// its field's is not fleetwatt's and left out; callers do the same with series
// that have no device.
func (s *Store) rows(ctx context.Context, kind devices.Kind, sr *series, yield func(ts int64, vs []telemetry.Value) error) error {
	if len(sr.Columns) == 0 || sr.Columns[0] != "time" {
		return fmt.Errorf("influxdb answered with columns %q, want time first", sr.Columns)
	}
	fields := make([]*devices.Field, len(sr.Columns))
	for i, name := range sr.Columns[1:] {
		if fields[i+1] = s.schema.Field(kind, name); fields[i+1] == nil {
			return fmt.Errorf("influxdb answered with a column %q that was not asked for", name)
		}
	}
	vs := make([]telemetry.Value, 0, len(fields))
	for _, row := range sr.Values {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(row) != len(fields) || row[0].kind != cellNumber {
			return errors.New("influxdb answered with a row that does not fit its columns")
		}
		vs = vs[:0]
		for i, c := range row[1:] {
			f := fields[i+1]
			if c.kind == cellNumber && f.Numeric() || c.kind == cellText && !f.Numeric() {
				vs = append(vs, telemetry.Value{Field: f, Num: c.num, Text: c.text})
			}
		}
		if len(vs) == 0 {
			continue
		}
		if err := yield(int64(row[0].num), vs); err != nil {
			return err
		}
	}
	return nil
}

// Latest asks for each field in a statement of its own: InfluxQL gives the time
// of a sample only where it is the one thing selected.
func (s *Store) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return nil, err
	}
	where, some := condition(q)
	if !some {
		return nil, nil
	}
	statements := make([]string, len(fields))
	for i, f := range fields {
		statements[i] = fmt.Sprintf("SELECT %s FROM %s WHERE %s GROUP BY %s",
			columns([]*devices.Field{f}, telemetry.Last), quoteIdent(string(q.Kind)), where, quoteIdent(deviceTag))
	}
	var out []telemetry.Sample
	err = s.query(ctx, strings.Join(statements, "; "), func(_ int, sr *series) error {
		if sr.Tags.Device == "" {
			return nil
		}
		return s.rows(ctx, q.Kind, sr, func(ts int64, vs []telemetry.Value) error {
			out = append(out, telemetry.Sample{Device: sr.Tags.Device, TS: ts, Value: vs[0]})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b telemetry.Sample) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Value.Field.Index, b.Value.Field.Index))
	})
	return out, nil
}

// Aggregate has the server fold the samples. InfluxDB takes the greatest value
// where several of a fleet are first or last, as the contract asks.
func (s *Store) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return nil, err
	}
	where, some := condition(q.RangeQuery)
	if !some {
		return nil, nil
	}
	by := ", " + quoteIdent(deviceTag)
	if q.Fleet {
		by = ""
	}
	statement := fmt.Sprintf("SELECT %s FROM %s WHERE %s GROUP BY time(%dms)%s fill(none)",
		columns(fields, q.Func), quoteIdent(string(q.Kind)), where, q.Every/time.Millisecond, by)
	var out []telemetry.Bucket
	err = s.query(ctx, statement, func(_ int, sr *series) error {
		if sr.Tags.Device == "" && !q.Fleet {
			return nil
		}
		return s.rows(ctx, q.Kind, sr, func(ts int64, vs []telemetry.Value) error {
			if q.Func == telemetry.Count { // of a field that another field's bucket brings along
				vs = slices.DeleteFunc(vs, func(v telemetry.Value) bool { return v.Num == 0 })
			}
			if len(vs) > 0 {
				out = append(out, telemetry.Bucket{Device: sr.Tags.Device, Start: ts, Values: slices.Clone(vs)})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
