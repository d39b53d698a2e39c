package sparkplug

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

func TestMappingFromYAML(t *testing.T) {
	const config = `
rules:
  - name: packs
    group: plant-*
    device: pack*
    kind: battery
    id: "{node}.{device}"
    by-name: false
    ignore: [Diagnostics/*]
    metrics:
      Pack/Voltage: {field: voltage_v, scale: 0.001}
      Pack/Mode: {field: state, values: {"0": idle, "1": charging}}
`
	var m Mapping
	dec := yaml.NewDecoder(strings.NewReader(config))
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(o *Options) { o.Mapping = m })
	e := r.edge()
	e.group, e.node = "plant-7", "s1"
	e.nbirth()
	r.forget()
	e.send(DBirth, e.next(
		long("Pack/Voltage", tahu.DataType_UInt32, 51_500), long("Pack/Mode", tahu.DataType_Int8, 1),
		double("soc_pct", 3), double("Diagnostics/x", 1)), "pack9")
	e.dbirth("inverter")
	got := r.readings()
	if len(got) != 1 || got[0].Device != "s1.pack9" || len(got[0].Values) != 2 {
		t.Fatalf("readings: got %v want one of s1.pack9", got)
	}
	if v, _ := got[0].Num("voltage_v"); v != 51.5 {
		t.Errorf("voltage: got %v want 51.5", v)
	}
	var listed []string
	for _, u := range r.host.Status().Unmapped {
		listed = append(listed, u.Rule+":"+u.Metric)
	}
	if got, want := strings.Join(listed, " "), ":soc_pct :voltage_v packs:soc_pct"; got != want {
		t.Errorf("unmapped: got %q want %q", got, want)
	}
}

func TestKindFromTheBirth(t *testing.T) {
	withKind := double("voltage_v", 50)
	withKind.Properties = &tahu.Payload_PropertySet{Keys: []string{"kind"}, Values: []*tahu.Payload_PropertyValue{{
		Type: proto.Uint32(uint32(tahu.DataType_String)), Value: &tahu.Payload_PropertyValue_StringValue{StringValue: "battery"},
	}}}
	for _, tc := range []struct {
		name    string
		mapping Mapping
		metrics []*tahu.Payload_Metric
		reason  wire.Reason
	}{
		{"default", DefaultMapping(), []*tahu.Payload_Metric{text("Properties/kind", "battery"), double("voltage_v", 50)}, ""},
		{"property", Mapping{Rules: []Rule{{KindProperty: "kind"}}}, []*tahu.Payload_Metric{withKind}, ""},
		{"no kind", DefaultMapping(), []*tahu.Payload_Metric{double("voltage_v", 50)}, wire.ReasonUnknownDevice},
		{"unknown kind", DefaultMapping(), []*tahu.Payload_Metric{text("Properties/kind", "car")}, wire.ReasonUnknownDevice},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.Mapping = tc.mapping })
			e := r.edge()
			e.nbirth()
			r.forget()
			e.send(DBirth, e.next(tc.metrics...), "b1")
			if tc.reason != "" {
				r.wantReasons(tc.reason)
				if r.device("station1", "b1").Trouble == "" {
					t.Error("the status does not say what is wrong")
				}
				return
			}
			r.wantVolts("b1", 50)
		})
	}
}

func TestIDsThatAreNone(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth()
	r.forget()
	e.dbirth("battery ä")
	r.wantReasons(wire.ReasonUnknownDevice)
}

func TestMappingProblems(t *testing.T) {
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	metric := func(m MetricRule) Rule { return Rule{Kind: "battery", Metrics: map[string]MetricRule{"m": m}} }
	for _, tc := range []struct {
		name string
		rule Rule
		want string
	}{
		{"no kind", Rule{}, "one of kind, kind-metric"},
		{"two kinds", Rule{Kind: "battery", KindMetric: "x"}, "one of kind, kind-metric"},
		{"unknown kind", Rule{Kind: "car"}, "unknown kind"},
		{"unknown level", Rule{Kind: "battery", Level: "group"}, "level"},
		{"device of a node", Rule{Kind: "station", Level: "node", Device: "x"}, "level of nodes"},
		{"constant id", Rule{Kind: "battery", ID: "b1"}, "one device"},
		{"unknown placeholder", Rule{Kind: "battery", ID: "{device}{x}"}, "placeholders"},
		{"bad characters", Rule{Kind: "battery", ID: "a/{device}"}, "A-Za-z0-9"},
		{"device in a node's id", Rule{Kind: "station", Level: "node", ID: "{device}"}, "{device}"},
		{"unknown field", metric(MetricRule{Field: "volts"}), `unknown field "volts"`},
		{"field of another kind", metric(MetricRule{Field: "co2_ppm"}), "unknown field"},
		{"scaled text", metric(MetricRule{Field: "state", Scale: 2}), "text"},
		{"value out of bounds", metric(MetricRule{Field: "soc_pct", Values: map[string]string{"full": "101"}}), "not within"},
		{"value that is no number", metric(MetricRule{Field: "soc_pct", Values: map[string]string{"full": "x"}}), "want a number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Mapping{Rules: []Rule{tc.rule}}.Validate(schema)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "rule-1") {
				t.Errorf("got %v want it to name rule-1 and %q", err, tc.want)
			}
		})
	}
	both := Mapping{Rules: []Rule{{Name: "a", Kind: "car"}, {Name: "a", Kind: "battery", ID: "x"}}}.Validate(schema)
	for _, want := range []string{"unknown kind", "taken", "one device"} {
		if both == nil || !strings.Contains(both.Error(), want) {
			t.Errorf("two rules: got %v want all problems, %q too", both, want)
		}
	}
	if err := DefaultMapping().Validate(schema); err != nil {
		t.Errorf("default mapping: %v", err)
	}
}

func TestGlob(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "x", true}, {"*", "", true}, {"a", "a", true}, {"a", "A", false}, {"a*", "ab", true}, {"a*", "ba", false},
		{"*b", "ab", true}, {"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "axxcyyb", false},
		{"*/x/*", "p/x/q", true}, {"**", "x", true},
	} {
		if got := glob(tc.pattern, tc.s); got != tc.want {
			t.Errorf("glob(%q, %q): got %v want %v", tc.pattern, tc.s, got, tc.want)
		}
	}
}
