package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
)

func TestParseTopic(t *testing.T) {
	long := strings.Repeat("x", devices.MaxIDLength)
	tests := []struct {
		name, topic string
		want        Topic
		wantErr     bool
	}{
		{name: "battery", topic: "fleet/v1/battery/B0005/telemetry", want: Topic{devices.Ref{Kind: devices.KindBattery, ID: "B0005"}, Telemetry}},
		{name: "station", topic: "fleet/v1/station/S:1.a_b-c/event", want: Topic{devices.Ref{Kind: devices.KindStation, ID: "S:1.a_b-c"}, Event}},
		{name: "building", topic: "fleet/v1/building/b4/status", want: Topic{devices.Ref{Kind: devices.KindBuilding, ID: "b4"}, Status}},
		{name: "longest id", topic: "fleet/v1/building/" + long + "/status", want: Topic{devices.Ref{Kind: devices.KindBuilding, ID: long}, Status}},
		{name: "id too long", topic: "fleet/v1/building/" + long + "x/status", wantErr: true},
		{name: "no id", topic: "fleet/v1/battery//telemetry", wantErr: true},
		{name: "bad id", topic: "fleet/v1/battery/B 1/telemetry", wantErr: true},
		{name: "wildcard", topic: "fleet/v1/battery/+/telemetry", wantErr: true},
		{name: "unknown kind", topic: "fleet/v1/toaster/T1/telemetry", wantErr: true},
		{name: "kind in capitals", topic: "fleet/v1/Battery/B1/telemetry", wantErr: true},
		{name: "unknown channel", topic: "fleet/v1/battery/B1/command", wantErr: true},
		{name: "no channel", topic: "fleet/v1/battery/B1", wantErr: true},
		{name: "a level too many", topic: "fleet/v1/battery/B1/telemetry/raw", wantErr: true},
		{name: "another version", topic: "fleet/v2/battery/B1/telemetry", wantErr: true},
		{name: "a leading slash", topic: "/fleet/v1/battery/B1/telemetry", wantErr: true},
		{name: "empty", topic: "", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseTopic(tt.topic)
			if tt.wantErr {
				if !errors.Is(err, ErrTopic) {
					t.Errorf("got error %v, want ErrTopic", err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}
