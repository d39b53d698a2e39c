package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// refuseForgotten keeps a server from starting with an empty database where the
// one it had is a file beside it: it would know none of its devices.
func (a *App) refuseForgotten(ctx context.Context, file string) error {
	if !database.IsURL(a.cfg.Database) {
		return nil
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	revision, err := a.registry.Revision(ctx)
	if err != nil || revision > 0 {
		return err
	}
	return fmt.Errorf("the database is empty, and %s holds a registry that would be forgotten: start without --database and save "+
		"what is registered (GET /api/v1/export/registry for each kind); then move registry.db and ledger.db away, start with --database, "+
		"and register it there (POST /api/v1/import; credentials and keys are made anew). "+
		"Events, and results and runs of jobs, are not taken over", file)
}

const (
	// claimTime is how long a claim is waited for: a process that was killed just
	// now may hold it for a moment, and one whose machine has gone for longer.
	claimTime     = 5 * time.Second
	reclaimTime   = 2 * time.Minute
	claimInterval = 250 * time.Millisecond
)

// claim is what lets this process alone keep readings in an embedded store beside
// a database that others may share.
type claim struct {
	ledger  *ledger.Ledger
	held    context.Context
	release func()
}

// claimStore takes the claim where one is needed.
func (a *App) claimStore(ctx context.Context) error {
	if !database.IsURL(a.cfg.Database) || a.cfg.InfluxURL != "" {
		return nil
	}
	c := &claim{ledger: a.ledger}
	// The claim is held for life, however long opening may last.
	if err := c.take(context.WithoutCancel(ctx), claimTime); err != nil {
		return err
	}
	a.claim = c
	a.onClose(func() error { c.release(); return nil })
	return nil
}

// take takes the claim, and waits until it can for as long as limit. A database
// that is away is waited for without an end.
func (c *claim) take(ctx context.Context, limit time.Duration) error {
	tick := time.NewTicker(claimInterval)
	defer tick.Stop()
	var since time.Time // another process has held it; zero: it has not
	for {
		held, release, err := c.ledger.StoreAlone(ctx)
		switch {
		case err == nil:
			c.held, c.release = held, release
			return nil
		case errors.Is(err, ledger.ErrUnavailable):
			since = time.Time{}
		case !errors.Is(err, ledger.ErrStoreElsewhere):
			return err
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= limit:
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keep takes the claim again whenever the database has lost it, until ctx ends.
// Its error says that another process was faster.
func (c *claim) keep(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.held.Done():
		}
		c.release()
		// For life again, and not only for as long as this part runs.
		taken, stop := context.WithCancel(context.WithoutCancel(ctx))
		unwatch := context.AfterFunc(ctx, stop)
		err := c.take(taken, reclaimTime)
		unwatch()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}
