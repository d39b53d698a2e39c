package ledger

import (
	"errors"
	"strconv"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// The set is bounded, and what it has forgotten counts as missing again.
func TestMarkedDaysAreBounded(t *testing.T) {
	var s dirtySet
	day := func(i int) telemetry.DeviceDay { return telemetry.DeviceDay{Device: strconv.Itoa(i)} }
	for i := range maxMarked {
		s.add([]telemetry.DeviceDay{day(i)})
	}
	if got := s.missing([]telemetry.DeviceDay{day(0), day(maxMarked - 1), day(maxMarked)}); len(got) != 1 || got[0] != day(maxMarked) {
		t.Errorf("full: got %v missing, want the one that was not added", got)
	}
	s.add([]telemetry.DeviceDay{day(maxMarked)})
	if got := len(s.marked); got > maxMarked {
		t.Errorf("size: got %d, want at most %d", got, maxMarked)
	}
	if got := s.missing([]telemetry.DeviceDay{day(0), day(maxMarked)}); len(got) != 1 || got[0] != day(0) {
		t.Errorf("over the limit: got %v missing, want what was forgotten", got)
	}
	s.forget()
	if got := s.missing([]telemetry.DeviceDay{day(maxMarked)}); len(got) != 1 {
		t.Errorf("after forget: got %v missing, want all", got)
	}
}

// Between the commit of a marking and its entry in the set no day may be handed
// out, and between the emptying of the set and the snapshot none be entered.
func TestMarkingAndHandingOutExcludeEachOther(t *testing.T) {
	var s dirtySet
	days := []telemetry.DeviceDay{{Device: "a"}, {Device: "b"}}
	excluded := func(during string) {
		t.Helper()
		if s.order.TryLock() {
			s.order.Unlock()
			t.Errorf("during %s: got in between, want to wait", during)
		}
	}
	calls := 0
	commit := func(missing []telemetry.DeviceDay) error {
		calls++
		excluded("a marking")
		if got := s.missing(missing); len(got) != len(missing) {
			t.Errorf("before the commit: got %v missing, want all of %v", got, missing)
		}
		return nil
	}
	for range 2 {
		if err := s.mark(days, commit); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 1 {
		t.Errorf("two markings: got %d commits, want 1", calls)
	}
	err := s.handOut(func() error {
		excluded("a hand-out")
		if got := s.missing(days); len(got) != len(days) {
			t.Errorf("at the snapshot: got %v missing, want all of %v", got, days)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fails := errors.New("disk full")
	if err := s.mark(days, func([]telemetry.DeviceDay) error { return fails }); !errors.Is(err, fails) {
		t.Errorf("commit that fails: got %v, want its error", err)
	}
	if got := s.missing(days); len(got) != len(days) {
		t.Errorf("after a commit that failed: got %v missing, want all of %v", got, days)
	}
	if err := s.handOut(func() error { return fails }); !errors.Is(err, fails) {
		t.Errorf("snapshot that fails: got %v, want its error", err)
	}
}
