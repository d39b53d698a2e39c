package broker

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/fleetwatt/fleetwatt/devices"
)

// quota is what one device may publish, over all its connections. Who is over it
// waits, and with it the reading of its connection: the network pushes back, and
// the device keeps what it has.
type quota struct {
	messages *rate.Limiter
	bytes    *rate.Limiter
	// turn is full while somebody reserves and waits. Only the last reservation
	// can be given back whole: so there is never more than one, and a connection
	// that ends while it waits costs the others nothing.
	turn chan struct{}

	users int // sessions; with the lock of quotas
}

// wait takes one message of n bytes, when there is room for it. While it waits,
// since says since when, in Unix nanoseconds. Error: the context's, and then
// nothing is taken. n is at most the burst of bytes.
func (q *quota) wait(ctx context.Context, n int, counts *counts, since *atomic.Int64) error {
	if q == nil {
		return nil
	}
	select {
	case q.turn <- struct{}{}:
	default:
		since.Store(time.Now().UnixNano())
		defer since.Store(0)
		select {
		case q.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-q.turn }()
	now := time.Now()
	messages, bytes := q.messages.ReserveN(now, 1), q.bytes.ReserveN(now, min(n, q.bytes.Burst()))
	delay := max(messages.DelayFrom(now), bytes.DelayFrom(now))
	if delay <= 0 {
		return nil
	}
	counts.throttled.Add(1)
	since.CompareAndSwap(0, now.UnixNano())
	defer since.Store(0)
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		messages.Cancel()
		bytes.Cancel()
		return ctx.Err()
	}
}

// spent reports whether something of the burst is gone, so that the quota has
// to be remembered although nobody uses it.
func (q *quota) spent() bool {
	low := func(l *rate.Limiter) bool { return l.Limit() != rate.Inf && l.Tokens() < float64(l.Burst()) }
	return low(q.messages) || low(q.bytes)
}

// quotas are those of all devices. One is remembered until its burst is whole
// again, so that a device gains nothing by connecting anew.
type quotas struct {
	opts *Options

	mu    sync.Mutex
	byRef map[devices.Ref]*quota
	sweep int // size at which the unused are dropped
}

func newQuotas(o *Options) *quotas {
	return &quotas{opts: o, byRef: make(map[devices.Ref]*quota), sweep: minSweep}
}

// minSweep is the size of quotas below which nothing is dropped.
const minSweep = 64

// take returns the quota of a device for one more session; nil where there is
// no limit.
func (qs *quotas) take(ref devices.Ref) *quota {
	if qs.opts.MessagesPerSecond <= 0 && qs.opts.BytesPerSecond <= 0 {
		return nil
	}
	qs.mu.Lock()
	defer qs.mu.Unlock()
	q, ok := qs.byRef[ref]
	if !ok {
		q = qs.opts.quota()
		qs.byRef[ref] = q
		qs.clean()
	}
	q.users++
	return q
}

func (o *Options) quota() *quota {
	limiter := func(perSecond float64, burst int) *rate.Limiter {
		if perSecond <= 0 {
			return rate.NewLimiter(rate.Inf, math.MaxInt)
		}
		return rate.NewLimiter(rate.Limit(perSecond), burst)
	}
	return &quota{
		messages: limiter(o.MessagesPerSecond, o.MessageBurst), bytes: limiter(o.BytesPerSecond, o.ByteBurst),
		turn: make(chan struct{}, 1),
	}
}

func (qs *quotas) give(ref devices.Ref, q *quota) {
	if q == nil {
		return
	}
	qs.mu.Lock()
	defer qs.mu.Unlock()
	if q.users--; q.users == 0 && !q.spent() {
		delete(qs.byRef, ref)
	}
}

// clean drops what nobody uses, each time the map has doubled. It needs the lock.
func (qs *quotas) clean() {
	if len(qs.byRef) < qs.sweep {
		return
	}
	for ref, q := range qs.byRef {
		if q.users == 0 && !q.spent() {
			delete(qs.byRef, ref)
		}
	}
	qs.sweep = max(minSweep, 2*len(qs.byRef))
}
