package duckdb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
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
	read := func(sum func(*devices.Field) string) error {
		return s.use(ctx, func(ctx context.Context, e *engine) error {
			if q.Window.Empty() || len(fields) == 0 {
				return nil
			}
			return e.view(ctx, q.RangeQuery, func(v *view) error {
				buckets, err = aggregatePieces(ctx, v, q, fields, sum)
				return err
			})
		})
	}
	if err = read(exactSum); outOfRange(err) {
		err = read(plainSum)
	}
	if err != nil {
		return nil, fmt.Errorf("aggregate: %w", err)
	}
	return buckets, nil
}

// aggregatePieces aggregates some days at a time and puts the buckets together:
// few groups are quicker to find and to sort than all at once. A step that does
// not divide a day could be cut, so then it is one piece.
func aggregatePieces(ctx context.Context, v *view, q telemetry.AggregateQuery, fields []*devices.Field, sum func(*devices.Field) string) ([]telemetry.Bucket, error) {
	pieces := []telemetry.Window{q.Window}
	if telemetry.Day%q.Every.Milliseconds() == 0 {
		pieces = v.pieces(q.RangeQuery)
	}
	if len(pieces) == 1 {
		return aggregate(ctx, v, q, fields, sum)
	}
	byDevice := make(map[string][]telemetry.Bucket)
	total := 0
	for _, piece := range pieces {
		q.Window = piece
		buckets, err := aggregate(ctx, v, q, fields, sum)
		if err != nil {
			return nil, err
		}
		total += len(buckets)
		for len(buckets) > 0 { // ordered by device
			n := sort.Search(len(buckets), func(i int) bool { return buckets[i].Device > buckets[0].Device })
			byDevice[buckets[0].Device] = append(byDevice[buckets[0].Device], buckets[:n]...)
			buckets = buckets[n:]
		}
	}
	out := make([]telemetry.Bucket, 0, total)
	for _, device := range slices.Sorted(maps.Keys(byDevice)) {
		out = append(out, byDevice[device]...)
	}
	return out, nil
}

// pieces cuts the window of q at the days of parts, such that each has about
// Options.piece rows of what q selects.
func (v *view) pieces(q telemetry.RangeQuery) []telemetry.Window {
	share := 1.0
	v.table.mu.RLock()
	if known := len(v.table.newest); len(q.Devices) > 0 && known > 0 {
		share = min(1, float64(len(q.Devices))/float64(known))
	}
	v.table.mu.RUnlock()
	var out []telemetry.Window
	piece, rows := q.Window, 0.0
	day := int64(math.MinInt64)
	for _, p := range v.within(q.Window) {
		if start := startOf(p.day); p.day != day && rows >= v.piece && start > piece.From {
			piece.To = start
			out = append(out, piece)
			piece, rows = telemetry.Window{From: start, To: q.Window.To}, 0
		}
		day = p.day
		rows += share * float64(p.rows)
	}
	return append(out, piece)
}

func aggregate(ctx context.Context, v *view, q telemetry.AggregateQuery, fields []*devices.Field, sum func(*devices.Field) string) ([]telemetry.Bucket, error) {
	device, order := "device", "device, start"
	if q.Fleet {
		device, order = "''", "start"
	}
	columns := make([]string, len(fields))
	for i, f := range fields {
		columns[i] = folded(q, f, sum)
	}
	from, args := v.from(q.Window, where(q.RangeQuery), v.table.fieldColumns(fields))
	// Remainders have the sign of the dividend, hence the second one: steps
	// before 1970 begin at multiples of every too. As telemetry.Floor.
	statement := "SELECT " + device + " AS device, ts_ms - ((ts_ms % ?::BIGINT) + ?::BIGINT) % ?::BIGINT AS start, " +
		strings.Join(columns, ", ") + " FROM " + from + holding(fields) +
		" GROUP BY ALL ORDER BY " + order
	every := q.Every.Milliseconds()
	args = append([]any{every, every, every}, args...)

	var buckets []telemetry.Bucket
	var slab []telemetry.Value // shared by many buckets, which are allocated together
	name := ""
	err := v.each(ctx, statement, args, func(row []driver.Value) error {
		if next := row[0].(string); next != name {
			name = next
		}
		if cap(slab)-len(slab) < len(fields) {
			slab = make([]telemetry.Value, 0, slabBuckets*len(fields))
		}
		first := len(slab)
		for i, f := range fields {
			if v, ok := valueFrom(f, row[2+i]); ok {
				slab = append(slab, v)
			}
		}
		buckets = append(buckets, telemetry.Bucket{Device: name, Start: row[1].(int64), Values: slab[first:len(slab):len(slab)]})
		return nil
	})
	return buckets, err
}

// slabBuckets is for how many buckets values are allocated at once.
const slabBuckets = 512

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
