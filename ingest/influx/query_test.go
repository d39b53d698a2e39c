package influx

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func TestCondition(t *testing.T) {
	window := telemetry.Window{From: 1000, To: 2000}
	const times = "time >= 1000000000 AND time < 2000000000"
	tests := []struct {
		name    string
		window  telemetry.Window
		devices []string
		want    string // empty: nothing can match
	}{
		{"all devices", window, nil, times},
		{"one device", window, []string{"a"}, times + ` AND ("device" = 'a')`},
		{"sorted, each once", window, []string{"b", "a.1", "b"}, times + ` AND ("device" = 'a.1' OR "device" = 'b')`},
		{"what is no id is left out", window, []string{"x' OR 'x' = 'x", "a", ""}, times + ` AND ("device" = 'a')`},
		{"nothing but what is no id", window, []string{"", "a/b"}, ""},
		{"empty window", telemetry.Window{From: 5, To: 5}, nil, ""},
		{"times that InfluxDB can't hold", telemetry.Window{From: math.MinInt64, To: math.MaxInt64}, nil,
			"time >= -9223372036854000000 AND time < 9223372036854000000"},
		{"a window after the end of its time", telemetry.Window{From: math.MaxInt64 - 1, To: math.MaxInt64}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.devices)
			got, some := condition(telemetry.RangeQuery{Window: tt.window, Devices: tt.devices})
			if got != tt.want || some != (tt.want != "") {
				t.Errorf("got %q, %v, want %q", got, some, tt.want)
			}
			if !slices.Equal(tt.devices, before) {
				t.Errorf("the caller's devices changed to %q", tt.devices)
			}
		})
	}
}

func TestLongListsAreOnePattern(t *testing.T) {
	ids := []string{"a.b"}
	for i := range maxAlternatives {
		ids = append(ids, fmt.Sprintf("d:%d-_", i))
	}
	got := oneOf(ids)
	pattern, ok := strings.CutPrefix(got, `"device" =~ /`)
	pattern, ok2 := strings.CutSuffix(pattern, "/")
	if !ok || !ok2 {
		t.Fatalf("got %q, want a pattern", got)
	}
	match := regexp.MustCompile(pattern).MatchString
	for _, id := range ids {
		if !match(id) {
			t.Errorf("%q does not match", id)
		}
	}
	for _, id := range []string{"axb", "d:1-_x", "xd:1-_", "", "a.b|d:1-_"} {
		if match(id) {
			t.Errorf("%q matches", id)
		}
	}
}
