package broker

import (
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// listener accepts TCP connections. Unlike mochi's own it survives a failed
// accept (a process out of file descriptors would otherwise be deaf for good),
// and it caps connections before they have said anything.
type listener struct {
	address string
	max     int
	log     *slog.Logger
	gone    func(net.Conn) // called for a connection that did not come to a proper end

	mu     sync.Mutex
	l      net.Listener
	open   map[*conn]struct{}
	closed bool
	served sync.WaitGroup // of the connections
}

func newListener(address string, max int, log *slog.Logger, gone func(net.Conn)) *listener {
	return &listener{address: address, max: max, log: log, gone: gone, open: make(map[*conn]struct{})}
}

// Init opens the address.
func (l *listener) Init(*slog.Logger) error {
	nl, err := net.Listen("tcp", l.address)
	if err != nil {
		return err
	}
	l.l = nl
	return nil
}

// ID names the listener within the server.
func (l *listener) ID() string { return "tcp" }

// Protocol names the transport.
func (l *listener) Protocol() string { return "tcp" }

// Address is where the listener listens.
func (l *listener) Address() string {
	if l.l == nil {
		return l.address
	}
	return l.l.Addr().String()
}

// Serve accepts until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	pause := 5 * time.Millisecond
	for {
		conn, err := l.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.log.Error("accept MQTT connection", "err", err, "retry_in", pause)
			time.Sleep(pause)
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		c := newConn(conn)
		if !l.enter(c) {
			_ = c.Close()
			continue
		}
		go l.serve(c, establish)
	}
}

// serve runs one connection to its end. A panic in the decoding of what a client
// sent ends that client and nobody else (mochi 2.7.9 indexes beyond the end of a
// SUBSCRIBE that is cut off).
func (l *listener) serve(conn *conn, establish listeners.EstablishFn) {
	defer l.leave(conn)
	defer func() { _ = conn.Close() }()
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("MQTT connection ended by a panic", "remote", conn.RemoteAddr().String(), "panic", p, "stack", string(debug.Stack()))
			l.gone(conn)
		}
	}()
	_ = conn.SetDeadline(time.Now().Add(connectTimeout))
	if err := establish(l.ID(), conn); err != nil {
		l.log.Debug("MQTT connection ended", "remote", conn.RemoteAddr().String(), "err", err)
	}
}

func (l *listener) enter(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.open) >= l.max {
		return false
	}
	l.open[c] = struct{}{}
	l.served.Add(1)
	return true
}

func (l *listener) leave(c *conn) {
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	l.served.Done()
}

// shut closes the listener and every connection, and waits until none is served
// any more. mochi closes the clients it has in its list, and that may lack one: a
// client that is taken over can take its successor off the list as it goes. Its
// own close also races with a connection that is just being set up.
func (l *listener) shut() {
	l.mu.Lock()
	l.closed = true
	open := make([]*conn, 0, len(l.open))
	for c := range l.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	_ = l.l.Close()
	for _, c := range open {
		_ = c.Close()
	}
	l.served.Wait()
}

// Close stops accepting and ends the clients.
func (l *listener) Close(closeClients listeners.CloseFn) {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if l.l != nil {
		_ = l.l.Close()
	}
	closeClients(l.ID())
}
