package presence

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// chunk is how many devices are written in one transaction.
const chunk = 5000

// row is the presence of a device on its way to the file.
type row struct {
	ref  devices.Ref
	seen seen
}

// Save writes the presence that has changed since the last save. After an error
// what was not written is written the next time.
func (t *Tracker) Save(ctx context.Context) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	rows := t.takeFresh()
	for len(rows) > 0 {
		n := min(len(rows), chunk)
		if err := t.saveRows(ctx, rows[:n]); err != nil {
			t.refresh(rows)
			return fmt.Errorf("save presence: %w", err)
		}
		rows = rows[n:]
	}
	return nil
}

func (t *Tracker) takeFresh() []row {
	var rows []row
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		for ref, dev := range p.devices {
			if dev.fresh {
				rows = append(rows, row{ref, dev.seen})
				dev.fresh = false
			}
		}
		p.mu.Unlock()
	}
	return rows
}

// refresh marks what could not be written.
func (t *Tracker) refresh(rows []row) {
	for i := range rows {
		p := t.part(rows[i].ref)
		p.mu.Lock()
		p.devices[rows[i].ref].fresh = true
		p.mu.Unlock()
	}
}

func (t *Tracker) saveRows(ctx context.Context, rows []row) error {
	return t.db.Update(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, `INSERT INTO presence (kind, id, first_seen, last_seen, newest, offline, since, pace)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (kind, id) DO UPDATE SET first_seen = excluded.first_seen, last_seen = excluded.last_seen,
			newest = excluded.newest, offline = excluded.offline, since = excluded.since, pace = excluded.pace`)
		if err != nil {
			return err
		}
		for i := range rows {
			s := &rows[i].seen
			_, err := put.ExecContext(ctx, string(rows[i].ref.Kind), rows[i].ref.ID, s.first, s.last, s.newest, s.offline, s.since, s.pace)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Unpersisted reports whether Persist has anything to do.
func (t *Tracker) Unpersisted() bool { return t.changed.Load() }

// Persist writes the clocks that have changed: what Offset answered before the
// call holds after a crash. After an error the call may be repeated.
func (t *Tracker) Persist(ctx context.Context) error {
	if !t.Unpersisted() {
		return nil
	}
	t.persisting.Lock()
	defer t.persisting.Unlock()
	t.mu.Lock()
	refs := t.unsaved
	t.unsaved = make(map[devices.Ref]struct{})
	t.mu.Unlock()
	err := t.saveClocks(ctx, refs)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		for ref := range refs {
			t.unsaved[ref] = struct{}{}
		}
		return fmt.Errorf("save clocks: %w", err)
	}
	// Not before: another caller would take it for written.
	t.changed.Store(len(t.unsaved) > 0)
	return nil
}

func (t *Tracker) saveClocks(ctx context.Context, refs map[devices.Ref]struct{}) error {
	return t.db.Update(ctx, func(tx *sql.Tx) error {
		put, err := tx.PrepareContext(ctx, `INSERT INTO clocks (kind, id, spells) VALUES ($1, $2, $3)
			ON CONFLICT (kind, id) DO UPDATE SET spells = excluded.spells`)
		if err != nil {
			return err
		}
		for ref := range refs {
			text, err := t.encodeClock(ref)
			if err != nil {
				return err
			}
			if _, err := put.ExecContext(ctx, string(ref.Kind), ref.ID, text); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *Tracker) encodeClock(ref devices.Ref) (string, error) {
	p := t.part(ref)
	p.mu.Lock()
	defer p.mu.Unlock()
	text, err := json.Marshal(p.devices[ref].clock.spells)
	return string(text), err
}

// load reads the file, and says how many devices have a presence there. What is
// beyond MaxDevices stays there.
func (t *Tracker) load(ctx context.Context) (saved int, err error) {
	rows, err := database.Collect(ctx, t.db.Read, scanRow,
		`SELECT kind, id, first_seen, last_seen, newest, offline, since, pace FROM presence ORDER BY last_seen DESC`)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		if dev := t.device(t.part(r.ref), r.ref); dev != nil {
			dev.seen = r.seen
		}
	}
	clocks, err := database.Collect(ctx, t.db.Read, scanClock, `SELECT kind, id, spells FROM clocks`)
	if err != nil {
		return 0, err
	}
	for _, c := range clocks {
		if dev := t.device(t.part(c.ref), c.ref); dev != nil {
			dev.clock = c.clock
		}
	}
	return len(rows), nil
}

func scanRow(s database.Scanner) (r row, err error) {
	err = s.Scan(&r.ref.Kind, &r.ref.ID, &r.seen.first, &r.seen.last, &r.seen.newest, &r.seen.offline, &r.seen.since, &r.seen.pace)
	r.seen.pace = max(r.seen.pace, 1)
	return r, err
}

type clockRow struct {
	ref   devices.Ref
	clock *clock
}

func scanClock(s database.Scanner) (clockRow, error) {
	var r clockRow
	var text []byte
	if err := s.Scan(&r.ref.Kind, &r.ref.ID, &text); err != nil {
		return r, err
	}
	var spells []spell
	if err := json.Unmarshal(text, &spells); err != nil {
		return r, fmt.Errorf("clock of %s: %w", r.ref, err)
	}
	if len(spells) == 0 || len(spells) > maxSpells {
		return r, fmt.Errorf("clock of %s: %d spells", r.ref, len(spells))
	}
	r.clock = restored(spells)
	return r, nil
}
