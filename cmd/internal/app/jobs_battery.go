package app

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// batteryRules are what the results of batteries go by.
func (a *App) batteryRules() dossier.Rules { return a.cfg.Battery.Rules() }

// batteryBook tells of single batteries.
func (a *App) batteryBook() *fleet.BatteryBook {
	return fleet.NewBatteryBook(a.ledger, a.registry, a.batteryRules())
}

// batteryJobs are the jobs of batteries. Swaps come first, as the others count
// them.
func (a *App) batteryJobs() []fleet.Job {
	rules := a.batteryRules()
	return []fleet.Job{
		fleet.BatterySwaps(a.ledger, a.cfg.BatteryHourly),
		fleet.Battery(a.store, a.schema, a.ledger, allBatteries{a.registry}, rules, a.cfg.BatterySchedule),
		fleet.BatteryToday(a.store, a.schema, a.ledger, allBatteries{a.registry}, rules, a.cfg.BatteryHourly),
	}
}

// allBatteries is the registry for runs over many batteries.
type allBatteries struct{ *registry.Registry }

// EveryBattery reads all of them.
func (r allBatteries) EveryBattery(ctx context.Context) (map[string]devices.Battery, error) {
	list, _, err := r.ListBatteries(ctx, registry.Filter{})
	if err != nil {
		return nil, err
	}
	all := make(map[string]devices.Battery, len(list))
	for _, b := range list {
		all[b.ID] = b
	}
	return all, nil
}
