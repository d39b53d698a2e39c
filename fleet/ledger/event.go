package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// AppendEvents commits the events and returns how many were not there before.
// An event that is there already, by kind, device and id, stays as it is.
func (l *Ledger) AppendEvents(ctx context.Context, events []telemetry.Event) (inserted int, err error) {
	if len(events) == 0 {
		return 0, nil
	}
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		inserted = 0
		insert, err := tx.PrepareContext(ctx, `INSERT INTO events (kind, device, event_id, ts, type, data)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`)
		if err != nil {
			return err
		}
		for i := range events {
			e := &events[i]
			data := e.Data
			if data == nil {
				data = []byte{}
			}
			result, err := insert.ExecContext(ctx, string(e.Kind), e.Device, e.ID, e.TS, e.Type, data)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			inserted += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("append events: %w", err)
	}
	return inserted, nil
}

// EventQuery selects events.
type EventQuery struct {
	Kind   devices.Kind     // empty: every kind
	Device string           // empty: every device
	Types  []string         // empty: every type
	Window telemetry.Window // zero: all time
	Limit  int              // at most so many; 0 or less: all
	Offset int              // skip so many
}

// Events returns a page of events by time, then kind, device and id, and how
// many the query selects.
func (l *Ledger) Events(ctx context.Context, q EventQuery) (events []telemetry.Event, total int, err error) {
	count := database.NewQuery(`SELECT count(*) FROM events`)
	page := database.NewQuery(`SELECT kind, device, event_id, ts, type, data FROM events`)
	q.where(count)
	q.where(page)
	page.Page("ts, kind, device, event_id", q.Limit, q.Offset)
	err = l.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, count.Text(), count.Args()...).Scan(&total); err != nil {
			return err
		}
		events, err = database.Collect(ctx, tx, scanEvent, page.Text(), page.Args()...)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read events: %w", err)
	}
	return events, total, nil
}

func (q *EventQuery) where(to *database.Query) {
	if q.Kind != "" {
		to.Where("kind = ?", string(q.Kind))
	}
	if q.Device != "" {
		to.Where("device = ?", q.Device)
	}
	if len(q.Types) > 0 {
		to.WhereIn("type", q.Types)
	}
	if q.Window != (telemetry.Window{}) {
		to.Where("ts >= ?", q.Window.From).Where("ts < ?", q.Window.To)
	}
}

func scanEvent(row database.Scanner) (e telemetry.Event, err error) {
	err = row.Scan(&e.Kind, &e.Device, &e.ID, &e.TS, &e.Type, &e.Data)
	return e, err
}
