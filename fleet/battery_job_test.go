package fleet

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// However the readings arrive, and however often the jobs run between, the same
// is stored in the end, byte for byte.
func TestBatteriesWhateverTheOrder(t *testing.T) {
	const days = 50
	s := simulateBatteries(t, fewBatteries(4), days)
	first := telemetry.DayOf(newYear.UnixMilli())
	clean := newLab(t, s.assets, dossier.DefaultRules())
	clean.deliver(s.readings)
	clean.today = first + days + 1
	clean.run("battery")
	want := clean.state()
	if len(want) < 4*days {
		t.Fatalf("only %d results", len(want))
	}
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			messy := newLab(t, s.assets, dossier.DefaultRules())
			var late []telemetry.Reading
			for day := range int64(days) {
				var now []telemetry.Reading
				for _, r := range telemetry.Within(s.readings, telemetry.Window{From: (first + day) * telemetry.Day, To: (first + day + 1) * telemetry.Day}) {
					switch rng.IntN(20) {
					case 0:
						late = append(late, r)
					case 1:
						now = append(now, r, r)
					default:
						now = append(now, r)
					}
				}
				rng.Shuffle(len(now), func(i, k int) { now[i], now[k] = now[k], now[i] })
				half := len(now) / 2
				messy.today = first + day
				messy.deliver(now[:half])
				if rng.IntN(2) == 0 {
					messy.run("battery-today")
				}
				if rng.IntN(3) == 0 {
					messy.run("battery") // with today half there
				}
				messy.deliver(now[half:])
				if messy.today++; rng.IntN(2) == 0 {
					messy.run("battery")
				}
				if rng.IntN(10) == 0 {
					messy.deliver(late)
					late = nil
				}
			}
			rng.Shuffle(len(late), func(i, k int) { late[i], late[k] = late[k], late[i] })
			messy.today = first + days + 1
			messy.run("battery")
			messy.deliver(late)
			messy.run("battery")
			sameState(t, "messy", messy.state(), want)
		})
	}
}

// A steady night reads and writes one day of each battery: the last.
func TestBatteryNightIsOneDay(t *testing.T) {
	s := simulateBatteries(t, fewBatteries(3), 12)
	first := telemetry.DayOf(newYear.UnixMilli())
	b := newLab(t, s.assets, dossier.DefaultRules())
	for day := range int64(12) {
		b.deliver(telemetry.Within(s.readings, telemetry.Window{From: (first + day) * telemetry.Day, To: (first + day + 1) * telemetry.Day}))
		b.today = first + day + 1
		if day == 0 {
			b.run("battery")
			continue
		}
		// 96 readings of the day, and 24 of the six hours before.
		if d := b.run("battery"); d.devices != 3 || d.rows != 3*(96+24) || d.window.From != (first+day)*telemetry.Day {
			t.Errorf("day %d: got %d devices, %d readings over %s, want 3, %d and one day", day, d.devices, d.rows, d.window, 3*120)
		}
		if d := b.run("battery"); d.devices != 0 {
			t.Errorf("day %d again: got %d devices", day, d.devices)
		}
	}
}

// What a day said stays when its readings are not kept any more.
func TestBatteryDaysOutliveTheirReadings(t *testing.T) {
	s := simulateBatteries(t, fewBatteries(2), 10)
	first := telemetry.DayOf(newYear.UnixMilli())
	b := newLab(t, s.assets, dossier.DefaultRules())
	b.deliver(s.readings)
	b.today = first + 11
	b.run("battery")
	b.run("rollup")
	want := b.state()
	rollups := map[string][]ledger.RollupDay{}
	folded := func(id string) []ledger.RollupDay {
		days, err := b.ledger.Rollups(t.Context(), devices.Ref{Kind: devices.KindBattery, ID: id}, first, first+8)
		if err != nil || len(days) != 8 {
			t.Errorf("got %d roll-ups of %s, %v, want 8", len(days), id, err)
		}
		return days
	}
	for id := range s.assets {
		rollups[id] = folded(id)
		b.store.drop(id, (first+8)*telemetry.Day)
		if err := b.ledger.Invalidate(t.Context(), devices.Ref{Kind: devices.KindBattery, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	b.run("battery")
	b.run("rollup")
	got := b.state()
	for id, want := range rollups {
		if diff := cmp.Diff(want, folded(id)); diff != "" {
			t.Errorf("roll-ups after the loss (-want +got):\n%s", diff)
		}
	}
	for id := range s.assets { // the day after the loss can't look back any more
		for _, m := range []map[string]string{got, want} {
			for _, k := range []string{"dossier of ", "standing of "} {
				delete(m, k+id)
			}
			delete(m, fmt.Sprintf("day %d of %s", first+8, id))
		}
	}
	sameState(t, "after the loss", got, want)
}

// A replay tells what the job told.
func TestReplayTellsWhatTheJobTold(t *testing.T) {
	const days = 60
	s := simulateBatteries(t, fewBatteries(4), days)
	first := telemetry.DayOf(newYear.UnixMilli())
	b := newLab(t, s.assets, dossier.DefaultRules())
	if _, err := b.ledger.AppendEvents(t.Context(), s.events); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.events {
		if err := b.ledger.MarkDirty(t.Context(), []telemetry.DeviceDay{{Kind: e.Kind, Device: e.Device, Day: telemetry.DayOf(e.TS)}}); err != nil {
			t.Fatal(err)
		}
	}
	b.deliver(s.readings)
	b.today = first + days + 1
	b.run("battery-swaps")
	b.run("battery")
	book := NewBatteryBook(b.ledger, s.assets, b.rules)
	standings, err := b.ledger.Standings(t.Context())
	if err != nil || len(standings) != 4 {
		t.Fatalf("got %d standings, %v", len(standings), err)
	}
	for _, want := range standings {
		a, ok, err := book.Assessment(t.Context(), want.Device, math.MaxInt64)
		if err != nil || !ok {
			t.Fatalf("%s: %v, %v", want.Device, ok, err)
		}
		if diff := cmp.Diff(want, a.Standing); diff != "" {
			t.Errorf("%s (-job +replay):\n%s", want.Device, diff)
		}
		if !a.Score.OK() || !a.Capacity.OK() || a.Swaps.Swaps == 0 || a.Utilization.Earning == nil {
			t.Errorf("%s: %+v", want.Device, a)
		}
		records, err := b.ledger.BatteryHistory(t.Context(), want.Device, 0, math.MaxInt64)
		if err != nil || len(records) < 7 {
			t.Fatalf("%s: %d records, %v", want.Device, len(records), err)
		}
		then, ok, err := book.Assessment(t.Context(), want.Device, records[5].Day)
		if err != nil || !ok || !cmp.Equal(then.Score.Score, records[5].HealthScore) && math.Abs(*then.Score.Score-*records[5].HealthScore) > 1e-4 {
			t.Errorf("%s as of day %d: got %v, %v, want %v", want.Device, records[5].Day, then.Score.Score, err, records[5].HealthScore)
		}
	}
	if _, _, err := book.Assessment(t.Context(), "nobody", math.MaxInt64); !errors.Is(err, errNoBattery) {
		t.Errorf("got %v, want %v", err, errNoBattery)
	}

}

// A battery that fails is tried again, alone, and holds up no other; a store that
// is down stops the run, and nothing is lost.
func TestBatteryFailures(t *testing.T) {
	s := simulateBatteries(t, fewBatteries(3), 3)
	first := telemetry.DayOf(newYear.UnixMilli())
	b := newLab(t, batteryList{}, dossier.DefaultRules())
	b.today, b.lenient = first+4, true
	bad := ""
	for id, a := range s.assets {
		if bad == "" {
			bad = id
			continue
		}
		b.assets[id] = a
	}
	b.deliver(s.readings)
	b.store.fail = fmt.Errorf("down: %w", telemetry.ErrUnavailable)
	if d := b.run("battery"); d.devices != 0 {
		t.Errorf("got %d devices while the store is down", d.devices)
	}
	b.store.fail = nil
	if d := b.run("battery"); d.devices != 3 || len(d.failed) != 1 || !errors.Is(d.err(), errNoBattery) {
		t.Errorf("got %d devices and %v, want 3 and one failure", d.devices, d.err())
	}
	b.assets[bad] = s.assets[bad]
	if d := b.run("battery"); d.devices != 1 || d.err() != nil {
		t.Errorf("got %d devices and %v, want the one that failed", d.devices, d.err())
	}
	if got, err := b.ledger.Standings(t.Context()); err != nil || len(got) != 3 {
		t.Errorf("got %d standings, %v, want 3", len(got), err)
	}
}
