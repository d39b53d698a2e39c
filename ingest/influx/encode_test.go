package influx

import (
	"math"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func reading(t *testing.T, device string, ts int64, values map[string]any) telemetry.Reading {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	r := telemetry.Reading{Kind: devices.KindBattery, Device: device, TS: ts}
	for name, v := range values {
		value := telemetry.Value{Field: schema.Field(devices.KindBattery, name)}
		switch v := v.(type) {
		case string:
			value.Text = v
		case float64:
			value.Num = v
		}
		r.Set(value)
	}
	return r
}

func TestAppendLine(t *testing.T) {
	tests := []struct {
		name   string
		device string
		ts     int64
		values map[string]any
		want   string
	}{
		{"a number", "B0005", 1767225600000, map[string]any{"soc_pct": 81.5}, `battery,device=B0005 soc_pct=81.5 1767225600000`},
		{"a whole number is a float too", "a", 1, map[string]any{"slot": 4.0}, `battery,device=a slot=4 1`},
		{"in the order of the schema", "a", 1, map[string]any{"state": "idle", "voltage_v": 48.0, "soc_pct": 1.0}, `battery,device=a soc_pct=1,voltage_v=48,state="idle" 1`},
		{"large and small", "a", 1, map[string]any{"energy_in_wh": 1e15, "power_w": -5e-324}, `battery,device=a power_w=-5e-324,energy_in_wh=1e+15 1`},
		{"negative zero", "a", 1, map[string]any{"power_w": math.Copysign(0, -1)}, `battery,device=a power_w=0 1`},
		{"before 1970", "a", -1, map[string]any{"soc_pct": 1.0}, `battery,device=a soc_pct=1 -1`},
		{"every mark an id may have", "a.b:c_d-e", 1, map[string]any{"soc_pct": 1.0}, `battery,device=a.b:c_d-e soc_pct=1 1`},
		{"a device is escaped all the same", "a b,c=d", 1, map[string]any{"soc_pct": 1.0}, `battery,device=a\ b\,c\=d soc_pct=1 1`},
		{"empty text", "a", 1, map[string]any{"state": ""}, `battery,device=a state="" 1`},
		{"quotes and backslashes", "a", 1, map[string]any{"state": `"\,= `}, `battery,device=a state="\"\\,= " 1`},
		{"newline", "a", 1, map[string]any{"state": "x\ny"}, "battery,device=a state=\"x\ny\" 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := reading(t, tt.device, tt.ts, tt.values)
			if got := string(appendLine([]byte("before\n"), &r)); got != "before\n"+tt.want+"\n" {
				t.Errorf("got %q, want %q after what was there", got, tt.want)
			}
		})
	}
}

func TestDefect(t *testing.T) {
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	good := reading(t, "a", 1, map[string]any{"soc_pct": 1.0, "state": "x\x00\n🔋"})
	bad := func(change func(*telemetry.Reading)) telemetry.Reading {
		r := reading(t, "a", 1, map[string]any{"soc_pct": 1.0, "state": "x"})
		change(&r)
		return r
	}
	tests := []struct {
		name string
		r    telemetry.Reading
		want string
	}{
		{"none", good, ""},
		{"kind", bad(func(r *telemetry.Reading) { r.Kind = "robot" }), "unknown kind"},
		{"device", bad(func(r *telemetry.Reading) { r.Device = "" }), "no valid id"},
		{"fields", bad(func(r *telemetry.Reading) { r.Values = nil }), "no fields"},
		{"NaN", bad(func(r *telemetry.Reading) { r.Values[0].Num = math.NaN() }), "soc_pct is not finite"},
		{"infinity", bad(func(r *telemetry.Reading) { r.Values[0].Num = math.Inf(-1) }), "soc_pct is not finite"},
		{"UTF-8", bad(func(r *telemetry.Reading) { r.Values[1].Text = "\xff" }), "state is not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := defect(&tt.r, schema); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestQuoting(t *testing.T) {
	in := "a\"b'c\\d\ne"
	if got, want := quoteIdent(in), `"a\"b'c\\d\ne"`; got != want {
		t.Errorf("identifier: got %s, want %s", got, want)
	}
	if got, want := quoteString(in), `'a"b\'c\\d\ne'`; got != want {
		t.Errorf("string: got %s, want %s", got, want)
	}
}
