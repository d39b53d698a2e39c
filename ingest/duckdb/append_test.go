package duckdb

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func TestAppendCounts(t *testing.T) {
	schema := standard(t)
	s := open(t, t.TempDir(), schema)
	at := func(ts int64, soc float64) telemetry.Reading {
		return reading(schema, "a", t0+ts, map[string]any{"soc_pct": soc})
	}
	steps := []struct {
		name        string
		in          []telemetry.Reading
		new, merged int
	}{
		{"new", []telemetry.Reading{at(0, 1), at(10, 2)}, 2, 0},
		{"delivered again", []telemetry.Reading{at(0, 1), at(10, 2)}, 0, 2},
		{"late", []telemetry.Reading{at(5, 3)}, 1, 0},
		{"repeated in the call", []telemetry.Reading{at(20, 4), at(20, 4), at(20, 5)}, 1, 2},
		{"repeated in the call and late", []telemetry.Reading{at(7, 4), at(7, 4)}, 1, 1},
		{"rewritten", []telemetry.Reading{at(5, 9)}, 0, 1},
		{"all at once", []telemetry.Reading{at(5, 9), at(6, 1), at(30, 1), at(5, 8), at(30, 2)}, 2, 3},
	}
	for _, step := range steps {
		got := mustAppend(t, s, step.in...)
		if want := (telemetry.Appended{New: step.new, Merged: step.merged}); !cmp.Equal(got, want) {
			t.Errorf("%s: got %+v, want %+v", step.name, got, want)
		}
	}
	want := content{}
	for ts, soc := range map[int64]float64{0: 1, 5: 8, 6: 1, 7: 4, 10: 2, 20: 5, 30: 2} {
		want[key{"a", t0 + ts}] = map[string]any{"soc_pct": soc}
	}
	if d := cmp.Diff(want, contentOf(t, s)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestDeliveredAgainWritesNothing(t *testing.T) {
	schema := standard(t)
	s := open(t, t.TempDir(), schema)
	in := []telemetry.Reading{
		reading(schema, "a", t0, map[string]any{"soc_pct": 1.0, "state": "x"}),
		reading(schema, "a", t0+1, map[string]any{"soc_pct": 2.0}),
	}
	mustAppend(t, s, in...)
	before, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		mustAppend(t, s, in...)
	}
	after, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("stats (-before +after):\n%s", d)
	}
}

func TestAppendRejects(t *testing.T) {
	schema := standard(t)
	other := standard(t, devices.KindField{Kind: devices.KindBattery, Field: devices.Field{Name: "x", Max: 1}})
	with := func(name string, v telemetry.Value) telemetry.Reading {
		v.Field = other.Field(devices.KindBattery, name)
		return telemetry.Reading{Kind: devices.KindBattery, Device: "a", TS: t0, Values: []telemetry.Value{v}}
	}
	good := with("soc_pct", telemetry.Value{Num: 1})
	tests := []struct {
		name    string
		reading telemetry.Reading
	}{
		{"unknown kind", telemetry.Reading{Kind: "ship", Device: "a", TS: t0}},
		{"no device", telemetry.Reading{Kind: devices.KindBattery, TS: t0, Values: good.Values}},
		{"device is not UTF-8", telemetry.Reading{Kind: devices.KindBattery, Device: "\xff", TS: t0, Values: good.Values}},
		{"unknown field", with("x", telemetry.Value{Num: 1})},
		{"text is not UTF-8", with("state", telemetry.Value{Text: "a\xffb"})},
		{"not a number", with("soc_pct", telemetry.Value{Num: math.NaN()})},
		{"infinite", with("soc_pct", telemetry.Value{Num: math.Inf(-1)})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, t.TempDir(), schema)
			got := mustAppend(t, s, good, tt.reading, good)
			if got.New != 1 || got.Merged != 1 || len(got.Rejected) != 1 || got.Rejected[0].Index != 1 || got.Rejected[0].Reason == "" {
				t.Errorf("got %+v, want 1 new, 1 merged and the second rejected", got)
			}
			if rows := contentOf(t, s); len(rows) != 1 {
				t.Errorf("got %v, want one row", rows)
			}
		})
	}
}

// countdown is a context that is cancelled when it was asked n times, which
// cancels an append at each of its steps in turn.
type countdown struct {
	context.Context
	n int
}

func (c *countdown) Err() error {
	if c.n--; c.n <= 0 {
		return context.Canceled
	}
	return nil
}

func TestCancelledAppendWritesNothing(t *testing.T) {
	schema := standard(t)
	s := open(t, t.TempDir(), schema)
	mustAppend(t, s, reading(schema, "a", t0, map[string]any{"soc_pct": 1.0}))
	want := contentOf(t, s)
	batch := []telemetry.Reading{
		reading(schema, "a", t0, map[string]any{"soc_pct": 2.0}),
		reading(schema, "a", t0-1, map[string]any{"soc_pct": 3.0}),
		reading(schema, "a", t0+1, map[string]any{"soc_pct": 4.0}),
	}
	for n := 1; ; n++ {
		done, err := s.Append(&countdown{context.Background(), n}, batch)
		if err == nil {
			if n < 3 || done.New != 2 {
				t.Errorf("cancelled at question %d: got %+v, want nothing that early and 2 new in the end", n, done)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at question %d: got error %#v, want %v", n, err, context.Canceled)
		}
		if d := cmp.Diff(want, contentOf(t, s)); d != "" {
			t.Fatalf("cancelled at question %d (-want +got):\n%s", n, d)
		}
	}
	if got := contentOf(t, s); len(got) != 3 {
		t.Errorf("got %v, want three readings", got)
	}
	if !s.engine.sound() {
		t.Error("a cancelled append broke the store")
	}
}
