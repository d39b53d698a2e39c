package publish

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// connection brings messages to the broker in order and keeps each until it is
// acknowledged.
//
// Every session has a client of its own, and a lost one is never resumed by the
// library: on resuming it completes the tokens of unacknowledged messages
// without an error, as if they had been acknowledged, and may reuse a packet
// id while its first acknowledgement is still to come. Sending what is
// unacknowledged anew costs at most MaxInflight doubled messages, which the
// contract allows: the same reading twice is one reading.
type connection struct {
	fleet    *Fleet
	ref      devices.Ref // zero: shared
	clientID string
	queue    chan *message
	cut      chan struct{} // takes one wish to lose the connection
	running  bool          // guarded by the fleet

	tried    chan struct{} // closed after the first attempt to connect
	firstErr error         // of that; read after tried
}

const (
	connectTimeout = 10 * time.Second
	// handOver bounds how long the library waits to pass a message on to its
	// writer, which an outbox keeps from blocking: it is reached only when the
	// connection goes at that moment.
	handOver     = time.Second
	farewell     = 500 * time.Millisecond
	firstBackoff = 100 * time.Millisecond
	online       = "online"
	offline      = "offline"
)

var (
	// errLost stands in where the library does not say why.
	errLost = errors.New("connection lost")
	errCut  = errors.New("connection cut")
)

func newConnection(f *Fleet, ref devices.Ref, clientID string) *connection {
	return &connection{
		fleet: f, ref: ref, clientID: clientID,
		queue: make(chan *message, f.opts.MaxInflight),
		cut:   make(chan struct{}, 1),
		tried: make(chan struct{}),
	}
}

func (c *connection) run(ctx context.Context) {
	log := c.fleet.opts.Logger.With("client", c.clientID)
	var unacked []*message
	for attempt := 0; ctx.Err() == nil; attempt++ {
		if attempt > 0 && !pause(ctx, c.backoff(attempt)) {
			break
		}
		s, err := c.connect(ctx)
		if c.firstAttempt() {
			c.firstErr = err
			close(c.tried)
		}
		if err != nil {
			if ctx.Err() == nil {
				log.Warn("connect", "err", err, "attempt", attempt+1)
			}
			continue
		}
		select {
		case <-c.cut: // there was no connection to cut
		default:
		}
		c.fleet.counts.resent.Add(int64(len(unacked)))
		before := len(unacked)
		var acked int
		unacked, acked, err = s.work(ctx, unacked)
		s.close(ctx.Err() != nil)
		if ctx.Err() != nil {
			break
		}
		c.fleet.counts.lost.Add(1)
		level := slog.LevelWarn
		if errors.Is(err, errCut) {
			level = slog.LevelDebug // it was wanted
		}
		log.Log(ctx, level, "connection lost", "err", err, "unacknowledged", len(unacked), "resent", before)
		if acked > 0 {
			attempt = 0
		}
	}
}

func (c *connection) firstAttempt() bool {
	select {
	case <-c.tried:
		return false
	default:
		return true
	}
}

// backoff grows twofold from 100 ms. Clients that lost one broker together come
// back apart: each waits a share of it that follows from its id.
func (c *connection) backoff(attempt int) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(c.clientID))
	d := min(firstBackoff<<min(attempt-1, 20), c.fleet.opts.MaxBackoff)
	return d/2 + time.Duration(float64(d)/2*float64(h.Sum32()%1000)/1000)
}

// pause waits for d; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// session is the life of one client from connect to loss.
type session struct {
	*connection
	client paho.Client
	wire   atomic.Pointer[net.TCPConn]
	lost   chan struct{} // closed when the connection is gone
	why    atomic.Pointer[error]
}

func (c *connection) connect(ctx context.Context) (*session, error) {
	select {
	case c.fleet.dialing <- struct{}{}:
		defer func() { <-c.fleet.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s := &session{connection: c, lost: make(chan struct{})}
	user, password := c.fleet.opts.Credentials(c.ref)
	o := paho.NewClientOptions().
		AddBroker(c.fleet.opts.Broker).
		SetClientID(c.clientID).
		SetUsername(user).
		SetPassword(password).
		SetProtocolVersion(4).
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(connectTimeout).
		SetWriteTimeout(handOver).
		SetKeepAlive(c.fleet.opts.KeepAlive).
		SetOrderMatters(true).
		SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			d := net.Dialer{Timeout: connectTimeout}
			conn, err := d.DialContext(ctx, "tcp", u.Host)
			if err != nil {
				return nil, err
			}
			s.wire.Store(conn.(*net.TCPConn))
			return newOutbox(conn.(*net.TCPConn)), nil
		}).
		SetConnectionLostHandler(func(_ paho.Client, err error) {
			s.why.Store(&err)
			close(s.lost)
		})
	if c.ref != (devices.Ref{}) {
		o.SetWill(c.statusTopic(), offline, 1, true)
	}
	s.client = paho.NewClient(o)
	token := s.client.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		s.client.Disconnect(0)
		return nil, ctx.Err()
	}
	if err := token.Error(); err != nil {
		return nil, err
	}
	return s, nil
}

func (c *connection) statusTopic() string {
	return wire.Topic{Device: c.ref, Channel: wire.Status}.String()
}

// work sends unacked, then what is queued, until the connection is lost or ctx
// ends. It returns what is still unacknowledged, oldest first, and how many
// messages were acknowledged.
func (s *session) work(ctx context.Context, unacked []*message) (_ []*message, acked int, _ error) {
	if s.ref != (devices.Ref{}) {
		if _, err := s.publish(s.statusTopic(), true, []byte(online)); err != nil {
			return unacked, 0, err
		}
	}
	var tokens []paho.Token // of unacked, as far as they are sent
	for {
		for len(tokens) < len(unacked) {
			m := unacked[len(tokens)]
			t, err := s.publish(wire.Topic{Device: m.ref, Channel: m.channel}.String(), false, m.payload)
			if err != nil {
				return unacked, acked, err
			}
			tokens = append(tokens, t)
		}
		var first <-chan struct{}
		if len(tokens) > 0 {
			first = tokens[0].Done()
		}
		queue := s.queue
		if len(unacked) >= s.fleet.opts.MaxInflight {
			queue = nil
		}
		select {
		case <-ctx.Done():
			return unacked, acked, ctx.Err()
		case <-s.lost:
			return unacked, acked, s.reason()
		case <-s.cut:
			s.drop()
			return unacked, acked, errCut
		case m := <-queue:
			unacked = append(unacked, m)
		case <-first:
			if err := tokens[0].Error(); err != nil {
				return unacked, acked, err
			}
			s.fleet.acknowledged(unacked[0])
			acked++
			unacked = unacked[:copy(unacked, unacked[1:])]
			tokens = tokens[:copy(tokens, tokens[1:])]
		}
	}
}

// publish hands one message to the client, which takes it at once but for a
// connection that goes at this moment.
func (s *session) publish(topic string, retained bool, payload []byte) (paho.Token, error) {
	t := s.client.Publish(topic, 1, retained, payload)
	select {
	case <-s.lost:
		return nil, s.reason()
	default:
		return t, nil
	}
}

// drop ends the connection without a word, as a dead battery or a lost network
// does: the broker publishes the last will.
func (s *session) drop() {
	if c := s.wire.Load(); c != nil {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

func (s *session) reason() error {
	if err := s.why.Load(); err != nil {
		return *err
	}
	return errLost
}

// close ends the session. A proper end takes back the last will, so the device
// itself says that it is gone.
func (s *session) close(proper bool) {
	if !proper || !s.client.IsConnectionOpen() {
		s.client.Disconnect(0)
		return
	}
	if s.ref != (devices.Ref{}) {
		if t, err := s.publish(s.statusTopic(), true, []byte(offline)); err == nil {
			t.WaitTimeout(farewell)
		}
	}
	s.client.Disconnect(uint(farewell.Milliseconds()))
}
