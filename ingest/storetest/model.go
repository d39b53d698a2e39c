package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// model is the contract in its plainest form: a map in memory and loops over
// all of it. Stores are compared with it on random data, and it passes the
// suite itself. It is not safe for concurrent use.
type model struct {
	schema *devices.Schema
	stored map[identity]telemetry.Reading
}

type identity struct {
	kind   devices.Kind
	device string
	ts     int64
}

func newModel(s *devices.Schema) *model {
	return &model{schema: s, stored: make(map[identity]telemetry.Reading)}
}

func (m *model) Append(ctx context.Context, readings []telemetry.Reading) (telemetry.Appended, error) {
	var out telemetry.Appended
	if err := ctx.Err(); err != nil {
		return out, err
	}
	for _, r := range readings {
		id := identity{r.Kind, r.Device, r.TS}
		have, ok := m.stored[id]
		if ok {
			out.Merged++
		} else {
			out.New++
			have = telemetry.Reading{Kind: r.Kind, Device: r.Device, TS: r.TS}
		}
		for _, v := range r.Values {
			v.Field = m.schema.Field(r.Kind, v.Field.Name) // the caller may have a schema of its own
			if v.Num == 0 {
				v.Num = 0 // drops the sign of a negative zero
			}
			have.Set(v)
		}
		m.stored[id] = have
	}
	return out, nil
}

func (m *model) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	fields, err := q.Resolve(m.schema)
	if err != nil {
		return err
	}
	for _, r := range m.match(q, fields) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// match returns the readings that q selects, in order, cut down to fields.
func (m *model) match(q telemetry.RangeQuery, fields []*devices.Field) []telemetry.Reading {
	var out []telemetry.Reading
	for _, r := range m.stored {
		if r.Kind != q.Kind || !q.Window.Contains(r.TS) {
			continue
		}
		if len(q.Devices) > 0 && !slices.Contains(q.Devices, r.Device) {
			continue
		}
		cut := telemetry.Reading{Kind: r.Kind, Device: r.Device, TS: r.TS}
		for _, v := range r.Values {
			if slices.Contains(fields, v.Field) {
				cut.Values = append(cut.Values, v)
			}
		}
		if len(cut.Values) > 0 {
			out = append(out, cut)
		}
	}
	slices.SortFunc(out, telemetry.Compare)
	return out
}

func (m *model) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	fields, err := q.Resolve(m.schema)
	if err != nil {
		return nil, err
	}
	type key struct {
		device string
		index  int
	}
	newest := make(map[key]telemetry.Sample)
	for _, r := range m.match(q, fields) {
		for _, v := range r.Values {
			newest[key{r.Device, v.Field.Index}] = telemetry.Sample{Device: r.Device, TS: r.TS, Value: v}
		}
	}
	out := slices.Collect(maps.Values(newest))
	slices.SortFunc(out, func(a, b telemetry.Sample) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Value.Field.Index, b.Value.Field.Index))
	})
	return out, ctx.Err()
}

func (m *model) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	fields, err := q.Resolve(m.schema)
	if err != nil {
		return nil, err
	}
	type step struct {
		device string
		start  int64
	}
	groups := make(map[step]map[*devices.Field][]telemetry.Sample)
	for _, r := range m.match(q.RangeQuery, fields) {
		s := step{r.Device, telemetry.Floor(r.TS, q.Every.Milliseconds())}
		if q.Fleet {
			s.device = ""
		}
		if groups[s] == nil {
			groups[s] = make(map[*devices.Field][]telemetry.Sample)
		}
		for _, v := range r.Values {
			groups[s][v.Field] = append(groups[s][v.Field], telemetry.Sample{TS: r.TS, Value: v})
		}
	}
	out := make([]telemetry.Bucket, 0, len(groups))
	for s, g := range groups {
		b := telemetry.Bucket{Device: s.device, Start: s.start}
		for _, f := range fields {
			if len(g[f]) > 0 {
				b.Values = append(b.Values, telemetry.Value{Field: f, Num: fold(q.Func, g[f])})
			}
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b telemetry.Bucket) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Start, b.Start))
	})
	return out, ctx.Err()
}

// fold computes fn over at least one sample.
func fold(fn telemetry.Func, samples []telemetry.Sample) float64 {
	first, last := samples[0], samples[0]
	lo, hi, sum := first.Value.Num, first.Value.Num, 0.0
	for _, s := range samples {
		n := s.Value.Num
		lo, hi, sum = min(lo, n), max(hi, n), sum+n
		if s.TS < first.TS || s.TS == first.TS && n > first.Value.Num {
			first = s
		}
		if s.TS > last.TS || s.TS == last.TS && n > last.Value.Num {
			last = s
		}
	}
	switch fn {
	case telemetry.Mean:
		return sum / float64(len(samples))
	case telemetry.Min:
		return lo
	case telemetry.Max:
		return hi
	case telemetry.Sum:
		return sum
	case telemetry.Count:
		return float64(len(samples))
	case telemetry.First:
		return first.Value.Num
	case telemetry.Last:
		return last.Value.Num
	}
	panic("storetest: unknown aggregate " + string(fn))
}
