package api

import (
	"context"
	"errors"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BuildingResults are what owners entered about buildings and what the jobs have
// worked out of that and of their meters.
type BuildingResults interface {
	BuildingAnswers
	BuildingEntries
	BuildingSeries
}

// BuildingAnswers are what the jobs have worked out.
type BuildingAnswers interface {
	// BuildingResult reads parts of the newest result; false where there is none.
	BuildingResult(ctx context.Context, id string, want ...ledger.BuildingPart) (*building.Result, bool, error)
	// BuildingHeadlines are those of every building with a result, by id, and
	// BuildingHeadlinesAsOf what they were at an instant, in Unix milliseconds.
	BuildingHeadlines(ctx context.Context) ([]building.Headline, error)
	BuildingHeadlinesAsOf(ctx context.Context, at int64) ([]building.Headline, error)
	// BuildingHistory are those of one building by day, in [from, to).
	BuildingHistory(ctx context.Context, id string, from, to int64) ([]building.Headline, error)
}

// BuildingEntries are what owners enter. Error: ledger.ErrNoEntry.
type BuildingEntries interface {
	// CreateEntry saves what build makes for the id that is given to it.
	CreateEntry(ctx context.Context, c ledger.Collection, scope string, build func(id string) any) (ledger.Entry, error)
	// PutEntry saves an entry in the place of one that is there.
	PutEntry(ctx context.Context, c ledger.Collection, scope, id, refers string, v any) (ledger.Entry, error)
	DeleteEntry(ctx context.Context, c ledger.Collection, scope, id string) error
	Entries(ctx context.Context, c ledger.Collection, scope string) ([]ledger.Entry, error)
	Entry(ctx context.Context, c ledger.Collection, scope, id string) (ledger.Entry, error)
}

// BuildingSeries are imported values over time. Error: ledger.ErrNoEntry.
type BuildingSeries interface {
	// MergeSeries adds values to a series; of two of one time the new one stands.
	MergeSeries(ctx context.Context, s ledger.ImportedSeries) (ledger.SeriesInfo, error)
	DeleteSeries(ctx context.Context, kind ledger.SeriesKind, id string, buildings ...string) error
	SeriesInfo(ctx context.Context, kind ledger.SeriesKind, id string) (ledger.SeriesInfo, bool, error)
}

// ErrNoReport says that there is nothing to report of a building yet.
var ErrNoReport = errors.New("the building has no result yet: the job of buildings has not come to it")

// BuildingReports put a result into a form for people. Errors:
// registry.ErrNotFound, ErrNoReport.
type BuildingReports interface {
	Report(ctx context.Context, id string, made time.Time) (report.Report, error)
}
