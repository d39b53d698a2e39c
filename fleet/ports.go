package fleet

import (
	"context"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Runs keeps the history of job runs.
type Runs interface {
	// BeginRun opens a run and returns its id.
	BeginRun(ctx context.Context, job string, start time.Time, trigger string) (int64, error)
	// EndRun closes it.
	EndRun(ctx context.Context, id int64, r ledger.RunResult) error
	// LastRun is the newest run of the job; false before its first.
	LastRun(ctx context.Context, job string) (ledger.Run, bool, error)
}

// Results keeps what jobs compute, and how far each has come.
type Results interface {
	// Watermark is how far the job has come; zero before its first run.
	Watermark(ctx context.Context, job string) (ledger.Watermark, error)
	// DirtyOf returns days that were marked, ordered by device, the number to
	// continue from, and whether there are more of them.
	DirtyOf(ctx context.Context, q ledger.DirtyQuery) (days []ledger.DirtyDay, upTo int64, more bool, err error)
	// Revisions says which marking is the last.
	Revisions(ctx context.Context) (ledger.Revisions, error)
	// Commit saves results and, where given, the watermark, together.
	Commit(ctx context.Context, c ledger.Changes) error
}

// Leader has one process at a time run a job.
type Leader interface {
	// Lead makes this process the one, until release is called, or returns
	// ledger.ErrLedElsewhere. leading ends when it is so no longer.
	Lead(ctx context.Context, job string) (leading context.Context, release func(), err error)
}

// Marker marks days whose results are out of date.
type Marker interface {
	MarkDirty(ctx context.Context, days []telemetry.DeviceDay) error
}

// Batteries gives the registered ratings of a battery.
type Batteries interface {
	// GetBattery returns an error that is registry.ErrNotFound for an unknown id.
	GetBattery(ctx context.Context, id string) (devices.Battery, error)
}
