package fleet

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// hesitant is a Leader that leads once its errors are used up.
type hesitant struct{ errs []error }

func (h *hesitant) Lead(ctx context.Context, job string) (context.Context, func(), error) {
	if len(h.errs) > 0 {
		err := h.errs[0]
		h.errs = h.errs[1:]
		return nil, nil, fmt.Errorf("lead %s: %w", job, err)
	}
	return ctx, func() {}, nil
}

// A run that was kept from its work by something that passes is made good long
// before the next one is due; one that failed by itself is not repeated.
func TestRunIsRepeated(t *testing.T) {
	for _, tt := range []struct {
		name string
		last ledger.Run // zero: a good one
		errs []error    // of leading
		runs int        // within an hour of the start
	}{
		{name: "a good run", runs: 0},
		{name: "left open", last: ledger.Run{Start: time.Unix(1, 0)}, runs: 1},
		{name: "interrupted", last: ledger.Run{End: time.Unix(2, 0), Err: "interrupted"}, runs: 1},
		{name: "without its database", last: ledger.Run{End: time.Unix(2, 0), Err: "read: " + ledger.ErrUnavailable.Error()}, runs: 1},
		{name: "failed by itself", last: ledger.Run{End: time.Unix(2, 0), Err: "panic"}, runs: 0},
		{name: "nobody can lead for a while", last: ledger.Run{Err: "interrupted"}, runs: 1,
			errs: []error{ledger.ErrUnavailable, ledger.ErrUnavailable, ledger.ErrUnavailable}},
		{name: "another leads, and dies", last: ledger.Run{Err: "interrupted"}, runs: 1, errs: []error{ledger.ErrLedElsewhere, ledger.ErrLedElsewhere}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				last := tt.last
				last.ID, last.Job, last.Start = 1, "work", time.Now()
				if tt.last == (ledger.Run{}) {
					last.End = time.Now()
				}
				m.runs = append(m.runs, last)
				r, err := NewRunner(Options{
					Jobs: []Job{{Name: "work", Schedule: "0 12 * * *"}},
					Runs: m, Results: m, Marker: m, Leader: &hesitant{tt.errs}, Now: time.Now,
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithTimeout(t.Context(), time.Hour)
				defer stop()
				if err := r.Run(ctx); err != nil {
					t.Errorf("Run: %v", err)
				}
				if got := len(m.all()) - 1; got != tt.runs {
					t.Errorf("got %d more runs, want %d: %+v", got, tt.runs, m.all())
				}
			})
		})
	}
}
