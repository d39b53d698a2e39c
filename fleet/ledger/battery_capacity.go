package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// Capacities returns every capacity measured of the device, by start, then
// method. Only batteries have any.
func (l *Ledger) Capacities(ctx context.Context, ref devices.Ref) ([]battery.Capacity, error) {
	if ref.Kind != devices.KindBattery {
		return nil, nil
	}
	scan := func(row database.Scanner) (dossier.Found, error) {
		var found []byte
		if err := row.Scan(&found); err != nil {
			return dossier.Found{}, err
		}
		return dossier.DecodeFound(found)
	}
	days, err := database.Collect(ctx, l.db.Read, scan, `SELECT found FROM battery_days WHERE device = $1 ORDER BY day`, ref.ID)
	if err != nil {
		return nil, fmt.Errorf("read capacities of %s: %w", ref, err)
	}
	capacities := []battery.Capacity{}
	for k := range days {
		capacities = append(capacities, days[k].Capacities...)
	}
	sortCapacities(capacities)
	return capacities, nil
}

func sortCapacities(list []battery.Capacity) {
	slices.SortStableFunc(list, func(a, b battery.Capacity) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Method, b.Method))
	})
}

// LatestCapacities returns, for each device of the kind that has any, as many of
// the newest capacities of each method as battery.Assess looks at, by start, then
// method.
func (l *Ledger) LatestCapacities(ctx context.Context, kind devices.Kind) (map[string][]battery.Capacity, error) {
	latest := map[string][]battery.Capacity{}
	if kind != devices.KindBattery {
		return latest, nil
	}
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var (
			id    string
			state []byte
		)
		if err := row.Scan(&id, &state); err != nil {
			return struct{}{}, err
		}
		x, err := dossier.Decode(state)
		if err == nil && len(x.Newest) > 0 {
			sortCapacities(x.Newest)
			latest[id] = x.Newest
		}
		return struct{}{}, err
	}, `SELECT device, state FROM battery_dossiers`)
	if err != nil {
		return nil, fmt.Errorf("read latest capacities: %w", err)
	}
	return latest, nil
}
