package ledger_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

func ptr[T any](v T) *T { return &v }

// aDay is a roll-up of some hours of numbers that JSON must not round.
func aDay(device string, day int64, hours int) ledger.RollupDay {
	bucket := func(start int64) rollup.Bucket {
		return rollup.Bucket{Start: start, Stats: []rollup.Stat{
			{Field: "voltage_v", Samples: 4, Coverage: 1.0 / 3, Mean: ptr(3.7), Min: ptr(math.Nextafter(3, 4)), Max: ptr(1e-7), Last: ptr(0.1 + 0.2)},
			{Field: "energy_in_wh", Samples: 4, Coverage: 1, Last: ptr(1e15 + 1), Delta: ptr(0.0), Resets: 1},
		}}
	}
	d := ledger.RollupDay{DeviceDay: batteryDay(device, day)}
	for h := range hours {
		d.Hours = append(d.Hours, bucket(day*telemetry.Day+int64(h)*telemetry.Hour))
	}
	d.Total = bucket(day * telemetry.Day)
	return d
}

func capacity(method battery.Method, from int64, ah float64) battery.Capacity {
	return battery.Capacity{Method: method, From: from, To: from + 1000, CapacityAh: ah, Samples: 3, SoCFrom: ptr(80.0)}
}

func TestCommitRollups(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, ctx := open(t, path), t.Context()
	b := devices.Ref{Kind: devices.KindBattery, ID: "b"}
	read := func(from, to int64) []ledger.RollupDay {
		t.Helper()
		days, err := l.Rollups(ctx, b, from, to)
		ok(t, err)
		return days
	}
	commit := func(days ...ledger.RollupDay) {
		t.Helper()
		ok(t, l.Commit(ctx, ledger.Changes{Job: "rollup", Rollups: days}))
	}
	three, minus, four := aDay("b", 3, 2), aDay("b", -1, 1), aDay("b", 4, 24)
	commit(four, three, minus, aDay("a", 3, 1))
	same(t, "all", read(-10, 10), []ledger.RollupDay{minus, three, four})
	same(t, "half-open", read(3, 4), []ledger.RollupDay{three})
	same(t, "none", read(5, 9), []ledger.RollupDay{})

	between, longer := aDay("b", 5, 1), aDay("b", 3, 5)
	for k := range between.Total.Stats {
		between.Total.Stats[k].Samples, between.Hours[0].Stats[k].Samples = 0, 0
	}
	commit(between, longer)
	same(t, "replaced", read(-10, 100), []ledger.RollupDay{minus, longer, four, between})
	commit(aDay("b", 4, 0), aDay("b", 5, 0), aDay("b", 99, 0))
	same(t, "deleted where it has no samples", read(-10, 100), []ledger.RollupDay{minus, longer, four})
	closed(t, l)
	l = open(t, path)
	defer closed(t, l)
	same(t, "opened again", read(-10, 100), []ledger.RollupDay{minus, longer, four})
}

func TestWatermark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, ctx := open(t, path), t.Context()
	set := func(job string, w *ledger.Watermark) {
		t.Helper()
		ok(t, l.Commit(ctx, ledger.Changes{Job: job, Watermark: w}))
	}
	check := func(job string, want ledger.Watermark) {
		t.Helper()
		got, err := l.Watermark(ctx, job)
		ok(t, err)
		same(t, job, got, want)
	}
	check("rollup", ledger.Watermark{})
	set("rollup", &ledger.Watermark{Seq: 5, At: noon.In(time.FixedZone("", 3600)).Add(999)})
	set("capacity", &ledger.Watermark{Seq: 3})
	set("rollup", nil)
	check("rollup", ledger.Watermark{Seq: 5, At: noon})
	check("capacity", ledger.Watermark{Seq: 3})
	set("rollup", &ledger.Watermark{Seq: 0})
	closed(t, l)
	l = open(t, path)
	defer closed(t, l)
	check("rollup", ledger.Watermark{})
	check("capacity", ledger.Watermark{Seq: 3})
}

// A commit that is cancelled at any point leaves all of the old state or all
// of the new one; which, nobody knows whose cancelling overtook the server's answer.
func TestCommitIsAtomic(t *testing.T) {
	l := fresh(t)
	b := devices.Ref{Kind: devices.KindBattery, ID: "b"}
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*500*time.Microsecond)
		changes := ledger.Changes{Job: "rollup", Watermark: &ledger.Watermark{Seq: int64(i + 1)}}
		for day := range int64(50) {
			changes.Rollups = append(changes.Rollups, aDay("b", day, i+1))
		}
		before, err := l.Watermark(t.Context(), "rollup")
		ok(t, err)
		failed := l.Commit(ctx, changes)
		cancel()
		after, err := l.Watermark(t.Context(), "rollup")
		ok(t, err)
		want := int64(i + 1)
		if after.Seq != want && (failed == nil || after.Seq != before.Seq) {
			t.Fatalf("round %d: got watermark %d after %v, want %d or, after an error, %d", i, after.Seq, failed, want, before.Seq)
		}
		want = after.Seq
		days, err := l.Rollups(t.Context(), b, 0, 100)
		ok(t, err)
		for _, d := range days {
			if got := int64(len(d.Hours)); got != want {
				t.Fatalf("round %d, day %d: got %d hours, want %d as the watermark says", i, d.DeviceDay.Day, got, want)
			}
		}
	}
}

// What a job of 100,000 device-days costs:
//
//	go test -run='^$' -bench=. -count=6 ./fleet/ledger | tee new.txt && benchstat new.txt
func BenchmarkLedger(b *testing.B) {
	l := fresh(b)
	ctx := b.Context()
	b.Run("call=mark/new=false", func(b *testing.B) {
		days := []telemetry.DeviceDay{batteryDay("b", 1), batteryDay("c", 1)}
		for b.Loop() {
			ok(b, l.MarkDirty(ctx, days))
		}
	})
	b.Run("call=mark/new=true", func(b *testing.B) {
		day := int64(0)
		for b.Loop() {
			day++
			ok(b, l.MarkDirty(ctx, []telemetry.DeviceDay{batteryDay("new", day)}))
		}
	})
	b.Run("call=commit/days=1000", func(b *testing.B) {
		round := 0
		for b.Loop() {
			round++
			changes := ledger.Changes{Job: "rollup", Watermark: &ledger.Watermark{Seq: int64(round)}}
			for i := range int64(1000) {
				changes.Rollups = append(changes.Rollups, aDay(fmt.Sprintf("b%d", round), i, 24))
			}
			ok(b, l.Commit(ctx, changes))
		}
	})
	b.Run("call=rollups/days=90", func(b *testing.B) {
		for b.Loop() {
			days, err := l.Rollups(ctx, devices.Ref{Kind: devices.KindBattery, ID: "b1"}, 0, 90)
			if err != nil || len(days) != 90 {
				b.Fatalf("got %d days, %v, want 90", len(days), err)
			}
		}
	})
}
