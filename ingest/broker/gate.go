package broker

import (
	"container/list"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// silentGrace is how long a connection may take to sign in and keep its place
	// from a new one.
	silentGrace = 2 * time.Second
	// minSilent is the least that the limits on silent connections come to.
	minSilent = 64
)

// gate counts connections from their accept on, before they have said anything,
// over all listeners, and turns away those beyond the limits. Those that have not
// signed in have limits of their own, and give way to newer ones: it takes no
// credential to open them, and they must not keep out who has one.
type gate struct {
	opts      *Options
	hook      *hook
	buffers   sync.Pool // *[largeBuffer]byte
	listeners []*listener

	mu     sync.Mutex
	open   map[*conn]struct{}
	from   map[netip.Prefix]origins
	silent *list.List // of *conn that have not signed in, oldest first
	closed bool
	served sync.WaitGroup // of the connections
}

// origins counts the connections from one address.
type origins struct{ open, silent int }

// place is what the gate knows of a connection.
type place struct {
	gate   *gate
	since  time.Time
	silent *list.Element // nil: it has signed in, or has no place
}

func newGate(opts *Options, h *hook) *gate {
	return &gate{
		opts: opts, hook: h,
		buffers: sync.Pool{New: func() any { return new([largeBuffer]byte) }},
		open:    make(map[*conn]struct{}),
		from:    make(map[netip.Prefix]origins),
		silent:  list.New(),
	}
}

// listen opens an address; with certificates it speaks TLS.
func (g *gate) listen(id, address string, certs *certificates) (*listener, error) {
	nl, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &listener{id: id, gate: g, l: nl, log: g.opts.Logger}
	if certs != nil {
		l.tls = certs.server()
	}
	g.listeners = append(g.listeners, l)
	return l, nil
}

// enter takes a place for c.
func (g *gate) enter(c *conn) bool {
	victim, why, ok := g.place(c, time.Now())
	switch {
	case victim != nil:
		_ = victim.Close()
		g.hook.refuse(refusedSilent, "remote", victim.remote())
	case !ok && why != noCause:
		g.hook.refuse(why, "remote", c.remote())
	}
	return ok
}

// place also returns the connection whose place it is now, if there was one.
func (g *gate) place(c *conn, now time.Time) (victim *conn, why cause, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, noCause, false
	}
	most, near := max(g.opts.MaxClients/2, minSilent), max(g.opts.MaxClients/16, minSilent)
	anybody := func(*conn) bool { return true }
	neighbour := func(other *conn) bool { return other.origin == c.origin }
	limits := []struct {
		full bool
		who  func(*conn) bool // may give way
		why  cause
	}{
		{len(g.open) >= g.opts.MaxClients, anybody, refusedFull},
		{g.silent.Len() >= most, anybody, refusedSilent},
		{g.from[c.origin].open >= g.opts.MaxPerAddress, neighbour, refusedAddress},
		{g.from[c.origin].silent >= near, neighbour, refusedSilent},
	}
	why, who := noCause, anybody
	for _, l := range limits {
		if l.full && why == noCause {
			why = l.why
		}
		if l.full {
			who = l.who // the narrowest: who it finds makes room everywhere
		}
	}
	if why != noCause {
		if victim = g.oldestSilent(who, now); victim == nil {
			return nil, why, false
		}
	}
	if victim != nil {
		g.free(victim)
	}
	c.place = place{gate: g, since: now, silent: g.silent.PushBack(c)}
	g.open[c] = struct{}{}
	g.count(c, 1, 1)
	g.served.Add(1)
	return victim, noCause, true
}

// oldestSilent is the oldest connection that has had time to sign in and has
// not; nil where there is none.
func (g *gate) oldestSilent(who func(*conn) bool, now time.Time) *conn {
	for e := g.silent.Front(); e != nil; e = e.Next() {
		c := e.Value.(*conn)
		if now.Sub(c.place.since) < silentGrace {
			return nil // and so are those behind it
		}
		if who(c) {
			return c
		}
	}
	return nil
}

// signedIn is called when the client has been let in; false if its place has
// gone to another.
func (c *conn) signedIn() bool {
	g := c.place.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.open[c]; !ok {
		return false
	}
	g.silent.Remove(c.place.silent)
	c.place.silent = nil
	g.count(c, 0, -1)
	return true
}

// free takes the place of c, if it has one. It needs the lock.
func (g *gate) free(c *conn) {
	if _, ok := g.open[c]; !ok {
		return
	}
	delete(g.open, c)
	silent := 0
	if c.place.silent != nil {
		g.silent.Remove(c.place.silent)
		c.place.silent, silent = nil, -1
	}
	g.count(c, -1, silent)
}

func (g *gate) count(c *conn, open, silent int) {
	n := g.from[c.origin]
	n.open += open
	n.silent += silent
	if n.open == 0 {
		delete(g.from, c.origin)
		return
	}
	g.from[c.origin] = n
}

func (g *gate) leave(c *conn) {
	g.mu.Lock()
	g.free(c)
	g.mu.Unlock()
	g.served.Done()
}

// shut closes the listeners and every connection, and waits until none is served
// any more. mochi closes the clients it has in its list, and that may lack one: a
// client that is taken over can take its successor off the list as it goes. Its
// own close also races with a connection that is just being set up.
func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	open := make([]*conn, 0, len(g.open))
	for c := range g.open {
		open = append(open, c)
	}
	g.mu.Unlock()
	for _, l := range g.listeners {
		_ = l.l.Close()
	}
	for _, c := range open {
		_ = c.Close()
	}
	g.served.Wait()
}

// origin is what connections are counted, and guessers remembered, by: an IPv4
// address, or the /64 that an IPv6 address is one of very many in.
func origin(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		panic(fmt.Sprintf("prefix of %s: %v", ip, err)) // bits are within the address
	}
	return p
}
