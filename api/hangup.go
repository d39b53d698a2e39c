package api

import (
	"context"
	"net"
	"time"
)

// watchEvery is how often a connection is looked at, and so how long work goes
// on that nobody wants any more.
const watchEvery = time.Second

// watched is a context that ends with parent, or when the client at the other end
// of conn has hung up. The caller calls ignore before it writes to conn or
// returns; the context has ended then.
func watched(parent context.Context, conn net.Conn) (ctx context.Context, ignore func()) {
	ctx, cancel := context.WithCancel(parent)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if hungUp(conn) {
					cancel()
				}
			}
		}
	}()
	return ctx, func() {
		cancel()
		<-done
	}
}
