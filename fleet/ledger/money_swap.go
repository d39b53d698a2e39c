package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
)

// swapCompleted is the type of the events that are paid for.
const swapCompleted = "swap.completed"

// stationsAtOnce bounds the placeholders of a query.
const stationsAtOnce = 500

// heldAtOnce is how many devices a query asks about by windows of their own. SQLite
// finds a placeholder by going through those before it.
const heldAtOnce = 16

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

// Held is a device in a window that it is asked about in.
type Held struct {
	ID string
	telemetry.Window
}

// SwapSpan is when the first and the last completed swap of any of the stations was
// in its window; false where there was none.
func (l *Ledger) SwapSpan(ctx context.Context, stations []Held) (first, last int64, found bool, err error) {
	return l.ends(ctx, stations, `SELECT ts FROM events
		WHERE kind = '`+string(devices.KindStation)+`' AND device = held.column1 AND type = '`+swapCompleted+`' AND ts >= held.column2 AND ts < held.column3 ORDER BY ts`)
}

// HandedSpan is from when to when any of the batteries was handed out in its
// window, by whole days of UTC, as the job of swaps has counted them; false where
// none was.
func (l *Ledger) HandedSpan(ctx context.Context, batteries []Held) (first, last int64, found bool, err error) {
	days := make([]Held, len(batteries))
	for i, b := range batteries {
		days[i] = Held{b.ID, telemetry.Window{From: telemetry.DayOf(max(b.From, 0)), To: telemetry.DayOf(b.To-1) + 1}}
	}
	first, last, found, err = l.ends(ctx, days, `SELECT day FROM battery_swaps
		WHERE battery = held.column1 AND day >= held.column2 AND day < held.column3 AND swaps_out > 0 ORDER BY day`)
	return first * telemetry.Day, (last+1)*telemetry.Day - 1, found, err
}

// DrawnSpan is when the first and the last day begin of which it is known what any of
// the stations drew, of those that begin in its window; false where there is none.
func (l *Ledger) DrawnSpan(ctx context.Context, stations []Held) (first, last int64, found bool, err error) {
	return l.ends(ctx, stations, `SELECT from_ts FROM station_days
		WHERE station = held.column1 AND from_ts >= held.column2 AND from_ts < held.column3 AND meter_ms > 0 ORDER BY day`)
}

// ends are the least and the greatest of what a query finds for each of the held at
// its beginning and its end. It is ordered by an index, of which it reads but those.
func (l *Ledger) ends(ctx context.Context, all []Held, query string) (first, last int64, found bool, err error) {
	type bounds struct{ first, last *int64 }
	scan := func(row database.Scanner) (b bounds, err error) { return b, row.Scan(&b.first, &b.last) }
	for some := range slices.Chunk(all, heldAtOnce) {
		var marks []string
		var args []any
		for _, h := range some {
			n := len(args)
			marks = append(marks, fmt.Sprintf("($%d, CAST($%d AS BIGINT), CAST($%d AS BIGINT))", n+1, n+2, n+3))
			args = append(args, h.ID, h.From, h.To)
		}
		rows, err := database.Collect(ctx, l.db.Read, scan, `SELECT min(a), max(z) FROM (
			SELECT (`+query+` LIMIT 1) AS a, (`+query+` DESC LIMIT 1) AS z FROM (VALUES `+strings.Join(marks, ", ")+`) AS held) AS spans`, args...)
		if err != nil {
			return 0, 0, false, fmt.Errorf("read span: %w", err)
		}
		for _, b := range rows {
			switch {
			case b.first == nil:
			case !found:
				first, last, found = *b.first, *b.last, true
			default:
				first, last = min(first, *b.first), max(last, *b.last)
			}
		}
	}
	return first, last, found, nil
}
