package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Latest returns the newest samples; see telemetry.Reader.
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
		var columns strings.Builder
		for _, f := range fields {
			// arg_max passes over the rows in which the field is NULL.
			fmt.Fprintf(&columns, ", arg_max(%[1]s, ts_ms), max(ts_ms) FILTER (WHERE %[1]s IS NOT NULL)", quote(f.Name))
		}
		in := where(q)
		statement := "SELECT device" + columns.String() + " FROM " + e.tables[q.Kind].name + in.String() + " GROUP BY device ORDER BY device"
		return each(ctx, e.db, statement, in.args, func(row []any) error {
			for i, f := range fields {
				if v, ok := valueFrom(f, row[1+2*i]); ok {
					samples = append(samples, telemetry.Sample{Device: row[0].(string), TS: row[2+2*i].(int64), Value: v})
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("latest: %w", err)
	}
	return samples, nil
}
