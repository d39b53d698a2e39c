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

// What a report says of numbers that are not those of the newest run.
const (
	sinceEntered = "What was entered, or the release, has changed since the newest run of the job; these numbers were worked out for this page."
	otherSource  = "The time zone, the source of the temperature or the tolerance of the setpoint has changed: " +
		"until the job has run, the measurements are as they were read before that."
)

// Report is what is known of a building for people to read and check. It is made
// of the stored result and the rows behind it, or of one that is worked out for it
// where what was entered has changed since; it says so. made is the time it says
// it was made at. Errors: registry.ErrNotFound, ErrNoResult.
func (b *Buildings) Report(ctx context.Context, id string, made time.Time) (report.Report, error) {
	p, err := b.plan(ctx, id)
	if err != nil {
		return report.Report{}, err
	}
	// A run that commits meanwhile makes the state differ from the rest, and not the
	// rest from each other unseen.
	state, err := b.Store.BuildingState(ctx, id)
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
	days, err := b.keptDays(ctx, id)
	if err != nil {
		return report.Report{}, err
	}
	in := p.input(days)
	evaluated, err := p.fingerprint(&in)
	if err != nil {
		return report.Report{}, err
	}
	var notes []string
	if evaluated != state.Evaluated {
		notes = append(notes, sinceEntered)
		if r, err = b.evaluate(ctx, id, in); err != nil {
			return report.Report{}, err
		}
	}
	if p.prepared() != state.Prepared {
		notes = append(notes, otherSource)
	}
	about := report.Building{ID: id, Name: p.registered.Name, Place: p.site.Name, TimeZone: p.Zone, FloorAreaM2: p.FloorM2}
	out, err := building.Report(in, r, about, made)
	out.Notes = notes
	return out, err
}

// keptDays are the days of a building.
func (b *Buildings) keptDays(ctx context.Context, id string) ([]building.Day, error) {
	kept, err := b.Store.BuildingDays(ctx, id)
	if err != nil {
		return nil, err
	}
	days := make([]building.Day, 0, len(kept))
	for number, payload := range kept {
		d, err := building.Decode(payload)
		if err != nil {
			return nil, fmt.Errorf("kept day %d of building %s: %w", number, id, err)
		}
		days = append(days, d)
	}
	return days, nil
}
