package wire

import (
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
)

func TestSuggest(t *testing.T) {
	m := testDecoder(t).schema.Measurement(devices.KindBattery)
	tests := []struct {
		name, given, want string
	}{
		{name: "letters swapped", given: "votlage_v", want: "voltage_v"},
		{name: "a letter too few", given: "curent_a", want: "current_a"},
		{name: "a letter too many", given: "sttate", want: "state"},
		{name: "another letter", given: "powar_w", want: "power_w"},
		{name: "two errors", given: "temprature_k", want: "temperature_c"},
		{name: "no unit", given: "capacity", want: "capacity_ah"},
		{name: "capitals", given: "SoC_pct", want: "soc_pct"},
		{name: "a name of the time", given: "Timestamp", want: "ts"},
		{name: "three errors", given: "tmprature_k", want: ""},
		{name: "too short to tell", given: "x", want: ""},
		{name: "a field of another kind", given: "slots_total", want: ""},
		{name: "empty", given: "", want: ""},
		{name: "longer than any name", given: strings.Repeat("state", 20), want: ""},
		{name: "letters that grow in lower case", given: strings.Repeat("Ⱥ", 32), want: ""}, // 64 bytes, then 96
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := suggest(m, []byte(tt.given)); got != tt.want {
				t.Errorf("%q: got %q, want %q", tt.given, got, tt.want)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"abc", "abc", 0},
		{"abc", "", 3},
		{"", "abc", 3},
		{"abc", "acb", 1},
		{"ca", "abc", 3}, // the alignment distance; Damerau's own would be 2
		{"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := distance([]byte(tt.a), tt.b); got != tt.want {
			t.Errorf("%q to %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
