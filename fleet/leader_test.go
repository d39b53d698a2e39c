package fleet

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// follower is a Leader that never leads, or one that loses the lead at once.
type follower struct {
	err      error
	released int
}

func (f *follower) Lead(ctx context.Context, job string) (context.Context, func(), error) {
	if f.err != nil {
		return nil, nil, fmt.Errorf("%s: %w", job, f.err)
	}
	leading, lose := context.WithCancel(ctx)
	lose()
	return leading, func() { f.released++ }, nil
}

func TestRunnerLeavesTheJobToItsLeader(t *testing.T) {
	for _, tt := range []struct {
		name string
		lead *follower
		want error
		runs int
	}{
		{"led by another process", &follower{err: ledger.ErrLedElsewhere}, ErrRunning, 0},
		{"the database is away", &follower{err: ledger.ErrUnavailable}, ledger.ErrUnavailable, 0},
		{"the lead is lost", &follower{}, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			// It has run, so that nothing is caught up with.
			id, _ := m.BeginRun(t.Context(), "work", time.Unix(0, 0), BySchedule)
			_ = m.EndRun(t.Context(), id, ledger.RunResult{End: time.Unix(1, 0)})
			r, err := NewRunner(Options{
				Jobs: []Job{{Name: "work", Schedule: "0 0 1 1 *"}},
				Runs: m, Results: m, Marker: m, Leader: tt.lead, Now: func() time.Time { return time.Unix(0, 0) },
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			run, err := r.Trigger(ctx, "work", true)
			if !errors.Is(err, tt.want) || len(m.all())-1 != tt.runs {
				t.Errorf("got %v and %d runs, want %v and %d", err, len(m.all())-1, tt.want, tt.runs)
			}
			if tt.want == nil && (run.Err == "" || tt.lead.released != 1) {
				t.Errorf("got %+v, released %d times, want a run that failed and one release", run, tt.lead.released)
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
}
