package ledger

import (
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteryHistory returns the battery's health at the end of each week from fromDay
// on and before toDay, ascending.
func (l *Ledger) BatteryHistory(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Record, error) {
	scan := func(row database.Scanner) (dossier.Record, error) {
		var (
			day    int64
			record []byte
		)
		if err := row.Scan(&day, &record); err != nil {
			return dossier.Record{}, err
		}
		return dossier.DecodeRecord(day, record)
	}
	records, err := database.Collect(ctx, l.db.Read, scan, `SELECT day, record FROM battery_history
		WHERE device = $1 AND day >= $2 AND day < $3 ORDER BY day`, id, fromDay, toDay)
	if err != nil {
		return nil, fmt.Errorf("read history of battery %s: %w", id, err)
	}
	return records, nil
}

// BatteryHistories calls yield for every record of every battery in [fromDay,
// toDay), by battery, then day, and stops at its first error, which it returns.
func (l *Ledger) BatteryHistories(ctx context.Context, fromDay, toDay int64, yield func(id string, r dossier.Record) error) error {
	rows, err := l.db.Read.QueryContext(ctx, `SELECT device, day, record FROM battery_history
		WHERE day >= $1 AND day < $2 ORDER BY device, day`, fromDay, toDay)
	if err != nil {
		return fmt.Errorf("read histories of batteries: %w", err)
	}
	lost := unread{of: "records"}
	defer func() { lost.log(l.log) }()
	defer func() { _ = rows.Close() }() // what went wrong while reading is in rows.Err
	for rows.Next() {
		var (
			id     string
			day    int64
			record []byte
		)
		if err := rows.Scan(&id, &day, &record); err != nil {
			return fmt.Errorf("read histories of batteries: %w", err)
		}
		r, err := dossier.DecodeRecord(day, record)
		if err := lost.pass(id, err); err != nil {
			return fmt.Errorf("read history of battery %s: %w", id, err)
		}
		if err != nil {
			continue
		}
		if err := yield(id, r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read histories of batteries: %w", err)
	}
	return nil
}
