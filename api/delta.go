package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// maxDeltaSamples bounds the samples held for one answer.
const maxDeltaSamples = 2_000_000

// deltas are the consumption of counters in each window of q, up to limit.
func (a *API) deltas(ctx context.Context, q telemetry.RangeQuery, every time.Duration, limit int) (Telemetry, error) {
	window := q.Window
	q.Window.From -= rollup.Margin
	q.Window.To += rollup.Margin
	registers, err := a.registers(ctx, q)
	if err != nil {
		return Telemetry{}, err
	}
	byStart := make(map[int64][]telemetry.Value)
	for field, points := range registers {
		column := columnsOf(field)
		for _, c := range rollup.Deltas(points, window, every.Milliseconds()) {
			byStart[c.Start] = append(byStart[c.Start], column.values(c)...)
		}
	}
	buckets := make([]telemetry.Bucket, 0, len(byStart))
	for start, values := range byStart {
		buckets = append(buckets, telemetry.Bucket{Start: start, Values: values})
	}
	slices.SortFunc(buckets, func(x, y telemetry.Bucket) int { return cmp.Compare(x.Start, y.Start) })
	return bucketPage(buckets, limit)
}

// columns are what is told of one counter in a window: its consumption, and how
// good that number is.
type columns struct {
	value, coverage, resets *devices.Field
}

func columnsOf(f *devices.Field) columns {
	column := func(suffix string, place int) *devices.Field {
		return &devices.Field{Name: f.Name + suffix, Index: 3*f.Index + place}
	}
	return columns{column("", 0), column("_coverage", 1), column("_resets", 2)}
}

// values leaves out the consumption where it is not known, which is not zero.
func (c columns) values(d rollup.Delta) []telemetry.Value {
	var out []telemetry.Value
	if d.Coverage > 0 {
		out = append(out, telemetry.Value{Field: c.value, Num: d.Value})
	}
	out = append(out, telemetry.Value{Field: c.coverage, Num: d.Coverage})
	if d.Resets > 0 {
		out = append(out, telemetry.Value{Field: c.resets, Num: float64(d.Resets)})
	}
	return out
}

// registers are the samples of q by field, ascending by time.
func (a *API) registers(ctx context.Context, q telemetry.RangeQuery) (map[*devices.Field][]rollup.Point, error) {
	registers := make(map[*devices.Field][]rollup.Point)
	n := 0
	err := a.opts.Telemetry.Range(ctx, q, func(r telemetry.Reading) error {
		if n += len(r.Values); n > maxDeltaSamples {
			return badParameter("query.from", fmt.Sprintf("the interval holds more than %d samples: narrow it or name fewer fields", maxDeltaSamples), nil)
		}
		for _, v := range r.Values {
			registers[v.Field] = append(registers[v.Field], rollup.Point{TS: r.TS, Value: v.Num})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read counters: %w", err)
	}
	return registers, nil
}
