package storetest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	t0     int64 = 1767225600000 // 2026-01-01T00:00:00Z
	oldest int64 = 946684800000  // 2000-01-01T00:00:00Z, the earliest time that ingest admits
	second int64 = 1000
)

var always = telemetry.Window{From: oldest, To: t0 + 400*telemetry.Day}

// values are the fields of a reading by name: float64, int or string.
type values map[string]any

// row, sample and bucket are results in a form that prints and compares well.
type row struct {
	Kind   devices.Kind
	Device string
	TS     int64
	Values values
}

type sample struct {
	Device string
	TS     int64
	Field  string
	Value  any
}

type bucket struct {
	Device string
	Start  int64
	Values values
}

// fixture is an empty store under test.
type fixture struct {
	store  Store
	schema *devices.Schema
}

// reading builds a reading; a field that the schema does not have is a fault of
// the test itself.
func (f *fixture) reading(kind devices.Kind, device string, ts int64, vs values) telemetry.Reading {
	r := telemetry.Reading{Kind: kind, Device: device, TS: ts}
	for name, v := range vs {
		field := f.schema.Field(kind, name)
		if field == nil {
			panic(fmt.Sprintf("storetest: a %s has no field %q", kind, name))
		}
		switch v := v.(type) {
		case string:
			r.Set(telemetry.Value{Field: field, Text: v})
		case int:
			r.Set(telemetry.Value{Field: field, Num: float64(v)})
		case float64:
			r.Set(telemetry.Value{Field: field, Num: v})
		default:
			panic(fmt.Sprintf("storetest: value %v of type %T", v, v))
		}
	}
	return r
}

func (f *fixture) battery(device string, ts int64, vs values) telemetry.Reading {
	return f.reading(devices.KindBattery, device, ts, vs)
}

// append commits readings, none of which may be rejected, and checks that the
// account adds up.
func (f *fixture) append(t *testing.T, readings ...telemetry.Reading) telemetry.Appended {
	t.Helper()
	got, err := f.store.Append(t.Context(), readings)
	if err != nil {
		t.Fatalf("append %d readings: %v", len(readings), err)
	}
	if len(got.Rejected) != 0 {
		t.Fatalf("append %d readings: got %d rejected, want none; the first: %+v", len(readings), len(got.Rejected), got.Rejected[0])
	}
	if got.New < 0 || got.Merged < 0 || got.New+got.Merged != len(readings) {
		t.Fatalf("append %d readings: got %d new and %d merged, which do not add up", len(readings), got.New, got.Merged)
	}
	return got
}

// rows runs a range query and checks what holds of every result: order, no
// identity twice, values ascending and within what was asked.
func (f *fixture) rows(t *testing.T, q telemetry.RangeQuery) []row {
	t.Helper()
	rows, err := collectRows(t, f.store, q)
	if err != nil {
		t.Fatalf("range: %v", err)
	}
	return rows
}

func collectRows(t *testing.T, s Store, q telemetry.RangeQuery) ([]row, error) {
	t.Helper()
	var rows []row
	err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
		rows = append(rows, rowOf(t, r))
		return nil
	})
	for i := 1; i < len(rows); i++ {
		a, b := rows[i-1], rows[i]
		if a.Device > b.Device || a.Device == b.Device && a.TS >= b.TS {
			t.Fatalf("range: got %s at %d before %s at %d, want ascending by device, then time", a.Device, a.TS, b.Device, b.TS)
		}
	}
	return rows, err
}

func rowOf(t *testing.T, r telemetry.Reading) row {
	t.Helper()
	if len(r.Values) == 0 {
		t.Fatalf("range: %s at %d has no values", r.Device, r.TS)
	}
	return row{Kind: r.Kind, Device: r.Device, TS: r.TS, Values: valuesOf(t, r.Values)}
}

func valuesOf(t *testing.T, in []telemetry.Value) values {
	t.Helper()
	if !slices.IsSortedFunc(in, func(a, b telemetry.Value) int { return a.Field.Index - b.Field.Index }) {
		t.Fatalf("values are not ascending by field index: %v", in)
	}
	out := make(values, len(in))
	for _, v := range in {
		if _, twice := out[v.Field.Name]; twice {
			t.Fatalf("field %s appears twice in one result", v.Field.Name)
		}
		out[v.Field.Name] = plain(v)
	}
	return out
}

func plain(v telemetry.Value) any {
	if v.Field.Numeric() {
		return v.Num
	}
	return v.Text
}

// latest runs a latest query.
func (f *fixture) latest(t *testing.T, q telemetry.RangeQuery) []sample {
	t.Helper()
	return collectLatest(t, f.store, q)
}

func collectLatest(t *testing.T, s Store, q telemetry.RangeQuery) []sample {
	t.Helper()
	got, err := s.Latest(t.Context(), q)
	if err != nil {
		t.Fatalf("latest: %v", err)
	}
	out := make([]sample, 0, len(got))
	for i, g := range got {
		if i > 0 {
			p := got[i-1]
			if p.Device > g.Device || p.Device == g.Device && p.Value.Field.Index >= g.Value.Field.Index {
				t.Fatalf("latest: got %s %s before %s %s, want ascending by device, then field",
					p.Device, p.Value.Field.Name, g.Device, g.Value.Field.Name)
			}
		}
		out = append(out, sample{Device: g.Device, TS: g.TS, Field: g.Value.Field.Name, Value: plain(g.Value)})
	}
	return out
}

// aggregate runs an aggregate query.
func (f *fixture) aggregate(t *testing.T, q telemetry.AggregateQuery) []bucket {
	t.Helper()
	return collectBuckets(t, f.store, q)
}

func collectBuckets(t *testing.T, s Store, q telemetry.AggregateQuery) []bucket {
	t.Helper()
	got, err := s.Aggregate(t.Context(), q)
	if err != nil {
		t.Fatalf("aggregate %s: %v", q.Func, err)
	}
	out := make([]bucket, 0, len(got))
	for i, g := range got {
		if i > 0 {
			p := got[i-1]
			if p.Device > g.Device || p.Device == g.Device && p.Start >= g.Start {
				t.Fatalf("aggregate %s: got %q at %d before %q at %d, want ascending by device, then start",
					q.Func, p.Device, p.Start, g.Device, g.Start)
			}
		}
		if len(g.Values) == 0 {
			t.Fatalf("aggregate %s: bucket %q at %d is empty, want it absent", q.Func, g.Device, g.Start)
		}
		out = append(out, bucket{Device: g.Device, Start: g.Start, Values: valuesOf(t, g.Values)})
	}
	return out
}

// diff reports how got differs from want; numbers must be the same to the bit,
// but for a zero's sign.
func diff(got, want any) string { return cmp.Diff(want, got, cmpopts.EquateEmpty()) }

// diffRounded is diff where the last digits may differ: 1e-9 relative, or
// absolute near zero, where a sum of both signs has lost its own.
func diffRounded(got, want any) string {
	near := cmp.Comparer(func(a, b float64) bool {
		return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
	})
	return cmp.Diff(want, got, near, cmpopts.EquateEmpty())
}

func batteries(fields ...string) telemetry.RangeQuery {
	return telemetry.RangeQuery{Kind: devices.KindBattery, Fields: fields, Window: always}
}

func aggregateOf(q telemetry.RangeQuery, fn telemetry.Func, every time.Duration) telemetry.AggregateQuery {
	return telemetry.AggregateQuery{RangeQuery: q, Func: fn, Every: every}
}
