package app

import (
	"context"
	"errors"
	"time"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
)

// buildings works out what the measures of buildings save.
func (a *App) buildings() *fleet.Buildings {
	return &fleet.Buildings{
		Telemetry: a.store, Sites: a.registry, Entries: a.ledger, Store: a.ledger, Rules: a.cfg.Building.Rules(),
	}
}

// buildingJobs are the jobs of buildings.
func (a *App) buildingJobs() []fleet.Job {
	return []fleet.Job{a.buildings().Job(a.cfg.BuildingSchedule)}
}

// reports are those of buildings, in the API's words.
type reports struct{ buildings *fleet.Buildings }

func (r reports) Report(ctx context.Context, id string, made time.Time) (report.Report, error) {
	out, err := r.buildings.Report(ctx, id, made)
	if errors.Is(err, fleet.ErrNoResult) {
		err = api.ErrNoReport
	}
	return out, err
}
