package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// listener accepts TCP connections, and shakes hands where it speaks TLS. Unlike
// mochi's own it survives a failed accept: a process out of file descriptors
// would otherwise be deaf for good.
type listener struct {
	id   string
	gate *gate
	l    net.Listener
	tls  *tls.Config // nil: plain
	log  *slog.Logger
}

// Init has nothing left to do: the address is open.
func (l *listener) Init(*slog.Logger) error { return nil }

// ID names the listener within the server.
func (l *listener) ID() string { return l.id }

// Protocol names the transport.
func (l *listener) Protocol() string { return "tcp" }

// Address is where the listener listens.
func (l *listener) Address() string { return l.addr() }

func (l *listener) addr() string {
	if l == nil {
		return ""
	}
	return l.l.Addr().String()
}

// Serve accepts until Close. It waits for nothing else: what a connection needs
// before it is served, it does on a goroutine of its own.
func (l *listener) Serve(establish listeners.EstablishFn) {
	pause := 5 * time.Millisecond
	for {
		nc, err := l.l.Accept()
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
		c := newConn(nc, &l.gate.buffers, l.gate.opts.MaxPacket)
		if !l.gate.enter(c) {
			_ = c.Close()
			continue
		}
		go l.serve(c, establish)
	}
}

// serve runs one connection to its end. A panic in the decoding of what a client
// sent ends that client and nobody else (mochi 2.7.9 indexes beyond the end of a
// SUBSCRIBE that is cut off).
func (l *listener) serve(c *conn, establish listeners.EstablishFn) {
	defer l.gate.leave(c)
	defer func() {
		_ = c.Close()
		c.giveBack()
		if c.onEnd != nil {
			c.onEnd()
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			l.gate.hook.refuse(refusedPanic, "remote", c.remote(), "panic", p, "stack", string(debug.Stack()))
			l.gate.hook.gone(c)
		}
	}()
	if l.tls != nil {
		if err := l.handshake(c); err != nil {
			l.gate.hook.refuse(refusedTLS, "remote", c.remote(), "err", err)
			return
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(connectTimeout))
	if err := establish(l.id, c); err != nil {
		l.log.Debug("MQTT connection ended", "remote", c.remote(), "err", err)
	}
}

func (l *listener) handshake(c *conn) error {
	ctx, cancel := context.WithTimeout(c.ctx, connectTimeout)
	defer cancel()
	tc := tls.Server(c.Conn, l.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.secure(tc)
	return nil
}

// Close stops accepting and ends the clients.
func (l *listener) Close(closeClients listeners.CloseFn) {
	_ = l.l.Close()
	closeClients(l.id)
}
