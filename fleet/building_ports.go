package fleet

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Sites gives the registered buildings and where they stand.
type Sites interface {
	// GetBuilding and GetSite return an error that is registry.ErrNotFound for an
	// unknown id.
	GetBuilding(ctx context.Context, id string) (devices.Building, error)
	GetSite(ctx context.Context, id string) (devices.Site, error)
}

// BuildingEntries are what owners entered about their buildings.
type BuildingEntries interface {
	// Entries are those of a scope, by id.
	Entries(ctx context.Context, c ledger.Collection, scope string) ([]ledger.Entry, error)
	// Series reads an imported series; false where there is none.
	Series(ctx context.Context, kind ledger.SeriesKind, id string) (ledger.ImportedSeries, bool, error)
	// WeatherUsers are the buildings that take their temperature from a device.
	WeatherUsers(ctx context.Context, ref devices.Ref) ([]string, error)
}

// BuildingStore is what the job of buildings keeps from run to run.
type BuildingStore interface {
	// BuildingDays are the days of a building, encoded, by their number.
	BuildingDays(ctx context.Context, id string) (map[int64][]byte, error)
	// BuildingState is what they, and the result, were made with.
	BuildingState(ctx context.Context, id string) (ledger.BuildingState, error)
	// BuildingResult reads parts of the newest result; false where there is none.
	BuildingResult(ctx context.Context, id string, want ...ledger.BuildingPart) (*building.Result, bool, error)
	// Spans returns the first and last day that hold data of each device of a
	// kind.
	Spans(ctx context.Context, kind devices.Kind) (map[string]ledger.DaySpan, error)
}
