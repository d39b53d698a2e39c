package broker

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// hook is where mochi hands over: who may connect, who may subscribe to what,
// and every publish.
type hook struct {
	mqtt.HookBase
	opts   Options
	server *mqtt.Server

	ctx       context.Context // ends when publishes are no longer taken
	quiesce   context.CancelFunc
	byClient  sync.Map // *mqtt.Client → *session
	sessions  sync.WaitGroup
	connected atomic.Int64
	fan       *fanOut
}

func newHook(opts Options, server *mqtt.Server) *hook {
	h := &hook{opts: opts, server: server, fan: newFanOut(server, opts.Logger)}
	h.ctx, h.quiesce = context.WithCancel(context.Background())
	return h
}

// ID names the hook within the server.
func (h *hook) ID() string { return "fleetwatt-ingest" }

// Provides lists what the hook takes part in.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSessionEstablished, mqtt.OnDisconnect,
		mqtt.OnPacketRead, mqtt.OnPublish, mqtt.OnWillSent:
		return true
	}
	return false
}

// OnConnectAuthenticate admits a client by its credentials, and only with a
// last will that it could publish itself.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	if h.ctx.Err() != nil {
		return false // closing
	}
	p, ok := h.principal(pk)
	if !ok {
		h.opts.Logger.Info("MQTT client refused: unknown user name or wrong password",
			"client", cl.ID, "user", string(pk.Connect.Username), "remote", cl.Net.Remote)
		return false
	}
	if pk.Connect.WillFlag && !p.Trusted && pk.Connect.WillTopic != ownPrefix(p.Device)+string(wire.Status) {
		h.opts.Logger.Info("MQTT client refused: its last will is not on its own status",
			"client", cl.ID, "device", p.Device.String(), "will_topic", pk.Connect.WillTopic)
		return false
	}
	// A client id is its owner's alone: nobody takes over another's session by
	// naming it.
	if p.Trusted {
		cl.ID = "-/" + cl.ID
	} else {
		cl.ID = p.Name + "/" + cl.ID
	}
	// No session outlives its connection: it would collect memory, and a packet
	// id remembered from before a reboot would be acknowledged without a commit.
	cl.Properties.Clean = true
	cl.Properties.Props.SessionExpiryInterval = 0
	cl.Properties.Will.WillDelayInterval = 0
	cl.Properties.Will.Qos = 0
	return true
}

// principal is who the CONNECT says, and proves, it is.
func (h *hook) principal(pk packets.Packet) (ingest.Principal, bool) {
	user, password := string(pk.Connect.Username), string(pk.Connect.Password)
	if h.opts.Authenticate != nil && user != "" {
		if ref, err := h.opts.Authenticate(h.ctx, user, password); err == nil {
			return ingest.Principal{Name: user, Device: ref}, true
		}
	}
	if h.opts.Anonymous {
		return ingest.Principal{Name: strings.Clone(pk.Connect.ClientIdentifier), Trusted: true}, true
	}
	return ingest.Principal{}, false
}

func ownPrefix(ref devices.Ref) string { return wire.Prefix + ref.String() + "/" }

// maxFilter bounds a filter in bytes: mochi's work on one grows with the square
// of its levels.
const maxFilter = 256

// OnACLCheck lets a device subscribe to its own topics, and a trusted client to
// everything but $SYS. Whether a publish is allowed is decided by the pipeline,
// which keeps what it refuses.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	if write {
		return true
	}
	if strings.HasPrefix(topic, "$SYS") || len(topic) > maxFilter {
		return false
	}
	s, ok := h.session(cl)
	if !ok {
		return false
	}
	allowed := s.principal.Trusted || topic == ownPrefix(s.principal.Device)+"#"
	if !allowed {
		t, err := wire.ParseTopic(topic)
		allowed = err == nil && t.Device == s.principal.Device
	}
	if allowed {
		h.fan.wanted.Store(true)
	}
	return allowed
}

func (h *hook) session(cl *mqtt.Client) (*session, bool) {
	v, ok := h.byClient.Load(cl)
	if !ok {
		return nil, false
	}
	return v.(*session), true
}

// OnSessionEstablished starts the session. Reading begins only after it.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, pk packets.Packet) {
	p, ok := h.principal(pk)
	if !ok { // revoked between the two calls
		cl.Stop(packets.ErrNotAuthorized)
		return
	}
	s := newSession(cl, p, h.opts.MaxUnacked)
	// Whoever closes the connection, a reader that waits for room learns of it.
	context.AfterFunc(s.lives(), s.end)
	h.byClient.Store(cl, s)
	if h.ctx.Err() != nil { // closing: it was let in just before
		cl.Stop(packets.ErrServerShuttingDown)
	}
	h.connected.Add(1)
	h.sessions.Add(1)
	go func() {
		defer h.sessions.Done()
		s.write()
	}()
}

// OnDisconnect ends the session.
func (h *hook) OnDisconnect(cl *mqtt.Client, err error, _ bool) {
	v, ok := h.byClient.LoadAndDelete(cl)
	if !ok {
		return
	}
	v.(*session).end()
	h.connected.Add(-1)
	h.opts.Logger.Debug("MQTT client disconnected", "client", cl.ID, "remote", cl.Net.Remote, "err", err)
}

// endSessions has every session send what is due, and ends it.
func (h *hook) endSessions() {
	h.byClient.Range(func(_, s any) bool {
		s.(*session).end()
		return true
	})
}

// kick ends the connections of a device.
func (h *hook) kick(ref devices.Ref) {
	h.byClient.Range(func(cl, s any) bool {
		if s.(*session).principal.Device == ref {
			cl.(*mqtt.Client).Stop(packets.ErrNotAuthorized)
		}
		return true
	})
}

// gone ends the session of a connection that did not come to a proper end.
func (h *hook) gone(conn net.Conn) {
	h.byClient.Range(func(cl, _ any) bool {
		if client := cl.(*mqtt.Client); client.Net.Conn == conn {
			client.Stop(packets.ErrMalformedPacket)
			h.server.Clients.Delete(client.ID)
			h.OnDisconnect(client, packets.ErrMalformedPacket, true)
			return false
		}
		return true
	})
}

// OnPacketRead closes the connection of a client that publishes to a topic no
// client may, because mochi would drop the message without an answer. And it has
// mochi answer a PUBREL whose PUBREC was sent from here.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	switch pk.FixedHeader.Type {
	case packets.Publish:
		if strings.HasPrefix(pk.TopicName, "$") {
			h.opts.Logger.Info("MQTT client disconnected: it published to a reserved topic", "client", cl.ID, "topic", pk.TopicName)
			return pk, packets.ErrRejectPacket
		}
	case packets.Pubrel:
		if s, ok := h.session(cl); ok && s.released(pk.PacketID) {
			h.expectRelease(cl, pk.PacketID)
		}
	}
	return pk, nil
}

// OnPublish takes the message over from mochi, which is told to forget it. The
// acknowledgement, and the copy to subscribers, follow after the commit.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	s, ok := h.session(cl)
	if !ok || h.ctx.Err() != nil {
		return pk, packets.ErrRejectPacket
	}
	s.stalled.Reset(maxStall)
	defer s.stalled.Stop()
	if !s.reserve() {
		return pk, packets.ErrRejectPacket
	}
	// All that is kept of the packet until the commit; its properties are not
	// needed, and would not be in the pipeline's budget.
	p := published{id: pk.PacketID, qos: pk.FixedHeader.Qos, retain: pk.FixedHeader.Retain}
	msg := h.message(s.principal, pk)
	if len(pk.Payload) < pk.FixedHeader.Remaining/2 {
		msg.Payload = bytes.Clone(pk.Payload)
	}
	p.topic, p.payload = msg.Topic, msg.Payload
	msg.Done = func(o ingest.Outcome) { h.settle(s, p, o) }
	if err := h.opts.Submit(s.lives(), msg); err != nil {
		s.release()
	}
	return pk, packets.ErrRejectPacket
}

// published is what is left to do of a publish after its commit.
type published struct {
	id      uint16
	qos     byte
	retain  bool
	topic   string
	payload []byte
}

// message is the packet as the pipeline takes it. The topic is copied: mochi's
// strings are windows on the packet, and the device's id in it is kept for long
// in directories, which would keep the packet with it.
func (h *hook) message(p ingest.Principal, pk packets.Packet) ingest.Message {
	return ingest.Message{
		Topic:       strings.Clone(pk.TopicName),
		Payload:     pk.Payload,
		ReceivedMS:  h.opts.Now().UnixMilli(),
		Redelivered: pk.FixedHeader.Dup,
		Principal:   p,
	}
}

// settle acknowledges a committed publish and passes it on. It is called by the
// committer, and neither blocks nor touches mochi's own books.
func (h *hook) settle(s *session, p published, o ingest.Outcome) {
	var reason byte
	if o.Refused != "" {
		reason = packets.ErrNotAuthorized.Code
	} else if t, err := wire.ParseTopic(p.topic); err == nil {
		h.fan.pass(outgoing{p.topic, p.payload, p.retain && t.Channel == wire.Status})
	}
	switch p.qos {
	case 0:
		s.release()
	case 2:
		if reason == 0 {
			s.expect(p.id)
		}
		s.acknowledge(p.id, 2, reason)
	default:
		s.acknowledge(p.id, 1, reason)
	}
}

// expectRelease makes mochi answer the PUBREL that follows a PUBREC. A QoS 2
// publish that is sent again before its PUBREL is committed again, which
// changes nothing: a reading has one identity however often it comes.
//
// It is called on the client's own goroutine: mochi 2.7.9 takes a read lock of
// the in-flight messages twice, and a writer from elsewhere between the two
// would stop both for good.
func (h *hook) expectRelease(cl *mqtt.Client, id uint16) {
	cl.State.Inflight.DecreaseReceiveQuota()
	if cl.State.Inflight.Set(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Pubrec},
		PacketID:    id,
		Created:     h.opts.Now().Unix(),
		Expiry:      h.opts.Now().Add(24 * time.Hour).Unix(),
	}) {
		atomic.AddInt64(&h.server.Info.Inflight, 1)
	}
}

// OnWillSent stores the last will of a client that went without a word. mochi
// has passed it to subscribers already.
func (h *hook) OnWillSent(cl *mqtt.Client, pk packets.Packet) {
	s, ok := h.session(cl)
	if !ok {
		return
	}
	if err := h.opts.Submit(h.ctx, h.message(s.principal, pk)); err != nil {
		h.opts.Logger.Debug("last will not stored", "topic", pk.TopicName, "err", err)
	}
}
