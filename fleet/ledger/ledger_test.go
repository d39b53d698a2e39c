package ledger_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 345e6, time.UTC)

// open opens the ledger at the path, or what stands for it where the test runs
// on PostgreSQL.
func open(t testing.TB, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), servers.where(t, path), ledger.Options{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return l
}

// fresh opens a new ledger that is closed with the test.
func fresh(t testing.TB) *ledger.Ledger {
	t.Helper()
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	t.Cleanup(func() { closed(t, l) })
	return l
}

func closed(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: want − got +\n%s", what, diff)
	}
}

func batteryDay(device string, day int64) telemetry.DeviceDay {
	return telemetry.DeviceDay{Kind: devices.KindBattery, Device: device, Day: day}
}

func TestCloseTwice(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	closed(t, l)
	closed(t, l)
	if err := l.MarkDirty(t.Context(), []telemetry.DeviceDay{batteryDay("b", 1)}); err == nil {
		t.Error("a closed ledger took a marking")
	}
}
