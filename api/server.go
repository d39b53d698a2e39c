package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"
)

// ErrClosed is what Serve and Listen return after Shutdown.
var ErrClosed = errors.New("api: server closed")

// Listen serves HTTP on the TCP address addr until Shutdown; see Serve.
func (a *API) Listen(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return a.Serve(ln)
}

// Serve serves HTTP on ln until Shutdown, and closes ln. It returns ErrClosed
// after Shutdown and the listener's error otherwise. It may be called once.
func (a *API) Serve(ln net.Listener) error {
	if !a.open(ln) {
		if err := ln.Close(); err != nil {
			return errors.Join(ErrClosed, err)
		}
		return ErrClosed
	}
	err := a.app.Listener(ln)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrClosed
	}
	if err == nil {
		err = net.ErrClosed // somebody else closed the listener
	}
	return fmt.Errorf("serve: %w", err)
}

// open takes ln into service unless the server was shut down.
func (a *API) open(ln net.Listener) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.listener != nil {
		return false
	}
	a.listener = ln
	a.starting.Go(func() { a.fleet.mirror.start(a.base, a.opts.Log) })
	return true
}

// Shutdown stops accepting connections and waits for the requests under way.
// When ctx ends first, their contexts are cancelled and ctx's error is
// returned. It may be called again, and before Serve; later calls wait for the
// first and return what it returned.
func (a *API) Shutdown(ctx context.Context) error {
	a.shutdown.Do(func() { a.shutdownErr = a.stop(ctx) })
	return a.shutdownErr
}

func (a *API) stop(ctx context.Context) error {
	defer a.starting.Wait()
	defer a.cancel()
	if a.opts.Live != nil {
		a.opts.Live.Close() // streams don't end by themselves
	}
	a.mu.Lock()
	a.closed = true
	ln := a.listener
	a.mu.Unlock()
	if ln == nil {
		return nil
	}
	// Serve may not have handed the listener to the server yet; closed, it
	// can't come up any more.
	if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close listener: %w", err)
	}
	err := a.app.ShutdownWithContext(ctx)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// exchange is the part of a request and its answer that refuseMethods needs.
type exchange interface {
	Method() []byte
	SetStatusCode(int)
	SetContentType(string)
	SetBodyString(string)
}

// refuseMethods answers for methods that HTTP does not know, which Fiber would
// refuse in plain text before any handler of ours.
func refuseMethods[C exchange](next func(C)) func(C) {
	return func(c C) {
		if slices.Contains(fiber.DefaultMethods, string(c.Method())) {
			next(c)
			return
		}
		c.SetStatusCode(http.StatusNotImplemented)
		c.SetContentType(mimeProblem)
		c.SetBodyString(`{"title":"Not Implemented","status":501,"detail":"the server does not know this method"}`)
	}
}
