package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// Capacities returns every capacity measured of the device, by start, then
// method. Only batteries have any.
func (l *Ledger) Capacities(ctx context.Context, ref devices.Ref) ([]battery.Capacity, error) {
	if ref.Kind != devices.KindBattery {
		return nil, nil
	}
	var days []dossier.Finding
	err := l.findings(ctx, func(_ string, f dossier.Finding) { days = append(days, f) },
		`SELECT device, day, found FROM battery_days WHERE device = $1 ORDER BY day`, ref.ID)
	if err != nil {
		return nil, fmt.Errorf("read capacities of %s: %w", ref, err)
	}
	capacities := dossier.Capacities(days)
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
	err := l.dossiers(ctx, l.db.Read, func(id string, x *dossier.Dossier) {
		if c := newestOf(x); len(c) > 0 {
			latest[id] = c
		}
	}, `SELECT device, state FROM battery_dossiers`)
	if err != nil {
		return nil, fmt.Errorf("read latest capacities: %w", err)
	}
	return latest, nil
}

// newestOf are those of a dossier, by start, then method; none of nil.
func newestOf(x *dossier.Dossier) []battery.Capacity {
	if x == nil {
		return nil
	}
	sortCapacities(x.Newest)
	return x.Newest
}
