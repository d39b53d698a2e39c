package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// ErrNoEntry says that nobody entered what was asked for.
var ErrNoEntry = errors.New("no such entry")

// ErrTooMany says that a building has as many entries of a kind as it may have.
var ErrTooMany = fmt.Errorf("a building has at most %d of them", maxEntries)

// maxEntries bounds the measures, and the adjustments, of a building: each measure
// has a baseline of its own to be worked out.
const maxEntries = 100

// Collection is a kind of what owners enter about buildings.
type Collection string

// The collections. Those of buildings have the building as their scope, the
// others an empty one.
const (
	Interventions Collection = "intervention"
	Adjustments   Collection = "adjustment"
	Settings      Collection = "settings" // one for each building, with an empty id
	Tariffs       Collection = "tariff"
	Grids         Collection = "grid"
)

// Entry is one of them, with its JSON.
type Entry struct {
	ID        string
	Revision  int64 // greater after every change of any entry
	UpdatedAt time.Time
	Payload   []byte
}

// PutEntry saves an entry, in the place of one that is there, and has the results
// that it bears on worked out again. refers is the device whose temperature
// settings take, or empty.
func (l *Ledger) PutEntry(ctx context.Context, c Collection, scope, id, refers string, v any) (Entry, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return Entry{}, fmt.Errorf("save %s %s: %w", c, id, err)
	}
	e := Entry{ID: id, UpdatedAt: l.now().UTC().Truncate(time.Millisecond), Payload: payload}
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		if e.Revision, err = nextSeq(ctx, tx); err != nil {
			return err
		}
		if err := hasRoom(ctx, tx, c, scope, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO building_entries (collection, scope, id, revision, refers, updated_at, payload)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (collection, scope, id) DO UPDATE
			SET revision = excluded.revision, refers = excluded.refers, updated_at = excluded.updated_at, payload = excluded.payload`,
			string(c), scope, id, e.Revision, refers, e.UpdatedAt.UnixMilli(), string(payload))
		if err != nil {
			return err
		}
		return remark(ctx, tx, scope, e.Revision)
	})
	if err != nil {
		return Entry{}, fmt.Errorf("save %s %s: %w", c, id, err)
	}
	return e, nil
}

// hasRoom is ErrTooMany where one more entry would be too many.
func hasRoom(ctx context.Context, tx *sql.Tx, c Collection, scope, id string) error {
	if c != Interventions && c != Adjustments {
		return nil
	}
	var others int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM building_entries WHERE collection = $1 AND scope = $2 AND id <> $3`,
		string(c), scope, id).Scan(&others)
	if err == nil && others >= maxEntries {
		err = ErrTooMany
	}
	return err
}

// drop deletes what was entered and numbers the change; ErrNoEntry where there was
// nothing.
func drop(ctx context.Context, tx *sql.Tx, query string, args ...any) (seq int64, err error) {
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return 0, errors.Join(err, ErrNoEntry)
	}
	return nextSeq(ctx, tx)
}

// DeleteEntry removes an entry; ErrNoEntry where there is none.
func (l *Ledger) DeleteEntry(ctx context.Context, c Collection, scope, id string) error {
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		seq, err := drop(ctx, tx, `DELETE FROM building_entries WHERE collection = $1 AND scope = $2 AND id = $3`, string(c), scope, id)
		if err != nil {
			return err
		}
		return remark(ctx, tx, scope, seq)
	})
	if err != nil {
		return fmt.Errorf("delete %s %s: %w", c, id, err)
	}
	return nil
}

// remark marks the newest day of a building, or of every building where the scope
// is empty: a job that comes to it sees that the entries have changed.
func remark(ctx context.Context, tx *sql.Tx, building string, seq int64) error {
	kind := string(devices.KindBuilding)
	if building == "" {
		_, err := tx.ExecContext(ctx, `UPDATE dirty_days SET seq = $1 WHERE kind = $2 AND (device, day) IN
			(SELECT device, max(day) FROM dirty_days WHERE kind = $2 GROUP BY device)`, seq, kind)
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE dirty_days SET seq = $1 WHERE kind = $2 AND device = $3 AND day =
		(SELECT max(day) FROM dirty_days WHERE kind = $2 AND device = $3)`, seq, kind, building)
	return err
}

const entryColumns = `id, revision, updated_at, payload`

func scanEntry(row database.Scanner) (e Entry, err error) {
	var updated int64
	err = row.Scan(&e.ID, &e.Revision, &updated, &e.Payload)
	e.UpdatedAt = time.UnixMilli(updated).UTC()
	return e, err
}

// Entries are those of a scope, by id.
func (l *Ledger) Entries(ctx context.Context, c Collection, scope string) ([]Entry, error) {
	all, err := database.Collect(ctx, l.db.Read, scanEntry, `SELECT `+entryColumns+` FROM building_entries
		WHERE collection = $1 AND scope = $2 ORDER BY id`, string(c), scope)
	if err != nil {
		return nil, fmt.Errorf("read entries of %s: %w", c, err)
	}
	return all, nil
}

// Entry is one of them; ErrNoEntry where there is none.
func (l *Ledger) Entry(ctx context.Context, c Collection, scope, id string) (Entry, error) {
	e, err := scanEntry(l.db.Read.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM building_entries
		WHERE collection = $1 AND scope = $2 AND id = $3`, string(c), scope, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoEntry
	}
	if err != nil {
		return Entry{}, fmt.Errorf("%s %s: %w", c, id, err)
	}
	return e, nil
}

// WeatherUsers are the buildings that take their temperature from a device.
func (l *Ledger) WeatherUsers(ctx context.Context, ref devices.Ref) ([]string, error) {
	scan := func(row database.Scanner) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	}
	all, err := database.Collect(ctx, l.db.Read, scan, `SELECT scope FROM building_entries
		WHERE refers = $1 AND collection = $2 ORDER BY scope`, ref.String(), string(Settings))
	if err != nil {
		return nil, fmt.Errorf("read who takes the weather of %s: %w", ref, err)
	}
	return all, nil
}

// CreateEntry saves what build makes for the id that it is given, which no other
// entry of the scope has. build may be called again.
func (l *Ledger) CreateEntry(ctx context.Context, c Collection, scope string, build func(id string) any) (Entry, error) {
	var e Entry
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		seq, err := freeSeq(ctx, tx, c, scope)
		if err != nil {
			return err
		}
		e = Entry{ID: strconv.FormatInt(seq, 10), Revision: seq, UpdatedAt: l.now().UTC().Truncate(time.Millisecond)}
		if err := hasRoom(ctx, tx, c, scope, e.ID); err != nil {
			return err
		}
		if e.Payload, err = json.Marshal(build(e.ID)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO building_entries (collection, scope, id, revision, updated_at, payload)
			VALUES ($1, $2, $3, $4, $5, $6)`, string(c), scope, e.ID, seq, e.UpdatedAt.UnixMilli(), string(e.Payload))
		if err != nil {
			return err
		}
		return remark(ctx, tx, scope, seq)
	})
	if err != nil {
		return Entry{}, fmt.Errorf("create %s: %w", c, err)
	}
	return e, nil
}

// freeSeq is the next sequence that is no id of an entry yet: clients may choose
// numbers, too.
func freeSeq(ctx context.Context, tx *sql.Tx, c Collection, scope string) (int64, error) {
	for {
		seq, err := nextSeq(ctx, tx)
		if err != nil {
			return 0, err
		}
		var taken int
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM building_entries WHERE collection = $1 AND scope = $2 AND id = $3`,
			string(c), scope, strconv.FormatInt(seq, 10)).Scan(&taken)
		if err != nil || taken == 0 {
			return seq, err
		}
	}
}
