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
	"github.com/fleetwatt/fleetwatt/ingest/mqtt/acks"
)

// Submit hands a message to the pipeline. It blocks while the pipeline is full.
type Submit func(ctx context.Context, m ingest.Message) error

// Will is what the broker publishes, at QoS 1, when the source goes without a
// word.
type Will struct {
	Topic   string
	Payload []byte
	Retain  bool
}

// Options configure the source. Broker, ClientID, Submit and Now are required.
type Options struct {
	Broker   string // tcp://host:port, ssl://…, ws://…, wss://…
	ClientID string // must stay the same over restarts: the broker keeps its session, and with it what was not acknowledged
	Username string
	Password string
	TLS      TLSOptions // for ssl:// and wss://
	// Group is the group of a shared subscription, with which replicas split the
	// load; empty: an ordinary subscription, for one replica. The broker must
	// keep shared subscriptions over its own restart: mosquitto 2.0.11 does not,
	// and what it acknowledges between its start and the source's return is then
	// delivered to nobody. It keeps ordinary ones.
	Group  string
	Submit Submit
	Now    func() time.Time
	Logger *slog.Logger

	// SubmitSparkplug takes the messages on spBv1.0/; nil: these are not
	// subscribed to. Their subscription is not shared: the state of an edge node is
	// of one host, which has to see all its messages in order.
	SubmitSparkplug Submit
	// Will is asked before each connection; nil: no last will.
	Will func() Will
	// OnUp is called when a connection is up and has subscribed, by a goroutine
	// that may call Publish; nil: nobody wants to know.
	OnUp func()

	MaxInboxBytes int64         // memory for messages not yet handed on; default 64 MiB
	MaxReconnect  time.Duration // longest pause between two tries to connect; default and at most 30 s
	// KeepAlive is after what silence the broker is asked whether it is there; a
	// broker that does not answer within half of it is connected to anew. Whole
	// seconds; default 20 s.
	KeepAlive time.Duration
}

const (
	// maxUnacked is the greatest number of QoS 1 and 2 messages that can be
	// unacknowledged on one connection: the packet identifiers there are.
	maxUnacked = 65535
	// answerTimeout is how long the broker may take to answer.
	answerTimeout = 10 * time.Second
	// sparkplugPrefix is the namespace of Sparkplug B.
	sparkplugPrefix = "spBv1.0/"
)

// Source consumes one broker.
type Source struct {
	opts    Options
	filters []string
	inbox   chan delivery
	room    *semaphore.Weighted
	acks    *acks.Queue
	state   atomic.Pointer[string] // what is wrong with the connection; empty: nothing
	link    link
}

// delivery is a message with its place in the inbox.
type delivery struct {
	msg        paho.Message
	receivedMS int64
	size       int64
}

// New returns a source; Run connects it, and Close must be called in any case.
func New(opts Options) (*Source, error) {
	if opts.Broker == "" || opts.ClientID == "" || opts.Submit == nil || opts.Now == nil {
		return nil, errors.New("mqtt source: Broker, ClientID, Submit and Now are required")
	}
	opts.setDefaults()
	config, err := opts.TLS.Config()
	if err != nil {
		return nil, fmt.Errorf("TLS to the MQTT broker: %w", err)
	}
	s := &Source{
		opts:    opts,
		filters: []string{wire.Prefix + "#"},
		inbox:   make(chan delivery, maxUnacked),
		room:    semaphore.NewWeighted(opts.MaxInboxBytes),
		acks:    acks.Start(),
		link:    link{tls: config, closing: make(chan struct{})},
	}
	if opts.Group != "" {
		s.filters[0] = "$share/" + opts.Group + "/" + s.filters[0]
	}
	if opts.SubmitSparkplug != nil {
		s.filters = append(s.filters, sparkplugPrefix+"#")
	}
	s.note("not connected yet")
	return s, nil
}

func (o *Options) setDefaults() {
	if o.MaxInboxBytes <= 0 {
		o.MaxInboxBytes = 64 << 20
	}
	if o.MaxReconnect <= 0 || o.MaxReconnect > 30*time.Second {
		o.MaxReconnect = 30 * time.Second
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = 20 * time.Second
	}
	o.KeepAlive = max(time.Second, o.KeepAlive.Truncate(time.Second))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Trouble says what is wrong with the connection; empty where nothing is.
func (s *Source) Trouble() string { return *s.state.Load() }

func (s *Source) note(what string) { s.state.Store(&what) }

// Run consumes until ctx ends, and returns nil then: nothing more is handed on,
// but the connection stays up so that what was handed on can be acknowledged.
// Close ends it.
func (s *Source) Run(ctx context.Context) error {
	s.connect(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-s.inbox:
			err := s.submitter(d)(ctx, s.message(d))
			s.room.Release(d.size)
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("hand on message from %s: %w", s.opts.Broker, err)
			}
		}
	}
}

func (s *Source) submitter(d delivery) Submit {
	if s.opts.SubmitSparkplug != nil && strings.HasPrefix(d.msg.Topic(), sparkplugPrefix) {
		return s.opts.SubmitSparkplug
	}
	return s.opts.Submit
}

func (s *Source) message(d delivery) ingest.Message {
	return ingest.Message{
		Topic:       d.msg.Topic(),
		Payload:     d.msg.Payload(),
		ReceivedMS:  d.receivedMS,
		Redelivered: d.msg.Duplicate(),
		Principal:   ingest.Principal{Name: "broker", Trusted: true},
		Done:        func(ingest.Outcome) { s.acks.Push(d.msg) },
	}
}

// receive runs on paho's own goroutine. Its inbox has room for as many messages
// as one connection can have unacknowledged, so it waits only where those of a
// connection before have not gone yet, or are large: paho then stops reading,
// and the broker keeps the rest.
func (s *Source) receive(ctx context.Context, m paho.Message) {
	if m.Retained() && strings.HasPrefix(m.Topic(), wire.Prefix) && strings.HasSuffix(m.Topic(), "/"+string(wire.Status)) {
		m.Ack() // the broker's memory of a status, told at each subscription: nothing happened now
		return
	}
	d := delivery{msg: m, receivedMS: s.opts.Now().UnixMilli()}
	d.size = min(int64(len(m.Payload())+len(m.Topic())+128), s.opts.MaxInboxBytes)
	if err := s.room.Acquire(ctx, d.size); err != nil {
		return // ending, or the connection is lost; not acknowledged, so the broker keeps it
	}
	select {
	case s.inbox <- d:
	case <-ctx.Done():
		s.room.Release(d.size)
	}
}

// Publish sends a message of the host's own to the broker: a retained one at QoS
// 1, and waits for its acknowledgement; any other at QoS 0. Error: there is no
// connection, or no answer within 10 s.
func (s *Source) Publish(topic string, payload []byte, retain bool) error {
	c := s.link.current()
	if c == nil {
		return errors.New("publish: not connected to the MQTT broker")
	}
	qos := byte(0)
	if retain {
		qos = 1
	}
	token := c.Publish(topic, qos, retain, payload)
	if !token.WaitTimeout(answerTimeout) {
		return fmt.Errorf("publish to %s: no answer within %s", topic, answerTimeout)
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Close disconnects, after the acknowledgements that are due. It may be called
// twice, and without Run.
func (s *Source) Close() {
	s.acks.Close()
	s.link.close()
}
