package devices

import (
	"math"
	"strings"
	"testing"
)

func TestValidID(t *testing.T) {
	tests := []struct {
		id   string
		want bool
	}{
		{"B0005", true}, {"a.b:c_d-e", true}, {"0", true}, {strings.Repeat("x", 64), true},
		{"", false}, {strings.Repeat("x", 65), false}, {"a b", false}, {"a/b", false}, {"a+b", false}, {"a#", false}, {"ä", false}, {"a\x00", false},
	}
	for _, tt := range tests {
		if got := ValidID(tt.id); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.id, got, tt.want)
		}
	}
}

func TestParseRef(t *testing.T) {
	for _, k := range Kinds() {
		want := Ref{Kind: k, ID: "x-1"}
		if got, err := ParseRef(want.String()); err != nil || got != want {
			t.Errorf("%s: got %v, %v", want, got, err)
		}
	}
	for _, bad := range []string{"", "battery", "rocket/x", "battery/", "battery/a/b", "battery/a b"} {
		if ref, err := ParseRef(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, ref)
		}
	}
}

// The schema carries exactly the fields of the wire contract, version 1, each
// with bounds that hold a value and, where it is a number, a unit.
func TestStandardSchema(t *testing.T) {
	want := map[Kind]string{
		KindBattery: "soc_pct soh_pct voltage_v current_a power_w temperature_c cell_voltage_min_v cell_voltage_max_v " +
			"resistance_mohm capacity_ah cycles energy_in_wh energy_out_wh state station slot",
		KindStation: "state slots_total slots_ready slots_charging slots_empty slots_fault queue power_w energy_wh ambient_c",
		KindBuilding: "power_w energy_wh pv_energy_wh gas_wh water_l outdoor_c indoor_c setpoint_c humidity_pct co2_ppm " +
			"occupancy hvac_power_w lighting_power_w",
	}
	counters := map[string]bool{"energy_in_wh": true, "energy_out_wh": true, "energy_wh": true, "pv_energy_wh": true, "gas_wh": true, "water_l": true}
	s, err := NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	for kind, names := range want {
		m := s.Measurement(kind)
		var got []string
		for i, f := range m.Fields {
			got = append(got, f.Name)
			if f.Index != i || m.Field(f.Name) != f || m.FieldBytes([]byte(f.Name)) != f {
				t.Errorf("%s %s: not found at its index", kind, f.Name)
			}
			if f.Numeric() && (f.Min >= f.Max || f.Unit == "") {
				t.Errorf("%s %s: bounds [%v, %v], unit %q", kind, f.Name, f.Min, f.Max, f.Unit)
			}
			if (f.Role == Counter) != counters[f.Name] {
				t.Errorf("%s %s: got role %s", kind, f.Name, f.Role)
			}
		}
		if strings.Join(got, " ") != names {
			t.Errorf("%s: got %v, want %s", kind, got, names)
		}
	}
	if s.Measurement("rocket") != nil || s.Field("rocket", "x") != nil || s.Field(KindBattery, "queue") != nil {
		t.Error("a field that is not there was found")
	}
}

func TestNewSchemaExtra(t *testing.T) {
	field := func(name string, min, max float64) KindField {
		return KindField{KindBattery, Field{Name: name, Min: min, Max: max}}
	}
	s, err := NewSchema(field("fan_rpm", 0, 1e4), KindField{KindBattery, Field{Name: "label", Type: Text}})
	if err != nil {
		t.Fatal(err)
	}
	base, _ := NewSchema()
	n := len(base.Measurement(KindBattery).Fields)
	if f := s.Field(KindBattery, "fan_rpm"); f == nil || f.Index != n {
		t.Errorf("got %+v, want it behind the %d standard fields", f, n)
	}
	if f := s.Field(KindBattery, "label"); f.Role != State {
		t.Errorf("a text has role %s, want state", f.Role)
	}
	for name, bad := range map[string]KindField{
		"taken": field("soc_pct", 0, 1), "capital": field("Fan", 0, 1), "reserved": field("ts", 0, 1), "empty": field("", 0, 1),
		"no bounds": field("x", 0, 0), "crossed": field("x", 1, 0), "nan": field("x", math.NaN(), 1),
		"unknown kind": {Kind: "rocket", Field: Field{Name: "x", Max: 1}}, "long": field(strings.Repeat("x", 65), 0, 1),
	} {
		if _, err := NewSchema(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
