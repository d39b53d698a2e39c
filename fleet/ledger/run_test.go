package ledger_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

func TestRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, ctx := open(t, path), t.Context()
	begin := func(job string, after time.Duration, trigger string) int64 {
		t.Helper()
		id, err := l.BeginRun(ctx, job, noon.Add(after), trigger)
		ok(t, err)
		return id
	}
	if _, ran, err := l.LastRun(ctx, "rollup"); ran || err != nil {
		t.Errorf("LastRun before any: got %v, %v, want none", ran, err)
	}
	first := begin("rollup", 0, "schedule")
	second := begin("capacity", time.Second, "api")
	third := begin("rollup", 2*time.Second, "catch-up")
	window := telemetry.Window{From: 100, To: 200}
	ok(t, l.EndRun(ctx, first, ledger.RunResult{End: noon.Add(time.Minute), Window: window, Rows: 7}))
	ok(t, l.EndRun(ctx, second, ledger.RunResult{Err: "no such column"}))
	for what, id := range map[string]int64{"ended": first, "unknown": 999} {
		if err := l.EndRun(ctx, id, ledger.RunResult{}); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("EndRun of one %s: got %v, want %v", what, err, ledger.ErrNoRun)
		}
	}
	want := []ledger.Run{
		{ID: third, Job: "rollup", Trigger: "catch-up", Start: noon.Add(2 * time.Second)},
		{ID: second, Job: "capacity", Trigger: "api", Start: noon.Add(time.Second), End: noon, Err: "no such column"},
		{ID: first, Job: "rollup", Trigger: "schedule", Start: noon, End: noon.Add(time.Minute), Window: window, Rows: 7},
	}
	check := func(what, job string, limit int, want ...ledger.Run) {
		t.Helper()
		got, err := l.Runs(ctx, job, limit)
		ok(t, err)
		same(t, what, got, append([]ledger.Run{}, want...))
	}
	check("all", "", 0, want...)
	check("newest", "", 1, want[0])
	check("of a job", "rollup", 10, want[0], want[2])
	check("of none", "none", 10)

	closed(t, l) // as a crash leaves it: the third is open
	l = open(t, path)
	defer closed(t, l)
	for i, n := range []int{1, 0} {
		if got, err := l.AbandonRuns(ctx, noon.Add(time.Hour)); err != nil || got != n {
			t.Errorf("AbandonRuns, call %d: got %d, %v, want %d", i+1, got, err, n)
		}
	}
	want[0].End, want[0].Err = noon.Add(time.Hour), "interrupted"
	last, ran, err := l.LastRun(ctx, "rollup")
	if err != nil || !ran {
		t.Fatalf("LastRun: got %v, %v, want one", ran, err)
	}
	same(t, "last run", last, want[0])
	if fourth := begin("rollup", 0, "api"); fourth <= third {
		t.Errorf("id: got %d, want more than %d", fourth, third)
	}
}

func TestOldRunsAreDropped(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	other, err := l.BeginRun(ctx, "other", noon, "api")
	ok(t, err)
	var first int64
	for i := range ledger.KeepRuns + 2 {
		id, err := l.BeginRun(ctx, "rollup", noon, "schedule")
		ok(t, err)
		if i == 0 {
			first = id
		}
	}
	runs, err := l.Runs(ctx, "rollup", 0)
	ok(t, err)
	if got, want := len(runs), ledger.KeepRuns; got != want {
		t.Errorf("runs kept: got %d, want %d", got, want)
	}
	if got, want := runs[len(runs)-1].ID, first+2; got != want {
		t.Errorf("oldest run: got %d, want %d", got, want)
	}
	if last, ran, err := l.LastRun(ctx, "other"); err != nil || !ran || last.ID != other {
		t.Errorf("run of another job: got %v, %v, %v, want it kept", last, ran, err)
	}
}

// The words of a panic may hold what no text of a database does.
func TestRunWithAnyError(t *testing.T) {
	l, ctx := fresh(t), t.Context()
	id, err := l.BeginRun(ctx, "rollup", noon, "schedule")
	ok(t, err)
	ok(t, l.EndRun(ctx, id, ledger.RunResult{Err: "panic: a\x00b\xffc"}))
	last, _, err := l.LastRun(ctx, "rollup")
	ok(t, err)
	same(t, "error", last.Err, "panic: a\uFFFDb\uFFFDc")
}
