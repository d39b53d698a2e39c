package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/sqlite"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Rollups returns the roll-ups of the device for the days in [fromDay, toDay),
// ascending. Days without data are absent.
func (l *Ledger) Rollups(ctx context.Context, ref devices.Ref, fromDay, toDay int64) ([]RollupDay, error) {
	scan := func(row sqlite.Scanner) (RollupDay, error) {
		var (
			d       RollupDay
			payload []byte
		)
		d.Kind, d.Device = ref.Kind, ref.ID
		if err := row.Scan(&d.DeviceDay.Day, &payload); err != nil {
			return RollupDay{}, err
		}
		var err error
		d.Day, err = unpack(payload)
		return d, err
	}
	days, err := sqlite.Collect(ctx, l.db.Read, scan, `SELECT day, payload FROM rollups
		WHERE kind = $1 AND device = $2 AND day >= $3 AND day < $4 ORDER BY day`,
		string(ref.Kind), ref.ID, fromDay, toDay)
	if err != nil {
		return nil, fmt.Errorf("read roll-ups of %s: %w", ref, err)
	}
	return days, nil
}

// Capacities returns every capacity measured of the device, by start, then
// method.
func (l *Ledger) Capacities(ctx context.Context, ref devices.Ref) ([]battery.Capacity, error) {
	found, err := sqlite.Collect(ctx, l.db.Read, scanCapacity, `SELECT device, payload FROM capacities
		WHERE kind = $1 AND device = $2 ORDER BY from_ts, method`, string(ref.Kind), ref.ID)
	if err != nil {
		return nil, fmt.Errorf("read capacities of %s: %w", ref, err)
	}
	capacities := make([]battery.Capacity, len(found))
	for i, f := range found {
		capacities[i] = f.capacity
	}
	return capacities, nil
}

// LatestPerMethod is how many capacities of each method LatestCapacities
// returns for a device.
const LatestPerMethod = 20

// LatestCapacities returns, for each device of the kind that has any, the
// newest capacities of each method, by start, then method.
func (l *Ledger) LatestCapacities(ctx context.Context, kind devices.Kind) (map[string][]battery.Capacity, error) {
	// The ranking reads an index alone; payloads are fetched for the newest.
	found, err := sqlite.Collect(ctx, l.db.Read, scanCapacity, `SELECT c.device, c.payload
		FROM (SELECT device, method, from_ts,
		             row_number() OVER (PARTITION BY device, method ORDER BY from_ts DESC) AS age
		      FROM capacities WHERE kind = $1) AS newest
		JOIN capacities AS c ON c.kind = $1 AND c.device = newest.device
		     AND c.method = newest.method AND c.from_ts = newest.from_ts
		WHERE newest.age <= $2
		ORDER BY c.device, c.from_ts, c.method`, string(kind), LatestPerMethod)
	if err != nil {
		return nil, fmt.Errorf("read latest capacities: %w", err)
	}
	latest := make(map[string][]battery.Capacity)
	for _, f := range found {
		latest[f.device] = append(latest[f.device], f.capacity)
	}
	return latest, nil
}

type deviceCapacity struct {
	device   string
	capacity battery.Capacity
}

func scanCapacity(row sqlite.Scanner) (deviceCapacity, error) {
	var (
		c       deviceCapacity
		payload []byte
	)
	if err := row.Scan(&c.device, &payload); err != nil {
		return deviceCapacity{}, err
	}
	if err := json.Unmarshal(payload, &c.capacity); err != nil {
		return deviceCapacity{}, fmt.Errorf("decode capacity of %s: %w", c.device, err)
	}
	return c, nil
}
