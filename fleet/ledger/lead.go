package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

var (
	// ErrLedElsewhere says that another process leads a job.
	ErrLedElsewhere = errors.New("another process runs the job")
	// ErrDeposed says that another process has come to lead the job since.
	ErrDeposed = errors.New("another process has taken the job over")
	// ErrStoreElsewhere says that another process that shares the database has an
	// embedded store.
	ErrStoreElsewhere = errors.New("another process that uses this database keeps its readings in an embedded store of its own: " +
		"several processes need one store for all, see --influx-url")
)

// interrupted is the error of a run that never came to its end.
const interrupted = "interrupted"

// Lead makes this process the one that may run the job, until release is
// called, which must be; it may be called again. leading ends with ctx, and
// when the leadership is lost with the connection to the database: the job is
// run under it. Runs of the job that are open are a dead leader's, and end here
// as AbandonRuns has it. Error: ErrLedElsewhere.
//
// A leader that was cut off may go on for some seconds beside the next one.
// What it would save then, Commit refuses: see ErrDeposed.
func (l *Ledger) Lead(ctx context.Context, job string) (leading context.Context, release func(), err error) {
	leading, release, err = l.db.Lock(ctx, lockOf(job))
	if errors.Is(err, database.ErrLocked) {
		return nil, nil, fmt.Errorf("%s: %w", job, ErrLedElsewhere)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("lead job %s: %w", job, err)
	}
	if l.db.Shared() {
		t, err := l.newTerm(ctx, job)
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("lead job %s: %w", job, err)
		}
		leading = context.WithValue(leading, termKey{}, t)
	}
	return leading, release, nil
}

// term is how long somebody leads a job: until the next one begins.
type term struct {
	job    string
	number int64
}

type termKey struct{}

// newTerm begins a term, and ends the runs of those before.
func (l *Ledger) newTerm(ctx context.Context, job string) (t term, err error) {
	t.job = job
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO job_terms (job, term) VALUES ($1, 1)
			ON CONFLICT (job) DO UPDATE SET term = job_terms.term + 1 RETURNING term`, job).Scan(&t.number)
		if err != nil {
			return err
		}
		_, err = abandon(ctx, tx, job, l.now())
		return err
	})
	return t, err
}

// serves reports ErrDeposed where ctx is a leader's whose term is over. The row
// stays locked until the commit, so that no other term begins before.
func serves(ctx context.Context, tx *sql.Tx) error {
	t, led := ctx.Value(termKey{}).(term)
	if !led {
		return nil
	}
	result, err := tx.ExecContext(ctx, `UPDATE job_terms SET term = term WHERE job = $1 AND term = $2`, t.job, t.number)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrDeposed)
	}
	return nil
}

// StoreAlone makes this process the only one with an embedded store among those
// that share the ledger, until release is called: two of them would compute
// results from half of the readings each, over one another. held ends with ctx, and
// when that is lost with the connection to the database. Error: ErrStoreElsewhere.
func (l *Ledger) StoreAlone(ctx context.Context) (held context.Context, release func(), err error) {
	held, release, err = l.db.Lock(ctx, "embedded-store")
	if errors.Is(err, database.ErrLocked) {
		return nil, nil, ErrStoreElsewhere
	}
	if err != nil {
		return nil, nil, fmt.Errorf("claim the embedded store: %w", err)
	}
	return held, release, nil
}

func lockOf(job string) string { return "job/" + job }

// AbandonRuns ends the runs that are open, as of now, with the error
// "interrupted", and returns how many. It is called before the first job
// starts: what is open then was left so by a crash, unless another process
// leads the job.
func (l *Ledger) AbandonRuns(ctx context.Context, now time.Time) (abandoned int, err error) {
	jobs, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (job string, err error) {
		err = row.Scan(&job)
		return job, err
	}, `SELECT DISTINCT job FROM job_runs WHERE ended_at IS NULL ORDER BY job`)
	if err != nil {
		return 0, fmt.Errorf("abandon runs: %w", err)
	}
	for _, job := range jobs {
		n, err := l.abandonUnled(ctx, job, now)
		if err != nil {
			return abandoned, fmt.Errorf("abandon runs of %s: %w", job, err)
		}
		abandoned += n
	}
	return abandoned, nil
}

// abandonUnled abandons the runs of a job that nobody leads.
func (l *Ledger) abandonUnled(ctx context.Context, job string, now time.Time) (abandoned int, err error) {
	_, release, err := l.db.Lock(ctx, lockOf(job))
	if errors.Is(err, database.ErrLocked) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer release()
	return l.abandon(ctx, job, now)
}

func (l *Ledger) abandon(ctx context.Context, job string, now time.Time) (abandoned int, err error) {
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		abandoned, err = abandon(ctx, tx, job, now)
		return err
	})
	return abandoned, err
}

func abandon(ctx context.Context, tx *sql.Tx, job string, now time.Time) (int, error) {
	result, err := tx.ExecContext(ctx, `UPDATE job_runs SET ended_at = $1, error = $2 WHERE job = $3 AND ended_at IS NULL`,
		now.UnixMilli(), interrupted, job)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
