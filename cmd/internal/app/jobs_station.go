package app

import (
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// stationJobs are the jobs of stations.
func (a *App) stationJobs() []fleet.Job {
	return []fleet.Job{fleet.Stations(a.store, a.ledger, a.registry, a.cfg.Station.Rules(), a.cfg.StationSchedule)}
}

// stationRules are the rules of one station.
func (a *App) stationRules(id string) station.Rules {
	rules := a.cfg.Station.Rules()
	if n := a.cfg.Station.ServersOf[id]; n > 0 {
		rules.Servers = n
	}
	return rules
}
