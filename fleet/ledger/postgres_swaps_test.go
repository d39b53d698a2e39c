package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// A commit of many swaps takes long, and days are marked meanwhile. PostgreSQL reads
// a small table whole once it knows that it is small, and a reader of all of it
// conflicts with each that writes to it.
func TestSwapsAreCommittedWhileDaysAreMarked(t *testing.T) {
	where := pgtest.Start(t).Database()
	db, err := pgx.Connect(t.Context(), where)
	ok(t, err)
	defer func() { ok(t, db.Close(context.Background())) }()
	l, err := ledger.Open(t.Context(), where, ledger.Options{})
	ok(t, err)
	_, err = db.Exec(t.Context(), "VACUUM (ANALYZE)")
	ok(t, err)
	closed(t, l) // its plans are of before
	l, err = ledger.Open(t.Context(), where, ledger.Options{})
	ok(t, err)
	defer closed(t, l)

	changes := ledger.Changes{Job: "battery-swaps"}
	for station := range 100 {
		for day := range int64(3) {
			swaps := map[string]dossier.Swaps{}
			for k := range 30 {
				swaps[fmt.Sprintf("b%d-%d", station, k)] = dossier.Swaps{In: 1, Out: 1}
			}
			changes.Parts = append(changes.Parts, ledger.StationSwaps{Station: fmt.Sprint("s", station), Day: day, Batteries: swaps})
		}
	}
	var (
		marking sync.WaitGroup
		marks   int
		failed  error
	)
	stop := make(chan struct{})
	marking.Go(func() {
		every := time.NewTicker(50 * time.Millisecond)
		defer every.Stop()
		for day := int64(0); ; day++ {
			select {
			case <-stop:
				return
			case <-every.C:
				failed = errors.Join(failed, l.MarkDirty(t.Context(), []telemetry.DeviceDay{batteryDay("marked", day)}))
				marks++
			}
		}
	})
	before, err := l.Revisions(t.Context())
	ok(t, err)
	for range 2 {
		if err := l.Commit(t.Context(), changes); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	marking.Wait()
	ok(t, failed)
	after, err := l.Revisions(t.Context())
	ok(t, err)
	if after.Swaps != before.Swaps+2 || marks == 0 || after.Days != before.Days+int64(marks) {
		t.Errorf("two commits and %d marks: from %+v to %+v", marks, before, after)
	}
}
