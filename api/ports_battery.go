package api

import (
	"context"

	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BatteryResults are what the jobs have worked out of batteries, and what people
// declare of them. Days are counted from 1970-01-01, UTC; ranges are half-open.
type BatteryResults interface {
	BatteryStandings
	BatteryHistories
	BatterySheets
}

// BatteryStandings are where batteries stand, in plain numbers.
type BatteryStandings interface {
	// Standings returns those of every battery that has been seen, by id.
	Standings(ctx context.Context) ([]dossier.Standing, error)
	// StandingsOf returns those of the batteries that have been seen, by id.
	StandingsOf(ctx context.Context, ids []string) ([]dossier.Standing, error)
}

// BatteryHistories are what became of batteries from week to week and from day
// to day.
type BatteryHistories interface {
	// BatteryHistory returns the battery's records, one a week, ascending.
	BatteryHistory(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Record, error)
	// BatteryHistories yields the records of all batteries by battery and day,
	// and stops at the first error of yield, which it returns.
	BatteryHistories(ctx context.Context, fromDay, toDay int64, yield func(id string, r dossier.Record) error) error
	// BatteryDays returns the days with data, ascending.
	BatteryDays(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Day, error)
	// BatteryToday returns the use on the newest day that had not ended when it was
	// last brought up to date, provisional; false: there is none.
	BatteryToday(ctx context.Context, id string) (dossier.Today, bool, error)
	// BatterySwaps returns the days with swaps, ascending.
	BatterySwaps(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Swaps, error)
	// Swapped reports whether there is a swap on one of the days.
	Swapped(ctx context.Context, id string, fromDay, toDay int64) (bool, error)
}

// BatterySheets are what people declare of batteries for their passports.
type BatterySheets interface {
	// PutSheet replaces the sheet of the battery and returns it as stored.
	PutSheet(ctx context.Context, battery string, s ledger.Sheet) (ledger.Sheet, error)
	// Sheet returns it. Error: ledger.ErrNoSheet.
	Sheet(ctx context.Context, battery string) (ledger.Sheet, error)
	// DeleteSheet removes it. Error: ledger.ErrNoSheet.
	DeleteSheet(ctx context.Context, battery string) error
}

// BatteryBook tells what was known of a battery on a day.
type BatteryBook interface {
	// Assessment is as of the end of the day, or of its newest where that is
	// math.MaxInt64; false: there was no data yet. Error: registry.ErrNotFound.
	Assessment(ctx context.Context, id string, asOfDay int64) (a dossier.Assessment, found bool, err error)
	// Rules are what assessments go by.
	Rules() dossier.Rules
}
