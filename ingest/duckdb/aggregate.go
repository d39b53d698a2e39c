package duckdb

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Aggregate folds samples into buckets; see telemetry.Reader. Its results are
// the same to the bit in whatever order the readings were appended and however
// many threads the engine uses. The exception are mean and sum of a field that
// admits numbers beyond 2^50, or that holds some more than twice beyond its
// bounds: there the last bits may differ, as floating-point sums do.
func (s *Store) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return nil, fmt.Errorf("aggregate: %w", err)
	}
	var buckets []telemetry.Bucket
	err = s.use(ctx, func(ctx context.Context, e *engine) error {
		if q.Window.Empty() || len(fields) == 0 {
			return nil
		}
		buckets, err = aggregate(ctx, e, q, fields, exactSum)
		if outOfRange(err) {
			buckets, err = aggregate(ctx, e, q, fields, plainSum)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("aggregate: %w", err)
	}
	return buckets, nil
}

func aggregate(ctx context.Context, e *engine, q telemetry.AggregateQuery, fields []*devices.Field, sum func(*devices.Field) string) ([]telemetry.Bucket, error) {
	device, order := "device", "device, start"
	if q.Fleet {
		device, order = "''", "start"
	}
	columns := make([]string, len(fields))
	for i, f := range fields {
		columns[i] = folded(q, f, sum)
	}
	in := where(q.RangeQuery).holding(fields)
	// Remainders have the sign of the dividend, hence the second one: steps
	// before 1970 begin at multiples of every too. As telemetry.Floor.
	statement := "SELECT " + device + " AS device, ts_ms - ((ts_ms % ?::BIGINT) + ?::BIGINT) % ?::BIGINT AS start, " +
		strings.Join(columns, ", ") + " FROM " + e.tables[q.Kind].name + in.String() +
		" GROUP BY ALL ORDER BY " + order
	every := q.Every.Milliseconds()
	args := append([]any{every, every, every}, in.args...)

	var buckets []telemetry.Bucket
	err := each(ctx, e.db, statement, args, func(row []any) error {
		b := telemetry.Bucket{Device: row[0].(string), Start: row[1].(int64), Values: make([]telemetry.Value, 0, len(fields))}
		for i, f := range fields {
			if v, ok := valueFrom(f, row[2+i]); ok {
				b.Values = append(b.Values, v)
			}
		}
		buckets = append(buckets, b)
		return nil
	})
	return buckets, err
}

// folded is the expression that folds the samples of f into one number, or
// NULL where there are none.
func folded(q telemetry.AggregateQuery, f *devices.Field, sum func(*devices.Field) string) string {
	name := quote(f.Name)
	switch q.Func {
	case telemetry.Mean:
		return "(" + sum(f) + ") / count(" + name + ")"
	case telemetry.Min:
		return "min(" + name + ")"
	case telemetry.Max:
		return "max(" + name + ")"
	case telemetry.Sum:
		return sum(f)
	case telemetry.Count:
		return "nullif(count(" + name + "), 0)::DOUBLE"
	case telemetry.First:
		if q.Fleet { // of the samples at one instant the greatest
			return fmt.Sprintf("arg_min(%[1]s, (ts_ms, -%[1]s))", name)
		}
		return "arg_min(" + name + ", ts_ms)"
	case telemetry.Last:
		if q.Fleet {
			return fmt.Sprintf("arg_max(%[1]s, (ts_ms, %[1]s))", name)
		}
		return "arg_max(" + name + ", ts_ms)"
	}
	panic("aggregate " + string(q.Func) + " was let through by Resolve")
}

func plainSum(f *devices.Field) string { return "sum(" + quote(f.Name) + ")" }

// exactSum adds in integers, for which order does not matter. Each number is
// scaled by a power of two, which loses nothing, so that the bounds of its
// field come to at most 2^61; the whole part and the fraction, in units of
// 2^-52, are summed apart. A number is so taken to within 2^-53 of a unit: for
// a current of ±5000 A to 2^-101 A, for an energy register to 2^-64 Wh.
func exactSum(f *devices.Field) string {
	const (
		widest   = 50 // of bounds, as a power of two
		whole    = 61
		fraction = 52
	)
	_, bits := math.Frexp(max(math.Abs(f.Min), math.Abs(f.Max)))
	if bits > widest {
		return plainSum(f)
	}
	scaled := fmt.Sprintf("(%s * %s)", quote(f.Name), power(whole-bits))
	return fmt.Sprintf("(sum(trunc(%[1]s)::BIGINT)::DOUBLE + sum(((%[1]s - trunc(%[1]s)) * %[2]s)::BIGINT)::DOUBLE * %[3]s) * %[4]s",
		scaled, power(fraction), power(-fraction), power(bits-whole))
}

// power is 2^n as a DOUBLE that the engine reads to the same bits.
func power(n int) string { return fmt.Sprintf("%.17e", math.Ldexp(1, n)) }
