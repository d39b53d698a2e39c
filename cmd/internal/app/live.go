package app

import (
	"context"
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// observers are told of each message one after the other.
type observers []ingest.Observer

func (all observers) Observe(ref devices.Ref, receivedMS int64, d *wire.Decoded) {
	for _, o := range all {
		o.Observe(ref, receivedMS, d)
	}
}

// liveRuns keep the history of job runs and pass it on as it is made.
type liveRuns struct {
	fleet.Runs
	live *api.Live

	mu   sync.Mutex
	open map[int64]ledger.Run // at most one of each job
}

func newLiveRuns(runs fleet.Runs, live *api.Live) *liveRuns {
	return &liveRuns{Runs: runs, live: live, open: map[int64]ledger.Run{}}
}

// BeginRun opens a run.
func (l *liveRuns) BeginRun(ctx context.Context, job string, start time.Time, trigger string) (int64, error) {
	id, err := l.Runs.BeginRun(ctx, job, start, trigger)
	if err != nil {
		return id, err
	}
	run := ledger.Run{ID: id, Job: job, Trigger: trigger, Start: start}
	l.mu.Lock()
	l.open[id] = run
	l.mu.Unlock()
	l.live.Run(run)
	return id, nil
}

// EndRun closes it. A run that could not be closed has ended all the same.
func (l *liveRuns) EndRun(ctx context.Context, id int64, r ledger.RunResult) error {
	err := l.Runs.EndRun(ctx, id, r)
	l.mu.Lock()
	run, known := l.open[id]
	delete(l.open, id)
	l.mu.Unlock()
	if known {
		run.End, run.Window, run.Rows, run.Err = r.End, r.Window, r.Rows, r.Err
		if run.End.IsZero() {
			run.End = time.Now()
		}
		l.live.Run(run)
	}
	return err
}
