// Package mqtt consumes an external MQTT broker as a source of messages, and
// acknowledges each to that broker after the pipeline has committed it.
//
// It knows nothing of payloads or stores. The broker has authenticated whoever
// published, so every message is trusted.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sync/semaphore"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// Submit hands a message to the pipeline. It blocks while the pipeline is full.
type Submit func(ctx context.Context, m ingest.Message) error

// Options configure the source. Broker, ClientID, Submit and Now are required.
type Options struct {
	Broker   string // tcp://host:port, ssl://…, ws://…
	ClientID string // must stay the same over restarts: the broker keeps its session, and with it what was not acknowledged
	Username string
	Password string
	// Group is the group of a shared subscription, with which replicas split the
	// load; empty: an ordinary subscription, for one replica. The broker must
	// keep shared subscriptions over its own restart: mosquitto 2.0.11 does not,
	// and what it acknowledges between its start and the source's return is then
	// delivered to nobody. It keeps ordinary ones.
	Group  string
	Submit Submit
	Now    func() time.Time
	Logger *slog.Logger

	MaxInboxBytes int64         // memory for messages not yet handed on; default 64 MiB
	MaxReconnect  time.Duration // longest pause between two tries to connect; default and at most 30 s
}

// The greatest number of QoS 1 and 2 messages that can be unacknowledged on one
// connection: the packet identifiers there are.
const maxUnacked = 65535

// Source consumes one broker.
type Source struct {
	opts   Options
	filter string
	client paho.Client
	inbox  chan delivery
	room   *semaphore.Weighted
	acks   *acks
	state  atomic.Pointer[string] // what is wrong with the connection; empty: nothing
}

// delivery is a message with its place in the inbox.
type delivery struct {
	msg        paho.Message
	receivedMS int64
	size       int64
}

// New returns a source; Run connects it.
func New(opts Options) (*Source, error) {
	if opts.Broker == "" || opts.ClientID == "" || opts.Submit == nil || opts.Now == nil {
		return nil, errors.New("mqtt source: Broker, ClientID, Submit and Now are required")
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
	s := &Source{
		opts:   opts,
		filter: wire.Prefix + "#",
		inbox:  make(chan delivery, maxUnacked),
		room:   semaphore.NewWeighted(opts.MaxInboxBytes),
		acks:   newAcks(),
	}
	if opts.Group != "" {
		s.filter = "$share/" + opts.Group + "/" + s.filter
	}
	s.note("not connected yet")
	return s, nil
}

// Trouble says what is wrong with the connection; empty where nothing is.
func (s *Source) Trouble() string { return *s.state.Load() }

func (s *Source) note(what string) { s.state.Store(&what) }

// Run consumes until ctx ends, and returns nil then: nothing more is handed on,
// but the connection stays up so that what was handed on can be acknowledged.
// Close ends it.
func (s *Source) Run(ctx context.Context) error {
	s.client = paho.NewClient(s.clientOptions(ctx))
	s.acks.start()
	// With ConnectRetry the token completes only once connected; the source is
	// running, and says so in Trouble, before that.
	s.client.Connect()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-s.inbox:
			err := s.opts.Submit(ctx, s.message(d))
			s.room.Release(d.size)
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("hand on message from %s: %w", s.opts.Broker, err)
			}
		}
	}
}

func (s *Source) message(d delivery) ingest.Message {
	return ingest.Message{
		Topic:       d.msg.Topic(),
		Payload:     d.msg.Payload(),
		ReceivedMS:  d.receivedMS,
		Redelivered: d.msg.Duplicate(),
		Principal:   ingest.Principal{Name: "broker", Trusted: true},
		Done:        func(ingest.Outcome) { s.acks.push(d.msg) },
	}
}

// clientOptions are paho's, set so that nothing is acknowledged by paho itself
// and nothing is forgotten over a reconnect.
func (s *Source) clientOptions(ctx context.Context) *paho.ClientOptions {
	o := paho.NewClientOptions().
		AddBroker(s.opts.Broker).
		SetClientID(s.opts.ClientID).
		SetUsername(s.opts.Username).
		SetPassword(s.opts.Password).
		SetCleanSession(false).
		SetAutoAckDisabled(true).
		SetOrderMatters(true).
		SetAutoReconnect(true).
		SetMaxReconnectInterval(s.opts.MaxReconnect).
		SetConnectRetry(true).
		SetConnectRetryInterval(time.Second).
		SetConnectTimeout(10 * time.Second).
		SetKeepAlive(20 * time.Second).
		SetPingTimeout(10 * time.Second).
		SetWriteTimeout(30 * time.Second).
		// All messages come here, also those of the kept session that arrive
		// before the subscription is confirmed.
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { s.receive(ctx, m) })
	o.SetOnConnectHandler(func(c paho.Client) { s.subscribe(ctx, c) })
	o.SetConnectionNotificationHandler(func(_ paho.Client, n paho.ConnectionNotification) {
		if failed, ok := n.(paho.ConnectionNotificationFailed); ok {
			s.unreachable(failed.Reason)
		}
	})
	o.SetConnectionLostHandler(func(_ paho.Client, err error) {
		s.note("connection to " + s.opts.Broker + " lost: " + err.Error())
		s.opts.Logger.Warn("connection to the MQTT broker lost; reconnecting (if this repeats, another client may use the same mqtt-client-id)",
			"broker", s.opts.Broker, "client_id", s.opts.ClientID, "err", err)
	})
	return o
}

// unreachable tells of a failed try to connect: at once where it fails in a new
// way, otherwise only in Trouble.
func (s *Source) unreachable(err error) {
	what := "connect to " + s.opts.Broker + ": " + err.Error()
	if s.Trouble() == what {
		return
	}
	s.note(what)
	s.opts.Logger.Warn("the MQTT broker can't be used; is it running, and are mqtt-broker, mqtt-username and mqtt-password right? trying on",
		"broker", s.opts.Broker, "err", err)
}

// receive runs on paho's own goroutine. Its inbox has room for as many messages
// as one connection can have unacknowledged, so it waits only where those of a
// connection before have not gone yet, or are large: paho then stops reading,
// and the broker keeps the rest.
func (s *Source) receive(ctx context.Context, m paho.Message) {
	if m.Retained() && strings.HasSuffix(m.Topic(), "/"+string(wire.Status)) {
		m.Ack() // the broker's memory of a status, told at each subscription: nothing happened now
		return
	}
	d := delivery{msg: m, receivedMS: s.opts.Now().UnixMilli()}
	d.size = min(int64(len(m.Payload())+len(m.Topic())+128), s.opts.MaxInboxBytes)
	if err := s.room.Acquire(ctx, d.size); err != nil {
		return // ending; not acknowledged, so the broker keeps it
	}
	select {
	case s.inbox <- d:
	case <-ctx.Done():
	}
}

// subscribe is called on each connection. A broker that refuses is asked again.
func (s *Source) subscribe(ctx context.Context, c paho.Client) {
	for pause := time.Second; ctx.Err() == nil && c.IsConnectionOpen(); pause = min(2*pause, s.opts.MaxReconnect) {
		err := s.trySubscribe(c)
		if err == nil {
			s.note("")
			s.opts.Logger.Info("consuming the MQTT broker", "broker", s.opts.Broker, "filter", s.filter)
			return
		}
		s.note("subscribe to " + s.filter + " on " + s.opts.Broker + ": " + err.Error())
		s.opts.Logger.Error("subscribe", "broker", s.opts.Broker, "filter", s.filter, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (s *Source) trySubscribe(c paho.Client) error {
	token := c.Subscribe(s.filter, 1, nil)
	if !token.WaitTimeout(10 * time.Second) {
		return errors.New("no answer within 10 s")
	}
	if err := token.Error(); err != nil {
		return err
	}
	if st, ok := token.(*paho.SubscribeToken); ok && st.Result()[s.filter] > 2 {
		return errors.New("the broker refused the subscription; check what this user may read")
	}
	return nil
}

// Close disconnects, after the acknowledgements that are due. It may be called
// twice, and without Run.
func (s *Source) Close() {
	s.acks.close()
	if s.client != nil {
		s.client.Disconnect(250)
	}
}
