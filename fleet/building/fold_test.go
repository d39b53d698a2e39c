package building

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

func sortReadings(r []telemetry.Reading) { slices.SortFunc(r, telemetry.Compare) }

// A day that was written reads back the same.
func TestDayReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Bool().Draw(t, "whole")
		value := rapid.Custom(func(t *rapid.T) float64 {
			if whole {
				return float64(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "n"))
			}
			return rapid.Float64Range(-1e15, 1e15).Draw(t, "x")
		})
		d := Day{Number: rapid.Int64Range(-100, 80_000).Draw(t, "day")}
		d.First = d.Number * telemetry.Day
		d.Last = d.First + rapid.Int64Range(0, telemetry.Day).Draw(t, "last")
		for i := range d.Registers {
			ts := d.First
			for range rapid.IntRange(0, 30).Draw(t, "points") {
				ts += rapid.Int64Range(0, telemetry.Hour).Draw(t, "step")
				d.Registers[i] = append(d.Registers[i], prepare.Point{TS: ts, Value: value.Draw(t, "value")})
			}
		}
		for _, means := range []*[]Mean{&d.Outdoor, &d.Export} {
			for h := range rapid.IntRange(0, 24).Draw(t, "hours") {
				*means = append(*means, Mean{d.First + int64(h)*telemetry.Hour, rapid.SampledFrom([]float64{0, 1.5, -20.25}).Draw(t, "sum"), rapid.Int64Range(1, 3600).Draw(t, "n")})
			}
		}
		d.Followed.All = rapid.Float64Range(0, 24).Draw(t, "all")
		d.Followed.Good = d.Followed.All / 2
		got, err := Decode(d.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func FuzzDecode(f *testing.F) {
	d := Day{Number: 3, First: 3 * telemetry.Day, Last: 3*telemetry.Day + 5, Outdoor: []Mean{{3 * telemetry.Day, 4, 2}}}
	d.Registers[0] = []prepare.Point{{TS: 3 * telemetry.Day, Value: 7}}
	f.Add(d.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := Decode(b); err == nil {
			if again, err := Decode(d.Encode()); err != nil || len(again.Outdoor) != len(d.Outdoor) {
				t.Errorf("got %v, %v", again, err)
			}
		}
	})
}

// What is kept of a day tells the hours and the day as all readings would,
// whatever the zone, with a reset in between.
func TestThinnedDaysTellTheSame(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			from := time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC) // over the change of the clock
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
			slowest, fastest := int64(30_000), rapid.SampledFrom([]int64{60_000, 900_000, 3_000_000}).Draw(t, "fastest")
			var all []prepare.Point
			value, reset := 1e9, from.UnixMilli()+rng.Int64N(4*telemetry.Day)
			for ts := from.UnixMilli(); ts < from.AddDate(0, 0, 4).UnixMilli(); {
				all = append(all, prepare.Point{TS: ts, Value: value})
				step := slowest + rng.Int64N(fastest)
				value += float64(step) / 1000 * (0.5 + rng.Float64())
				if ts < reset && ts+step >= reset {
					value = 0
				}
				ts += step
			}
			kept := Join(daysOfPoints(all, loc)).Registers[0]
			start := from.In(loc).AddDate(0, 0, 1)
			for name, bounds := range map[string][]time.Time{
				"hours": prepare.Hours(prepare.Days(start, start.AddDate(0, 0, 1))[0], start.AddDate(0, 0, 1)),
				"days":  prepare.Days(start, start.AddDate(0, 0, 2)),
			} {
				want, got := prepare.Register(all, bounds, 3*time.Hour), prepare.Register(kept, bounds, 3*time.Hour)
				for i := range want {
					if math.Abs(want[i].Value-got[i].Value) > 1e-6*math.Abs(want[i].Value)+1e-6 || want[i].Resets != got[i].Resets {
						t.Fatalf("%s, %s from %s: got %+v, want %+v", zone, name, bounds[i], got[i], want[i])
					}
				}
			}
		})
	}
}

func daysOfPoints(all []prepare.Point, loc *time.Location) []Day {
	schema, err := devices.NewSchema()
	if err != nil {
		return nil
	}
	field := schema.Field(devices.KindBuilding, "energy_wh")
	byDay := map[int64][]telemetry.Reading{}
	for _, p := range all {
		day := telemetry.DayOf(p.TS)
		r := telemetry.Reading{Kind: devices.KindBuilding, Device: "b", TS: p.TS}
		r.Set(telemetry.Value{Field: field, Num: p.Value})
		byDay[day] = append(byDay[day], r)
	}
	var out []Day
	for day, readings := range byDay {
		out = append(out, Fold(day, readings, loc, 1))
	}
	return out
}

// A room is counted while somebody is in it.
func TestFollowedWhileInUse(t *testing.T) {
	s := schema(t)
	from := time.Date(2024, 6, 3, 0, 0, 0, 0, time.UTC)
	var readings []telemetry.Reading
	for h := range 24 {
		r := telemetry.Reading{Kind: devices.KindBuilding, Device: "b", TS: from.Add(time.Duration(h) * time.Hour).UnixMilli()}
		set := func(name string, v float64) {
			r.Set(telemetry.Value{Field: s.Field(devices.KindBuilding, name), Num: v})
		}
		set("setpoint_c", 21)
		set("indoor_c", 21.5)
		if h >= 12 {
			set("indoor_c", 25)
		}
		set("occupancy", 0)
		if h >= 8 && h < 16 {
			set("occupancy", 5)
		}
		readings = append(readings, r)
	}
	d := Fold(telemetry.DayOf(from.UnixMilli()), readings, time.UTC, 1)
	if d.Followed.All != 8 || d.Followed.Good != 4 {
		t.Errorf("got %+v, want 4 of 8 hours", d.Followed)
	}
}
