package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// Rollups returns the roll-ups of the device for the days in [fromDay, toDay),
// ascending. Days without data are absent.
func (l *Ledger) Rollups(ctx context.Context, ref devices.Ref, fromDay, toDay int64) ([]RollupDay, error) {
	return l.rollups(ctx, ref, fromDay, toDay, true)
}

// RollupTotals is Rollups of the days as a whole: their hours may be missing.
func (l *Ledger) RollupTotals(ctx context.Context, ref devices.Ref, fromDay, toDay int64) ([]RollupDay, error) {
	return l.rollups(ctx, ref, fromDay, toDay, false)
}

func (l *Ledger) rollups(ctx context.Context, ref devices.Ref, fromDay, toDay int64, hours bool) ([]RollupDay, error) {
	scan := func(row database.Scanner) (RollupDay, error) {
		var (
			d       RollupDay
			payload sql.RawBytes
		)
		d.Kind, d.Device = ref.Kind, ref.ID
		if err := row.Scan(&d.DeviceDay.Day, &payload); err != nil {
			return RollupDay{}, err
		}
		var err error
		d.Day, err = unpack(payload, hours)
		return d, err
	}
	days, err := database.Collect(ctx, l.db.Read, scan, `SELECT day, payload FROM rollups
		WHERE kind = $1 AND device = $2 AND day >= $3 AND day < $4 ORDER BY day`,
		string(ref.Kind), ref.ID, fromDay, toDay)
	if err != nil {
		return nil, fmt.Errorf("read roll-ups of %s: %w", ref, err)
	}
	return days, nil
}
