package api

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func TestParseEvery(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		in   string
		want time.Duration // 0: refused
	}{
		{"15m", 15 * time.Minute}, {"1h", time.Hour}, {"1h30m", 90 * time.Minute}, {"1d", day}, {"7d", 7 * day}, {"2w", 14 * day},
		{"1w1d", 8 * day}, {"1d12h", 36 * time.Hour}, {"1ms", time.Millisecond}, {"0.5s", 500 * time.Millisecond},
		{"", 0}, {"0", 0}, {"0s", 0}, {"0d", 0}, {"-1h", 0}, {"1d-1h", 0}, {"-1d", 0}, {"1us", 0}, {"1.5ms", 0}, {"d", 0}, {"w", 0},
		{"1", 0}, {"1x", 0}, {"1d1w", 0}, {"1.5d", 0}, {"70000d", 0}, {"1 h", 0}, {"one hour", 0}, {"99999999h", 0},
	} {
		got, err := parseEvery(tt.in)
		if (err != nil) != (tt.want == 0) || (err == nil && got != tt.want) {
			t.Errorf("parseEvery(%q): got %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestWindowsCountsWhatAlignedStepsTouch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.Int64Range(1, 50).Draw(t, "step")
		from := rapid.Int64Range(-500, 500).Draw(t, "from")
		w := telemetry.Window{From: from, To: from + rapid.Int64Range(1, 300).Draw(t, "length")}
		starts := map[int64]bool{}
		for ts := w.From; ts < w.To; ts++ {
			starts[telemetry.Floor(ts, step)] = true
		}
		if got := windows(w, time.Duration(step)*time.Millisecond); got != int64(len(starts)) {
			t.Errorf("windows(%v, %d): got %d, want %d", w, step, got, len(starts))
		}
	})
}

// The interval in whole milliseconds holds just those timestamps that the one
// that was asked for does.
func TestCeilMilliKeepsTheInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := time.Unix(0, rapid.Int64Range(-1e10, 1e10).Draw(t, "edge"))
		ts := rapid.Int64Range(-10_001, 10_001).Draw(t, "ts")
		if got, want := ts >= ceilMilli(edge), !time.UnixMilli(ts).Before(edge); got != want {
			t.Errorf("%d at or after %v: got %v, want %v", ts, edge, got, want)
		}
	})
}

func TestNumbersReadBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Float64().Draw(t, "number")
		var got float64
		if err := json.Unmarshal(appendNumber(nil, want), &got); err != nil || got != want {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	})
}

func TestTimeReadsBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Time(rapid.Int64Range(-1e13, 1e13).Draw(t, "ms"))
		encoded, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Time
		if err := json.Unmarshal(encoded, &got); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", encoded, got, err, want)
		}
	})
}
