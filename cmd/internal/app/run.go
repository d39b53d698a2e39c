package app

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How long each part of a stop may take before it is cut short. What is not
// committed by then was not acknowledged either.
const (
	drainTime = 20 * time.Second
	jobTime   = 10 * time.Second
	apiTime   = 5 * time.Second
)

// part is something that runs until it is told to end.
type part struct {
	name string
	stop context.CancelFunc
	done chan error // one value, when it has ended
}

// launch runs f in the background until its part is stopped; an end before that
// is reported to failed.
func launch(name string, failed chan<- error, f func(ctx context.Context) error) *part {
	ctx, cancel := context.WithCancel(context.Background())
	p := &part{name: name, stop: cancel, done: make(chan error, 1)}
	go func() {
		err := f(ctx)
		if err != nil && ctx.Err() != nil {
			err = nil // it ended because it was told to
		}
		if ctx.Err() == nil {
			failed <- fmt.Errorf("%s ended: %w", name, errors.Join(errUnexpected, err))
		}
		p.done <- err
	}()
	return p
}

var errUnexpected = errors.New("unexpected end")

// end stops the part and waits for it.
func (p *part) end(limit time.Duration) error {
	p.stop()
	select {
	case err := <-p.done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("%s did not end within %s", p.name, limit)
	}
}

// Run serves until ctx ends or a part fails, then stops: intake, drain, jobs,
// store, API. It returns nil after an orderly stop. The App is closed when it
// returns.
func (a *App) Run(ctx context.Context) error {
	failed := make(chan error, 8) // more than there are parts
	pipeline := launch("ingest", failed, a.pipeline.Run)
	jobs := launch("jobs", failed, a.runner.Run)
	upkeep := launch("upkeep", failed, a.upkeep)
	following := launch("presence", failed, a.presence.Run)
	registry := launch("registry", failed, func(ctx context.Context) error { return a.registry.Follow(ctx, a.source.Kick) })
	claimed := launch("claim of the store", failed, func(ctx context.Context) error {
		if a.claim == nil {
			<-ctx.Done()
			return nil
		}
		return a.claim.keep(ctx)
	})
	server := launch("api", failed, func(context.Context) error { return a.api.Serve(a.http) })
	// Last, so that whoever is let in finds everything running.
	intake := launch("intake", failed, a.source.Run)
	a.log.Info("fleetwatt is up", "version", a.version, "url", a.URL(), "mqtt", a.source.Describe(), "data", a.cfg.Data)

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-failed:
		a.log.Error("a part failed; stopping", "err", cause)
	}
	close(a.stopping)
	a.log.Info("stopping")
	// The parts below end because they are told to: mark them so first.
	server.stop()

	errs := []error{cause}
	a.source.Quiesce()
	errs = append(errs, intake.end(drainTime))
	a.pipeline.Close()
	errs = append(errs, a.drain(pipeline), bounded(jobTime, "closing the intake", a.source.Close))
	errs = append(errs, following.end(jobTime), registry.end(jobTime), upkeep.end(jobTime), jobs.end(jobTime), claimed.end(jobTime), a.store.Close())
	shutdown, cancel := context.WithTimeout(context.Background(), apiTime)
	defer cancel()
	errs = append(errs, a.api.Shutdown(shutdown), server.end(apiTime), a.Close())
	err := errors.Join(errs...)
	a.log.Info("stopped", "received", a.Accounting().Received, "pending", a.Accounting().Pending, "err", err)
	return err
}

// bounded runs f, and gives it up after limit.
func bounded(limit time.Duration, what string, f func()) error {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s did not end within %s", what, limit)
	}
}

// drain waits until everything taken in is committed and acknowledged. What can't
// be committed in time is no failure of the stop: it was not acknowledged, and
// its senders keep it.
func (a *App) drain(pipeline *part) error {
	select {
	case err := <-pipeline.done:
		pipeline.stop()
		return err
	case <-time.After(drainTime):
		what, _ := a.pipeline.Trouble()
		a.log.Warn("some records could not be committed in time; they stay unacknowledged, and their senders keep them",
			"records", a.Accounting().Pending, "within", drainTime, "cause", what)
		return pipeline.end(jobTime)
	}
}

// upkeep drops what is too old: entries of the quarantine, and the connections
// of devices whose former secret is not good any more.
func (a *App) upkeep(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		a.expireSecrets(ctx)
		if n, err := a.quarantine.Purge(ctx, a.now()); err != nil && ctx.Err() == nil {
			a.log.Error("purge quarantine", "err", err)
		} else if n > 0 {
			a.log.Info("dropped old entries of the quarantine", "entries", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *App) expireSecrets(ctx context.Context) {
	refs, err := a.registry.ExpireSecrets(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error("expire former secrets", "err", err)
	}
	for _, ref := range refs {
		a.source.Kick(ref)
	}
}
