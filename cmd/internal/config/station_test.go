package config

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/fleetwatt/fleetwatt/fleet/station"
)

func TestStationSection(t *testing.T) {
	file := "station:\n  service_target: 0.9\n  recharge: 90m\n  servers: 2\n  servers_of: {ST-7: 4}\n"
	c, flags, err := load(t, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	want := station.DefaultRules()
	want.ServiceTarget, want.RechargeS, want.Servers = 0.9, 5400, 2
	if diff := cmp.Diff(want, c.Station.Rules()); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"ST-7": 4}, c.Station.ServersOf); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	var printed bytes.Buffer
	if err := c.Print(&printed, flags); err != nil {
		t.Fatal(err)
	}
	var again struct{ Station Station }
	if err := yaml.Unmarshal(printed.Bytes(), &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Station, again.Station); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	none := Default()
	if diff := cmp.Diff(station.DefaultRules(), none.Station.Rules()); diff != "" {
		t.Errorf("rules of no section (-want +got):\n%s", diff)
	}
}

func TestStationSectionReportsEverything(t *testing.T) {
	c, _, err := load(t, "station:\n  service_target: 1\n  recharge: soon\n  swap_time: 5h\n  hold: -1s\n  servers: -1\n  servers_of: {b: 0, a: 9999}\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"service_target 1", `recharge "soon"`, `swap_time "5h"`, `hold "-1s"`, "servers -1", "servers_of a 9999", "servers_of b 0"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	if _, _, err := load(t, "station:\n  recharg: 2h\n", nil); err == nil || !strings.Contains(err.Error(), "recharg") {
		t.Errorf("a misspelt key: got %v", err)
	}
}
