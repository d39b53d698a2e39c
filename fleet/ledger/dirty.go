package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
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
// that returned after the readings were committed has done so already. Days
// that were marked since days were last handed out are not written again; where
// other processes use the database too, that is asked for.
func (l *Ledger) MarkDirty(ctx context.Context, days []telemetry.DeviceDay) error {
	if len(days) == 0 {
		return nil
	}
	if l.db.Shared() {
		_, handed, err := l.markings(ctx)
		if err != nil {
			return fmt.Errorf("mark dirty days: %w", err)
		}
		l.dirty.handOut(handed)
	}
	err := l.dirty.mark(days, func(missing []telemetry.DeviceDay) (seq int64, err error) {
		err = l.db.Update(ctx, func(tx *sql.Tx) error {
			seq, err = mark(ctx, tx, missing)
			return err
		})
		return seq, err
	})
	if err != nil {
		return fmt.Errorf("mark dirty days: %w", err)
	}
	return nil
}

// mark gives the days one new number.
func mark(ctx context.Context, tx *sql.Tx, days []telemetry.DeviceDay) (seq int64, err error) {
	if seq, err = nextSeq(ctx, tx); err != nil {
		return 0, err
	}
	upsert, err := tx.PrepareContext(ctx, `INSERT INTO dirty_days (kind, device, day, seq) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, device, day) DO UPDATE SET seq = excluded.seq`)
	if err != nil {
		return 0, err
	}
	for _, d := range days {
		if _, err := upsert.ExecContext(ctx, string(d.Kind), d.Device, d.Day, seq); err != nil {
			return 0, err
		}
	}
	return seq, nil
}

// nextSeq takes a number greater than all before. The row it changes stays
// locked until the commit, so numbers become visible in their order.
func nextSeq(ctx context.Context, tx *sql.Tx) (seq int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE counters SET value = value + 1 WHERE name = 'dirty' RETURNING value`).Scan(&seq)
	return seq, err
}

// markings returns the number of the latest marking that is committed, with
// all before it, and the greatest number that was handed out.
func (l *Ledger) markings(ctx context.Context) (latest, handed int64, err error) {
	err = l.db.Read.QueryRowContext(ctx, `SELECT d.value, h.value FROM counters AS d, counters AS h
		WHERE d.name = 'dirty' AND h.name = 'handed'`).Scan(&latest, &handed)
	return latest, handed, err
}

// Dirty returns the days that were marked with a number greater than after,
// ordered by kind, device and day, and a number up to which the markings are all
// among them: a caller that works off the days saves it as its watermark and
// gives it as after the next time. Callers with watermarks of their own do not
// disturb one another, nor do those of other processes.
//
// Readings whose marking returned before the call are either visible to reads
// that begin when Dirty has returned, with their day in the result, or were so
// at an earlier call.
func (l *Ledger) Dirty(ctx context.Context, after int64) (days []DirtyDay, upTo int64, err error) {
	days, upTo, _, err = l.DirtyOf(ctx, DirtyQuery{After: after, Kinds: devices.Kinds(), FromDay: math.MinInt64, ToDay: math.MaxInt64})
	return days, upTo, err
}

// DirtyQuery selects dirty days.
type DirtyQuery struct {
	After          int64 // as of Dirty
	UpTo           int64 // leaves out later markings; 0: none
	Kinds          []devices.Kind
	FromDay, ToDay int64 // half-open
	Limit          int   // at most so many, but all of one marking; 0: all
	// Newest has a query After 0 look at so many of the newest markings alone, for
	// whom older ones can't concern; 0: at all.
	Newest int
}

// DirtyOf is Dirty for the days that the query selects. Of more than its limit it
// returns those with the least numbers; the number says up to where, and more that
// there are others.
func (l *Ledger) DirtyOf(ctx context.Context, q DirtyQuery) (days []DirtyDay, upTo int64, more bool, err error) {
	if upTo, err = l.handOut(ctx); err != nil {
		return nil, 0, false, fmt.Errorf("read dirty days: %w", err)
	}
	last := int64(math.MaxInt64)
	if q.UpTo > 0 {
		last = q.UpTo
	}
	upTo = max(min(upTo, last), q.After)
	if q.After == 0 && q.Newest > 0 {
		err := l.db.Read.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM dirty_days ORDER BY seq DESC LIMIT 1 OFFSET $1) AS oldest`,
			q.Newest).Scan(&q.After)
		if err != nil {
			return nil, 0, false, fmt.Errorf("read dirty days: %w", err)
		}
	}
	// A day that was marked since is among them too, for it may have had a number
	// that is to be handed out now. It will be handed out again.
	if days, err = l.marked(ctx, &q, last); err != nil {
		return nil, 0, false, fmt.Errorf("read dirty days: %w", err)
	}
	if more = q.Limit > 0 && len(days) > q.Limit; more {
		last = days[q.Limit].Seq
		if days[0].Seq < last {
			days = slices.DeleteFunc(days, func(d DirtyDay) bool { return d.Seq == last })
			last--
		} else if days, err = l.marked(ctx, &DirtyQuery{After: last - 1, Kinds: q.Kinds, FromDay: q.FromDay, ToDay: q.ToDay}, last); err != nil {
			return nil, 0, false, fmt.Errorf("read dirty days: %w", err)
		}
		upTo = min(upTo, last)
	}
	slices.SortFunc(days, func(a, b DirtyDay) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Day, b.Day))
	})
	return days, upTo, more, nil
}

// marked reads the days that the query selects up to the number, by their numbers;
// one more than its limit.
func (l *Ledger) marked(ctx context.Context, q *DirtyQuery, upTo int64) ([]DirtyDay, error) {
	names := make([]string, len(q.Kinds))
	for k := range q.Kinds {
		names[k] = string(q.Kinds[k])
	}
	limit := 0
	if q.Limit > 0 {
		limit = q.Limit + 1
	}
	// Not by the index on kinds, of which there are few: it would read all days that
	// ever were.
	text := database.NewQuery(`SELECT kind, device, day, seq FROM dirty_days`)
	text.Where("seq > ?", q.After).Where("seq <= ?", upTo).WhereIn("kind || ''", names).Where("day >= ?", q.FromDay).Where("day < ?", q.ToDay)
	text.Page("seq, kind, device, day", limit, 0)
	return database.Collect(ctx, l.db.Read, scanDirty, text.Text(), text.Args()...)
}

// handOut commits that the markings up to the latest are handed out, and
// returns its number.
func (l *Ledger) handOut(ctx context.Context) (upTo int64, err error) {
	upTo, handed, err := l.markings(ctx)
	if err != nil {
		return 0, err
	}
	if handed < upTo {
		err := l.db.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE counters SET value = $1 WHERE name = 'handed' AND value < $1`, upTo)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	l.dirty.handOut(upTo)
	return upTo, nil
}

func scanDirty(row database.Scanner) (d DirtyDay, err error) {
	err = row.Scan(&d.Kind, &d.Device, &d.Day, &d.Seq)
	return d, err
}

// Invalidate marks every day of the device that ever was marked: its results
// will be computed anew.
func (l *Ledger) Invalidate(ctx context.Context, ref devices.Ref) error {
	err := l.db.Update(ctx, func(tx *sql.Tx) error { return markAll(ctx, tx, ref) })
	if err != nil {
		return fmt.Errorf("invalidate %s: %w", ref, err)
	}
	return nil
}

// markAll gives every day of the device that has a number a new one.
func markAll(ctx context.Context, tx *sql.Tx, ref devices.Ref) error {
	seq, err := nextSeq(ctx, tx)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE dirty_days SET seq = $1 WHERE kind = $2 AND device = $3`,
		seq, string(ref.Kind), ref.ID)
	return err
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
	scan := func(row database.Scanner) (s deviceSpan, err error) {
		err = row.Scan(&s.device, &s.span.First, &s.span.Last)
		return s, err
	}
	all, err := database.Collect(ctx, l.db.Read, scan,
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
