package ledger

import (
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
)

// swapCompleted is the type of the events that are paid for.
const swapCompleted = "swap.completed"

// stationsAtOnce bounds the placeholders of a query.
const stationsAtOnce = 500

// PaidSwaps hands the completed swaps of stations in a window to take, by station
// and time; all stations where none is named. It stops at the first error of take.
func (l *Ledger) PaidSwaps(ctx context.Context, stations []string, w telemetry.Window, take func(accounts.Swap) error) error {
	if stations == nil {
		return l.paidSwaps(ctx, nil, w, take)
	}
	for len(stations) > 0 {
		n := min(len(stations), stationsAtOnce)
		if err := l.paidSwaps(ctx, stations[:n], w, take); err != nil {
			return err
		}
		stations = stations[n:]
	}
	return nil
}

func (l *Ledger) paidSwaps(ctx context.Context, stations []string, w telemetry.Window, take func(accounts.Swap) error) error {
	q := database.NewQuery(`SELECT device, event_id, ts, data FROM events`)
	q.Where("kind = ?", string(devices.KindStation)).Where("type = ?", swapCompleted).Where("ts >= ?", w.From).Where("ts < ?", w.To)
	if stations != nil {
		q.WhereIn("device", stations)
	}
	q.Page("device, ts, event_id", 0, 0)
	rows, err := l.db.Read.QueryContext(ctx, q.Text(), q.Args()...)
	if err != nil {
		return fmt.Errorf("read swaps: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			station, id string
			ts          int64
			data        []byte
		)
		if err := rows.Scan(&station, &id, &ts, &data); err != nil {
			return fmt.Errorf("read swaps: %w", err)
		}
		if err := take(accounts.ReadSwap(station, id, ts, data)); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read swaps: %w", err)
	}
	return nil
}

// SwapSpan is when the first and the last completed swap of the stations were;
// false where there was none.
func (l *Ledger) SwapSpan(ctx context.Context, stations []string) (first, last int64, found bool, err error) {
	type bounds struct{ first, last *int64 }
	for len(stations) > 0 {
		n := min(len(stations), stationsAtOnce)
		q := database.NewQuery(`SELECT min(ts), max(ts) FROM events`)
		q.Where("kind = ?", string(devices.KindStation)).Where("type = ?", swapCompleted).WhereIn("device", stations[:n])
		rows, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (b bounds, err error) {
			err = row.Scan(&b.first, &b.last)
			return b, err
		}, q.Text(), q.Args()...)
		if err != nil {
			return 0, 0, false, fmt.Errorf("read span of swaps: %w", err)
		}
		for _, b := range rows {
			if b.first == nil {
				continue
			}
			if !found {
				first, last, found = *b.first, *b.last, true
				continue
			}
			first, last = min(first, *b.first), max(last, *b.last)
		}
		stations = stations[n:]
	}
	return first, last, found, nil
}
