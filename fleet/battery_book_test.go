package fleet

import (
	"context"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// readRecords counts how often days are read, and can fail.
type readRecords struct {
	BatteryRecords
	mu     sync.Mutex
	reads  int
	fail   error
	before func() // a read of days
}

func (r *readRecords) BatteryDays(ctx context.Context, id string, from, to int64) ([]dossier.Day, error) {
	r.mu.Lock()
	r.reads++
	fail, before := r.fail, r.before
	r.before = nil
	r.mu.Unlock()
	if fail != nil {
		return nil, fail
	}
	days, err := r.BatteryRecords.BatteryDays(ctx, id, from, to)
	if before != nil {
		before()
	}
	return days, err
}

// A book reads a battery once, and again after every change that its answer may
// rest on.
func TestBookRemembers(t *testing.T) {
	s := simulateBatteries(t, fewBatteries(2), 12)
	first := telemetry.DayOf(newYear.UnixMilli())
	b := newLab(t, s.assets, dossier.DefaultRules())
	days := func(n int) {
		t.Helper()
		b.deliver(telemetry.Within(s.readings, telemetry.Window{From: (first + b.today) * telemetry.Day, To: (first + int64(n)) * telemetry.Day}))
		b.today = first + int64(n)
		b.run("battery")
		b.today = int64(n)
	}
	swap := func(day int64, n int) {
		t.Helper()
		part := ledger.StationSwaps{Station: "s", Day: first + day, Batteries: map[string]dossier.Swaps{slices.Sorted(maps.Keys(s.assets))[0]: {Out: n}}}
		if err := b.ledger.Commit(t.Context(), ledger.Changes{Parts: []ledger.Part{part}}); err != nil {
			t.Fatal(err)
		}
	}
	days(10)
	id, other := slices.Sorted(maps.Keys(s.assets))[0], slices.Sorted(maps.Keys(s.assets))[1]
	records := &readRecords{BatteryRecords: b.ledger}
	book := NewBatteryBook(records, b.assets, b.rules)
	ask := func(what, id string, day int64, reads int) dossier.Assessment {
		t.Helper()
		was := records.reads
		got, ok, err := book.Assessment(t.Context(), id, day)
		if err != nil || !ok {
			t.Fatalf("%s: %v, %v", what, ok, err)
		}
		if n := records.reads - was; n != reads {
			t.Errorf("%s: got %d reads, want %d", what, n, reads)
		}
		want, _, err := NewBatteryBook(b.ledger, b.assets, b.rules).Assessment(t.Context(), id, day)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", what, err, got, want)
		}
		return got
	}
	before := ask("first", id, math.MaxInt64, 1)
	ask("again", id, math.MaxInt64, 0)
	ask("as of a day", id, first+5, 1)
	ask("as of the same day", id, first+5, 0)
	ask("another battery", other, math.MaxInt64, 1)
	ask("the first again", id, math.MaxInt64, 0)

	swap(3, 2)
	if got := ask("after swaps", id, math.MaxInt64, 1); got.Swaps.Swaps != before.Swaps.Swaps+2 {
		t.Errorf("after swaps: got %d, want two more than %d", got.Swaps.Swaps, before.Swaps.Swaps)
	}
	days(12)
	if got := ask("after a night", id, math.MaxInt64, 1); got.Days != before.Days+2 {
		t.Errorf("after a night: got %d days, want two more than %d", got.Days, before.Days)
	}
	asset := s.assets[id]
	asset.RatedCapacityAh *= 2
	s.assets[id] = asset
	ask("after a change of its ratings", id, math.MaxInt64, 1)

	swap(4, 1)
	records.before = func() { swap(5, 7) }
	if _, _, err := book.Assessment(t.Context(), id, math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	ask("after a change while it was read", id, math.MaxInt64, 1)
}

// What could not be told is not remembered.
func TestBookForgetsErrors(t *testing.T) {
	s := simulateBatteries(t, fewBatteries(1), 3)
	b := newLab(t, s.assets, dossier.DefaultRules())
	b.deliver(s.readings)
	b.today = telemetry.DayOf(newYear.UnixMilli()) + 4
	b.run("battery")
	records := &readRecords{BatteryRecords: b.ledger, fail: errors.New("no disk")}
	book := NewBatteryBook(records, b.assets, b.rules)
	for id := range s.assets {
		if _, _, err := book.Assessment(t.Context(), id, math.MaxInt64); !errors.Is(err, records.fail) {
			t.Errorf("got %v, want %v", err, records.fail)
		}
		records.fail = nil
		if _, ok, err := book.Assessment(t.Context(), id, math.MaxInt64); err != nil || !ok {
			t.Errorf("afterwards: %t, %v", ok, err)
		}
		if _, ok, err := book.Assessment(t.Context(), id, 0); err != nil || ok {
			t.Errorf("before there was anything: %t, %v", ok, err)
		}
	}
}
