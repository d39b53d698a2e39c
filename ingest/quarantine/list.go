package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// Filter selects and pages entries. Empty conditions select everything.
type Filter struct {
	Reason  wire.Reason
	Device  string    // "kind/id"
	Since   time.Time // received at this time or later
	Until   time.Time // received before this time
	After   int64     // an id greater than this one
	Through int64     // an id up to this one; 0 or less: any

	OldestFirst bool // otherwise the newest come first
	Limit       int  // at most so many; 0 or less: all
	Offset      int  // skip so many
}

const entryColumns = "id, received_at, reason, device, principal, topic, detail, payload, sender, trusted"

// List returns a page of entries by id, and how many the filter selects. Entries carry their payloads, so a caller should set a limit.
func (q *Quarantine) List(ctx context.Context, f Filter) (entries []Entry, total int, err error) {
	count := database.NewQuery(`SELECT count(*) FROM entries`)
	page := database.NewQuery(`SELECT ` + entryColumns + ` FROM entries`)
	f.where(count)
	f.where(page)
	page.Page(f.order(), f.Limit, f.Offset)
	err = q.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, count.Text(), count.Args()...).Scan(&total); err != nil {
			return err
		}
		entries, err = database.Collect(ctx, tx, scanEntry, page.Text(), page.Args()...)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list quarantine: %w", err)
	}
	return entries, total, nil
}

func (f *Filter) order() string {
	if f.OldestFirst {
		return "id"
	}
	return "id DESC"
}

func (f *Filter) where(to *database.Query) {
	if f.Reason != "" {
		to.Where("reason = ?", string(f.Reason))
	}
	if f.Device != "" {
		to.Where("device = ?", []byte(f.Device))
	}
	if !f.Since.IsZero() {
		to.Where("received_at >= ?", ceilMilli(f.Since))
	}
	if !f.Until.IsZero() {
		to.Where("received_at < ?", ceilMilli(f.Until))
	}
	if f.After > 0 {
		to.Where("id > ?", f.After)
	}
	if f.Through > 0 {
		to.Where("id <= ?", f.Through)
	}
}

// ceilMilli is the first whole millisecond at or after t: among whole
// milliseconds, those before it are those before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return ms
}

// Get returns one entry. Error: ErrNotFound.
func (q *Quarantine) Get(ctx context.Context, id int64) (Entry, error) {
	e, err := scanEntry(q.db.Read.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM entries WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return Entry{}, fmt.Errorf("quarantine entry %d: %w", id, err)
	}
	return e, nil
}

// Counts returns how many entries there are of each reason that has any.
func (q *Quarantine) Counts(ctx context.Context) (map[wire.Reason]int, error) {
	type reasonCount struct {
		reason wire.Reason
		n      int
	}
	scan := func(row database.Scanner) (c reasonCount, err error) {
		err = row.Scan(&c.reason, &c.n)
		return c, err
	}
	all, err := database.Collect(ctx, q.db.Read, scan, `SELECT reason, count(*) FROM entries GROUP BY reason`)
	if err != nil {
		return nil, fmt.Errorf("count quarantine: %w", err)
	}
	counts := make(map[wire.Reason]int, len(all))
	for _, c := range all {
		counts[c.reason] = c.n
	}
	return counts, nil
}

func scanEntry(row database.Scanner) (Entry, error) {
	var (
		e        Entry
		received int64
	)
	err := row.Scan(&e.ID, &received, &e.Reason, &e.Device, &e.Principal, &e.Topic, &e.Detail, &e.Payload, &e.Sender, &e.Trusted)
	if err != nil {
		return Entry{}, err
	}
	e.ReceivedAt = time.UnixMilli(received).UTC()
	e.Payload = nonNil(e.Payload)
	return e, nil
}
