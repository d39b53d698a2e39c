package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// StationSwaps are the swaps of the batteries at a station on a day. They replace
// those of that station and day. It is a Part.
type StationSwaps struct {
	Station   string
	Day       int64
	Batteries map[string]dossier.Swaps // by id; their Day is not looked at
}

func (s StationSwaps) write(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM battery_swaps WHERE station = $1 AND day = $2`, s.Station, s.Day); err != nil {
		return err
	}
	for id, n := range s.Batteries {
		_, err := tx.ExecContext(ctx, `INSERT INTO battery_swaps (station, day, battery, swaps_in, swaps_out) VALUES ($1, $2, $3, $4, $5)`,
			s.Station, s.Day, id, n.In, n.Out)
		if err != nil {
			return err
		}
	}
	return nil
}

// swapsChanged tells that there are swaps in a commit. It is a Part.
type swapsChanged struct{}

func (swapsChanged) write(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `UPDATE swap_revisions SET value = value + 1`)
	return err
}

// BatterySwaps returns the swaps of a battery on the days in [fromDay, toDay), at
// all stations, ascending. Days without are absent.
func (l *Ledger) BatterySwaps(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Swaps, error) {
	scan := func(row database.Scanner) (s dossier.Swaps, err error) {
		err = row.Scan(&s.Day, &s.In, &s.Out)
		return s, err
	}
	swaps, err := database.Collect(ctx, l.db.Read, scan, `SELECT day, CAST(sum(swaps_in) AS BIGINT), CAST(sum(swaps_out) AS BIGINT) FROM battery_swaps
		WHERE battery = $1 AND day >= $2 AND day < $3 GROUP BY day ORDER BY day`, id, fromDay, toDay)
	if err != nil {
		return nil, fmt.Errorf("read swaps of battery %s: %w", id, err)
	}
	return swaps, nil
}

// Swapped reports whether the battery was swapped on one of the days in [fromDay,
// toDay), at any station.
func (l *Ledger) Swapped(ctx context.Context, id string, fromDay, toDay int64) (was bool, err error) {
	err = l.db.Read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM battery_swaps WHERE battery = $1 AND day >= $2 AND day < $3)`, id, fromDay, toDay).Scan(&was)
	if err != nil {
		return false, fmt.Errorf("read whether battery %s was swapped: %w", id, err)
	}
	return was, nil
}

// SwappedBefore returns which of the batteries were swapped before the day.
func (l *Ledger) SwappedBefore(ctx context.Context, ids []string, day int64) (map[string]bool, error) {
	out := map[string]bool{}
	q := database.NewQuery(`SELECT DISTINCT battery FROM battery_swaps`)
	q.WhereIn("battery", ids).Where("day < ?", day)
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var id string
		err := row.Scan(&id)
		out[id] = true
		return struct{}{}, err
	}, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read swapped batteries: %w", err)
	}
	return out, nil
}

// SwapsByDay returns, for each of the batteries, its swaps on the days in
// [fromDay, toDay), at all stations, ascending.
func (l *Ledger) SwapsByDay(ctx context.Context, ids []string, fromDay, toDay int64) (map[string][]dossier.Swaps, error) {
	q := database.NewQuery(`SELECT battery, day, swaps_in, swaps_out FROM battery_swaps`)
	q.WhereIn("battery", ids).Where("day >= ?", fromDay).Where("day < ?", toDay).Page("battery, day", 0, 0)
	out := map[string][]dossier.Swaps{}
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var (
			id string
			s  dossier.Swaps
		)
		if err := row.Scan(&id, &s.Day, &s.In, &s.Out); err != nil {
			return struct{}{}, err
		}
		list := out[id]
		if n := len(list); n > 0 && list[n-1].Day == s.Day {
			list[n-1].In += s.In
			list[n-1].Out += s.Out
		} else {
			list = append(list, s)
		}
		out[id] = list
		return struct{}{}, nil
	}, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read swaps of batteries: %w", err)
	}
	return out, nil
}
