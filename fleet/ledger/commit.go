package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// Watermark is how far a job has come: the number up to which it has worked off
// the dirty days, and a time that the job gives its own meaning to. At is UTC,
// to the millisecond.
type Watermark struct {
	Seq int64
	At  time.Time
}

// RollupDay is the roll-up of one device-day.
type RollupDay struct {
	telemetry.DeviceDay
	rollup.Day
}

// Changes are the results of a run and the watermark that goes with them.
type Changes struct {
	Job       string
	Watermark *Watermark  // nil: unchanged
	Rollups   []RollupDay // each replaces that of its day; for one without hours see packedRollup
	Parts     []Part      // results of other kinds
}

// Part is some results of one kind, with the knowledge of how they are saved.
type Part interface {
	write(ctx context.Context, tx *sql.Tx) error
}

// Commit saves the changes, all of them or none. A number that is not finite is
// an error. Error: ErrDeposed under a context of Lead's where another process has
// come to lead the job.
func (l *Ledger) Commit(ctx context.Context, c Changes) error {
	rollups, err := packRollups(c.Rollups)
	if err != nil {
		return fmt.Errorf("commit results of %s: %w", c.Job, err)
	}
	for _, p := range c.Parts {
		if b, ok := p.(*BuildingChange); ok {
			if err := b.Pack(); err != nil {
				return fmt.Errorf("commit results of %s: %w", c.Job, err)
			}
		}
	}
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		if err := serves(ctx, tx); err != nil {
			return err
		}
		if err := writeRollups(ctx, tx, rollups); err != nil {
			return err
		}
		for _, p := range joined(c.Parts) {
			if err := p.write(ctx, tx); err != nil {
				return err
			}
		}
		return writeWatermark(ctx, tx, c.Job, c.Watermark)
	})
	if err != nil {
		return fmt.Errorf("commit results of %s: %w", c.Job, err)
	}
	return nil
}

// packedRollup is a roll-up as it is stored. A nil payload, which is that of a day
// without hours, deletes what was told between samples of other days alone. One of
// samples of its own stays: nothing deletes a reading but retention, and what was
// made of it is kept.
type packedRollup struct {
	telemetry.DeviceDay
	payload []byte
}

func packRollups(days []RollupDay) ([]packedRollup, error) {
	packed := make([]packedRollup, len(days))
	for i, d := range days {
		packed[i].DeviceDay = d.DeviceDay
		if len(d.Hours) == 0 {
			continue
		}
		payload, err := pack(&d.Day)
		if err != nil {
			return nil, fmt.Errorf("roll-up of %s, day %d: %w", d.Ref(), d.DeviceDay.Day, err)
		}
		packed[i].payload = payload
	}
	return packed, nil
}

func writeRollups(ctx context.Context, tx *sql.Tx, days []packedRollup) error {
	if len(days) == 0 {
		return nil
	}
	upsert, err := tx.PrepareContext(ctx, `INSERT INTO rollups (kind, device, day, payload) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, device, day) DO UPDATE SET payload = excluded.payload`)
	if err != nil {
		return err
	}
	read, err := tx.PrepareContext(ctx, `SELECT payload FROM rollups WHERE kind = $1 AND device = $2 AND day = $3`)
	if err != nil {
		return err
	}
	remove, err := tx.PrepareContext(ctx, `DELETE FROM rollups WHERE kind = $1 AND device = $2 AND day = $3`)
	if err != nil {
		return err
	}
	for _, d := range days {
		kind, stored := string(d.Kind), []byte(nil)
		if d.payload != nil {
			_, err = upsert.ExecContext(ctx, kind, d.Device, d.Day, d.payload)
		} else if err = read.QueryRowContext(ctx, kind, d.Device, d.Day).Scan(&stored); errors.Is(err, sql.ErrNoRows) {
			err = nil
		} else if err == nil && !sampled(stored) {
			_, err = remove.ExecContext(ctx, kind, d.Device, d.Day)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sampled reports whether a stored roll-up has samples of its own day, or may have.
func sampled(payload []byte) bool {
	day, err := unpack(payload, false)
	return err != nil || slices.ContainsFunc(day.Total.Stats, func(s rollup.Stat) bool { return s.Samples > 0 })
}

func writeWatermark(ctx context.Context, tx *sql.Tx, job string, w *Watermark) error {
	if w == nil {
		return nil
	}
	at := sql.Null[int64]{V: w.At.UnixMilli(), Valid: !w.At.IsZero()}
	_, err := tx.ExecContext(ctx, `INSERT INTO watermarks (job, seq, at) VALUES ($1, $2, $3)
		ON CONFLICT (job) DO UPDATE SET seq = excluded.seq, at = excluded.at`, job, w.Seq, at)
	return err
}

// Watermark returns the job's watermark; zero where it has none.
func (l *Ledger) Watermark(ctx context.Context, job string) (Watermark, error) {
	var (
		w  Watermark
		at sql.Null[int64]
	)
	err := l.db.Read.QueryRowContext(ctx, `SELECT seq, at FROM watermarks WHERE job = $1`, job).Scan(&w.Seq, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Watermark{}, nil
	}
	if err != nil {
		return Watermark{}, fmt.Errorf("read watermark of %s: %w", job, err)
	}
	if at.Valid {
		w.At = time.UnixMilli(at.V).UTC()
	}
	return w, nil
}
