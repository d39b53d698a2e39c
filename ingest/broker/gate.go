package broker

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// gate counts connections from their accept on, before they have said anything,
// over all listeners, and turns away those beyond the limits.
type gate struct {
	opts      *Options
	hook      *hook
	buffers   sync.Pool // *[largeBuffer]byte
	listeners []*listener

	mu     sync.Mutex
	open   map[*conn]struct{}
	from   map[netip.Prefix]int
	closed bool
	served sync.WaitGroup // of the connections
}

func newGate(opts *Options, h *hook) *gate {
	return &gate{
		opts: opts, hook: h,
		buffers: sync.Pool{New: func() any { return new([largeBuffer]byte) }},
		open:    make(map[*conn]struct{}),
		from:    make(map[netip.Prefix]int),
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
	why, ok := g.place(c)
	if !ok && why != noCause {
		g.hook.refuse(why, "remote", c.remote())
	}
	return ok
}

func (g *gate) place(c *conn) (why cause, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return noCause, false
	case len(g.open) >= g.opts.MaxClients:
		return refusedFull, false
	case g.from[c.origin] >= g.opts.MaxPerAddress:
		return refusedAddress, false
	}
	g.open[c] = struct{}{}
	g.from[c.origin]++
	g.served.Add(1)
	return noCause, true
}

func (g *gate) leave(c *conn) {
	g.mu.Lock()
	delete(g.open, c)
	if g.from[c.origin]--; g.from[c.origin] <= 0 {
		delete(g.from, c.origin)
	}
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
