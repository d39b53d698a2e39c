package access

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxCallers bounds how many callers a Limiter remembers.
const maxCallers = 10_000

// Limiter says how often each caller may call: so many requests a second in the
// long run, and a burst. Its methods may be called from any goroutine.
type Limiter struct {
	perSecond float64
	burst     int

	mu      sync.Mutex
	callers map[string]*caller
}

type caller struct {
	limiter *rate.Limiter
	last    time.Time
}

// NewLimiter lets each caller call perSecond times a second and burst times at
// once; 0: as often as they like.
func NewLimiter(perSecond float64, burst int) *Limiter {
	return &Limiter{perSecond: perSecond, burst: burst, callers: map[string]*caller{}}
}

// Allow takes one call of the caller; where it comes too early, it says how long
// to wait.
func (l *Limiter) Allow(name string, now time.Time) (wait time.Duration, ok bool) {
	if l.perSecond <= 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.callers[name]
	if c == nil {
		l.forget(now)
		c = &caller{limiter: rate.NewLimiter(rate.Limit(l.perSecond), l.burst)}
		l.callers[name] = c
	}
	c.last = now
	if c.limiter.AllowN(now, 1) {
		return 0, true
	}
	r := c.limiter.ReserveN(now, 1)
	wait = r.DelayFrom(now)
	r.CancelAt(now)
	return wait, false
}

// forget makes room for one more: those whose burst is full again by now are as
// good as new, and the one that was silent the longest goes if there is none.
func (l *Limiter) forget(now time.Time) {
	if len(l.callers) < maxCallers {
		return
	}
	refill := time.Duration(float64(l.burst) / l.perSecond * float64(time.Second))
	oldest := ""
	for name, c := range l.callers {
		if now.Sub(c.last) > refill {
			delete(l.callers, name)
			continue
		}
		if oldest == "" || c.last.Before(l.callers[oldest].last) {
			oldest = name
		}
	}
	if len(l.callers) >= maxCallers {
		delete(l.callers, oldest)
	}
}
