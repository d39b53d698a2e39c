package ingest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Hosts ask by the rule that messages are judged by, and the quarantine is told
// whom a sender was signed in as.
func TestMaySpeak(t *testing.T) {
	station, other := devices.Ref{Kind: devices.KindStation, ID: "s1"}, devices.Ref{Kind: devices.KindStation, ID: "s2"}
	behind := devices.Ref{Kind: devices.KindBattery, ID: "b1"}
	alone := devices.Ref{Kind: devices.KindBattery, ID: "b2"}
	tests := []struct {
		name   string
		sender Principal
		of     devices.Ref
		want   bool
	}{
		{"itself", Principal{Name: "n", Device: behind}, behind, true},
		{"its gateway", Principal{Name: "n", Device: station}, behind, true},
		{"another gateway", Principal{Name: "n", Device: other}, behind, false},
		{"the device of its gateway", Principal{Name: "n", Device: behind}, station, false},
		{"a device without a gateway", Principal{Name: "n", Device: station}, alone, false},
		{"nobody, for one without a gateway", Principal{Name: "n"}, alone, false},
		{"trusted", Principal{Name: "n", Trusted: true}, alone, true},
		{"an unknown one itself", Principal{Name: "n", Device: devices.Ref{Kind: devices.KindBattery, ID: "new"}},
			devices.Ref{Kind: devices.KindBattery, ID: "new"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.known = map[devices.Ref]devices.Ref{station: {}, other: {}, behind: station, alone: {}}
			p := newPipeline(t, w, nil)
			if got := p.MaySpeak(tt.sender, tt.of); got != tt.want {
				t.Errorf("asked: got %v, want %v", got, tt.want)
			}
			var became Outcome
			m := publish("fleet/v1/"+tt.of.String()+"/telemetry", "?", func(o Outcome) { became = o })
			m.Principal = tt.sender
			submit(t, p, m)
			drain(t, p)
			if (became.Refused == "") != tt.want {
				t.Errorf("submitted: got refused %q, want it to be judged as %v", became.Refused, tt.want)
			}
			if diff := cmp.Diff(tt.sender, w.rejected[0].Principal); diff != "" {
				t.Errorf("sender in quarantine: want − got +\n%s", diff)
			}
		})
	}
}
