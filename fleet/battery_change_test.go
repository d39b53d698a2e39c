package fleet

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// A sheet or rules that change reach all that is stored, also the days before,
// within two runs: the first builds on the days as they are, the second on what
// their readings say by the new sheet.
func TestChangesReachWhatIsStored(t *testing.T) {
	const days = 45
	s := simulateBatteries(t, fewBatteries(2), days)
	first := telemetry.DayOf(newYear.UnixMilli())
	unrated := batteryList{}
	for id, b := range s.assets {
		b.RatedCapacityAh, b.RatedVoltageV, b.CutoffVoltageV, b.Chemistry = 0, 0, 0, ""
		unrated[id] = b
	}
	late, want := newLab(t, unrated, dossier.DefaultRules()), newLab(t, s.assets, dossier.DefaultRules())
	for day := range int64(days) {
		if day == days-2 {
			for id, b := range s.assets {
				unrated[id] = b
			}
		}
		for _, b := range []*lab{late, want} {
			b.deliver(telemetry.Within(s.readings, telemetry.Window{From: (first + day) * telemetry.Day, To: (first + day + 1) * telemetry.Day}))
			b.today = first + day + 1
			b.run("battery")
		}
		if day == days-2 {
			standings, err := late.ledger.Standings(t.Context())
			if err != nil || len(standings) != 2 || standings[0].HealthScore == nil {
				t.Errorf("after the change: got standings %+v, %v, want a score", standings, err)
			}
		}
	}
	sameState(t, "after the change", late.state(), want.state())
	if d := late.run("battery"); d.devices != 0 {
		t.Errorf("%d batteries are computed again and again", d.devices)
	}
}

// Days that are marked again and say what they said cost no more than reading
// them.
func TestUnchangedDaysAreNotBuiltOn(t *testing.T) {
	s := simulateBatteries(t, fewBatteries(1), 20)
	first := telemetry.DayOf(newYear.UnixMilli())
	b := newLab(t, s.assets, dossier.DefaultRules())
	b.deliver(s.readings)
	b.today = first + 21
	b.run("battery")
	want := b.state()
	counting := &countingLedger{BatteryLedger: b.ledger}
	b.jobs[1] = Battery(b.store, b.schema, counting, b.assets, b.rules, "0 1 * * *")
	for id := range s.assets {
		if err := b.ledger.MarkDirty(t.Context(), []telemetry.DeviceDay{{Kind: devices.KindBattery, Device: id, Day: first + 18}}); err != nil {
			t.Fatal(err)
		}
	}
	if d := b.run("battery"); d.devices != 1 || counting.days > 3 {
		t.Errorf("got %d devices and %d stored days read, want 1 and no more than three", d.devices, counting.days)
	}
	sameState(t, "marked again", b.state(), want)
}

// Jobs are built on what the rules say, not on where they lie in memory.
func TestFingerprints(t *testing.T) {
	sheet, rules := dossier.Sheet{Chemistry: "LFP"}, dossier.DefaultRules()
	base := sheet.Fingerprint(rules.Fingerprint())
	if again := sheet.Fingerprint(dossier.DefaultRules().Fingerprint()); again != base {
		t.Errorf("got %d, then %d", base, again)
	}
	warmer := dossier.DefaultRules()
	warmer.Limits.HighC++
	rated, newer := sheet, sheet
	rated.Ratings.CapacityAh, newer.Commissioned = 40, newYear
	for name, got := range map[string]int64{
		"rules": sheet.Fingerprint(warmer.Fingerprint()), "ratings": rated.Fingerprint(rules.Fingerprint()), "commissioned": newer.Fingerprint(rules.Fingerprint()),
	} {
		if got == base {
			t.Errorf("%s: the same after a change", name)
		}
	}
}

// countingLedger counts the stored days that are read.
type countingLedger struct {
	BatteryLedger
	days int
}

func (c *countingLedger) BatteryDays(ctx context.Context, id string, from, to int64) ([]dossier.Day, error) {
	days, err := c.BatteryLedger.BatteryDays(ctx, id, from, to)
	c.days += len(days)
	return days, err
}

// Results that this release can't read are made anew from the readings, within two
// runs, and are then what they would be had they been made by it.
func TestUnreadableResultsAreMadeAnew(t *testing.T) {
	const days = 40
	s := simulateBatteries(t, fewBatteries(2), days)
	first := telemetry.DayOf(newYear.UnixMilli())
	b, want := newLab(t, s.assets, dossier.DefaultRules()), newLab(t, s.assets, dossier.DefaultRules())
	for _, x := range []*lab{b, want} {
		x.deliver(telemetry.Within(s.readings, telemetry.Window{From: first * telemetry.Day, To: (first + days - 1) * telemetry.Day}))
		x.today = first + days - 1
		x.run("battery")
	}
	for id := range s.assets {
		if err := b.ledger.Commit(t.Context(), ledger.Changes{Parts: []ledger.Part{ledger.BatteryResults{{Device: id, State: []byte{0}}}}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []*lab{b, want} {
		x.deliver(telemetry.Within(s.readings, telemetry.Window{From: (first + days - 1) * telemetry.Day, To: (first + days) * telemetry.Day}))
		x.today++
		x.run("battery")
	}
	if d := b.run("battery"); d.devices != 2 {
		t.Errorf("got %d batteries measured again, want both", d.devices)
	}
	sameState(t, "made anew", b.state(), want.state())
	if d := b.run("battery"); d.devices != 0 {
		t.Errorf("%d batteries are computed again and again", d.devices)
	}
}

// A day that can't be read is made again of its readings within a week. Without
// them it stays unread, and the dossier keeps what it has of it.
func TestUnreadableDaysAreMadeAgain(t *testing.T) {
	const days, lost, more = 40, 37, 7
	s := simulateBatteries(t, fewBatteries(2), days+more)
	first := telemetry.DayOf(newYear.UnixMilli())
	ids := slices.Sorted(maps.Keys(s.assets))
	b, want := newLab(t, s.assets, dossier.DefaultRules()), newLab(t, s.assets, dossier.DefaultRules())
	for day := int64(days - 1); day < days+more; day++ {
		from := first + day
		if day == days-1 {
			from = first
		}
		for _, x := range []*lab{b, want} {
			x.deliver(telemetry.Within(s.readings, telemetry.Window{From: from * telemetry.Day, To: (first + day + 1) * telemetry.Day}))
			x.today = first + day + 1
			x.run("battery")
		}
		if day == days-1 {
			db, err := sql.Open("sqlite", b.path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), `UPDATE battery_days SET use = x'7f', found = x'7f' WHERE day = $1`, first+lost); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			b.store.drop(ids[1], (first+lost+1)*telemetry.Day)
		}
	}
	got, all := b.state(), want.state()
	unread, kept := fmt.Sprintf("day %d of %s", first+lost, ids[1]), dossier.Unread(first+lost)
	all[unread] = fmt.Sprintf("%x %x", kept.AppendUse(nil), kept.AppendFound(nil))
	for _, m := range []map[string]string{got, all} { // what was found on that day counts no more
		maps.DeleteFunc(m, func(k, _ string) bool {
			return k != unread && strings.HasSuffix(k, ids[1]) && !strings.HasPrefix(k, "day")
		})
	}
	sameState(t, "made again", got, all)
	dossiers := map[*lab]*dossier.Dossier{}
	for _, x := range []*lab{b, want} {
		found, err := x.ledger.Dossiers(t.Context(), ids[1:])
		if err != nil {
			t.Fatal(err)
		}
		dossiers[x] = found[ids[1]]
	}
	if got, want := dossiers[b], dossiers[want]; got.Days != want.Days || !cmp.Equal(got.Total, want.Total) {
		t.Errorf("without its readings: got a dossier of %d days, want %d", got.Days, want.Days)
	}
}

// Whether no swap is none at all is known of those batteries that some swap names.
func TestSwapsOfTheNight(t *testing.T) {
	s := simulateBatteries(t, fewBatteries(3), 3)
	first := telemetry.DayOf(newYear.UnixMilli())
	b := newLab(t, s.assets, dossier.DefaultRules())
	ids := slices.Sorted(maps.Keys(s.assets))
	if err := b.ledger.Commit(t.Context(), ledger.Changes{Parts: []ledger.Part{
		ledger.StationSwaps{Station: "s", Day: first - 100, Batteries: map[string]dossier.Swaps{ids[1]: {Out: 3}}},
		ledger.StationSwaps{Station: "s", Day: first + 1, Batteries: map[string]dossier.Swaps{ids[2]: {Out: 2, In: 1}}},
	}}); err != nil {
		t.Fatal(err)
	}
	b.deliver(s.readings)
	b.today = first + 3
	b.run("battery")
	standings, err := b.ledger.Standings(t.Context())
	if err != nil || len(standings) != 3 {
		t.Fatalf("got %d standings, %v", len(standings), err)
	}
	for k, want := range []int{-1, 0, 2} {
		got := -1
		if standings[k].SwapsPerDay != nil {
			got = standings[k].Swaps
		}
		if got != want {
			t.Errorf("%s: got %d swaps, want %d (-1: not known)", ids[k], got, want)
		}
		book := NewBatteryBook(b.ledger, s.assets, b.rules)
		a, _, err := book.Assessment(t.Context(), ids[k], math.MaxInt64)
		if err != nil || cmp.Diff(a.Standing, standings[k]) != "" {
			t.Errorf("%s: a replay tells otherwise (%v):\n%s", ids[k], err, cmp.Diff(a.Standing, standings[k]))
		}
	}
}
