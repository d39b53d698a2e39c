package wire

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
)

// askedClock notes what it is asked.
type askedClock struct {
	mu    sync.Mutex
	asked []question
}

type question struct {
	Ref            devices.Ref
	Sent, Received int64
	Redelivered    bool
}

func (c *askedClock) Offset(ref devices.Ref, sentMS, receivedMS int64, redelivered bool) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, question{ref, sentMS, receivedMS, redelivered})
	return 1000
}

// The clock is asked once for each sound record with sent_at, and for no other.
func TestClockIsAsked(t *testing.T) {
	tests := []struct {
		name    string
		payload string
		want    []int64 // sent_at of each question
	}{
		{"without sent_at", `{"ts": 1767225600000, "soc_pct": 1}`, nil},
		{"with sent_at", `{"ts": 1767225600000, "sent_at": 1767225600001, "soc_pct": 1}`, []int64{1767225600001}},
		{"without ts", `{"sent_at": 1767225600001, "soc_pct": 1}`, []int64{1767225600001}},
		{"each element", `[{"sent_at": 1, "soc_pct": 1}, {"soc_pct": 1}, {"sent_at": 3, "soc_pct": 1}]`, []int64{1, 3}},
		{"nonsense is bounded", `{"sent_at": 1e300, "soc_pct": 1}`, []int64{maxInstant}},
		{"a fault", `{"sent_at": 1767225600001, "soc_pct": 1000}`, nil},
		{"no field", `{"sent_at": 1767225600001}`, nil},
		{"bad sent_at", `{"sent_at": "now", "soc_pct": 1}`, nil},
		{"line protocol", `battery soc_pct=1 1767225600000000000`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := &askedClock{}
			d := NewCorrectingDecoder(testDecoder(t).schema, DefaultLimits(), clock)
			d.Telemetry(batteryB1, []byte(tt.payload), arrival, true)
			var want []question
			for _, sent := range tt.want {
				want = append(want, question{batteryB1, sent, arrival, true})
			}
			if diff := cmp.Diff(want, clock.asked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Without a clock a reading keeps the device's own time.
func TestNoClock(t *testing.T) {
	got := testDecoder(t).Telemetry(batteryB1, []byte(`{"ts": 1767225600000, "sent_at": 1, "soc_pct": 1}`), arrival, false)
	if len(got.Readings) != 1 || got.Readings[0].TS != 1767225600000 {
		t.Errorf("got %v, want a reading at 1767225600000", outcome(got))
	}
}
