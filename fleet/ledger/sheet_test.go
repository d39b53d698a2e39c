package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

func TestSheet(t *testing.T) {
	l := fresh(t)
	if _, err := l.Sheet(t.Context(), "b1"); !errors.Is(err, ledger.ErrNoSheet) {
		t.Errorf("got %v, want %v", err, ledger.ErrNoSheet)
	}
	rated, cycles := 40.0, 2000.0
	want := ledger.Sheet{
		Declared: battery.PassportSheet{
			Status: "original", At: 1_700_000_000_000, RatedCapacityAh: &rated, ExpectedCycles: &cycles,
			OriginalPower: []battery.PowerAt{{SoCPct: 50, Watts: 9000}}, LifetimeReferenceTestURI: "https://example.org/test",
		},
		Incidents: []battery.Incident{{At: 1_710_000_000_000, Text: "dropped"}},
	}
	stored, err := l.PutSheet(t.Context(), "b1", want)
	ok(t, err)
	want.UpdatedAt = noon.Truncate(time.Millisecond)
	same(t, "stored", stored, want)
	read, err := l.Sheet(t.Context(), "b1")
	ok(t, err)
	same(t, "read", read, want)

	second := ledger.Sheet{Declared: battery.PassportSheet{Status: "re-used"}}
	_, err = l.PutSheet(t.Context(), "b1", second)
	ok(t, err)
	read, err = l.Sheet(t.Context(), "b1")
	ok(t, err)
	second.UpdatedAt = want.UpdatedAt
	same(t, "replaced", read, second)

	ok(t, l.DeleteSheet(t.Context(), "b1"))
	if err := l.DeleteSheet(t.Context(), "b1"); !errors.Is(err, ledger.ErrNoSheet) {
		t.Errorf("got %v, want %v", err, ledger.ErrNoSheet)
	}
}
