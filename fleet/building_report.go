package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// ErrNoResult says that the job has not come to a building yet.
var ErrNoResult = errors.New("no result yet")

// Report is what is known of a building for people to read and check. It is made
// of the stored result and the rows behind it; made is the time it says it was
// made at. Errors: registry.ErrNotFound, ErrNoResult.
func (b *Buildings) Report(ctx context.Context, id string, made time.Time) (report.Report, error) {
	p, err := b.plan(ctx, id)
	if err != nil {
		return report.Report{}, err
	}
	r, found, err := b.Store.BuildingResult(ctx, id, ledger.PartSavings, ledger.PartDemand)
	if err != nil {
		return report.Report{}, err
	}
	if !found {
		return report.Report{}, fmt.Errorf("building %s: %w", id, ErrNoResult)
	}
	kept, err := b.Store.BuildingDays(ctx, id)
	if err != nil {
		return report.Report{}, err
	}
	days := make([]building.Day, 0, len(kept))
	for number, payload := range kept {
		d, err := building.Decode(payload)
		if err != nil {
			return report.Report{}, fmt.Errorf("kept day %d of building %s: %w", number, id, err)
		}
		days = append(days, d)
	}
	about := report.Building{ID: id, Name: p.registered.Name, Place: p.site.Name, TimeZone: p.Zone, FloorAreaM2: p.FloorM2}
	return building.Report(p.input(days), r, about, made)
}
