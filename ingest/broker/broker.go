// Package broker is the embedded MQTT broker as a source of messages: it
// authenticates devices, hands every publish to the pipeline, and withholds its
// acknowledgement until the pipeline has committed it.
//
// It knows nothing of payloads or stores. The protocol is mochi-mqtt's, but for
// what flows with every message: a PUBLISH is read, and acknowledged, here.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// Authenticate returns the device whose credentials these are, or an error.
type Authenticate func(ctx context.Context, username, password string) (devices.Ref, error)

// AuthenticateCert returns the device that a client certificate's common name
// stands for, or an error. The certificate has been verified.
type AuthenticateCert func(ctx context.Context, commonName string) (devices.Ref, error)

// Submit hands a message to the pipeline. It blocks while the pipeline is full.
type Submit func(ctx context.Context, m ingest.Message) error

// Options configure the broker. Submit and Now are required, one of Listen and
// TLS, and one of Authenticate, AuthenticateCert and Anonymous.
type Options struct {
	Listen           string      // host:port without TLS; port 0 takes a free one; empty: TLS only
	TLS              *TLSOptions // nil: no TLS
	Authenticate     Authenticate
	AuthenticateCert AuthenticateCert
	Anonymous        bool // accept clients without credentials, and trust them
	Submit           Submit
	Now              func() time.Time
	Logger           *slog.Logger

	// Gateway returns the device that may speak for ref, the zero Ref where there
	// is none. It is asked at each subscription and each delivery, and answers
	// from memory. nil: nobody speaks for another.
	Gateway func(ref devices.Ref) devices.Ref
	// Sparkplug returns the Sparkplug B edge node that a device is. It is asked
	// when the device connects. nil: no device is one.
	Sparkplug func(ref devices.Ref) (group, node string, ok bool)
	// SubmitSparkplug takes the messages on spBv1.0/ that their sender may
	// publish. nil: Submit takes them.
	SubmitSparkplug Submit

	// What clients may take. Zero stands for the default. Of the connections that
	// have not signed in, no more than half of MaxClients are kept, and from one
	// address a sixteenth, but 64 of either. A device that has all its places gets
	// one more for a connection of its own that has waited 5 s for its quota.
	MaxClients       int // connections at once; default 20,000
	MaxPerAddress    int // of them from one IPv4 address or IPv6 /64; default: no limit of its own
	MaxPerDevice     int // of them with the credential of one device; default 64
	MaxPacket        int // bytes of one packet, beyond which the connection is closed; default 4 MiB
	MaxUnacked       int // publishes of one connection that may wait for their acknowledgement; default 1,024
	MaxPending       int // messages to one subscriber that wait to be written, up to 1 MiB of them; default 256
	MaxSubscriptions int // of one connection; default 1,000

	// What one device may publish over all its connections, on average and at
	// once; default: no limit. Who is over it is read more slowly, and loses
	// nothing. Trusted clients are not limited.
	MessagesPerSecond float64
	MessageBurst      int // default: one second's worth
	BytesPerSecond    float64
	ByteBurst         int // default: one second's worth, at least MaxPacket
}

func (o *Options) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxClients, 20_000)
	def(&o.MaxPerAddress, o.MaxClients)
	def(&o.MaxPerDevice, 64)
	def(&o.MaxPacket, 4<<20)
	def(&o.MaxUnacked, 1024)
	o.MaxUnacked = min(o.MaxUnacked, 65535)
	def(&o.MaxPending, 256)
	def(&o.MaxSubscriptions, 1000)
	def(&o.MessageBurst, max(1, int(o.MessagesPerSecond)))
	def(&o.ByteBurst, int(o.BytesPerSecond))
	o.ByteBurst = max(o.ByteBurst, o.MaxPacket)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Gateway == nil {
		o.Gateway = func(devices.Ref) devices.Ref { return devices.Ref{} }
	}
}

func (o *Options) validate() error {
	switch {
	case o.Submit == nil || o.Now == nil:
		return errors.New("broker: Submit and Now are required")
	case o.Authenticate == nil && o.AuthenticateCert == nil && !o.Anonymous:
		return errors.New("broker: none of Authenticate, AuthenticateCert and Anonymous is set")
	case o.Listen == "" && o.TLS == nil:
		return errors.New("broker: neither Listen nor TLS is set")
	}
	return nil
}

// Broker is an MQTT 3.1.1 and 5 broker for devices. It keeps no sessions: what a
// device has to remember is what was not acknowledged, and subscribers are
// served at QoS 0, because nobody's slowness may hold up a commit.
type Broker struct {
	opts      Options
	server    *mqtt.Server
	hook      *hook
	gate      *gate
	plain     *listener // nil: none
	encrypted *listener // nil: none
	close     sync.Once
	started   bool
}

// New opens the listeners; clients are served from Start on.
func New(opts Options) (*Broker, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	b := &Broker{opts: opts}
	// mochi logs every closed connection, and whole packets with their
	// passwords; what matters is logged by the hook.
	b.server = mqtt.New(&mqtt.Options{
		Capabilities: capabilities(&opts),
		Logger:       slog.New(slog.DiscardHandler),
		// A connection has a buffer of its own below mochi's.
		ClientNetReadBufferSize: 64,
		// The numbers on $SYS, which nobody may read, are gathered with the
		// program stopped: not every second.
		SysTopicResendInterval: int64((365 * 24 * time.Hour).Seconds()),
	})
	b.hook = newHook(opts, b.server)
	b.gate = newGate(&b.opts, b.hook)
	if err := b.server.AddHook(b.hook, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := b.listen(); err != nil {
		b.gate.shut()
		return nil, err
	}
	return b, nil
}

// capabilities are mochi's limits, which are unsafe by default.
func capabilities(o *Options) *mqtt.Capabilities {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumClients = int64(o.MaxClients) + 1 // the gate counts, with those that have said nothing yet
	caps.MaximumPacketSize = uint32(o.MaxPacket)
	caps.MaximumInflight = uint16(min(o.MaxPending, 65535))
	caps.MaximumClientWritesPending = 1 // deliveries do not take mochi's way
	caps.ReceiveMaximum = uint16(o.MaxUnacked)
	caps.TopicAliasMaximum = maxAliases
	caps.MinimumProtocolVersion = 4
	caps.MaximumMessageExpiryInterval = 0 // a retained status holds until the next
	return caps
}

func (b *Broker) listen() error {
	if b.opts.Listen != "" {
		l, err := b.gate.listen("plain", b.opts.Listen, nil)
		if err != nil {
			return fmt.Errorf("listen for MQTT: %w (another program has the address? choose one with --mqtt-listen)", err)
		}
		b.plain = l
	}
	if b.opts.TLS != nil {
		certs, err := newCertificates(*b.opts.TLS, b.opts.Logger)
		if err != nil {
			return fmt.Errorf("MQTT over TLS: %w", err)
		}
		l, err := b.gate.listen("tls", b.opts.TLS.Listen, certs)
		if err != nil {
			return fmt.Errorf("listen for MQTT over TLS: %w", err)
		}
		b.encrypted = l
	}
	for _, l := range b.gate.listeners {
		if err := b.server.AddListener(l); err != nil {
			return fmt.Errorf("broker: %w", err)
		}
	}
	return nil
}

// Addr is the address that clients connect to without TLS; empty where there is
// none.
func (b *Broker) Addr() string { return b.plain.addr() }

// TLSAddr is the address that clients connect to with TLS; empty where there is
// none.
func (b *Broker) TLSAddr() string { return b.encrypted.addr() }

// Start serves clients until Close.
func (b *Broker) Start() error {
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("serve MQTT: %w", err)
	}
	b.started = true
	b.hook.start()
	return nil
}

// Publish passes a message of the host's own to subscribers, at QoS 0 and after
// what was passed before; a retained one also to those that come later. The
// pipeline does not see it. It does not block. Errors: ErrBusy, ErrTooLarge and
// ErrClosed.
func (b *Broker) Publish(topic string, payload []byte, retain bool) error {
	return b.hook.fan.publish(outgoing{topic: topic, payload: payload, retain: retain})
}

// Kick ends the connections of a device, whose credential, gateway or Sparkplug
// node has changed.
func (b *Broker) Kick(ref devices.Ref) { b.hook.sessions.kick(ref) }

// Quiesce stops taking publishes. Connections stay open, so that what was taken
// before can still be acknowledged; what arrives from now on is neither stored
// nor acknowledged.
func (b *Broker) Quiesce() { b.hook.quiesce() }

// Close ends all connections and waits for them. It may be called twice.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() {
		b.hook.quiesce()
		if b.started {
			// First what is due to the clients; then a reader that waits for room
			// does not miss the close of its connection.
			b.hook.sessions.endAll()
		}
		b.gate.shut()
		if b.started {
			err = b.server.Close()
		}
		b.hook.close()
	})
	return err
}
