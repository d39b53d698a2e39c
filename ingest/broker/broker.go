// Package broker is the embedded MQTT broker as a source of messages: it
// authenticates devices, hands every publish to the pipeline, and withholds its
// acknowledgement until the pipeline has committed it.
//
// It knows nothing of payloads or stores. The protocol is mochi-mqtt's; the
// acknowledgements are sent here, because mochi sends its own before a publish
// is anywhere on disk.
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

// Submit hands a message to the pipeline. It blocks while the pipeline is full.
type Submit func(ctx context.Context, m ingest.Message) error

// Options configure the broker. Listen, Submit and Now are required, and one of
// Authenticate and Anonymous.
type Options struct {
	Listen       string // host:port; port 0 takes a free one
	Authenticate Authenticate
	Anonymous    bool // accept clients without credentials, and trust them
	Submit       Submit
	Now          func() time.Time
	Logger       *slog.Logger

	MaxClients  int // connections at once; default 20,000
	MaxPacket   int // bytes of one packet, beyond which the connection is closed; default 4 MiB
	MaxUnacked  int // publishes of one connection that may wait for their acknowledgement; default 1,024
	MaxInflight int // messages to one subscriber that wait for its acknowledgement; default 1,024
}

func (o *Options) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxClients, 20_000)
	def(&o.MaxPacket, 4<<20)
	def(&o.MaxUnacked, 1024)
	def(&o.MaxInflight, 1024)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Broker is an MQTT 3.1.1 and 5 broker for devices. It keeps no sessions: what a
// device has to remember is what was not acknowledged, and subscribers are
// served at QoS 0, because nobody's slowness may hold up a commit.
type Broker struct {
	opts     Options
	server   *mqtt.Server
	hook     *hook
	listener *listener
	close    sync.Once
	started  bool
}

// New opens the listener; clients are served from Start on.
func New(opts Options) (*Broker, error) {
	opts.setDefaults()
	if opts.Submit == nil || opts.Now == nil {
		return nil, errors.New("broker: Submit and Now are required")
	}
	if opts.Authenticate == nil && !opts.Anonymous {
		return nil, errors.New("broker: neither Authenticate nor Anonymous is set")
	}
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumClients = int64(opts.MaxClients)
	caps.MaximumPacketSize = uint32(opts.MaxPacket)
	caps.MaximumInflight = uint16(min(opts.MaxInflight, 65535))
	caps.MaximumClientWritesPending = int32(opts.MaxInflight)
	caps.ReceiveMaximum = uint16(min(opts.MaxUnacked, 65535))
	caps.TopicAliasMaximum = 64
	caps.MinimumProtocolVersion = 4

	b := &Broker{opts: opts}
	// mochi logs every closed connection, and whole packets with their
	// passwords; what matters is logged by the hook.
	b.server = mqtt.New(&mqtt.Options{Capabilities: caps, InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	b.hook = newHook(opts, b.server)
	if err := b.server.AddHook(b.hook, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.listener = newListener(opts.Listen, opts.MaxClients, opts.Logger, b.hook.gone)
	if err := b.server.AddListener(b.listener); err != nil {
		return nil, fmt.Errorf("listen for MQTT: %w (another program has the address? choose one with --mqtt-listen)", err)
	}
	return b, nil
}

// Addr is the address that clients connect to.
func (b *Broker) Addr() string { return b.listener.Address() }

// Start serves clients until Close.
func (b *Broker) Start() error {
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("serve MQTT: %w", err)
	}
	b.started = true
	b.hook.fan.start()
	return nil
}

// Kick ends the connections of a device, whose credential has changed.
func (b *Broker) Kick(ref devices.Ref) { b.hook.kick(ref) }

// Dropped is how many messages did not reach subscribers because these were too
// slow. It says nothing of what is stored.
func (b *Broker) Dropped() uint64 { return b.hook.fan.dropped.Load() }

// Quiesce stops taking publishes. Connections stay open, so that what was taken
// before can still be acknowledged; what arrives from now on is neither stored
// nor acknowledged.
func (b *Broker) Quiesce() { b.hook.quiesce() }

// Close ends all connections and waits for them. It may be called twice.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() {
		b.hook.quiesce()
		if !b.started {
			b.listener.Close(func(string) {})
			return
		}
		// First what is due to the clients; then a reader that waits for room
		// does not miss the close of its connection.
		b.hook.endSessions()
		b.hook.sessions.Wait()
		b.listener.shut()
		err = b.server.Close()
		b.hook.fan.close()
	})
	return err
}

// Connected is the number of clients connected now.
func (b *Broker) Connected() int { return int(b.hook.connected.Load()) }
