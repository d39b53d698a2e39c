package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// KeepRuns is how many runs of each job are kept; older ones are dropped as new
// ones begin.
const KeepRuns = 500

// Run is one run of a job. Times are UTC, to the millisecond.
type Run struct {
	ID      int64
	Job     string
	Trigger string // what started it: schedule, api, catch-up, …
	Start   time.Time
	End     time.Time // zero: still running
	Window  telemetry.Window
	Rows    int
	Err     string // empty: it went well
}

// Unfinished reports whether the run did not do its work for a reason that is not
// its own: it is still open, was cut off, or the database went away. It is worth
// another run.
func (r *Run) Unfinished() bool {
	cut := []string{interrupted, context.Canceled.Error(), ErrUnavailable.Error(), ErrDeposed.Error()}
	return r.End.IsZero() || slices.ContainsFunc(cut, func(why string) bool { return strings.Contains(r.Err, why) })
}

// RunResult is how a run ended.
type RunResult struct {
	End    time.Time // zero: now
	Window telemetry.Window
	Rows   int
	Err    string
}

// BeginRun records that a run of the job starts and returns its id, which is
// greater than those of all runs before.
func (l *Ledger) BeginRun(ctx context.Context, job string, start time.Time, trigger string) (id int64, err error) {
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO job_runs (job, triggered_by, started_at) VALUES ($1, $2, $3) RETURNING id`,
			job, trigger, start.UnixMilli()).Scan(&id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM job_runs WHERE job = $1 AND id <= (
			SELECT id FROM job_runs WHERE job = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)`, job, KeepRuns)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("begin run of %s: %w", job, err)
	}
	return id, nil
}

// EndRun records how a run ended. Error: ErrNoRun where it is not open.
func (l *Ledger) EndRun(ctx context.Context, id int64, r RunResult) error {
	if r.End.IsZero() {
		r.End = l.now()
	}
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE job_runs
			SET ended_at = $1, window_from = $2, window_to = $3, row_count = $4, error = $5
			WHERE id = $6 AND ended_at IS NULL`,
			r.End.UnixMilli(), r.Window.From, r.Window.To, r.Rows, storable(r.Err), id)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err == nil && n == 0 {
			err = ErrNoRun
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("end run %d: %w", id, err)
	}
	return nil
}

// storable is a text without what PostgreSQL does not take in one. The words of
// a panic may hold anything.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

const runColumns = "id, job, triggered_by, started_at, ended_at, window_from, window_to, row_count, error"

// Runs returns the newest runs of the job, or of all jobs where job is empty,
// newest first; at most limit, or all that are kept where it is 0 or less.
func (l *Ledger) Runs(ctx context.Context, job string, limit int) ([]Run, error) {
	q := database.NewQuery(`SELECT ` + runColumns + ` FROM job_runs`)
	if job != "" {
		q.Where("job = ?", job)
	}
	q.Page("id DESC", limit, 0)
	runs, err := database.Collect(ctx, l.db.Read, scanRun, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	return runs, nil
}

// LastRun returns the newest run of the job; false where it never ran.
func (l *Ledger) LastRun(ctx context.Context, job string) (Run, bool, error) {
	run, err := scanRun(l.db.Read.QueryRowContext(ctx,
		`SELECT `+runColumns+` FROM job_runs WHERE job = $1 ORDER BY id DESC LIMIT 1`, job))
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, false, nil
	}
	if err != nil {
		return Run{}, false, fmt.Errorf("read last run of %s: %w", job, err)
	}
	return run, true, nil
}

func scanRun(row database.Scanner) (Run, error) {
	var (
		r     Run
		start int64
		end   sql.Null[int64]
	)
	err := row.Scan(&r.ID, &r.Job, &r.Trigger, &start, &end, &r.Window.From, &r.Window.To, &r.Rows, &r.Err)
	if err != nil {
		return Run{}, err
	}
	r.Start = time.UnixMilli(start).UTC()
	if end.Valid {
		r.End = time.UnixMilli(end.V).UTC()
	}
	return r, nil
}
