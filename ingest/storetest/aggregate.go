package storetest

import (
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

func aggregateCases() []testCase {
	return []testCase{
		{"every function", aggregateFuncs},
		{"steps are aligned to the epoch", aggregateAlignment},
		{"only samples in the window count", aggregateWindow},
		{"steps without samples are absent", aggregateSparse},
		{"fields without samples are absent", aggregateAbsentFields},
		{"ties in a fleet", aggregateTies},
		{"all numeric fields without naming them", aggregateAllFields},
		{"numbers below zero and zeros", aggregateSigns},
	}
}

func aggregateFuncs(t *testing.T, f *fixture) {
	f.append(t,
		f.battery("a", t0+1, values{"current_a": 4.0}),
		f.battery("a", t0+2, values{"current_a": -1.0}),
		f.battery("a", t0+3, values{"current_a": 3.0}),
		f.battery("b", t0+2, values{"current_a": 10.0}),
		f.battery("b", t0+telemetry.Hour, values{"current_a": 8.0}))
	tests := []struct {
		fn                telemetry.Func
		a, b, next, fleet float64
	}{
		{telemetry.Mean, 2, 10, 8, 4},
		{telemetry.Min, -1, 10, 8, -1},
		{telemetry.Max, 4, 10, 8, 10},
		{telemetry.Sum, 6, 10, 8, 16},
		{telemetry.Count, 3, 1, 1, 4},
		{telemetry.First, 4, 10, 8, 4},
		{telemetry.Last, 3, 10, 8, 3},
	}
	for _, tt := range tests {
		t.Run(string(tt.fn), func(t *testing.T) {
			q := aggregateOf(batteries("current_a"), tt.fn, hour)
			want := []bucket{
				{"a", t0, values{"current_a": tt.a}},
				{"b", t0, values{"current_a": tt.b}},
				{"b", t0 + telemetry.Hour, values{"current_a": tt.next}},
			}
			if d := diffRounded(f.aggregate(t, q), want); d != "" {
				t.Errorf("by device (-want +got):\n%s", d)
			}
			q.Fleet = true
			want = []bucket{
				{"", t0, values{"current_a": tt.fleet}},
				{"", t0 + telemetry.Hour, values{"current_a": tt.next}},
			}
			if d := diffRounded(f.aggregate(t, q), want); d != "" {
				t.Errorf("fleet (-want +got):\n%s", d)
			}
		})
	}
}

func aggregateAlignment(t *testing.T, f *fixture) {
	const from, n = t0 + 1234, 500
	var in []telemetry.Reading
	for i := range int64(n) {
		in = append(in, f.battery("a", from+i*i*7, values{"soc_pct": 1.0}))
	}
	f.append(t, in...)
	for _, every := range []time.Duration{time.Millisecond, 7 * time.Millisecond, time.Second, 7919 * time.Millisecond,
		15 * time.Minute, hour, 5 * hour, day, 7 * day, 11 * day, 10000 * day} {
		q := aggregateOf(batteries("soc_pct"), telemetry.Count, every)
		q.Window = telemetry.Window{From: from + 5, To: from + n*n*5}
		want := make(map[int64]float64)
		for _, r := range in {
			if q.Window.Contains(r.TS) {
				want[telemetry.Floor(r.TS, every.Milliseconds())]++
			}
		}
		got := make(map[int64]float64)
		for _, b := range f.aggregate(t, q) {
			got[b.Start] = b.Values["soc_pct"].(float64)
		}
		if d := diff(got, want); d != "" {
			t.Errorf("every %s (-want +got):\n%s", every, d)
		}
	}
}

func aggregateWindow(t *testing.T, f *fixture) {
	for i := range int64(8) {
		f.append(t, f.battery("a", t0+i*15*60*second, values{"soc_pct": float64(i)}))
	}
	q := aggregateOf(batteries("soc_pct"), telemetry.Sum, hour)
	q.Window = telemetry.Window{From: t0 + 15*60*second, To: t0 + telemetry.Hour + 30*60*second}
	want := []bucket{
		{"a", t0, values{"soc_pct": 1.0 + 2 + 3}},
		{"a", t0 + telemetry.Hour, values{"soc_pct": 4.0 + 5}},
	}
	for _, fleet := range []bool{false, true} {
		q.Fleet = fleet
		if fleet {
			want[0].Device, want[1].Device = "", ""
		}
		if d := diff(f.aggregate(t, q), want); d != "" {
			t.Errorf("fleet %v (-want +got):\n%s", fleet, d)
		}
	}
}

func aggregateSparse(t *testing.T, f *fixture) {
	f.append(t,
		f.battery("a", t0, values{"soc_pct": 1.0}),
		f.battery("a", t0+100*telemetry.Day, values{"soc_pct": 2.0}),
		f.battery("b", t0+50*telemetry.Day, values{"state": "no number here"}))
	for _, fn := range telemetry.Funcs() {
		one, two := 1.0, 2.0
		if fn == telemetry.Count {
			two = 1
		}
		want := []bucket{{"a", t0, values{"soc_pct": one}}, {"a", t0 + 100*telemetry.Day, values{"soc_pct": two}}}
		if d := diff(f.aggregate(t, aggregateOf(batteries(), fn, 15*time.Minute)), want); d != "" {
			t.Errorf("%s (-want +got):\n%s", fn, d)
		}
	}
}

func aggregateAbsentFields(t *testing.T, f *fixture) {
	f.append(t,
		f.battery("a", t0, values{"soc_pct": 1.0}),
		f.battery("a", t0+1, values{"soc_pct": 1.0, "voltage_v": 1.0}),
		f.battery("a", t0+telemetry.Hour, values{"voltage_v": 1.0}),
		f.battery("b", t0+telemetry.Hour, values{"soc_pct": 1.0, "state": "idle"}))
	for _, fn := range telemetry.Funcs() {
		q := aggregateOf(batteries("voltage_v", "soc_pct", "cycles"), fn, hour)
		two := 1.0
		if fn == telemetry.Sum || fn == telemetry.Count {
			two = 2
		}
		want := []bucket{
			{"a", t0, values{"soc_pct": two, "voltage_v": 1.0}},
			{"a", t0 + telemetry.Hour, values{"voltage_v": 1.0}},
			{"b", t0 + telemetry.Hour, values{"soc_pct": 1.0}},
		}
		if d := diff(f.aggregate(t, q), want); d != "" {
			t.Errorf("%s by device (-want +got):\n%s", fn, d)
		}
		q.Fleet = true
		want = []bucket{
			{"", t0, values{"soc_pct": two, "voltage_v": 1.0}},
			{"", t0 + telemetry.Hour, values{"soc_pct": 1.0, "voltage_v": 1.0}},
		}
		if d := diff(f.aggregate(t, q), want); d != "" {
			t.Errorf("%s of the fleet (-want +got):\n%s", fn, d)
		}
	}
}

// aggregateTies has devices with samples at the very first and last instant of
// a step, the greatest neither with the first nor with the last device, and
// arriving neither first nor last.
func aggregateTies(t *testing.T, f *fixture) {
	const end = t0 + telemetry.Hour - 1
	for _, v := range []struct {
		device      string
		first, last float64
	}{{"c", -3, 5}, {"b", -1, 9}, {"d", -2, 8}, {"a", -4, -9}} {
		f.append(t,
			f.battery(v.device, t0, values{"current_a": v.first}),
			f.battery(v.device, t0+60*second, values{"current_a": 100.0}),
			f.battery(v.device, end, values{"current_a": v.last}))
	}
	f.append(t, f.battery("b", t0, values{"voltage_v": 50.0})) // only one device has it
	for fn, want := range map[telemetry.Func]float64{telemetry.First: -1, telemetry.Last: 9} {
		q := aggregateOf(batteries("current_a", "voltage_v"), fn, hour)
		q.Fleet = true
		if d := diff(f.aggregate(t, q), []bucket{{"", t0, values{"current_a": want, "voltage_v": 50.0}}}); d != "" {
			t.Errorf("%s (-want +got):\n%s", fn, d)
		}
		q.Devices = []string{"a", "c"}
		want = map[telemetry.Func]float64{telemetry.First: -3, telemetry.Last: 5}[fn]
		if d := diff(f.aggregate(t, q), []bucket{{"", t0, values{"current_a": want}}}); d != "" {
			t.Errorf("%s of two devices (-want +got):\n%s", fn, d)
		}
	}
}

func aggregateAllFields(t *testing.T, f *fixture) {
	for _, kind := range devices.Kinds() {
		in, want := values{}, values{}
		for _, field := range f.schema.Measurement(kind).Fields {
			if field.Numeric() {
				in[field.Name], want[field.Name] = float64(field.Index+1), float64(field.Index+1)
			} else {
				in[field.Name] = "text"
			}
		}
		f.append(t, f.reading(kind, "x", t0, in))
		q := telemetry.RangeQuery{Kind: kind, Window: always}
		got := f.aggregate(t, aggregateOf(q, telemetry.Max, day))
		if d := diff(got, []bucket{{"x", t0, want}}); d != "" {
			t.Errorf("%s (-want +got):\n%s", kind, d)
		}
	}
}

func aggregateSigns(t *testing.T, f *fixture) {
	for i, v := range []float64{-5, 0, -2.5} {
		f.append(t, f.battery("a", t0+int64(i), values{"current_a": v, "soc_pct": 0.0}))
	}
	want := map[telemetry.Func]float64{
		telemetry.Mean: -2.5, telemetry.Min: -5, telemetry.Max: 0, telemetry.Sum: -7.5,
		telemetry.Count: 3, telemetry.First: -5, telemetry.Last: -2.5,
	}
	for fn, current := range want {
		zeros := 0.0
		if fn == telemetry.Count {
			zeros = 3
		}
		got := f.aggregate(t, aggregateOf(batteries("current_a", "soc_pct"), fn, day))
		if d := diff(got, []bucket{{"a", t0, values{"current_a": current, "soc_pct": zeros}}}); d != "" {
			t.Errorf("%s (-want +got):\n%s", fn, d)
		}
	}
}
