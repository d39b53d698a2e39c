package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/sqlite"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// DirtyDay is a day whose results are out of date, and the number of its latest
// marking.
type DirtyDay struct {
	telemetry.DeviceDay
	Seq int64
}

// MarkDirty says that readings of these days were committed. When it returns,
// a call of Dirty that begins later is sure to return the days, unless one
// that began after the readings were committed has done so already. Days that
// were marked since the last call of Dirty cost no I/O.
func (l *Ledger) MarkDirty(ctx context.Context, days []telemetry.DeviceDay) error {
	err := l.dirty.mark(days, func(missing []telemetry.DeviceDay) error {
		return l.db.Update(ctx, func(tx *sql.Tx) error { return mark(ctx, tx, missing) })
	})
	if err != nil {
		return fmt.Errorf("mark dirty days: %w", err)
	}
	return nil
}

// mark gives the days one new number.
func mark(ctx context.Context, tx *sql.Tx, days []telemetry.DeviceDay) error {
	seq, err := nextSeq(ctx, tx)
	if err != nil {
		return err
	}
	upsert, err := tx.PrepareContext(ctx, `INSERT INTO dirty_days (kind, device, day, seq) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, device, day) DO UPDATE SET seq = excluded.seq`)
	if err != nil {
		return err
	}
	for _, d := range days {
		if _, err := upsert.ExecContext(ctx, string(d.Kind), d.Device, d.Day, seq); err != nil {
			return err
		}
	}
	return nil
}

// nextSeq takes a number greater than all before. The row it changes stays
// locked until the commit, so numbers become visible in their order.
func nextSeq(ctx context.Context, tx *sql.Tx) (seq int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE counters SET value = value + 1 WHERE name = 'dirty' RETURNING value`).Scan(&seq)
	return seq, err
}

// Dirty returns the days that were marked with a number greater than after,
// ordered by kind, device and day, and the greatest number given out by then: a
// caller that works off the days saves it as its watermark and gives it as
// after the next time. Callers with watermarks of their own do not disturb one
// another.
//
// Readings whose marking returned before the call are either visible to reads
// that begin when Dirty has returned, with their day in the result, or were so
// at an earlier call.
func (l *Ledger) Dirty(ctx context.Context, after int64) (days []DirtyDay, upTo int64, err error) {
	tx, upTo, err := l.snapshotDirty(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read dirty days: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // a read has nothing to commit
	days, err = sqlite.Collect(ctx, tx, scanDirty,
		`SELECT kind, device, day, seq FROM dirty_days WHERE seq > $1 ORDER BY kind, device, day`, after)
	if err != nil {
		return nil, 0, fmt.Errorf("read dirty days: %w", err)
	}
	return days, max(upTo, after), nil
}

// snapshotDirty empties the set and returns a transaction that reads the state
// of that moment. Its first query, which pins the state, is under order as
// well; what is read from it afterwards holds no marking up.
func (l *Ledger) snapshotDirty(ctx context.Context) (tx *sql.Tx, upTo int64, err error) {
	// A connection may have to be waited for: not under the lock.
	if tx, err = l.db.Read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return nil, 0, err
	}
	err = l.dirty.handOut(func() error {
		return tx.QueryRowContext(ctx, `SELECT value FROM counters WHERE name = 'dirty'`).Scan(&upTo)
	})
	if err != nil {
		_ = tx.Rollback() // the error of the query says more
		return nil, 0, err
	}
	return tx, upTo, nil
}

func scanDirty(row sqlite.Scanner) (d DirtyDay, err error) {
	err = row.Scan(&d.Kind, &d.Device, &d.Day, &d.Seq)
	return d, err
}

// Invalidate marks every day of the device that ever was marked: its results
// will be computed anew.
func (l *Ledger) Invalidate(ctx context.Context, ref devices.Ref) error {
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		seq, err := nextSeq(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE dirty_days SET seq = $1 WHERE kind = $2 AND device = $3`,
			seq, string(ref.Kind), ref.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("invalidate %s: %w", ref, err)
	}
	return nil
}

// DaySpan is the first and the last day that hold data, both inclusive, counted
// from 1970-01-01.
type DaySpan struct {
	First, Last int64
}

// Spans returns, for each device of the kind, the days between which it has
// data.
func (l *Ledger) Spans(ctx context.Context, kind devices.Kind) (map[string]DaySpan, error) {
	type deviceSpan struct {
		device string
		span   DaySpan
	}
	scan := func(row sqlite.Scanner) (s deviceSpan, err error) {
		err = row.Scan(&s.device, &s.span.First, &s.span.Last)
		return s, err
	}
	all, err := sqlite.Collect(ctx, l.db.Read, scan,
		`SELECT device, min(day), max(day) FROM dirty_days WHERE kind = $1 GROUP BY device`, string(kind))
	if err != nil {
		return nil, fmt.Errorf("read spans: %w", err)
	}
	spans := make(map[string]DaySpan, len(all))
	for _, s := range all {
		spans[s.device] = s.span
	}
	return spans, nil
}
