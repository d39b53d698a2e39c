package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"maps"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteryResult is what a run has worked out of one battery. Nil or empty parts
// stay as they are.
type BatteryResult struct {
	Device   string
	Days     []dossier.Day // each replaces that of its day, unless it has fewer readings
	State    []byte        // of a dossier
	Points   []byte        // of the dossier
	Since    int64         // records from this day on are replaced by History
	History  []dossier.Record
	Standing *dossier.Standing
	Anew     bool // marks all days that ever were marked, as Invalidate does
}

// BatteryResults is a Part.
type BatteryResults []BatteryResult

func (results BatteryResults) write(ctx context.Context, tx *sql.Tx) error {
	w, err := newBatteryWriter(ctx, tx)
	if err != nil {
		return err
	}
	if w.revision, err = nextBatteryRevision(ctx, tx); err != nil {
		return err
	}
	for k := range results {
		if err := w.write(ctx, &results[k]); err != nil {
			return fmt.Errorf("battery %s: %w", results[k].Device, err)
		}
	}
	return nil
}

// joined puts the results of batteries together, so that they are saved by one
// set of statements, and tells of swaps once.
func joined(parts []Part) []Part {
	var results BatteryResults
	today, swaps := BatteriesToday{}, false
	others := make([]Part, 0, len(parts))
	for _, p := range parts {
		switch p := p.(type) {
		case BatteryResults:
			results = append(results, p...)
		case BatteriesToday:
			maps.Copy(today, p)
		case StationSwaps:
			swaps, others = true, append(others, p)
		default:
			others = append(others, p)
		}
	}
	if swaps {
		others = append(others, swapsChanged{})
	}
	if len(results) > 0 {
		others = append(others, results)
	}
	if len(today) > 0 {
		others = append(others, today)
	}
	return others
}

type batteryWriter struct {
	tx                                                    *sql.Tx
	day, state, points, forget, record, standing, changed *sql.Stmt

	revision   int64
	use, found []byte
	row        []any
}

func newBatteryWriter(ctx context.Context, tx *sql.Tx) (*batteryWriter, error) {
	w := batteryWriter{tx: tx}
	for _, s := range []struct {
		to   **sql.Stmt
		text string
	}{
		// Readings are never taken back, so fewer of a day mean that they are not
		// kept any more: what they said is.
		{&w.day, `INSERT INTO battery_days (device, day, readings, use, found) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (device, day) DO UPDATE SET readings = excluded.readings, use = excluded.use, found = excluded.found
			WHERE excluded.readings >= battery_days.readings`},
		{&w.state, `INSERT INTO battery_dossiers (device, state) VALUES ($1, $2)
			ON CONFLICT (device) DO UPDATE SET state = excluded.state`},
		{&w.points, `INSERT INTO battery_points (device, points) VALUES ($1, $2)
			ON CONFLICT (device) DO UPDATE SET points = excluded.points`},
		{&w.forget, `DELETE FROM battery_history WHERE device = $1 AND day >= $2`},
		{&w.record, `INSERT INTO battery_history (device, day, record) VALUES ($1, $2, $3)
			ON CONFLICT (device, day) DO UPDATE SET record = excluded.record`},
		{&w.standing, upsertStanding()},
		{&w.changed, `INSERT INTO battery_changes (device, revision) VALUES ($1, $2)
			ON CONFLICT (device) DO UPDATE SET revision = excluded.revision`},
	} {
		var err error
		if *s.to, err = tx.PrepareContext(ctx, s.text); err != nil {
			return nil, err
		}
	}
	return &w, nil
}

func (w *batteryWriter) write(ctx context.Context, r *BatteryResult) error {
	if r.Anew {
		if err := markAll(ctx, w.tx, devices.Ref{Kind: devices.KindBattery, ID: r.Device}); err != nil {
			return err
		}
	}
	for k := range r.Days {
		d := &r.Days[k]
		w.use, w.found = d.AppendUse(w.use[:0]), d.AppendFound(w.found[:0])
		if _, err := w.day.ExecContext(ctx, r.Device, d.Day, d.Readings, w.use, w.found); err != nil {
			return err
		}
	}
	if r.State != nil || r.Standing != nil {
		if _, err := w.changed.ExecContext(ctx, r.Device, w.revision); err != nil {
			return err
		}
	}
	if r.State != nil {
		if _, err := w.state.ExecContext(ctx, r.Device, r.State); err != nil {
			return err
		}
	}
	if r.Points != nil {
		if _, err := w.points.ExecContext(ctx, r.Device, r.Points); err != nil {
			return err
		}
	}
	if r.Since != 0 {
		if _, err := w.forget.ExecContext(ctx, r.Device, r.Since); err != nil {
			return err
		}
	}
	for k := range r.History {
		if _, err := w.record.ExecContext(ctx, r.Device, r.History[k].Day, r.History[k].Append(nil)); err != nil {
			return err
		}
	}
	if r.Standing == nil {
		return nil
	}
	w.row = standingRow(w.row[:0], r.Standing)
	_, err := w.standing.ExecContext(ctx, w.row...)
	return err
}

// BatteryDays returns the days of the battery in [fromDay, toDay), ascending.
// Those without data are absent, one that can't be read is dossier.Unread. Days are
// kept for ever, as all results are: how a battery was on any day is told from all
// days before it. One is some 700 bytes.
func (l *Ledger) BatteryDays(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Day, error) {
	days, lost := make([]dossier.Day, 0, max(0, min(toDay-fromDay, 64))), unread{of: "days"}
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var (
			day        int64
			use, found sql.RawBytes
		)
		if err := row.Scan(&day, &use, &found); err != nil {
			return struct{}{}, err
		}
		d, err := dossier.DecodeDay(day, use, found)
		if err != nil {
			d = dossier.Unread(day)
		}
		days = append(days, d)
		return struct{}{}, lost.pass(id, err)
	}, `SELECT day, use, found FROM battery_days WHERE device = $1 AND day >= $2 AND day < $3 ORDER BY day`, id, fromDay, toDay)
	lost.log(l.log)
	if err != nil {
		return nil, fmt.Errorf("read days of battery %s: %w", id, err)
	}
	return days, nil
}

// BatteryFindings returns what was found of each of the batteries on the days in
// [fromDay, toDay), ascending.
func (l *Ledger) BatteryFindings(ctx context.Context, ids []string, fromDay, toDay int64) (map[string][]dossier.Finding, error) {
	q := database.NewQuery(`SELECT device, day, found FROM battery_days`)
	q.WhereIn("device", ids).Where("day >= ?", fromDay).Where("day < ?", toDay)
	q.Page("device, day", 0, 0)
	out := make(map[string][]dossier.Finding, len(ids))
	err := l.findings(ctx, func(id string, f dossier.Finding) { out[id] = append(out[id], f) }, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read findings of batteries: %w", err)
	}
	return out, nil
}

// findings yields what was found on the days that a query selects, whose rows are a
// device, a day and what was found.
func (l *Ledger) findings(ctx context.Context, yield func(id string, f dossier.Finding), query string, args ...any) error {
	lost := unread{of: "findings"}
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var (
			id    string
			f     dossier.Finding
			found sql.RawBytes
		)
		err := row.Scan(&id, &f.Day, &found)
		if err == nil {
			f.Found, err = dossier.DecodeFound(found)
			if f.Unread = err != nil; f.Unread {
				f.Found = dossier.Found{}
			}
			yield(id, f)
		}
		return struct{}{}, lost.pass(id, err)
	}, query, args...)
	lost.log(l.log)
	return err
}

// Dossiers returns those of the batteries that have one. One that can't be read is
// a new one, without a basis.
func (l *Ledger) Dossiers(ctx context.Context, ids []string) (map[string]*dossier.Dossier, error) {
	q := database.NewQuery(`SELECT device, state FROM battery_dossiers`)
	q.WhereIn("device", ids)
	out := make(map[string]*dossier.Dossier, len(ids))
	err := l.dossiers(ctx, l.db.Read, func(id string, x *dossier.Dossier) {
		if out[id] = x; x == nil {
			out[id] = dossier.New(id)
		}
	}, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read dossiers: %w", err)
	}
	return out, nil
}

// dossiers yields the dossiers that a query selects, whose rows are a device and
// its state: nil where there is none, or none that can be read.
func (l *Ledger) dossiers(ctx context.Context, from database.Querier, yield func(id string, x *dossier.Dossier), query string, args ...any) error {
	lost := unread{of: "dossiers"}
	_, err := database.Collect(ctx, from, func(row database.Scanner) (struct{}, error) {
		var (
			id    string
			state sql.RawBytes
			x     *dossier.Dossier
		)
		err := row.Scan(&id, &state)
		if err == nil && state != nil {
			x, err = dossier.Decode(state)
		}
		yield(id, x)
		return struct{}{}, lost.pass(id, err)
	}, query, args...)
	lost.log(l.log)
	return err
}

// HealthPoints returns the points of health of the batteries that have any.
func (l *Ledger) HealthPoints(ctx context.Context, ids []string) (map[string][]battery.HealthPoint, error) {
	q := database.NewQuery(`SELECT device, points FROM battery_points`)
	q.WhereIn("device", ids)
	out := make(map[string][]battery.HealthPoint, len(ids))
	_, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (struct{}, error) {
		var (
			id     string
			points sql.RawBytes
		)
		if err := row.Scan(&id, &points); err != nil {
			return struct{}{}, err
		}
		p, err := dossier.DecodePoints(points)
		out[id] = p
		return struct{}{}, err
	}, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read points of health: %w", err)
	}
	return out, nil
}
