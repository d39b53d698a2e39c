package broker

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

const (
	// connectTimeout bounds the time from a connection's accept to its CONNECT.
	connectTimeout = 10 * time.Second
	// maxConnect bounds a CONNECT packet in bytes: it is read before anybody is
	// known to be let in.
	maxConnect = 64 << 10
	// writeTimeout bounds one write to a client that does not read.
	writeTimeout = 10 * time.Second
	// farewellTimeout is writeTimeout while the broker closes.
	farewellTimeout = time.Second
)

var errConnectTooLarge = errors.New("the first packet is larger than a CONNECT may be")

// conn is a client's connection with what mochi does not see to: writes end in
// bounded time whatever the keep-alive, the first packet is small, and whoever
// waits on the client's behalf learns of the close.
type conn struct {
	net.Conn
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	hurry  atomic.Bool

	seen      int // bytes of the first fixed header
	remaining int // length it announces, so far
	checked   bool
}

func newConn(c net.Conn) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{Conn: c, ctx: ctx, cancel: cancel}
}

// Read checks the first fixed header before anybody acts on it (MQTT 3.1.1
// §2.2.3: one byte of type, one to four of length).
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for i := 0; i < n && !c.checked; i++ {
		if c.seen > 0 {
			c.remaining |= int(p[i]&0x7f) << (7 * (c.seen - 1))
			c.checked = p[i]&0x80 == 0 || c.seen == 4
		}
		c.seen++
		if c.remaining > maxConnect {
			return 0, errConnectTooLarge
		}
	}
	return n, err
}

// Write sets its own deadline.
func (c *conn) Write(p []byte) (int, error) {
	limit := writeTimeout
	if c.hurry.Load() {
		limit = farewellTimeout
	}
	if err := c.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// SetDeadline, with which mochi enforces the keep-alive, is for reading alone.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// Close ends the connection's context as well.
func (c *conn) Close() error {
	c.cancel()
	return c.Conn.Close()
}
