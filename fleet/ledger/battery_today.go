package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteriesToday is the use of batteries on the day that has not ended, by id. It
// is a Part.
type BatteriesToday map[string]*dossier.Today

func (b BatteriesToday) write(ctx context.Context, tx *sql.Tx) error {
	upsert, err := tx.PrepareContext(ctx, `INSERT INTO battery_today (device, day, through, use) VALUES ($1, $2, $3, $4)
		ON CONFLICT (device) DO UPDATE SET day = excluded.day, through = excluded.through, use = excluded.use`)
	if err != nil {
		return err
	}
	for id, t := range b {
		if _, err := upsert.ExecContext(ctx, id, t.Day, t.Through, t.Append(nil)); err != nil {
			return err
		}
	}
	return nil
}

// BatteriesToday returns the use of those of the batteries that were seen on the
// day.
func (l *Ledger) BatteriesToday(ctx context.Context, ids []string, day int64) (map[string]*dossier.Today, error) {
	q := database.NewQuery(`SELECT device, use FROM battery_today`)
	q.WhereIn("device", ids).Where("day = ?", day)
	out, lost := make(map[string]*dossier.Today, len(ids)), unread{of: "uses of today"}
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var (
			id  string
			use []byte
		)
		if err := row.Scan(&id, &use); err != nil {
			return struct{}{}, err
		}
		t, err := dossier.DecodeToday(use)
		if err == nil {
			out[id] = t
		}
		return struct{}{}, lost.pass(id, err)
	}, q.Text(), q.Args()...)
	lost.log(l.log)
	if err != nil {
		return nil, fmt.Errorf("read the use of batteries today: %w", err)
	}
	return out, nil
}

// BatteryToday returns the battery's use on the newest day that had not ended when
// it was last brought up to date; false where there is none. It is provisional:
// what arrived late is not in it.
func (l *Ledger) BatteryToday(ctx context.Context, id string) (dossier.Today, bool, error) {
	found, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (*dossier.Today, error) {
		var use []byte
		if err := row.Scan(&use); err != nil {
			return nil, err
		}
		return dossier.DecodeToday(use)
	}, `SELECT use FROM battery_today WHERE device = $1`, id)
	if err != nil {
		return dossier.Today{}, false, fmt.Errorf("read the use of battery %s today: %w", id, err)
	}
	if len(found) == 0 {
		return dossier.Today{}, false, nil
	}
	return *found[0], true, nil
}
