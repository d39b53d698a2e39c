package influx_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
	"github.com/fleetwatt/fleetwatt/ingest/storetest"
)

// indices checks that every rejection says want, and returns which readings
// they are.
func indices(t *testing.T, rejected []telemetry.Rejection, want string) []int {
	t.Helper()
	var out []int
	for _, r := range rejected {
		if !strings.Contains(r.Reason, want) {
			t.Errorf("reading %d: got reason %q, want %q in it", r.Index, r.Reason, want)
		}
		out = append(out, r.Index)
	}
	return out
}

// TestTypeConflict has a foreign writer own two fields as text and boolean.
// Shards keep types apart, so the conflict is in the first week only.
func TestTypeConflict(t *testing.T) {
	db := servertest.StartInfluxd(t)
	const week = 7 * telemetry.Day
	soc := map[string]float64{"soc_pct": 1}
	tests := []struct {
		name        string
		readings    func() []telemetry.Reading
		want        []int // rejected
		new, merged int
	}{
		{"one of many", func() (in []telemetry.Reading) {
			for i := range 4000 {
				in = append(in, battery(t, fmt.Sprint("d", i), t0, soc))
			}
			in[2345] = battery(t, "d2345", t0, map[string]float64{"soc_pct": 1, "voltage_v": 50})
			return in
		}, []int{2345}, 3999, 0},
		{"scattered, of two fields", func() (in []telemetry.Reading) {
			for i := range 64 {
				in = append(in, battery(t, fmt.Sprint("d", i), t0, soc))
			}
			in[0] = battery(t, "d0", t0, map[string]float64{"voltage_v": 50})
			in[31] = battery(t, "d31", t0, map[string]float64{"current_a": 50})
			in[32] = battery(t, "d32", t0, map[string]float64{"voltage_v": 50, "current_a": 1, "soc_pct": 3})
			in[63] = battery(t, "d63", t0, map[string]float64{"current_a": 50})
			return in
		}, []int{0, 31, 32, 63}, 60, 0},
		{"all", func() (in []telemetry.Reading) {
			for i := range 3 {
				in = append(in, battery(t, fmt.Sprint("d", i), t0, map[string]float64{"voltage_v": 50}))
			}
			return in
		}, []int{0, 1, 2}, 0, 0},
		{"the same field, good in one shard and bad in another", func() (in []telemetry.Reading) {
			for i := range 40 {
				in = append(in, battery(t, "d", t0+int64(i)*week, map[string]float64{"voltage_v": 50}))
			}
			return in
		}, []int{0}, 39, 0},
		{"one reading of a merged point", func() []telemetry.Reading {
			return []telemetry.Reading{
				battery(t, "a", t0, soc),
				battery(t, "a", t0, map[string]float64{"temperature_c": 20}),
				battery(t, "a", t0, map[string]float64{"voltage_v": 50, "temperature_c": 99}),
				battery(t, "b", t0, soc),
				battery(t, "a", t0, map[string]float64{"soc_pct": 2}),
			}
		}, []int{2}, 2, 2},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprint("db", i)
			s := open(t, influx.Options{URL: db.URL, Bucket: name})
			writeRaw(t, db, name, fmt.Sprintf("battery,device=foreign voltage_v=\"x\",current_a=true %d", t0))
			readings := tt.readings()
			got, err := s.Append(t.Context(), readings)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, indices(t, got.Rejected, "field type conflict")); d != "" {
				t.Errorf("rejected (-want +got):\n%s", d)
			}
			if got.New != tt.new || got.Merged != tt.merged {
				t.Errorf("got %d new and %d merged, want %d and %d", got.New, got.Merged, tt.new, tt.merged)
			}
			if n := count(t, s); n != tt.new {
				t.Errorf("got %d readings stored, want %d", n, tt.new)
			}
		})
	}
}

func TestMergedPointKeepsTheGoodReadings(t *testing.T) {
	db := servertest.StartInfluxd(t)
	s := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	writeRaw(t, db, "db", fmt.Sprintf("battery,device=foreign voltage_v=\"x\" %d", t0))
	if _, err := s.Append(t.Context(), []telemetry.Reading{
		battery(t, "a", t0, map[string]float64{"soc_pct": 1, "temperature_c": 20}),
		battery(t, "a", t0, map[string]float64{"voltage_v": 50, "temperature_c": 99}),
		battery(t, "a", t0, map[string]float64{"soc_pct": 2}),
	}); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	if err := s.Range(t.Context(), all(), func(r telemetry.Reading) error {
		for _, v := range r.Values {
			got[r.Device+" "+v.Field.Name] = v.Num
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"a soc_pct": 2, "a temperature_c": 20}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTooLargeIsSplit(t *testing.T) {
	db := servertest.StartInfluxd(t, "INFLUXDB_HTTP_MAX_BODY_SIZE=300")
	s := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	var in []telemetry.Reading
	for i := range 100 {
		in = append(in, battery(t, fmt.Sprint("d", i), t0, map[string]float64{"soc_pct": 1}))
	}
	state := storetest.Schema(t).Field(devices.KindBattery, "state")
	in[50].Set(telemetry.Value{Field: state, Text: strings.Repeat("x", 256)})
	in[51].Set(telemetry.Value{Field: state, Text: strings.Repeat(`"`, 150)})
	got, err := s.Append(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{50, 51}, indices(t, got.Rejected, "Too Large")); d != "" {
		t.Errorf("rejected (-want +got):\n%s", d)
	}
	if n := count(t, s); n != 98 || got.New != 98 {
		t.Errorf("got %d readings stored, %d new, want 98", n, got.New)
	}
}

func TestBeyondRetention(t *testing.T) {
	db := servertest.StartInfluxd(t)
	run(t, db, `CREATE DATABASE "db" WITH DURATION 7d REPLICATION 1 NAME "week"`)
	s := open(t, influx.Options{URL: db.URL, Bucket: "db/week"})
	got, err := s.Append(t.Context(), []telemetry.Reading{
		battery(t, "a", 946684800000, map[string]float64{"soc_pct": 1}),
		battery(t, "a", 4102444800000, map[string]float64{"soc_pct": 1}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{0}, indices(t, got.Rejected, "retention policy")); d != "" || got.New != 1 {
		t.Errorf("got %+v, rejected (-want +got):\n%s", got, d)
	}
}

func TestTooManyDevices(t *testing.T) {
	db := servertest.StartInfluxd(t, "INFLUXDB_DATA_MAX_VALUES_PER_TAG=10")
	s := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	var in []telemetry.Reading
	for i := range 25 {
		in = append(in, battery(t, fmt.Sprintf("d%02d", i), t0, map[string]float64{"soc_pct": 1}))
	}
	if _, err := s.Append(t.Context(), in[7:8]); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		writeRaw(t, db, "db", fmt.Sprintf("battery,device=other%d soc_pct=1 %d", i, t0))
	}
	got, err := s.Append(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	rejected := indices(t, got.Rejected, "max-values-per-tag")
	if len(rejected) != 24 || slices.Contains(rejected, 7) || got.New != 1 {
		t.Errorf("got %d new, rejected %v, want all but the one device that was there", got.New, rejected)
	}
}

func TestDefects(t *testing.T) {
	db := servertest.StartInfluxd(t)
	s := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	good := battery(t, "a", t0, map[string]float64{"soc_pct": 1})
	robot, noID, noFields := good, good, good
	robot.Kind, noID.Device, noFields.Values = "robot", "", nil
	late := battery(t, "a", 9223372036855, map[string]float64{"soc_pct": 1}) // a second after the end of InfluxDB's time
	got, err := s.Append(t.Context(), []telemetry.Reading{robot, noID, good, noFields, late})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{0, 1, 3, 4}, indices(t, got.Rejected, "")); d != "" || got.New != 1 {
		t.Errorf("got %+v, rejected (-want +got):\n%s", got, d)
	}
	if n := count(t, s); n != 1 {
		t.Errorf("got %d readings stored, want 1", n)
	}
}
