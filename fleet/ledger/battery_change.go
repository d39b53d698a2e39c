package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// Revisions say up to where what somebody knows of the ledger is what it holds.
type Revisions struct {
	Batteries int64 // the last commit of results of batteries
	Days      int64 // the last marking of days
	Swaps     int64 // the last commit of swaps of batteries
}

// Revisions returns the present ones. Each grows with every change that it
// counts, of whichever process.
func (l *Ledger) Revisions(ctx context.Context) (r Revisions, err error) {
	err = l.db.Read.QueryRowContext(ctx, `SELECT b.value, d.value, s.value FROM battery_revisions AS b, counters AS d, swap_revisions AS s
		WHERE d.name = 'dirty'`).Scan(&r.Batteries, &r.Days, &r.Swaps)
	if err != nil {
		return r, fmt.Errorf("read revisions: %w", err)
	}
	return r, nil
}

// Writes is a number that has grown when a method that writes returns; alone is
// false where other processes write too, so that it says nothing.
func (l *Ledger) Writes() (n int64, alone bool) { return l.db.Writes() }

// nextBatteryRevision takes a number greater than all before. The row it changes
// stays locked until the commit, so numbers become visible in their order.
func nextBatteryRevision(ctx context.Context, tx *sql.Tx) (revision int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE battery_revisions SET value = value + 1 RETURNING value`).Scan(&revision)
	return revision, err
}

// BatteryChange is what the ledger holds of a battery since it was changed.
type BatteryChange struct {
	Device   string
	Standing *dossier.Standing // nil: it has none
	Health   battery.Health    // by its newest measurements, without a rating
}

// BatteriesSince returns the batteries whose results were changed after the
// revision, by id; 0: all that have any. What the commits after it have changed
// meanwhile may be among them.
func (l *Ledger) BatteriesSince(ctx context.Context, revision int64) ([]BatteryChange, error) {
	columns := standingColumns()
	for i, c := range columns {
		columns[i] = "s." + c
	}
	var all []BatteryChange
	err := l.db.View(ctx, func(tx *sql.Tx) error {
		standings, err := database.Collect(ctx, tx, scanStanding, `SELECT `+strings.Join(columns, ", ")+`
			FROM battery_changes AS c JOIN battery_standings AS s ON s.device = c.device WHERE c.revision > $1 ORDER BY c.device`, revision)
		if err != nil {
			return err
		}
		all = nil
		err = l.dossiers(ctx, tx, func(id string, x *dossier.Dossier) {
			all = append(all, BatteryChange{Device: id, Health: battery.Assess(newestOf(x), 0)})
		}, `SELECT c.device, d.state FROM battery_changes AS c LEFT JOIN battery_dossiers AS d ON d.device = c.device WHERE c.revision > $1
			ORDER BY c.device`, revision)
		if err != nil {
			return err
		}
		at := 0
		for k := range standings {
			for all[at].Device != standings[k].Device {
				at++
			}
			all[at].Standing = &standings[k]
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read changed batteries: %w", err)
	}
	return all, nil
}

// SpansSince returns, for each device of the kind with days that were marked after
// the number, the days between which those are; 0: with data at all. Days are
// never taken back, so the span of a device is all that was ever said of it.
func (l *Ledger) SpansSince(ctx context.Context, kind devices.Kind, after int64) (map[string]DaySpan, error) {
	spans, kinds := map[string]DaySpan{}, "kind"
	if after > 0 { // the index on kinds would read all days that ever were
		kinds = "kind || ''"
	}
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var (
			id string
			s  DaySpan
		)
		err := row.Scan(&id, &s.First, &s.Last)
		spans[id] = s
		return struct{}{}, err
	}, `SELECT device, min(day), max(day) FROM dirty_days WHERE `+kinds+` = $1 AND seq > $2 GROUP BY device`, string(kind), after)
	if err != nil {
		return nil, fmt.Errorf("read spans: %w", err)
	}
	return spans, nil
}
