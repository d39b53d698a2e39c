package ledger_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

const onPostgreSQL = "TestOnPostgreSQL"

// TestOnPostgreSQL runs the tests of the ledger, which run on SQLite by
// themselves, on PostgreSQL.
func TestOnPostgreSQL(t *testing.T) {
	servers.start(t)
	for name, test := range map[string]func(*testing.T){
		"AppendEvents": TestAppendEvents, "Events": TestEventsModel,
		"Order": TestDirtyOrderAndNumbers, "MarkingAgain": TestMarkingAgainIsFree, "MarkingError": TestMarkDirtyAfterAnError,
		"NoAppendIsMissed": TestNoAppendIsMissed, "DirtyModel": TestDirtyModel,
		"Runs": TestRuns, "OldRuns": TestOldRunsAreDropped, "Panic": TestRunWithAnyError, "Close": TestCloseTwice,
		"CommitRollups":       TestCommitRollups,
		"Watermark":           TestWatermark,
		"CommitIsAtomic":      TestCommitIsAtomic,
		"BatteryDaysStored":   TestBatteryDaysStored,
		"BatteryStateStored":  TestBatteryStateStored,
		"BatterySwapsStored":  TestBatterySwapsStored,
		"BatteryTodayStored":  TestBatteryTodayStored,
		"Sheet":               TestSheet,
		"Money":               TestMoneyStored,
		"Terms":               TestTermsStored,
		"Closings":            TestClosingsStored,
		"KeptMonths":          TestKeptMonthsStored,
		"MoneyInputs":         TestMoneyInputs,
		"PaidSwaps":           TestPaidSwaps,
		"MoneySpans":          TestMoneySpans,
		"StationDaysStored":   TestStationDaysStored,
		"StationFaultsStored": TestStationFaultsStored,
		"BuildingEntries":     TestEntriesMarkTheirBuildings, "BuildingSeries": TestSeriesMerge, "BuildingResults": TestBuildingResultsReadBack,
	} {
		t.Run(name, test)
	}
}

// servers knows which database of the server stands for which file of a test.
var servers = &standIns{databases: map[string]string{}}

type standIns struct {
	mu        sync.Mutex
	server    *pgtest.Server
	databases map[string]string
}

func (s *standIns) start(t *testing.T) {
	t.Helper()
	s.server = pgtest.Start(t)
}

func (s *standIns) where(t testing.TB, path string) string {
	t.Helper()
	if !strings.HasPrefix(t.Name(), onPostgreSQL+"/") {
		return path
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.databases[path] == "" {
		s.databases[path] = s.server.Database()
	}
	return s.databases[path]
}

// replicas opens one ledger n times, as that many processes do.
func replicas(t *testing.T, n int) []*ledger.Ledger {
	t.Helper()
	where := pgtest.Start(t).Database()
	all := make([]*ledger.Ledger, n)
	for i := range all {
		l, err := ledger.Open(t.Context(), where, ledger.Options{})
		ok(t, err)
		t.Cleanup(func() { closed(t, l) })
		all[i] = l
	}
	return all
}

// Processes append and mark, others run jobs: a ledger for each.
func TestNoAppendOfAnotherProcessIsMissed(t *testing.T) {
	const writers, jobs = 3, 2
	all := replicas(t, writers+jobs)
	missNoAppend(t, all[:writers], all[writers:], 150)
}

// A day that one process handed out is marked again by another, which had
// marked it before.
func TestMarkingAfterAnotherProcessHandedOut(t *testing.T) {
	all, ctx := replicas(t, 2), t.Context()
	writer, job := all[0], all[1]
	days := []telemetry.DeviceDay{batteryDay("b", 1)}
	watermark := int64(0)
	for round := range 3 {
		ok(t, writer.MarkDirty(ctx, days))
		ok(t, writer.MarkDirty(ctx, days))
		got, upTo, err := job.Dirty(ctx, watermark)
		ok(t, err)
		if len(got) != 1 || upTo != int64(round+1) {
			t.Errorf("round %d: got %v up to %d, want the day under number %d", round, got, upTo, round+1)
		}
		watermark = upTo
	}
}

func TestOneLeaderOfAJob(t *testing.T) {
	all, ctx := replicas(t, 2), t.Context()
	one, other := all[0], all[1]
	leading, release, err := one.Lead(ctx, "rollup")
	ok(t, err)
	run, err := one.BeginRun(leading, "rollup", noon, "schedule")
	ok(t, err)
	if _, _, err := other.Lead(ctx, "rollup"); !errors.Is(err, ledger.ErrLedElsewhere) {
		t.Errorf("a second leader: got %v, want %v", err, ledger.ErrLedElsewhere)
	}
	_, releaseCapacity, err := other.Lead(ctx, "capacity")
	ok(t, err)
	releaseCapacity()
	// A process that starts leaves the run of a leader alone.
	if n, err := other.AbandonRuns(ctx, noon); err != nil || n != 0 {
		t.Errorf("AbandonRuns beside a leader: got %d, %v, want none", n, err)
	}
	release() // without having ended its run, as if it had died
	if leading.Err() == nil {
		t.Error("after release: got a context that goes on")
	}
	_, release, err = other.Lead(ctx, "rollup")
	ok(t, err)
	defer release()
	if last, _, err := one.LastRun(ctx, "rollup"); err != nil || last.ID != run || last.Err != "interrupted" {
		t.Errorf("the run of a dead leader: got %+v, %v, want it interrupted", last, err)
	}
}

func TestFileIsLedByItsOnlyProcess(t *testing.T) {
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Options{})
	ok(t, err)
	defer closed(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	leading, release, err := l.Lead(ctx, "rollup")
	ok(t, err)
	defer release()
	cancel()
	if leading.Err() == nil {
		t.Error("the context of the caller ended: got one that goes on")
	}
}

// While the server is away every call says so; markings that were not made are
// made good when it is back.
func TestLedgerWithoutItsServer(t *testing.T) {
	server := pgtest.Start(t)
	l, err := ledger.Open(t.Context(), server.Database(), ledger.Options{})
	ok(t, err)
	defer closed(t, l)
	ctx := t.Context()
	ok(t, l.MarkDirty(ctx, []telemetry.DeviceDay{batteryDay("b", 1)}))
	server.Kill()
	_, _, dirty := l.Dirty(ctx, 0)
	_, appended := l.AppendEvents(ctx, []telemetry.Event{event("battery", "b", "e", 1, "x")})
	_, _, events := l.Events(ctx, ledger.EventQuery{})
	_, _, lead := l.Lead(ctx, "rollup")
	for what, err := range map[string]error{
		"mark what is marked": l.MarkDirty(ctx, []telemetry.DeviceDay{batteryDay("b", 1)}),
		"mark another":        l.MarkDirty(ctx, []telemetry.DeviceDay{batteryDay("b", 2)}),
		"dirty":               dirty, "append": appended, "events": events, "lead": lead, "ping": l.Ping(ctx),
		"commit": l.Commit(ctx, ledger.Changes{Job: "rollup", Watermark: &ledger.Watermark{Seq: 1}}),
	} {
		if !errors.Is(err, database.ErrUnavailable) || !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", what, err, ledger.ErrUnavailable)
		}
	}
	server.Restart()
	ok(t, l.MarkDirty(ctx, []telemetry.DeviceDay{batteryDay("b", 2)}))
	days, _, err := l.Dirty(ctx, 0)
	ok(t, err)
	same(t, "days", len(days), 2)
}

// An event that PostgreSQL can't hold is told from a server that is away.
func TestEventThatNoTextHolds(t *testing.T) {
	l, ctx := replicas(t, 1)[0], t.Context()
	bad := []telemetry.Event{event("battery", "b", "a", 1, "x"), event("battery", "b", "a\x00", 1, "x")}
	if n, err := l.AppendEvents(ctx, bad); n != 0 || !errors.Is(err, ledger.ErrRefused) || errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("got %d, %v, want %v", n, err, ledger.ErrRefused)
	}
	if n, err := l.AppendEvents(ctx, bad[:1]); n != 1 || err != nil {
		t.Errorf("without it: got %d, %v, want 1", n, err)
	}
}

// What a leader would save after another has come to lead the job is refused,
// and what others save is not its business.
func TestDeposedLeader(t *testing.T) {
	all, ctx := replicas(t, 2), t.Context()
	old, release, err := all[0].Lead(ctx, "rollup")
	ok(t, err)
	mark := func(seq int64) ledger.Changes {
		return ledger.Changes{Job: "rollup", Watermark: &ledger.Watermark{Seq: seq}}
	}
	ok(t, all[0].Commit(old, mark(1)))
	release() // its connection is gone, and it goes on
	old = context.WithoutCancel(old)
	ok(t, all[0].Commit(old, mark(2)))
	leading, release, err := all[1].Lead(ctx, "rollup")
	ok(t, err)
	defer release()
	ok(t, all[1].Commit(leading, mark(5)))
	if err := all[0].Commit(old, mark(3)); !errors.Is(err, ledger.ErrDeposed) {
		t.Errorf("after another took over: got %v, want %v", err, ledger.ErrDeposed)
	}
	w, err := all[0].Watermark(ctx, "rollup")
	ok(t, err)
	same(t, "watermark", w.Seq, int64(5))
	ok(t, all[0].Commit(ctx, ledger.Changes{Job: "by hand", Watermark: &ledger.Watermark{Seq: 1}}))
}

// One process at a time has an embedded store.
func TestStoreAlone(t *testing.T) {
	all, ctx := replicas(t, 2), t.Context()
	_, release, err := all[0].StoreAlone(ctx)
	ok(t, err)
	if _, _, err := all[1].StoreAlone(ctx); !errors.Is(err, ledger.ErrStoreElsewhere) {
		t.Errorf("a second: got %v, want %v", err, ledger.ErrStoreElsewhere)
	}
	release()
	_, release, err = all[1].StoreAlone(ctx)
	ok(t, err)
	release()
}
