package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

// batchEntries is how many entries one transaction of a purge deletes, so that a
// Put need not wait for the whole of it.
const batchEntries = 1000

// Dropped is what a purge removed, or would.
type Dropped struct {
	Entries int
	Bytes   int64 // that the entries counted for
}

// Delete removes one entry, say because it was replayed. Error: ErrNotFound.
func (q *Quarantine) Delete(ctx context.Context, id int64) error {
	gone, err := q.delete(ctx, database.NewQuery(`DELETE FROM entries`).Where("id = ?", id))
	if err == nil && gone.entries == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("quarantine entry %d: %w", id, err)
	}
	return nil
}

// Purge drops the entries that were received more than MaxAge before now and
// returns how many. After an error some may be gone.
func (q *Quarantine) Purge(ctx context.Context, now time.Time) (int, error) {
	d, err := q.drop(ctx, Filter{Until: now.Add(-q.opts.MaxAge)})
	q.mu.Lock()
	q.purged += int64(d.Entries)
	q.mu.Unlock()
	if err != nil {
		return d.Entries, fmt.Errorf("purge quarantine: %w", err)
	}
	return d.Entries, nil
}

// Drop removes the entries that f selects, whatever its order and page. With
// keepBytes above zero those that came last stay, as many as count for at most
// so many bytes. Entries that arrive during the call stay. A dry run removes
// nothing and returns what would be. After an error some may be gone: Dropped
// tells how many.
func (q *Quarantine) Drop(ctx context.Context, f Filter, keepBytes int64, dryRun bool) (Dropped, error) {
	d, err := q.selected(ctx, &f, keepBytes)
	if err == nil && !dryRun && d.Entries > 0 {
		d, err = q.drop(ctx, f)
	}
	if err != nil {
		return d, fmt.Errorf("drop from quarantine: %w", err)
	}
	return d, nil
}

// selected narrows f to the ids that are there now and go, and sums them up.
func (q *Quarantine) selected(ctx context.Context, f *Filter, keepBytes int64) (d Dropped, err error) {
	err = q.db.View(ctx, func(tx *sql.Tx) error {
		sizes := database.NewQuery(`SELECT id, sum(size) OVER (ORDER BY id DESC) AS through FROM entries`)
		f.where(sizes)
		args := append(sizes.Args(), max(keepBytes, 0))
		err := tx.QueryRowContext(ctx, fmt.Sprintf(
			`SELECT id FROM (%s) AS newest_first WHERE through > $%d ORDER BY id DESC LIMIT 1`, sizes.Text(), len(args)),
			args...).Scan(&f.Through)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		sum := database.NewQuery(`SELECT count(*), coalesce(sum(size), 0) FROM entries`)
		f.where(sum)
		return tx.QueryRowContext(ctx, sum.Text(), sum.Args()...).Scan(&d.Entries, &d.Bytes)
	})
	return d, err
}

// drop removes what f selects, in batches.
func (q *Quarantine) drop(ctx context.Context, f Filter) (Dropped, error) {
	var d Dropped
	for {
		last, err := q.batchEnd(ctx, f)
		if err != nil || last == 0 {
			return d, err
		}
		batch := f
		batch.Through = last
		del := database.NewQuery(`DELETE FROM entries`)
		batch.where(del)
		gone, err := q.delete(ctx, del)
		d.Entries += int(gone.entries)
		d.Bytes += gone.bytes
		if err != nil {
			return d, err
		}
		f.After = last
	}
}

// batchEnd is the last id of the oldest entries that f selects; 0 where it
// selects none.
func (q *Quarantine) batchEnd(ctx context.Context, f Filter) (last int64, err error) {
	ids := database.NewQuery(`SELECT id FROM entries`)
	f.where(ids)
	ids.Page("id", batchEntries, 0)
	err = q.db.Read.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM (`+ids.Text()+`) AS batch`, ids.Args()...).Scan(&last)
	return last, err
}

func (q *Quarantine) delete(ctx context.Context, del *database.Query) (gone removed, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	err = q.db.Update(ctx, func(tx *sql.Tx) (err error) {
		gone, err = remove(ctx, tx, del)
		return err
	})
	if err != nil {
		return removed{}, err
	}
	q.size -= gone.bytes
	return gone, nil
}
