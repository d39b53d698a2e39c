package quarantine

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

// usage is how many bytes entries count for, by principal.
type usage map[string]int64

func (u usage) total() (bytes int64) {
	for _, n := range u {
		bytes += n
	}
	return bytes
}

// add books the bytes of new entries.
func (u usage) add(ctx context.Context, tx *sql.Tx) error {
	for principal, size := range u {
		_, err := tx.ExecContext(ctx, `INSERT INTO principals (principal, size) VALUES ($1, $2)
			ON CONFLICT (principal) DO UPDATE SET size = principals.size + excluded.size`, []byte(principal), size)
		if err != nil {
			return err
		}
	}
	return nil
}

// subtract books the bytes of entries that are gone.
func (u usage) subtract(ctx context.Context, tx *sql.Tx) error {
	for principal, size := range u {
		key := []byte(principal)
		if _, err := tx.ExecContext(ctx, `UPDATE principals SET size = size - $1 WHERE principal = $2`, size, key); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM principals WHERE principal = $1 AND size <= 0`, key); err != nil {
			return err
		}
	}
	return nil
}

// removed is what a deletion freed.
type removed struct {
	entries int64
	bytes   int64
}

func (r *removed) add(more removed) {
	r.entries += more.entries
	r.bytes += more.bytes
}

// remove deletes the entries that the conditions of a DELETE select, and books
// it.
func remove(ctx context.Context, tx *sql.Tx, del *database.Query) (removed, error) {
	type freed struct {
		principal string
		size      int64
	}
	scan := func(row database.Scanner) (f freed, err error) {
		err = row.Scan(&f.principal, &f.size)
		return f, err
	}
	all, err := database.Collect(ctx, tx, scan, del.Text()+" RETURNING principal, size", del.Args()...)
	if err != nil {
		return removed{}, err
	}
	by := usage{}
	for _, f := range all {
		by[f.principal] += f.size
	}
	return removed{entries: int64(len(all)), bytes: by.total()}, by.subtract(ctx, tx)
}

// evictor makes room in a full quarantine.
type evictor struct {
	tx     *sql.Tx
	newest Entry // which stays; with its ID
	step   int64 // bytes that are freed at a time, where two principals have as much
}

// evict deletes entries until at least excess bytes are freed: always the oldest
// of the principal that has the most, and among those that have as much, of the
// one whose name is the least. So a device that goes wrong pushes out its own
// entries, whatever it sends, before it comes to have more than each of the
// others.
func (e *evictor) evict(ctx context.Context, excess int64) (removed, error) {
	var sum removed
	for sum.bytes < excess {
		principal, lead, err := e.largest(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return removed{}, err
		}
		last, err := e.lastToDrop(ctx, principal, min(excess-sum.bytes, max(lead, e.step)))
		if err != nil {
			return removed{}, err
		}
		gone, err := remove(ctx, e.tx, database.NewQuery(`DELETE FROM entries`).
			Where("principal = ?", []byte(principal)).Where("id <= ?", last))
		if err != nil {
			return removed{}, err
		}
		sum.add(gone)
	}
	return sum, nil
}

// largest is the principal that has the most, and how many bytes more than the
// next one. One that has nothing but the newest entry is passed over.
func (e *evictor) largest(ctx context.Context) (principal string, lead int64, err error) {
	var next int64
	err = e.tx.QueryRowContext(ctx, `SELECT principal, size, lead(size, 1, 0) OVER (ORDER BY size DESC, principal)
		FROM (SELECT principal, size FROM principals WHERE NOT (principal = $1 AND size <= $2)
			ORDER BY size DESC, principal LIMIT 2) AS two
		ORDER BY size DESC, principal LIMIT 1`, []byte(e.newest.Principal), e.newest.size()).Scan(&principal, &lead, &next)
	return principal, lead - next, err
}

// lastToDrop is the id up to which the principal's entries free at least want
// bytes, or all that it has but the newest entry. It reads no further than it
// must.
func (e *evictor) lastToDrop(ctx context.Context, principal string, want int64) (last int64, err error) {
	rows, err := e.tx.QueryContext(ctx, `SELECT id, size FROM entries WHERE principal = $1 AND id < $2 ORDER BY id`,
		[]byte(principal), e.newest.ID)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }() // what went wrong while reading is in rows.Err
	for want > 0 && rows.Next() {
		var size int64
		if err := rows.Scan(&last, &size); err != nil {
			return 0, err
		}
		want -= size
	}
	return last, rows.Err()
}
