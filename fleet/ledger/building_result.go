package ledger

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/building"
)

// BuildingState is what the days and the result of a building were made with.
type BuildingState struct {
	Prepared  string // the days
	Evaluated string // the result
}

// BuildingChange is what a run has worked out of one building.
type BuildingChange struct {
	Building string
	State    BuildingState
	Days     []building.Day   // each replaces that of its number; an empty one deletes it
	Result   *building.Result // nil: as it was; of one whose Kept is nil that stays, too

	packed *packedResult
}

// packedResult is a result as it is stored.
type packedResult struct {
	asOf     int64
	parts    map[BuildingPart][]byte
	headline []byte
}

// Pack brings the result into the form in which it is stored, which takes a small
// part of the room. A change that is committed is packed then at the latest.
func (c *BuildingChange) Pack() error {
	if c.Result == nil {
		return nil
	}
	p := packedResult{asOf: c.Result.AsOf.UnixMilli(), parts: map[BuildingPart][]byte{}}
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		return err
	}
	for name, part := range parts(c.Result) {
		if name == PartKept && c.Result.Kept == nil {
			continue
		}
		if p.parts[name], err = deflateBy(w, part); err != nil {
			return fmt.Errorf("pack %s of building %s: %w", name, c.Building, err)
		}
	}
	if p.headline, err = json.Marshal(c.Result.Headline); err != nil {
		return fmt.Errorf("pack headline of building %s: %w", c.Building, err)
	}
	c.packed, c.Result = &p, nil
	return nil
}

// Evaluated reports whether there is a result among the change.
func (c *BuildingChange) Evaluated() bool { return c.Result != nil || c.packed != nil }

// BuildingDirty marks days of buildings whose weather has changed.
type BuildingDirty []telemetry.DeviceDay

func (d BuildingDirty) write(ctx context.Context, tx *sql.Tx) error {
	if len(d) == 0 {
		return nil
	}
	_, err := mark(ctx, tx, d)
	return err
}

func (c *BuildingChange) write(ctx context.Context, tx *sql.Tx) error {
	if err := c.writeDays(ctx, tx); err != nil {
		return err
	}
	if c.packed != nil {
		if err := c.writeResult(ctx, tx); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO building_states (building, prepared, evaluated) VALUES ($1, $2, $3)
		ON CONFLICT (building) DO UPDATE SET prepared = excluded.prepared, evaluated = excluded.evaluated`,
		c.Building, c.State.Prepared, c.State.Evaluated)
	return err
}

func (c *BuildingChange) writeDays(ctx context.Context, tx *sql.Tx) error {
	if len(c.Days) == 0 {
		return nil
	}
	upsert, err := tx.PrepareContext(ctx, `INSERT INTO building_days (building, day, payload) VALUES ($1, $2, $3)
		ON CONFLICT (building, day) DO UPDATE SET payload = excluded.payload`)
	if err != nil {
		return err
	}
	for i := range c.Days {
		d := &c.Days[i]
		if d.Empty() {
			_, err = tx.ExecContext(ctx, `DELETE FROM building_days WHERE building = $1 AND day = $2`, c.Building, d.Number)
		} else {
			_, err = upsert.ExecContext(ctx, c.Building, d.Number, d.Encode())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// BuildingPart is one part of a stored result.
type BuildingPart string

// The parts.
const (
	PartSavings  BuildingPart = "savings"
	PartMonths   BuildingPart = "months"
	PartModels   BuildingPart = "models"
	PartDemand   BuildingPart = "demand"
	PartCost     BuildingPart = "cost"
	PartCarbon   BuildingPart = "carbon"
	PartAnomaly  BuildingPart = "anomalies"
	PartForecast BuildingPart = "forecast"
	PartTargets  BuildingPart = "targets"
	PartUsage    BuildingPart = "usage"
	PartHeadline BuildingPart = "headline"
	PartKept     BuildingPart = "kept" // what the next run need not work out again
)

// parts are the parts of a result, each where it is kept.
func parts(r *building.Result) map[BuildingPart]any {
	return map[BuildingPart]any{
		PartSavings: &r.Savings, PartMonths: &r.Months, PartModels: &r.Models, PartDemand: &r.Demand, PartCost: &r.Cost, PartCarbon: &r.Carbon,
		PartAnomaly: &r.Anomaly, PartForecast: &r.Forecast, PartTargets: &r.Targets, PartUsage: &r.Usage, PartHeadline: &r.Headline,
		PartKept: &r.Kept,
	}
}

func (c *BuildingChange) writeResult(ctx context.Context, tx *sql.Tx) error {
	upsert, err := tx.PrepareContext(ctx, `INSERT INTO building_results (building, part, as_of, payload) VALUES ($1, $2, $3, $4)
		ON CONFLICT (building, part) DO UPDATE SET as_of = excluded.as_of, payload = excluded.payload`)
	if err != nil {
		return err
	}
	for name, payload := range c.packed.parts {
		if _, err := upsert.ExecContext(ctx, c.Building, string(name), c.packed.asOf, payload); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO building_history (building, as_of, headline) VALUES ($1, $2, $3)
		ON CONFLICT (building, as_of) DO UPDATE SET headline = excluded.headline`, c.Building, c.packed.asOf, string(c.packed.headline))
	return err
}

func deflate(v any) ([]byte, error) {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	return deflateBy(w, v)
}

// deflateBy is deflate by a writer at hand, which is larger than what it writes.
func deflateBy(w *flate.Writer, v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w.Reset(&out)
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// inflate reads into v what deflate wrote.
func inflate(payload []byte, v any) error {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(payload)))
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return json.Unmarshal(raw, v)
}

// BuildingResult reads parts of the newest result of a building into a Result,
// all of them where none is named; false where the building has no result.
func (l *Ledger) BuildingResult(ctx context.Context, id string, want ...BuildingPart) (*building.Result, bool, error) {
	type stored struct {
		part    BuildingPart
		asOf    int64
		payload []byte
	}
	scan := func(row database.Scanner) (s stored, err error) {
		err = row.Scan(&s.part, &s.asOf, &s.payload)
		return s, err
	}
	q := database.NewQuery(`SELECT part, as_of, payload FROM building_results`).Where("building = ?", id)
	if len(want) > 0 {
		names := make([]string, len(want))
		for i, p := range want {
			names[i] = string(p)
		}
		q.WhereIn("part", names)
	}
	all, err := database.Collect(ctx, l.db.Read, scan, q.Text(), q.Args()...)
	if err != nil {
		return nil, false, fmt.Errorf("read results of building %s: %w", id, err)
	}
	r := &building.Result{Building: id}
	into := parts(r)
	for _, s := range all {
		if at := time.UnixMilli(s.asOf).UTC(); at.After(r.AsOf) { // what was kept may be older
			r.AsOf = at
		}
		if v := into[s.part]; v != nil {
			if err := inflate(s.payload, v); err != nil {
				return nil, false, fmt.Errorf("read %s of building %s: %w", s.part, id, err)
			}
		}
	}
	return r, len(all) > 0, nil
}

// BuildingHeadlines are those of every building that has a result, by id.
func (l *Ledger) BuildingHeadlines(ctx context.Context) ([]building.Headline, error) {
	scan := func(row database.Scanner) (h building.Headline, err error) {
		var payload []byte
		if err := row.Scan(&payload); err != nil {
			return h, err
		}
		return h, inflate(payload, &h)
	}
	all, err := database.Collect(ctx, l.db.Read, scan, `SELECT payload FROM building_results WHERE part = $1 ORDER BY building`, string(PartHeadline))
	if err != nil {
		return nil, fmt.Errorf("read headlines of buildings: %w", err)
	}
	return all, nil
}

// BuildingHistory is what was said of a building at the end of each day in
// [from, to), ascending; instants are Unix milliseconds.
func (l *Ledger) BuildingHistory(ctx context.Context, id string, from, to int64) ([]building.Headline, error) {
	all, err := database.Collect(ctx, l.db.Read, scanHeadline, `SELECT headline FROM building_history
		WHERE building = $1 AND as_of >= $2 AND as_of < $3 ORDER BY as_of`, id, from, to)
	if err != nil {
		return nil, fmt.Errorf("read history of building %s: %w", id, err)
	}
	return all, nil
}

// BuildingHeadlinesAsOf are the newest that each building had at an instant, by
// id.
func (l *Ledger) BuildingHeadlinesAsOf(ctx context.Context, at int64) ([]building.Headline, error) {
	all, err := database.Collect(ctx, l.db.Read, scanHeadline, `SELECT h.headline FROM building_history AS h
		JOIN (SELECT building, max(as_of) AS as_of FROM building_history WHERE as_of <= $1 GROUP BY building) AS newest
		  ON newest.building = h.building AND newest.as_of = h.as_of
		ORDER BY h.building`, at)
	if err != nil {
		return nil, fmt.Errorf("read headlines of buildings: %w", err)
	}
	return all, nil
}

func scanHeadline(row database.Scanner) (h building.Headline, err error) {
	var payload []byte
	if err := row.Scan(&payload); err != nil {
		return h, err
	}
	return h, json.Unmarshal(payload, &h)
}

// BuildingState is what a building's days and result were made with; zero before
// the first run.
func (l *Ledger) BuildingState(ctx context.Context, id string) (s BuildingState, err error) {
	err = l.db.Read.QueryRowContext(ctx, `SELECT prepared, evaluated FROM building_states WHERE building = $1`, id).Scan(&s.Prepared, &s.Evaluated)
	if errors.Is(err, sql.ErrNoRows) {
		return BuildingState{}, nil
	}
	if err != nil {
		return s, fmt.Errorf("read state of building %s: %w", id, err)
	}
	return s, nil
}

// BuildingDays are the days of a building, encoded, by their number.
func (l *Ledger) BuildingDays(ctx context.Context, id string) (map[int64][]byte, error) {
	type stored struct {
		day     int64
		payload []byte
	}
	scan := func(row database.Scanner) (s stored, err error) {
		err = row.Scan(&s.day, &s.payload)
		return s, err
	}
	all, err := database.Collect(ctx, l.db.Read, scan, `SELECT day, payload FROM building_days WHERE building = $1 ORDER BY day`, id)
	if err != nil {
		return nil, fmt.Errorf("read days of building %s: %w", id, err)
	}
	days := make(map[int64][]byte, len(all))
	for _, s := range all {
		days[s.day] = s.payload
	}
	return days, nil
}
