package ledger_test

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Results of one battery that can't be read take no other's away, and are counted
// in the log. Its dossier is one that nothing can be added to.
func TestUnreadableBatteries(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "ledger.db"), t.Context()
	l := open(t, path)
	for _, id := range []string{"a", "b", "c"} {
		x, today := dossier.New(id), dossier.NewToday(5)
		x.Basis, x.Newest = 7, []battery.Capacity{capacity(battery.SoCWindow, 9, 2)}
		ok(t, l.Commit(ctx, ledger.Changes{Job: "battery", Parts: []ledger.Part{
			ledger.BatteryResults{{
				Device: id, State: x.Append(nil), Standing: &dossier.Standing{Device: id}, History: []dossier.Record{{Day: 6}},
				Days: []dossier.Day{factsOf(5, 1, capacity(battery.SoCWindow, 9, 2)), factsOf(6, 1)},
			}},
			ledger.BatteriesToday{id: today},
		}}))
	}
	closed(t, l)
	db, err := sql.Open("sqlite", path)
	ok(t, err)
	for _, statement := range []string{
		`UPDATE battery_dossiers SET state = x'7f' WHERE device = 'b'`, `UPDATE battery_history SET record = x'7f' WHERE device = 'b'`,
		`UPDATE battery_today SET use = x'7f' WHERE device = 'b'`, `UPDATE battery_days SET found = x'7f' WHERE device = 'b' AND day = 5`,
	} {
		_, err := db.ExecContext(ctx, statement)
		ok(t, err)
	}
	ok(t, db.Close())
	var log strings.Builder
	l, err = ledger.Open(ctx, path, ledger.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ok(t, err)
	defer closed(t, l)

	ids := []string{"a", "b", "c"}
	dossiers, err := l.Dossiers(ctx, ids)
	ok(t, err)
	if len(dossiers) != 3 || dossiers["a"].Basis != 7 || dossiers["b"].Basis != 0 || dossiers["c"].Basis != 7 {
		t.Errorf("got dossiers %+v", dossiers)
	}
	latest, err := l.LatestCapacities(ctx, devices.KindBattery)
	ok(t, err)
	changed, err := l.BatteriesSince(ctx, 0)
	ok(t, err)
	if len(latest) != 2 || len(changed) != 3 || changed[1].Device != "b" || changed[1].Health.CapacityAh != nil || changed[2].Health.CapacityAh == nil {
		t.Errorf("got capacities %+v and changes %+v", latest, changed)
	}
	records := 0
	ok(t, l.BatteryHistories(ctx, 0, 100, func(string, dossier.Record) error { records++; return nil }))
	today, err := l.BatteriesToday(ctx, ids, 5)
	ok(t, err)
	days, err := l.BatteryDays(ctx, "b", 0, 100)
	ok(t, err)
	found, err := l.BatteryFindings(ctx, ids, 0, 100)
	ok(t, err)
	if records != 2 || len(today) != 2 || len(days) != 2 || !days[0].Unread || days[1].Unread ||
		len(found["a"]) != 2 || len(found["b"]) != 2 || !found["b"][0].Unread || found["a"][0].Unread {
		t.Errorf("got %d records, %d uses of today, %d days, findings of %d and %d days, want 2 of each, and day 5 of b unread",
			records, len(today), len(days), len(found["a"]), len(found["b"]))
	}
	for _, of := range []string{"dossiers", "records", "uses of today", "days", "findings"} {
		if strings.Count(log.String(), `"`+of+`"`)+strings.Count(log.String(), "results="+of+" count=1 first=b") == 0 {
			t.Errorf("nothing is logged of %s:\n%s", of, log.String())
		}
	}
}
