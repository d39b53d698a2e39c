package fleet

import (
	"context"
	"math"
	"sync"

	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BatteryRecords are what the jobs of batteries have saved.
type BatteryRecords interface {
	// Revisions grow with every commit of what the other methods return.
	Revisions(ctx context.Context) (ledger.Revisions, error)
	// BatteryDays returns the days of the battery in [fromDay, toDay), ascending.
	BatteryDays(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Day, error)
	// BatterySwaps returns the swaps of the battery on these days, ascending.
	BatterySwaps(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Swaps, error)
}

// maxTold is how many assessments a book remembers: some 10 KB each.
const maxTold = 2000

// BatteryBook tells all that is known of single batteries, as of any day. It
// remembers what it told until the jobs save something else. Its methods may be
// called from any goroutine.
type BatteryBook struct {
	records   BatteryRecords
	batteries Batteries
	rules     dossier.Rules

	mu   sync.Mutex
	at   edition
	told map[bookQuestion]bookAnswer
}

// edition is the state of the records that assessments rest on.
type edition struct{ batteries, swaps int64 }

// bookQuestion is all else that an assessment rests on.
type bookQuestion struct {
	id    string
	day   int64
	sheet dossier.Sheet
}

// bookAnswer is one; not ok: there was nothing to tell.
type bookAnswer struct {
	dossier.Assessment
	ok bool
}

// NewBatteryBook is a book on what the jobs of batteries have saved by the same
// rules.
func NewBatteryBook(r BatteryRecords, batteries Batteries, rules dossier.Rules) *BatteryBook {
	return &BatteryBook{records: r, batteries: batteries, rules: rules, told: map[bookQuestion]bookAnswer{}}
}

// Rules are those by which the book tells.
func (b *BatteryBook) Rules() dossier.Rules { return b.rules }

// Assessment tells what was known of the battery at the end of the day, or
// what is known where the day is math.MaxInt64. False: there was nothing on a day
// that had ended. It must not be changed. The error of an unknown battery is that
// of Batteries.
func (b *BatteryBook) Assessment(ctx context.Context, id string, asOfDay int64) (dossier.Assessment, bool, error) {
	asset, err := b.batteries.GetBattery(ctx, id)
	if err != nil {
		return dossier.Assessment{}, false, err
	}
	// Before the records are read: they may be newer than their revisions then, and
	// are read again, but never older.
	r, err := b.records.Revisions(ctx)
	if err != nil {
		return dossier.Assessment{}, false, err
	}
	now, question := edition{r.Batteries, r.Swaps}, bookQuestion{id, asOfDay, dossier.SheetOf(asset)}
	if a, found := b.recall(now, question); found {
		return a.Assessment, a.ok, nil
	}
	a, err := b.assess(ctx, question)
	if err != nil {
		return dossier.Assessment{}, false, err
	}
	b.remember(now, question, a)
	return a.Assessment, a.ok, nil
}

func (b *BatteryBook) assess(ctx context.Context, q bookQuestion) (a bookAnswer, err error) {
	days, err := b.records.BatteryDays(ctx, q.id, math.MinInt64, math.MaxInt64)
	if err != nil {
		return a, err
	}
	swaps, err := b.records.BatterySwaps(ctx, q.id, math.MinInt64, math.MaxInt64)
	if err != nil {
		return a, err
	}
	a.Assessment, a.ok = dossier.Replay(q.id, days, swaps, q.sheet, b.rules, q.day)
	return a, nil
}

// recall is what was told of the question; false: nothing, as the records are now.
func (b *BatteryBook) recall(now edition, q bookQuestion) (bookAnswer, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at != now {
		clear(b.told)
		b.at = now
	}
	a, found := b.told[q]
	return a, found
}

// remember keeps what was told, unless the records have changed meanwhile.
func (b *BatteryBook) remember(at edition, q bookQuestion, a bookAnswer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at != at {
		return
	}
	if len(b.told) >= maxTold {
		clear(b.told)
	}
	b.told[q] = a
}
