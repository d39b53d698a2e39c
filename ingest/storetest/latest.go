package storetest

import (
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func latestCases() []testCase {
	return []testCase{
		{"each field has its own time", latestPerField},
		{"late data is not newer", latestLateData},
		{"within the window only", latestWindow},
		{"a rewritten sample", latestRewritten},
	}
}

func latestPerField(t *testing.T, f *fixture) {
	f.append(t,
		f.battery("a", t0, values{"soc_pct": 1.0, "voltage_v": 50.0, "state": "idle", "station": "s1"}),
		f.battery("a", t0+1, values{"soc_pct": 2.0, "state": "charging"}),
		f.battery("a", t0+2, values{"soc_pct": 3.0}),
		f.battery("a", t0+40*telemetry.Day, values{"temperature_c": -5.0}),
		f.battery("b", t0+1, values{"state": ""}),
		f.battery("c", t0-40*telemetry.Day, values{"slot": 4}),
		f.reading(devices.KindStation, "a", t0+9, values{"queue": 1}))
	all := []sample{
		{"a", t0 + 2, "soc_pct", 3.0},
		{"a", t0, "voltage_v", 50.0},
		{"a", t0 + 40*telemetry.Day, "temperature_c", -5.0},
		{"a", t0 + 1, "state", "charging"},
		{"a", t0, "station", "s1"},
		{"b", t0 + 1, "state", ""},
		{"c", t0 - 40*telemetry.Day, "slot", 4.0},
	}
	tests := []struct {
		name    string
		fields  []string
		devices []string
		want    []sample
	}{
		{"all", nil, nil, all},
		{"one device", nil, []string{"b"}, all[5:6]},
		{"one field", []string{"soc_pct"}, nil, all[:1]},
		{"a text field", []string{"state"}, nil, []sample{all[3], all[5]}},
		{"fields not in the schema's order", []string{"state", "soc_pct"}, []string{"a"}, []sample{all[0], all[3]}},
		{"a field the device lacks", []string{"cycles"}, []string{"a"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := batteries(tt.fields...)
			q.Devices = tt.devices
			if d := diff(f.latest(t, q), tt.want); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func latestLateData(t *testing.T, f *fixture) {
	f.append(t, f.battery("a", t0, values{"soc_pct": 1.0}))
	f.append(t, f.battery("a", t0-7*telemetry.Day, values{"soc_pct": 2.0, "voltage_v": 50.0}))
	want := []sample{{"a", t0, "soc_pct", 1.0}, {"a", t0 - 7*telemetry.Day, "voltage_v", 50.0}}
	if d := diff(f.latest(t, batteries()), want); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func latestWindow(t *testing.T, f *fixture) {
	f.append(t,
		f.battery("a", t0, values{"soc_pct": 1.0}),
		f.battery("a", t0+10, values{"soc_pct": 2.0, "voltage_v": 50.0}),
		f.battery("a", t0+20, values{"soc_pct": 3.0}))
	q := batteries()
	q.Window = telemetry.Window{From: t0, To: t0 + 20}
	want := []sample{{"a", t0 + 10, "soc_pct", 2.0}, {"a", t0 + 10, "voltage_v", 50.0}}
	if d := diff(f.latest(t, q), want); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	q.Window.To = t0 + 10
	if d := diff(f.latest(t, q), []sample{{"a", t0, "soc_pct", 1.0}}); d != "" {
		t.Errorf("one earlier (-want +got):\n%s", d)
	}
}

func latestRewritten(t *testing.T, f *fixture) {
	f.append(t, f.battery("a", t0, values{"soc_pct": 1.0, "state": "idle"}))
	f.append(t, f.battery("a", t0, values{"soc_pct": 0.0, "state": "a"}))
	want := []sample{{"a", t0, "soc_pct", 0.0}, {"a", t0, "state", "a"}}
	if d := diff(f.latest(t, batteries()), want); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
