package telemetry

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
)

func schema(t *testing.T) *devices.Schema {
	t.Helper()
	s, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func names(fields []*devices.Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

// Merging a later reading overwrites its fields, keeps the others, and keeps the
// order of the schema, whatever the order of arrival of different fields.
func TestMerge(t *testing.T) {
	m := schema(t).Measurement(devices.KindBattery)
	rapid.Check(t, func(t *rapid.T) {
		var r Reading
		want := map[string]float64{}
		for range rapid.IntRange(1, 5).Draw(t, "readings") {
			var later Reading
			for range rapid.IntRange(0, 6).Draw(t, "fields") {
				f := rapid.SampledFrom(m.Fields[:12]).Draw(t, "field")
				v := rapid.Float64Range(-10, 10).Draw(t, "value")
				later.Set(Value{Field: f, Num: v})
			}
			for _, v := range later.Values {
				want[v.Field.Name] = v.Num
			}
			r.Merge(later)
		}
		if len(r.Values) != len(want) {
			t.Fatalf("got %d values, want %d", len(r.Values), len(want))
		}
		for i, v := range r.Values {
			if i > 0 && r.Values[i-1].Field.Index >= v.Field.Index {
				t.Fatalf("values out of order at %d", i)
			}
			if got, ok := r.Num(v.Field.Name); !ok || got != want[v.Field.Name] {
				t.Fatalf("%s: got %v, want %v", v.Field.Name, got, want[v.Field.Name])
			}
		}
	})
}

func TestFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		every := rapid.Int64Range(1, Day).Draw(t, "every")
		ts := rapid.Int64Range(-1e15, 1e15).Draw(t, "ts")
		f := Floor(ts, every)
		if f%every != 0 || f > ts || ts-f >= every {
			t.Fatalf("Floor(%d, %d) = %d", ts, every, f)
		}
	})
	if got := DayOf(-1); got != -1 {
		t.Errorf("got day %d just before 1970, want -1", got)
	}
}

func TestWindow(t *testing.T) {
	w := Between(time.UnixMilli(1000), time.UnixMilli(2000))
	for ts, want := range map[int64]bool{999: false, 1000: true, 1999: true, 2000: false} {
		if got := w.Contains(ts); got != want {
			t.Errorf("%d: got %v, want %v", ts, got, want)
		}
	}
	if w.Empty() || !(Window{2, 2}).Empty() || w.Duration() != time.Second {
		t.Errorf("got %s, empty %v, %s", w, w.Empty(), w.Duration())
	}
}

func TestResolve(t *testing.T) {
	s := schema(t)
	got, err := RangeQuery{Kind: devices.KindStation, Fields: []string{"queue", "state", "queue"}}.Resolve(s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"state", "queue"}, names(got)); diff != "" {
		t.Errorf("by index, each once (-want +got):\n%s", diff)
	}
	if all, err := (RangeQuery{Kind: devices.KindStation}).Resolve(s); err != nil || len(all) != len(s.Measurement(devices.KindStation).Fields) {
		t.Errorf("without names: got %d fields, %v", len(all), err)
	}
	agg := func(change func(*AggregateQuery)) AggregateQuery {
		q := AggregateQuery{RangeQuery: RangeQuery{Kind: devices.KindStation}, Func: Mean, Every: time.Hour}
		change(&q)
		return q
	}
	tests := []struct {
		name string
		q    AggregateQuery
		want error
	}{
		{"all numeric fields", agg(func(*AggregateQuery) {}), nil},
		{"unknown kind", agg(func(q *AggregateQuery) { q.Kind = "rocket" }), ErrBadQuery},
		{"unknown field", agg(func(q *AggregateQuery) { q.Fields = []string{"soc_pct"} }), ErrUnknownField},
		{"text by name", agg(func(q *AggregateQuery) { q.Fields = []string{"state"} }), ErrNotNumeric},
		{"unknown function", agg(func(q *AggregateQuery) { q.Func = "median" }), ErrBadQuery},
		{"no step", agg(func(q *AggregateQuery) { q.Every = 0 }), ErrBadQuery},
		{"a step below a millisecond", agg(func(q *AggregateQuery) { q.Every = 1500 * time.Microsecond }), ErrBadQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields, err := tt.q.Resolve(s)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			for _, f := range fields {
				if !f.Numeric() {
					t.Errorf("%s is not numeric", f.Name)
				}
			}
		})
	}
}

func TestRetryAfterIsUnavailable(t *testing.T) {
	cause := errors.New("429")
	err := error(&RetryAfter{After: time.Second, Err: cause})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, cause) {
		t.Errorf("got %v, want it to be ErrUnavailable and its cause", err)
	}
}

func TestCompare(t *testing.T) {
	a := Reading{Kind: devices.KindBattery, Device: "a", TS: 5}
	for _, later := range []Reading{
		{Kind: devices.KindBuilding, Device: "A", TS: 1}, {Kind: devices.KindBattery, Device: "b", TS: 1}, {Kind: devices.KindBattery, Device: "a", TS: 6},
	} {
		if Compare(a, later) != -1 || Compare(later, a) != 1 || Compare(a, a) != 0 {
			t.Errorf("%+v does not come after %+v", later, a)
		}
	}
}
