package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// lockCheck is how often the connection of a lock is asked whether it still
// is one.
const lockCheck = 2 * time.Second

// Lock takes the lock of this name, which one process at a time can hold, or
// returns ErrLocked. held ends with ctx, and when the lock is lost with its
// connection: what is done under the lock is done under held. release gives the
// lock back; it must be called, and may be called again.
//
// A file has one user, who holds every lock.
func (db *DB) Lock(ctx context.Context, name string) (held context.Context, release func(), err error) {
	held, cancel := context.WithCancel(ctx)
	if db.locks == nil {
		return held, cancel, nil
	}
	c, err := db.locks.Conn(ctx)
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("lock %s: %w", name, err)
	}
	var taken bool
	err = c.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, key(name)).Scan(&taken)
	if err == nil && !taken {
		err = ErrLocked
	}
	if err != nil {
		cancel()
		return nil, nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), c.Close())
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(held, cancel, c)
	}()
	return held, sync.OnceFunc(func() {
		cancel()
		<-watched
		drop(c, name)
	}), nil
}

// watch ends held when the connection is gone, and with it the lock.
func watch(held context.Context, lost func(), c *sql.Conn) {
	tick := time.NewTicker(lockCheck)
	defer tick.Stop()
	for {
		select {
		case <-held.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(held, 2*lockCheck)
		err := c.PingContext(ctx)
		cancel()
		if err != nil {
			lost()
			return
		}
	}
}

// drop gives the lock back; where the server can't be told, closing the
// connection does it.
func drop(c *sql.Conn, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	var released bool
	if err := c.QueryRowContext(ctx, `SELECT pg_advisory_unlock($1)`, key(name)).Scan(&released); err != nil || !released {
		// An error tells database/sql not to use the connection again.
		_ = c.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = c.Close() // the connection is given back or gone, and the lock with it
}
