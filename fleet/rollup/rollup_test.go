package rollup

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func schema(t testing.TB) *devices.Measurement {
	t.Helper()
	s, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s.Measurement(devices.KindBuilding)
}

// readings makes one reading per point of each named field.
func readings(m *devices.Measurement, field string, points ...Point) []telemetry.Reading {
	f := m.Field(field)
	out := make([]telemetry.Reading, len(points))
	for i, p := range points {
		out[i] = telemetry.Reading{Kind: m.Kind, Device: "b", TS: p.TS, Values: []telemetry.Value{{Field: f, Num: p.Value}}}
	}
	return out
}

const (
	day    = int64(17532) // 2018-01-01
	day0   = day * telemetry.Day
	minute = int64(60_000)
)

func ptr(v float64) *float64 { return &v }

// ramp is n points of one value, step ms apart.
func ramp(from, step int64, n int, value float64) []Point {
	out := make([]Point, n)
	for i := range out {
		out[i] = Point{from + int64(i)*step, value}
	}
	return out
}

func TestComputeGauge(t *testing.T) {
	m := schema(t)
	tests := []struct {
		name   string
		points []Point
		want   Stat // of the whole day
	}{
		{
			name: "a ramp over the whole day has its mean in the middle",
			points: []Point{
				{day0, 0}, {day0 + 6*telemetry.Hour, 6}, {day0 + 12*telemetry.Hour, 12},
				{day0 + 18*telemetry.Hour, 18}, {day0 + 24*telemetry.Hour, 24},
			},
			want: Stat{Field: "power_w", Samples: 4, Coverage: 1, Mean: ptr(12), Min: ptr(0), Max: ptr(18), Last: ptr(18)},
		},
		{
			name: "a long hole is not interpolated over",
			// 10 minutes at 100, then nothing for hours, then 10 minutes at 200.
			points: []Point{
				{day0, 100}, {day0 + 5*minute, 100}, {day0 + 10*minute, 100},
				{day0 + 20*telemetry.Hour, 200}, {day0 + 20*telemetry.Hour + 5*minute, 200}, {day0 + 20*telemetry.Hour + 10*minute, 200},
			},
			want: Stat{Field: "power_w", Samples: 6, Coverage: 20.0 / 1440, Mean: ptr(150), Min: ptr(100), Max: ptr(200), Last: ptr(200)},
		},
		{
			name: "the cadence may change within the day",
			// Eight hours by the quarter at 100, then five minutes by the second at 400.
			points: append(ramp(day0, 15*minute, 33, 100), ramp(day0+8*telemetry.Hour+1000, 1000, 300, 400)...),
			want:   Stat{Field: "power_w", Samples: 333, Coverage: 29100.0 / 86400, Mean: ptr(103.09), Min: ptr(100), Max: ptr(400), Last: ptr(400)},
		},
		{
			name:   "one sample is a value without coverage",
			points: []Point{{day0 + 5, 42}},
			want:   Stat{Field: "power_w", Samples: 1, Mean: ptr(42), Min: ptr(42), Max: ptr(42), Last: ptr(42)},
		},
		{
			name: "what is beyond two and a half usual gaps is not covered",
			// The median gap is an hour, so three hours are beyond the limit.
			points: []Point{
				{day0, 0}, {day0 + telemetry.Hour - 1, 0}, {day0 + telemetry.Hour, 100}, {day0 + 4*telemetry.Hour, 100},
			},
			want: Stat{Field: "power_w", Samples: 4, Coverage: 1.0 / 24, Mean: ptr(0.00001389), Min: ptr(0), Max: ptr(100), Last: ptr(100)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compute(day, m.Fields, readings(m, "power_w", tt.points...))
			if len(got.Total.Stats) != 1 {
				t.Fatalf("got %d stats, want 1", len(got.Total.Stats))
			}
			if diff := cmp.Diff(tt.want, got.Total.Stats[0], cmpopts.EquateApprox(0, 5e-3)); diff != "" {
				t.Errorf("day (-want +got):\n%s", diff)
			}
		})
	}
}

func TestComputeCounter(t *testing.T) {
	m := schema(t)
	h := telemetry.Hour
	tests := []struct {
		name   string
		points []Point
		want   float64
		resets int
	}{
		{"register at both midnights", []Point{{day0, 1000}, {day0 + 24*h, 1500}}, 500, 0},
		{"half of what was used over midnight is of this day", []Point{{day0 - h, 0}, {day0 + h, 100}, {day0 + 23*h, 100}}, 50, 0},
		{"a reset books nothing", []Point{{day0, 900}, {day0 + h, 1000}, {day0 + 2*h, 5}, {day0 + 3*h, 25}}, 120, 1},
		{"a reset on the hour is counted once", []Point{{day0, 100}, {day0 + h, 40}, {day0 + 2*h, 50}}, 10, 1},
		{"a dip to zero and back books what is beyond", []Point{{day0, 1e6}, {day0 + h, 1e6 + 10}, {day0 + 2*h, 0}, {day0 + 3*h, 1e6 + 30}, {day0 + 4*h, 1e6 + 40}}, 40, 1},
		{"a clock set back interleaves two series", []Point{
			{day0, 100}, {day0 + 5*minute, 105}, {day0 + 6*minute, 101}, {day0 + 7*minute, 107}, {day0 + 8*minute, 103}, {day0 + 9*minute, 109}}, 9, 2},
		{"a meter that reports once a day, an hour late", []Point{{day0 - h, 0}, {day0 + 24*h, 250}}, 240, 0},
		{"gaps up to a day are spread", []Point{{day0 - 12*h, 0}, {day0 + 12*h, 240}}, 120, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Compute(day, m.Fields, readings(m, "energy_wh", tt.points...))
			s := got.Total.Stats[0]
			if s.Delta == nil || math.Abs(*s.Delta-tt.want) > 1e-9 {
				t.Errorf("got delta %v, want %v", s.Delta, tt.want)
			}
			if s.Resets != tt.resets {
				t.Errorf("got %d resets, want %d", s.Resets, tt.resets)
			}
			sum, resets := 0.0, 0
			for _, b := range got.Hours {
				if b.Stats[0].Delta != nil {
					sum += *b.Stats[0].Delta
				}
				resets += b.Stats[0].Resets
			}
			if math.Abs(sum-tt.want) > 1e-9 || resets != tt.resets {
				t.Errorf("hours add up to %v with %d resets, want %v with %d", sum, resets, tt.want, tt.resets)
			}
		})
	}
}

func TestComputeMissingIsAbsent(t *testing.T) {
	m := schema(t)
	if got := Compute(day, m.Fields, nil); !got.Empty() || len(got.Hours) != 0 {
		t.Errorf("no readings: got %+v, want an empty day", got)
	}
	far := readings(m, "energy_wh", Point{day0 - 2*telemetry.Day, 1}, Point{day0 + 3*telemetry.Day, 9})
	if got := Compute(day, m.Fields, far); !got.Empty() {
		t.Errorf("readings beyond the margin: got %+v, want an empty day", got)
	}
}

// A monotonic register is conserved: what the days and the windows book adds up
// to what it grew, however it was sampled, as long as no gap exceeds the margin.
func TestConsumptionIsConserved(t *testing.T) {
	m := schema(t)
	rapid.Check(t, func(t *rapid.T) {
		ts, v := day0, 0.0
		points := []Point{{ts, v}}
		end := day0 + 3*telemetry.Day
		for ts < end {
			ts = min(end, ts+rapid.Int64Range(1, telemetry.Day).Draw(t, "gap"))
			v += rapid.Float64Range(0, 1e6).Draw(t, "growth")
			points = append(points, Point{ts, v})
		}
		days := 0.0
		rs := readings(m, "energy_wh", points...)
		for d := day; d < day+3; d++ {
			for _, s := range Compute(d, m.Fields, rs).Total.Stats {
				if s.Delta != nil {
					days += *s.Delta
				}
			}
		}
		if math.Abs(days-v) > 1e-9*(v+1) {
			t.Fatalf("days add up to %v, the register grew %v", days, v)
		}
		every := rapid.Int64Range(minute, 2*telemetry.Day).Draw(t, "every")
		windows := 0.0
		for _, d := range Deltas(points, telemetry.Window{From: day0, To: end}, every) {
			windows += d.Value
		}
		if math.Abs(windows-v) > 1e-9*(v+1) {
			t.Fatalf("windows add up to %v, the register grew %v", windows, v)
		}
	})
}
