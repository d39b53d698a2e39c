package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Errors of a runner.
var (
	ErrUnknownJob = errors.New("unknown job")
	ErrRunning    = errors.New("the job is running")
	ErrStopped    = errors.New("the job runner is stopped")
)

// What set a run off.
const (
	BySchedule = "schedule"
	ByCatchUp  = "catch-up" // a run that was due while the process was down
	ByRequest  = "request"
)

// Options configure a runner. All but Gone, Leader and Logger are required.
type Options struct {
	Jobs    []Job
	Runs    Runs
	Results Results
	Marker  Marker
	Gone    func(error) bool // of the jobs that have none of their own; see Job.Gone
	Leader  Leader           // nil: no other process runs the jobs
	Now     func() time.Time
	Logger  *slog.Logger
}

// Runner starts each job on its schedule (UTC), one run of a job at a time, and
// records every run. A job that was due while the process was down, or that never ran,
// runs at start; how far it has to go back, its watermark says.
type Runner struct {
	opts  Options
	jobs  []*scheduled
	ready chan struct{} // closed once Run has begun

	mu      sync.Mutex
	ctx     context.Context // of Run; nil before
	running sync.WaitGroup
	stopped bool
}

type scheduled struct {
	Job
	plan cron.Schedule
	turn chan struct{} // holds one token: whose turn it is to run
}

// NewRunner checks the jobs' schedules.
func NewRunner(opts Options) (*Runner, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{opts: opts, ready: make(chan struct{})}
	for _, j := range opts.Jobs {
		plan, err := cron.ParseStandard(j.Schedule)
		if err != nil {
			return nil, fmt.Errorf("schedule %q of job %s: %w", j.Schedule, j.Name, err)
		}
		if j.Gone == nil {
			j.Gone = opts.Gone
		}
		s := &scheduled{Job: j, plan: plan, turn: make(chan struct{}, 1)}
		s.turn <- struct{}{}
		r.jobs = append(r.jobs, s)
	}
	return r, nil
}

// Run starts the schedule and blocks until ctx ends; it returns nil once every
// run has ended.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	r.ctx = ctx
	r.mu.Unlock()
	close(r.ready)

	log := cronLog{r.opts.Logger}
	c := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(log), cron.WithChain(cron.Recover(log)))
	for _, s := range r.jobs {
		c.Schedule(s.plan, cron.FuncJob(func() { r.tryRun(s, BySchedule) }))
		if r.missed(ctx, s) {
			r.start(func() { r.tryRun(s, ByCatchUp) })
		}
	}
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.running.Wait()
	return nil
}

// missed reports whether a run was due between the job's last one and now. One
// that never ran was: a process that is never up at its hour would never run it.
// So was one whose last run was kept from its work, by whatever was not the job's.
func (r *Runner) missed(ctx context.Context, s *scheduled) bool {
	last, ok, err := r.opts.Runs.LastRun(ctx, s.Name)
	if err != nil {
		r.opts.Logger.Error("read the job's last run", "job", s.Name, "err", err)
		return true
	}
	return !ok || last.Unfinished() || !s.plan.Next(last.Start.UTC()).After(r.opts.Now().UTC())
}

// start runs f on a goroutine that Run waits for; false once stopped.
func (r *Runner) start(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	r.running.Add(1)
	go func() {
		defer r.running.Done()
		f()
	}()
	return true
}

// The pauses between two tries of a run that was kept from its work.
const (
	firstRetry = 5 * time.Second
	maxRetry   = 5 * time.Minute
)

// tryRun runs the job unless it is running. Where the database is away, or the
// process that leads the job dies over it, the run is tried again until the next
// one is due.
func (r *Runner) tryRun(s *scheduled, trigger string) {
	next := s.plan.Next(r.opts.Now().UTC())
	for pause := firstRetry; ; pause = min(2*pause, maxRetry) {
		if !r.attempt(s, trigger) {
			return
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return
		}
		// Meanwhile another process, or somebody by request, may have run it.
		if !r.opts.Now().UTC().Before(next) || !r.missed(r.ctx, s) {
			return
		}
	}
}

// attempt does one run, which is recorded and logged there, and reports whether
// it may have to be done again.
func (r *Runner) attempt(s *scheduled, trigger string) (again bool) {
	select {
	case <-s.turn:
	default:
		r.opts.Logger.Warn("job skipped: its last run has not ended", "job", s.Name)
		return false
	}
	defer func() { s.turn <- struct{}{} }()
	run, err := r.run(r.ctx, s, trigger, func(ledger.Run) {})
	return r.ctx.Err() == nil && (err != nil || run.Unfinished())
}

// Trigger runs a job now. With wait it waits for its turn and for the end, and
// returns the run, also one that failed; without, it returns the begun run, or
// ErrRunning.
func (r *Runner) Trigger(ctx context.Context, name string, wait bool) (ledger.Run, error) {
	i := slices.IndexFunc(r.jobs, func(s *scheduled) bool { return s.Name == name })
	if i < 0 {
		return ledger.Run{}, fmt.Errorf("%w: %s", ErrUnknownJob, name)
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		return ledger.Run{}, ctx.Err()
	}
	s := r.jobs[i]
	if !wait {
		select {
		case <-s.turn:
		default:
			return ledger.Run{}, fmt.Errorf("%w: %s", ErrRunning, name)
		}
	} else {
		select {
		case <-s.turn:
		case <-ctx.Done():
			return ledger.Run{}, ctx.Err()
		}
	}
	return r.triggered(ctx, s, wait)
}

// triggered runs a job whose turn is held, under the runner's own context: a
// caller who goes away does not cut a run short.
func (r *Runner) triggered(ctx context.Context, s *scheduled, wait bool) (ledger.Run, error) {
	type outcome struct {
		run ledger.Run
		err error
	}
	began := make(chan outcome, 1)
	ended := make(chan outcome, 1)
	ok := r.start(func() {
		defer func() { s.turn <- struct{}{} }()
		run, err := r.run(r.ctx, s, ByRequest, func(run ledger.Run) { began <- outcome{run: run} })
		ended <- outcome{run, err}
	})
	if !ok {
		s.turn <- struct{}{}
		return ledger.Run{}, ErrStopped
	}
	from := began
	if wait {
		from = ended
	}
	select {
	case o := <-from:
		return o.run, o.err
	case o := <-ended: // it failed before it began, or is over already
		return o.run, o.err
	case <-ctx.Done():
		return ledger.Run{}, ctx.Err()
	}
}

// run does one run and records it; began hears of it once it is recorded. Its
// error says that there was no run; a run that failed says so itself.
func (r *Runner) run(ctx context.Context, s *scheduled, trigger string, began func(ledger.Run)) (ledger.Run, error) {
	run := ledger.Run{Job: s.Name, Trigger: trigger, Start: r.opts.Now().UTC()}
	ctx, release, err := r.lead(ctx, s.Name)
	if err != nil {
		return run, err
	}
	defer release()
	id, err := r.opts.Runs.BeginRun(ctx, s.Name, run.Start, trigger)
	if err != nil {
		r.opts.Logger.Error("begin job run", "job", s.Name, "err", err)
		return run, fmt.Errorf("begin run: %w", err)
	}
	run.ID = id
	began(run)
	d, err := r.once(ctx, s)
	run.End = r.opts.Now().UTC()
	result := ledger.RunResult{End: run.End, Window: d.window, Rows: d.rows}
	if err != nil {
		result.Err = err.Error()
	}
	run.Window, run.Rows, run.Err = result.Window, result.Rows, result.Err
	// A run that the shutdown cut short is recorded all the same.
	if err := r.opts.Runs.EndRun(context.WithoutCancel(ctx), id, result); err != nil {
		r.opts.Logger.Error("end job run", "job", s.Name, "err", err)
	}
	r.opts.Logger.Info("job ran", "job", s.Name, "trigger", trigger, "devices", d.devices, "rows", d.rows,
		"seconds", run.End.Sub(run.Start).Seconds(), "err", result.Err)
	return run, nil
}

// lead makes this process the one that runs the job. That another one does so is
// the other's business, and no trouble.
func (r *Runner) lead(ctx context.Context, job string) (leading context.Context, release func(), err error) {
	if r.opts.Leader == nil {
		return ctx, func() {}, nil
	}
	leading, release, err = r.opts.Leader.Lead(ctx, job)
	switch {
	case errors.Is(err, ledger.ErrLedElsewhere):
		r.opts.Logger.Debug("job skipped: another process runs it", "job", job)
		return nil, nil, fmt.Errorf("%w in another process: %s", ErrRunning, job)
	case err != nil:
		r.opts.Logger.Error("lead job", "job", job, "err", err)
		return nil, nil, err
	}
	return leading, release, nil
}

// once does the work of a run; a panic is its error, whatever set it off.
func (r *Runner) once(ctx context.Context, s *scheduled) (d done, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.runOnce(ctx, r.opts.Results, r.opts.Marker, r.opts.Logger, telemetry.DayOf(r.opts.Now().UnixMilli()))
}

// Scheduled is a job and when it runs next.
type Scheduled struct {
	Name, Schedule string
	Next           time.Time // UTC
}

// Jobs lists the jobs in the order they were given.
func (r *Runner) Jobs() []Scheduled {
	now := r.opts.Now().UTC()
	out := make([]Scheduled, len(r.jobs))
	for i, s := range r.jobs {
		out[i] = Scheduled{Name: s.Name, Schedule: s.Schedule, Next: s.plan.Next(now)}
	}
	return out
}

// cronLog passes cron's words to slog.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) { l.log.Debug("cron: "+msg, kv...) }

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.log.Error("cron: "+msg, append([]any{"err", err}, kv...)...)
}
