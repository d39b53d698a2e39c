package fleet

import (
	"context"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteryBook tells all that is known of single batteries, as of any day.
type BatteryBook struct {
	ledger    BatteryLedger
	batteries Batteries
	rules     dossier.Rules
}

// NewBatteryBook is a book on what the jobs of batteries have saved by the same
// rules.
func NewBatteryBook(l BatteryLedger, batteries Batteries, rules dossier.Rules) *BatteryBook {
	return &BatteryBook{l, batteries, rules}
}

// Rules are those by which the book tells.
func (b *BatteryBook) Rules() dossier.Rules { return b.rules }

// Assessment tells what was known of the battery at the end of the day, or
// what is known where the day is math.MaxInt64. False: there was nothing on a day
// that had ended. The error of an unknown battery is that of Batteries.
func (b *BatteryBook) Assessment(ctx context.Context, id string, asOfDay int64) (dossier.Assessment, bool, error) {
	asset, err := b.batteries.GetBattery(ctx, id)
	if err != nil {
		return dossier.Assessment{}, false, err
	}
	days, err := b.ledger.BatteryDays(ctx, id, math.MinInt64, math.MaxInt64)
	if err != nil {
		return dossier.Assessment{}, false, err
	}
	swaps, err := b.ledger.BatterySwaps(ctx, id, math.MinInt64, math.MaxInt64)
	if err != nil {
		return dossier.Assessment{}, false, err
	}
	a, ok := dossier.Replay(id, days, swaps, dossier.SheetOf(asset), b.rules, asOfDay)
	return a, ok, nil
}
