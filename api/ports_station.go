package api

import (
	"context"

	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationResults are what the jobs have worked out of stations, by local days,
// which are counted by date from 1970-01-01.
type StationResults interface {
	// StationDays returns the days from first to last, both included, ascending;
	// those without data are absent.
	StationDays(ctx context.Context, id string, first, last int64) ([]station.Day, error)
	// StationSpan is the first and the last day with data; false without any.
	StationSpan(ctx context.Context, id string) (ledger.DaySpan, bool, error)
	// StationSpans are those of every station with data.
	StationSpans(context.Context) (map[string]ledger.DaySpan, error)
	// StationTotals adds up the days from first to last, both included, of every
	// station with data in them.
	StationTotals(ctx context.Context, first, last int64) (map[string]station.Totals, error)
	// StationFaults returns the faults of one station, or with an empty id of every
	// one, by when they began.
	StationFaults(ctx context.Context, id string) (map[string][]station.Fault, error)
}
