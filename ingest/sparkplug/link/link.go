// Package link connects a Sparkplug host to an external MQTT broker: a clean
// session with the host's STATE as its will, the subscriptions, the birth, and
// again after each loss.
//
// It knows nothing of payloads. The broker has authenticated whoever published,
// so every message is trusted.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

// Host is what a link serves: a *sparkplug.Host.
type Host interface {
	Connecting() sparkplug.Publication
	Connected(ctx context.Context) error
	Disconnecting(ctx context.Context) error
	Lost(ctx context.Context) error
	Receive(ctx context.Context, m ingest.Message) error
}

// Options configure a link. Broker, ClientID, HostID and Now are required.
type Options struct {
	Broker   string // tcp://host:port, ssl://…, ws://…
	ClientID string // of this connection alone: not that of another source
	HostID   string // as in sparkplug.Options
	Username string
	Password string
	TLS      *tls.Config // for ssl://
	Now      func() time.Time
	Logger   *slog.Logger

	MaxInboxBytes int64         // memory for messages not yet received by the host; default 64 MiB
	MaxReconnect  time.Duration // longest pause between two tries to connect; default and at most 30 s
}

// Link is a host's connection to one broker.
type Link struct {
	opts  Options
	state atomic.Pointer[string] // what is wrong with the connection; empty: nothing

	mu     sync.Mutex
	client paho.Client // of the present connection; nil: there is none
	born   bool        // the host's birth was published on it
}

// New returns a link; Run connects it. Its Publish may be given to the host
// before that.
func New(opts Options) (*Link, error) {
	if opts.Broker == "" || opts.ClientID == "" || opts.HostID == "" || opts.Now == nil {
		return nil, errors.New("sparkplug link: Broker, ClientID, HostID and Now are required")
	}
	if opts.MaxInboxBytes <= 0 {
		opts.MaxInboxBytes = 64 << 20
	}
	if opts.MaxReconnect <= 0 || opts.MaxReconnect > 30*time.Second {
		opts.MaxReconnect = 30 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Link{opts: opts}
	l.note("not connected yet")
	return l, nil
}

// Trouble says what is wrong with the connection; empty where nothing is.
func (l *Link) Trouble() string { return *l.state.Load() }

func (l *Link) note(what string) { l.state.Store(&what) }

// ErrOffline says that there is no connection to publish on.
var ErrOffline = errors.New("not connected to the MQTT broker")

// publishTimeout is how long a publication may take to be written, or, at QoS
// 1, to be acknowledged.
const publishTimeout = 5 * time.Second

// Publish sends a message on the present connection. The host's birth is the
// first: ErrOffline is all that others get before it.
func (l *Link) Publish(ctx context.Context, p sparkplug.Publication) error {
	l.mu.Lock()
	client := l.client
	ready := client != nil && (l.born || p.Retain)
	l.mu.Unlock()
	if !ready {
		return ErrOffline
	}
	return wait(ctx, client.Publish(p.Topic, p.QoS, p.Retain, p.Payload))
}

// quiesce is how long the DISCONNECT may take to be written, in milliseconds.
const quiesce = 250

func wait(ctx context.Context, token paho.Token) error {
	timer := time.NewTimer(publishTimeout)
	defer timer.Stop()
	select {
	case <-token.Done():
		return token.Error()
	case <-timer.C:
		return fmt.Errorf("no answer within %s", publishTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run keeps a connection until ctx ends, publishes the host's death then,
// disconnects, and returns nil; or the error of the host.
func (l *Link) Run(ctx context.Context, host Host) error {
	pause := time.Second
	for ctx.Err() == nil {
		began := l.opts.Now()
		if err := l.judge(ctx, l.session(ctx, host)); err != nil {
			return err
		}
		if l.opts.Now().Sub(began) > time.Minute {
			pause = time.Second
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, l.opts.MaxReconnect)
	}
	return nil
}

// judge returns what ends the link: an error of the host. Trouble with the
// broker is told of, and tried again.
func (l *Link) judge(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
	}
	var fatal *hostError
	if errors.As(err, &fatal) {
		return fatal
	}
	l.trouble(err)
	return nil
}

// hostError is an error of the host, which ends the link.
type hostError struct{ err error }

func (e *hostError) Error() string { return e.err.Error() }
func (e *hostError) Unwrap() error { return e.err }

// trouble tells of a failure where it is a new one.
func (l *Link) trouble(err error) {
	what := l.opts.Broker + ": " + err.Error()
	if l.Trouble() == what {
		return
	}
	l.note(what)
	l.opts.Logger.Warn("the MQTT broker can't be used for Sparkplug; trying on", "broker", l.opts.Broker, "err", err)
}

// session is one connection, from its will to its end.
func (l *Link) session(ctx context.Context, host Host) error {
	c := newConnection(ctx, l.opts.MaxInboxBytes, l.opts.Now)
	defer c.acks.Close()
	defer c.end()
	client := paho.NewClient(l.clientOptions(c, host.Connecting()))
	if err := wait(ctx, client.Connect()); err != nil {
		client.Disconnect(quiesce)
		return fmt.Errorf("connect: %w", err)
	}
	if err := l.open(ctx, host, client); err != nil {
		return err
	}
	l.note("")
	l.opts.Logger.Info("Sparkplug host is online", "broker", l.opts.Broker, "host_id", l.opts.HostID)
	err := c.pump(ctx, host)
	c.end()
	l.leave(ctx, host, client)
	if lost := l.lost(ctx, host); lost != nil {
		err = &hostError{errors.Join(lost, err)}
	}
	return err
}

// lost tells the host. It waits for the pipeline as long as any message does,
// but not for long at the end.
func (l *Link) lost(ctx context.Context, host Host) error {
	if ctx.Err() == nil {
		return host.Lost(ctx)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	return host.Lost(ending)
}

// open subscribes and then publishes the birth, before anything else. Where it
// fails, the client is disconnected.
func (l *Link) open(ctx context.Context, host Host, client paho.Client) error {
	filters := make(map[string]byte)
	for _, f := range sparkplug.Filters(l.opts.HostID) {
		filters[f] = 1
	}
	token := client.SubscribeMultiple(filters, nil)
	if err := wait(ctx, token); err != nil {
		client.Disconnect(quiesce)
		return fmt.Errorf("subscribe: %w", err)
	}
	if st, ok := token.(*paho.SubscribeToken); ok {
		for f, granted := range st.Result() {
			if granted > 2 {
				client.Disconnect(quiesce)
				return fmt.Errorf("subscribe to %s: the broker refused; check what this user may read", f)
			}
		}
	}
	l.use(client, false)
	// An end that comes now waits for the birth: its death has to follow.
	if err := host.Connected(context.WithoutCancel(ctx)); err != nil {
		l.leave(ctx, host, client)
		return err
	}
	l.use(client, true)
	return nil
}

// use sets what Publish publishes on.
func (l *Link) use(client paho.Client, born bool) {
	l.mu.Lock()
	l.client, l.born = client, born
	l.mu.Unlock()
}

// leave ends the connection: with the death, where it is still there.
func (l *Link) leave(ctx context.Context, host Host, client paho.Client) {
	if client.IsConnectionOpen() {
		if err := host.Disconnecting(context.WithoutCancel(ctx)); err != nil {
			l.opts.Logger.Warn("leave the MQTT broker", "broker", l.opts.Broker, "err", err)
		}
	}
	l.use(nil, false)
	client.Disconnect(quiesce)
	l.note("not connected")
}

// clientOptions are those of one connection: a will has the time of its
// connection, so paho may not reconnect by itself.
func (l *Link) clientOptions(c *connection, will sparkplug.Publication) *paho.ClientOptions {
	o := paho.NewClientOptions().
		AddBroker(l.opts.Broker).
		SetClientID(l.opts.ClientID).
		SetUsername(l.opts.Username).
		SetPassword(l.opts.Password).
		SetBinaryWill(will.Topic, will.Payload, will.QoS, will.Retain).
		SetProtocolVersion(4). // MQTT 3.1.1, and no second try with 3.1
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetAutoAckDisabled(true).
		SetOrderMatters(true).
		SetConnectTimeout(publishTimeout).
		SetKeepAlive(20 * time.Second).
		SetPingTimeout(10 * time.Second).
		SetWriteTimeout(publishTimeout).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.receive(m) }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { c.lose(err) })
	if l.opts.TLS != nil {
		o.SetTLSConfig(l.opts.TLS)
	}
	return o
}
