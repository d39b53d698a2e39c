package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	// connectTimeout bounds the TLS handshake, and then the time to the CONNECT.
	connectTimeout = 10 * time.Second
	// maxControl bounds every packet but a PUBLISH in bytes; a CONNECT is read
	// before anybody is known to be let in.
	maxControl = 64 << 10
	// writeTimeout bounds one write to a client that does not read.
	writeTimeout = 10 * time.Second
	// farewellTimeout is writeTimeout while the broker closes.
	farewellTimeout = time.Second

	// An idle connection holds the small buffer, a busy one a large one, for as
	// long as it is busy and for linger after.
	smallBuffer = 512
	largeBuffer = 16 << 10
	linger      = 2 * time.Second
	// slack is how late the keep-alive may strike: moving a deadline costs as
	// much as reading a message.
	slack = time.Second
)

var (
	errConnectTooLarge = errors.New("the first packet is larger than a CONNECT may be")
	errEnded           = errors.New("the session has ended")
)

// conn is a client's connection as mochi reads it. It keeps back every PUBLISH
// and PUBREL and hands them to the session; mochi, which copies each packet twice
// and looks into maps for it, sees the rest. Writes end in bounded time whatever
// the keep-alive, and whoever waits on the client's behalf learns of the close.
//
// All but Close, Write and the deadlines is for the goroutine that reads.
type conn struct {
	net.Conn
	tcp       net.Conn        // below TLS
	ctx       context.Context // ends with the connection
	cancel    context.CancelFunc
	origin    netip.Prefix
	buffers   *sync.Pool
	maxPacket int
	hurry     atomic.Bool
	// throttledSince is since when the reader waits for its device's quota, in
	// Unix nanoseconds; 0: it does not.
	throttledSince atomic.Int64
	place          place // the gate's

	identity string   // common name of the client's verified certificate
	admitted bool     // CONNECT was accepted
	will     *will    // nil: none
	onEnd    func()   // called after the connection has been served, if set
	session  *session // nil until mochi has answered the CONNECT
	keepIdle time.Duration

	buf      []byte // buf[r:w] is read from the network and not yet handed on
	r, w     int
	large    *[largeBuffer]byte // what buf is, if it is large
	full     bool               // the last read filled the small buffer
	pass     int                // bytes left of the packet that is mochi's
	quiet    time.Time          // since when nothing has come, while somebody reads
	deadline time.Time          // for reading, as it was last set
	shrunk   atomic.Int32       // how often a large buffer was given back to fall idle
}

func newConn(c net.Conn, buffers *sync.Pool, maxPacket int) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{Conn: c, tcp: c, ctx: ctx, cancel: cancel, origin: origin(c.RemoteAddr()), buffers: buffers, maxPacket: maxPacket}
}

// secure goes on over TLS.
func (c *conn) secure(tc *tls.Conn) {
	c.identity = commonName(tc.ConnectionState())
	c.Conn = tc
}

func (c *conn) remote() string { return c.RemoteAddr().String() }

// Read reads what is mochi's. It returns at the end of each packet, so that a
// PUBLISH behind a CONNECT waits here until the session is there to take it.
func (c *conn) Read(p []byte) (int, error) {
	for c.pass == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.r == c.w {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p[:min(len(p), c.pass)], c.buf[c.r:c.w])
	c.r += n
	c.pass -= n
	return n, nil
}

// next reads the header of a packet, and the whole of it if it is not mochi's
// (MQTT 3.1.1 and 5 §2.1: one byte of type and flags, one to four of length).
func (c *conn) next() error {
	head, size, length, err := c.header()
	if err != nil {
		return err
	}
	kind := head >> 4
	if c.session == nil || (kind != packets.Publish && kind != packets.Pubrel) {
		if length > maxControl {
			return c.tooLarge()
		}
		c.pass = size + length
		return nil
	}
	if length > c.maxPacket || (kind == packets.Pubrel && length > maxControl) {
		return c.tooLarge()
	}
	body, own, err := c.body(size, length)
	if err != nil {
		return err
	}
	if kind == packets.Pubrel {
		return c.session.pubrel(body)
	}
	return c.session.publish(head&0x0f, body, own)
}

func (c *conn) tooLarge() error {
	if c.session == nil {
		return errConnectTooLarge
	}
	return c.session.fail(packets.ErrPacketTooLarge)
}

// header looks at the header of the next packet, without going past it.
func (c *conn) header() (head byte, size, length int, err error) {
	for {
		size, length = 1, 0
		for c.r+size < c.w {
			b := c.buf[c.r+size]
			length |= int(b&0x7f) << (7 * (size - 1))
			size++
			if b&0x80 == 0 {
				return c.buf[c.r], size, length, nil
			}
			if size == 5 {
				return 0, 0, 0, packets.ErrMalformedVariableByteInteger
			}
		}
		if err := c.fill(); err != nil {
			return 0, 0, 0, err
		}
	}
}

// body reads the rest of a packet. own says that it is in memory of its own;
// otherwise it is in the buffer, and good until the next read.
func (c *conn) body(size, length int) (b []byte, own bool, err error) {
	if size+length > largeBuffer {
		c.r += size
		b, err = c.long(length)
		return b, true, err
	}
	for c.w-c.r < size+length {
		if err := c.fill(); err != nil {
			return nil, false, err
		}
	}
	b = c.buf[c.r+size : c.r+size+length]
	c.r += size + length
	return b, false, nil
}

// long reads a body that is larger than the buffer. It takes memory as the bytes
// come, not as they are announced.
func (c *conn) long(length int) ([]byte, error) {
	b := make([]byte, 0, min(length, 4*largeBuffer))
	for {
		n := copy(b[len(b):cap(b)], c.buf[c.r:c.w])
		b = b[:len(b)+n]
		c.r += n
		switch {
		case len(b) == length:
			return b, nil
		case len(b) == cap(b):
			b = append(make([]byte, 0, min(length, 2*cap(b))), b...)
		}
		if c.r == c.w {
			if err := c.fill(); err != nil {
				return nil, err
			}
		}
	}
}

// fill reads once from the network, behind what is in the buffer.
func (c *conn) fill() error {
	c.makeRoom()
	if c.session != nil {
		c.session.pause()
		// Not since the last read: the reader may have waited for room meanwhile,
		// and what the client has sent since is not read yet.
		c.quiet = time.Now()
	}
	for {
		c.moveDeadline()
		room := c.buf[c.w:]
		n, err := c.Conn.Read(room)
		if n > 0 {
			c.w += n
			c.full = c.large == nil && n == len(room)
			if c.session != nil {
				c.session.resume()
			}
			return nil
		}
		if !c.idle(err) {
			return err
		}
	}
}

// makeRoom sees that there is a buffer with room behind what it holds.
func (c *conn) makeRoom() {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	switch {
	case c.buf == nil:
		c.buf = make([]byte, smallBuffer)
	case c.large == nil && (c.full || c.w == len(c.buf)):
		c.large = c.buffers.Get().(*[largeBuffer]byte)
		c.w = copy(c.large[:], c.buf[c.r:c.w])
		c.r, c.buf = 0, c.large[:]
	case c.w == len(c.buf):
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	c.full = false
}

// moveDeadline sets when the read under way ends: with the keep-alive, or
// sooner to give back a large buffer.
func (c *conn) moveDeadline() {
	if c.session == nil {
		return // connectTimeout stands
	}
	var want time.Time
	if c.keepIdle > 0 {
		want = c.quiet.Add(c.keepIdle)
	}
	if c.large != nil && c.r == c.w {
		if soon := c.quiet.Add(linger); want.IsZero() || soon.Before(want) {
			want = soon
		}
	}
	if late := want.Sub(c.deadline); c.deadline.IsZero() == want.IsZero() && late >= 0 && late < slack {
		return
	}
	c.deadline = want
	_ = c.SetReadDeadline(want)
}

// idle reports whether a read ended just to give back the large buffer, and
// gives it back.
func (c *conn) idle(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.session == nil || c.large == nil || c.r != c.w {
		return false
	}
	if c.keepIdle > 0 && time.Since(c.quiet) >= c.keepIdle {
		return false
	}
	c.giveBack()
	c.shrunk.Add(1)
	c.buf = make([]byte, smallBuffer)
	return true
}

func (c *conn) giveBack() {
	if c.large != nil {
		c.buffers.Put(c.large)
	}
	c.large, c.buf, c.r, c.w = nil, nil, 0, 0
}

// begin is called once the session is there. A client has to be heard of
// within one and a half of its keep-alive (MQTT 3.1.1 and 5 §3.1.2.10), or for
// ever if that is zero.
func (c *conn) begin(s *session, keepAliveSeconds uint16) {
	c.session = s
	if keepAliveSeconds > 0 {
		c.keepIdle = time.Duration(keepAliveSeconds)*time.Second*3/2 + slack
	}
	_ = c.SetReadDeadline(time.Time{})
}

// Write sets its own deadline. After a write that failed the stream is broken,
// and the connection ends.
func (c *conn) Write(p []byte) (int, error) {
	limit := writeTimeout
	if c.hurry.Load() {
		limit = farewellTimeout
	}
	if err := c.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// SetDeadline, with which mochi enforces the keep-alive at every packet, does
// nothing: see moveDeadline.
func (c *conn) SetDeadline(time.Time) error { return nil }

// Close ends the connection's context as well. Over TLS it takes no leave: that
// is a write, which a client that does not read would hold up for seconds.
func (c *conn) Close() error {
	c.cancel()
	return c.tcp.Close()
}
