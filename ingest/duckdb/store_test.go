package duckdb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return open(t, t.TempDir(), storetest.Schema(t))
	})
}

// t0 is 2026-01-01T00:00:00Z.
const t0 int64 = 1767225600000

var always = telemetry.Window{From: t0 - 1000*telemetry.Day, To: t0 + 1000*telemetry.Day}

func standard(t testing.TB, extra ...devices.KindField) *devices.Schema {
	t.Helper()
	schema, err := devices.NewSchema(extra...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func open(t testing.TB, dir string, schema *devices.Schema) *Store {
	t.Helper()
	s, err := Open(context.Background(), dir, schema, Options{})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// reading makes a reading of a battery; a value is a float64 or a string.
func reading(schema *devices.Schema, device string, ts int64, values map[string]any) telemetry.Reading {
	r := telemetry.Reading{Kind: devices.KindBattery, Device: device, TS: ts}
	for name, v := range values {
		f := schema.Field(r.Kind, name)
		if text, ok := v.(string); ok {
			r.Set(telemetry.Value{Field: f, Text: text})
		} else {
			r.Set(telemetry.Value{Field: f, Num: v.(float64)})
		}
	}
	return r
}

func mustAppend(t testing.TB, s *Store, readings ...telemetry.Reading) telemetry.Appended {
	t.Helper()
	got, err := s.Append(t.Context(), readings)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return got
}

type key struct {
	device string
	ts     int64
}

type content map[key]map[string]any

// contentOf reads all batteries.
func contentOf(t testing.TB, s *Store) content {
	t.Helper()
	got := make(content)
	err := s.Range(t.Context(), telemetry.RangeQuery{Kind: devices.KindBattery, Window: always}, func(r telemetry.Reading) error {
		k := key{strings.Clone(r.Device), r.TS}
		if got[k] != nil {
			t.Errorf("%v comes twice", k)
		}
		got[k] = valuesOf(r)
		return nil
	})
	if err != nil {
		t.Fatalf("range: %v", err)
	}
	return got
}

func valuesOf(r telemetry.Reading) map[string]any {
	values := make(map[string]any)
	for _, v := range r.Values {
		if v.Field.Numeric() {
			values[v.Field.Name] = v.Num
		} else {
			values[v.Field.Name] = v.Text
		}
	}
	return values
}

func TestReopenKeepsEverything(t *testing.T) {
	dir, schema := t.TempDir(), standard(t)
	want := content{
		{"a", t0}:     {"soc_pct": 50.0, "state": "idle", "voltage_v": 48.0},
		{"a", t0 + 1}: {"soc_pct": 51.0},
		{"b", t0}:     {"state": ""},
	}
	s := open(t, dir, schema)
	for k, values := range want {
		mustAppend(t, s, reading(schema, k.device, k.ts, values))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, schema)
	if d := cmp.Diff(want, contentOf(t, s)); d != "" {
		t.Errorf("after reopening (-want +got):\n%s", d)
	}
	got := mustAppend(t, s,
		reading(schema, "a", t0, map[string]any{"soc_pct": 50.0}),
		reading(schema, "a", t0+2, map[string]any{"soc_pct": 52.0}))
	if want := (telemetry.Appended{New: 1, Merged: 1}); !cmp.Equal(got, want) {
		t.Errorf("append after reopening: got %+v, want %+v", got, want)
	}
}

func TestOpenOddPaths(t *testing.T) {
	tests := []struct {
		name, dir string
		ok        bool
	}{
		{"spaces and quotes", `a b'c"d`, true},
		{"not ASCII", "größe", true},
		{"a colon", "a:b", true},
		{"made with its parents", "a/b/c", true},
		{"a question mark", "a?threads=1", false},
		{"a percent sign", "a%41", false},
		{"a hash", "a#b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), tt.dir)
			s, err := Open(t.Context(), dir, standard(t), Options{})
			if (err == nil) != tt.ok {
				t.Fatalf("got error %v, want success %v", err, tt.ok)
			}
			if err != nil {
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, "telemetry.duckdb")); err != nil {
				t.Errorf("database file: %v", err)
			}
		})
	}
}

func TestOpenRefusesBadOptions(t *testing.T) {
	if s, err := Open(t.Context(), t.TempDir(), standard(t), Options{MemoryLimit: "much"}); err == nil {
		t.Errorf("memory limit %q: got no error", "much")
		s.Close()
	}
}

func TestFieldsCome(t *testing.T) {
	dir := t.TempDir()
	extra := func(name string, typ devices.FieldType) devices.KindField {
		return devices.KindField{Kind: devices.KindBattery, Field: devices.Field{Name: name, Type: typ, Min: -1, Max: 1}}
	}
	before := standard(t, extra("gone_v", devices.Number), extra("label", devices.Text))
	s := open(t, dir, before)
	mustAppend(t, s, reading(before, "a", t0, map[string]any{"soc_pct": 1.0, "gone_v": 0.5, "label": "x"}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	after := standard(t, extra("new_v", devices.Integer), extra("label", devices.Text), extra("rowid", devices.Number))
	s = open(t, dir, after)
	mustAppend(t, s,
		reading(after, "a", t0, map[string]any{"new_v": 1.0, "soc_pct": 2.0}),
		reading(after, "a", t0+1, map[string]any{"rowid": 1.0, "label": "y"}))
	want := content{
		{"a", t0}:     {"soc_pct": 2.0, "new_v": 1.0, "label": "x"},
		{"a", t0 + 1}: {"rowid": 1.0, "label": "y"},
	}
	if d := cmp.Diff(want, contentOf(t, s)); d != "" {
		t.Errorf("with new fields (-want +got):\n%s", d)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir, before)
	want = content{
		{"a", t0}:     {"soc_pct": 2.0, "gone_v": 0.5, "label": "x"},
		{"a", t0 + 1}: {"label": "y"},
	}
	if d := cmp.Diff(want, contentOf(t, s)); d != "" {
		t.Errorf("a merge lost the value of a field that had left the schema (-want +got):\n%s", d)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	_, err := Open(t.Context(), dir, standard(t, extra("label", devices.Number)), Options{})
	if err == nil || !strings.Contains(err.Error(), "label") || !strings.Contains(err.Error(), "another") {
		t.Errorf("text became a number: got error %v, want one that names the field and says what to do", err)
	}
	open(t, dir, before) // the failed Open let go of the directory
}

func TestStats(t *testing.T) {
	schema := standard(t)
	s := open(t, t.TempDir(), schema)
	mustAppend(t, s,
		reading(schema, "a", t0, map[string]any{"soc_pct": 1.0}),
		reading(schema, "a", t0+1, map[string]any{"soc_pct": 1.0}))
	mustAppend(t, s, reading(schema, "a", t0, map[string]any{"soc_pct": 3.0}))
	got, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[devices.Kind]int64{devices.KindBattery: 2, devices.KindStation: 0, devices.KindBuilding: 0}
	if d := cmp.Diff(want, got.Rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if got.Bytes <= 0 {
		t.Errorf("got %d bytes, want some", got.Bytes)
	}
}

func TestCloseEndsReads(t *testing.T) {
	schema := standard(t)
	s := open(t, t.TempDir(), schema)
	var in []telemetry.Reading
	for i := range int64(10_000) {
		in = append(in, reading(schema, "a", t0+i, map[string]any{"soc_pct": 1.0}))
	}
	mustAppend(t, s, in...)
	started, closed := make(chan struct{}), make(chan error, 1)
	go func() {
		<-started
		closed <- s.Close()
	}()
	seen := 0
	err := s.Range(t.Context(), telemetry.RangeQuery{Kind: devices.KindBattery, Window: always}, func(telemetry.Reading) error {
		if seen++; seen == 1 {
			close(started)
			<-s.life.Done()
		}
		return nil
	})
	if !errors.Is(err, telemetry.ErrClosed) {
		t.Errorf("range during close: got error %v, want %v", err, telemetry.ErrClosed)
	}
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("close: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("close did not return")
	}
}
