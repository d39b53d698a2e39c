package ledger

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// The set is bounded, and what it has forgotten counts as missing again.
func TestMarkedDaysAreBounded(t *testing.T) {
	var s dirtySet
	day := func(i int) telemetry.DeviceDay { return telemetry.DeviceDay{Device: strconv.Itoa(i)} }
	for i := range maxMarked {
		s.add([]telemetry.DeviceDay{day(i)}, 1)
	}
	if got := s.missing([]telemetry.DeviceDay{day(0), day(maxMarked - 1), day(maxMarked)}); len(got) != 1 || got[0] != day(maxMarked) {
		t.Errorf("full: got %v missing, want the one that was not added", got)
	}
	s.add([]telemetry.DeviceDay{day(maxMarked)}, 2)
	if got := len(s.marked); got > maxMarked {
		t.Errorf("size: got %d, want at most %d", got, maxMarked)
	}
	if got := s.missing([]telemetry.DeviceDay{day(0), day(maxMarked)}); len(got) != 1 || got[0] != day(0) {
		t.Errorf("over the limit: got %v missing, want what was forgotten", got)
	}
}

// A day needs a marking again exactly when its number was handed out, also
// where the hand-out came between the commit of the marking and its entry.
func TestHandedOutDaysNeedMarking(t *testing.T) {
	var s dirtySet
	a, b := telemetry.DeviceDay{Device: "a"}, telemetry.DeviceDay{Device: "b"}
	numbered := func(seq int64, during func()) func([]telemetry.DeviceDay) (int64, error) {
		return func([]telemetry.DeviceDay) (int64, error) {
			during()
			return seq, nil
		}
	}
	needs := func(when string, want ...telemetry.DeviceDay) {
		t.Helper()
		if got := s.missing([]telemetry.DeviceDay{a, b}); !slices.Equal(got, want) {
			t.Errorf("%s: got %v to mark, want %v", when, got, want)
		}
	}
	mark := func(d telemetry.DeviceDay, commit func([]telemetry.DeviceDay) (int64, error)) {
		t.Helper()
		if err := s.mark([]telemetry.DeviceDay{d}, commit); err != nil {
			t.Fatal(err)
		}
	}
	mark(a, numbered(1, func() {}))
	needs("a marked", b)
	mark(a, func([]telemetry.DeviceDay) (int64, error) {
		t.Error("a day was marked twice")
		return 0, nil
	})
	mark(b, numbered(2, func() { s.handOut(2) }))
	needs("b handed out before it was entered", a, b)
	mark(b, numbered(3, func() {}))
	needs("b marked again", a)
	s.handOut(1)
	needs("an older hand-out", a)
	fails := errors.New("disk full")
	if err := s.mark([]telemetry.DeviceDay{a}, func([]telemetry.DeviceDay) (int64, error) { return 0, fails }); !errors.Is(err, fails) {
		t.Errorf("a commit that fails: got %v, want its error", err)
	}
	needs("after a commit that failed", a)
	s.handOut(3)
	needs("all handed out", a, b)
}
