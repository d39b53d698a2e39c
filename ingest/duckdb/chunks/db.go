// Package chunks runs queries in a DuckDB of its own, which has no tables, and
// hands their results out as the columns that the engine made of them: a value
// costs a read of memory, where database/sql makes an interface of each. It is
// the one place that trusts the engine's memory layout, and it knows nothing of
// what is queried.
package chunks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// ErrClosed is returned by a query of a database that was closed.
var ErrClosed = errors.New("query database closed")

// DB is a database in memory. It may be used by several goroutines.
type DB struct {
	db    mapping.Database
	slots chan struct{} // one for each query that may run at once

	closing sync.Mutex
	mu      sync.Mutex
	idle    []mapping.Connection
	closed  bool
}

// Open opens a database in which up to atOnce queries run at a time; more wait
// their turn. options are DuckDB's own, by name.
func Open(options map[string]string, atOnce int) (*DB, error) {
	var config mapping.Config
	defer mapping.DestroyConfig(&config)
	if mapping.CreateConfig(&config) == mapping.StateError {
		return nil, errors.New("open query database: no configuration")
	}
	for name, value := range options {
		if mapping.SetConfig(config, name, value) == mapping.StateError {
			return nil, fmt.Errorf("open query database: %s can't be set to %q", name, value)
		}
	}
	d := &DB{slots: make(chan struct{}, atOnce)}
	var message string
	if mapping.OpenExt("", &d.db, config, &message) == mapping.StateError {
		mapping.Close(&d.db)
		return nil, fmt.Errorf("open query database: %s", message)
	}
	return d, nil
}

// Close waits for the queries that run, and closes the database. Results have
// to be closed before. A second Close does nothing.
func (d *DB) Close() {
	d.closing.Lock()
	defer d.closing.Unlock()
	for range cap(d.slots) {
		d.slots <- struct{}{}
	}
	defer func() {
		for range cap(d.slots) {
			<-d.slots
		}
	}()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	for i := range d.idle {
		mapping.Disconnect(&d.idle[i])
	}
	d.idle = nil
	mapping.Close(&d.db)
}

// borrow calls fn with a connection that nobody else uses.
func (d *DB) borrow(ctx context.Context, fn func(mapping.Connection) error) error {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := d.take()
	if err != nil {
		return err
	}
	defer d.give(conn)
	return interruptible(ctx, conn, func() error { return fn(conn) })
}

func (d *DB) take() (mapping.Connection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var conn mapping.Connection
	if d.closed {
		return conn, ErrClosed
	}
	if n := len(d.idle); n > 0 {
		conn, d.idle = d.idle[n-1], d.idle[:n-1]
		return conn, nil
	}
	if mapping.Connect(d.db, &conn) == mapping.StateError {
		return conn, errors.New("connect to the query database")
	}
	return conn, nil
}

func (d *DB) give(conn mapping.Connection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle = append(d.idle, conn)
}

// interruptEvery is how long the engine has to see that it was interrupted: it
// forgets about it where a query is about to begin.
const interruptEvery = 5 * time.Millisecond

// interruptible calls fn, and interrupts conn when ctx ends before it returned.
func interruptible(ctx context.Context, conn mapping.Connection, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return fn()
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Add(1)
	stop := context.AfterFunc(ctx, func() {
		again := time.NewTicker(interruptEvery)
		defer again.Stop()
		for {
			mapping.Interrupt(conn)
			select {
			case <-done:
				watching.Done()
				return
			case <-again.C:
			}
		}
	})
	err := fn()
	close(done)
	if !stop() {
		watching.Wait() // the connection is somebody else's afterwards
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
