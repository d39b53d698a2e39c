package broker

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	// freeFailures is how many wrong credentials are answered at once: a device
	// that is set up by hand.
	freeFailures = 3
	firstPause   = 500 * time.Millisecond
	maxPause     = 8 * time.Second
	// forgetAfter is how long a failure is held against somebody.
	forgetAfter = 10 * time.Minute
	// maxPaused bounds the connections that wait for the answer to a wrong
	// credential; those beyond are answered at once.
	maxPaused = 256
	// maxSuspects bounds each table.
	maxSuspects = 4096
)

// guard makes guessing slow: the answer to a wrong credential waits, twice as
// long each time, by the address it came from and by the user name it was for.
//
// A right credential is always let in, and at once. Many devices come from one
// address, and anybody can send wrong passwords for a name: to turn away unseen
// whoever looks like the guesser would let him lock the fleet out, from behind
// the same router or from anywhere. Nothing is lost by looking: a secret has 256
// random bits, which no rate of guessing finds, and the look costs less than the
// accept. So the guard bounds what guessing costs the server, in places, pauses
// and log lines, and slows the guesser; it locks nobody out.
type guard struct {
	now func() time.Time

	mu        sync.Mutex
	addresses map[netip.Prefix]suspect
	users     map[string]suspect
	paused    int
}

type suspect struct {
	failures int
	last     time.Time
}

func newGuard(now func() time.Time) *guard {
	return &guard{now: now, addresses: make(map[netip.Prefix]suspect), users: make(map[string]suspect)}
}

// failed notes a wrong credential, and waits before it is answered: until the
// pause is over or one of the contexts ends. It reports whether it had a place to
// wait.
func (g *guard) failed(ctx, closing context.Context, from netip.Prefix, user string) bool {
	pause, ok := g.note(from, user)
	if !ok || pause == 0 {
		return ok
	}
	defer g.leave()
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-closing.Done():
	}
	return true
}

// note returns the pause that is due; with one, a place is taken, if there is.
func (g *guard) note(from netip.Prefix, user string) (pause time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	n := strike(g.addresses, from, now)
	if user != "" {
		n = max(n, strike(g.users, user, now))
	}
	if n <= freeFailures {
		return 0, true
	}
	if g.paused >= maxPaused {
		return 0, false
	}
	g.paused++
	return min(maxPause, firstPause<<min(n-freeFailures-1, 10)), true
}

func (g *guard) leave() {
	g.mu.Lock()
	g.paused--
	g.mu.Unlock()
}

// strike counts a failure and returns how many there are. A full table loses
// what is old, and where nothing is, anything: it is a brake, no evidence.
func strike[K comparable](table map[K]suspect, key K, now time.Time) int {
	s, known := table[key]
	if now.Sub(s.last) > forgetAfter {
		s.failures = 0
	}
	if !known && len(table) >= maxSuspects {
		evict(table, now)
	}
	s.failures++
	s.last = now
	table[key] = s
	return s.failures
}

func evict[K comparable](table map[K]suspect, now time.Time) {
	for k, s := range table {
		if now.Sub(s.last) > forgetAfter {
			delete(table, k)
		}
	}
	for k := range table {
		if len(table) < maxSuspects*3/4 {
			return
		}
		delete(table, k)
	}
}
