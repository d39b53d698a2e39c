package broker

import (
	"context"
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
}

func newHook(opts Options, server *mqtt.Server) *hook {
	h := &hook{opts: opts, server: server}
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
	p, ok := h.principal(cl, pk)
	if !ok {
		h.opts.Logger.Info("MQTT client refused: unknown user name or wrong password",
			"client", cl.ID, "user", string(pk.Connect.Username), "remote", cl.Net.Remote)
		return false
	}
	if pk.Connect.WillFlag && !p.Trusted && !strings.HasPrefix(pk.Connect.WillTopic, ownPrefix(p.Device)) {
		h.opts.Logger.Info("MQTT client refused: its last will is on a topic that is not its own",
			"client", cl.ID, "device", p.Device.String(), "will_topic", pk.Connect.WillTopic)
		return false
	}
	return true
}

// principal is who the CONNECT says, and proves, it is.
func (h *hook) principal(cl *mqtt.Client, pk packets.Packet) (ingest.Principal, bool) {
	user, password := string(pk.Connect.Username), string(pk.Connect.Password)
	if h.opts.Authenticate != nil && user != "" {
		if ref, err := h.opts.Authenticate(h.ctx, user, password); err == nil {
			return ingest.Principal{Name: user, Device: ref}, true
		}
	}
	if h.opts.Anonymous {
		return ingest.Principal{Name: cl.ID, Trusted: true}, true
	}
	return ingest.Principal{}, false
}

func ownPrefix(ref devices.Ref) string { return wire.Prefix + ref.String() + "/" }

// OnACLCheck lets a device subscribe to its own topics, and a trusted client to
// everything but $SYS. Whether a publish is allowed is decided by the pipeline,
// which keeps what it refuses.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	if strings.HasPrefix(topic, "$SYS") {
		return false
	}
	if write {
		return true
	}
	s, ok := h.session(cl)
	switch {
	case !ok:
		return false
	case s.principal.Trusted:
		return true
	}
	own := ownPrefix(s.principal.Device)
	return strings.HasPrefix(topic, own) && (!strings.ContainsAny(topic, "+#") || topic == own+"#")
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
	p, ok := h.principal(cl, pk)
	if !ok { // revoked between the two calls
		cl.Stop(packets.ErrNotAuthorized)
		return
	}
	s := newSession(cl, p, h.opts.MaxUnacked)
	h.byClient.Store(cl, s)
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

// endSessions wakes every reader and writer of acknowledgements, for good.
func (h *hook) endSessions() {
	h.byClient.Range(func(_, s any) bool {
		s.(*session).end()
		return true
	})
}

// OnPacketRead closes the connection of a client that publishes to a topic no
// client may: mochi would drop the message without an answer.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type == packets.Publish && strings.HasPrefix(pk.TopicName, "$") {
		h.opts.Logger.Info("MQTT client disconnected: it published to a reserved topic", "client", cl.ID, "topic", pk.TopicName)
		return pk, packets.ErrRejectPacket
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
	if !ok || !s.reserve() {
		return pk, packets.ErrRejectPacket
	}
	msg := h.message(s.principal, pk)
	msg.Done = func(o ingest.Outcome) {
		h.settle(s, cl, pk, o)
	}
	if err := h.opts.Submit(h.ctx, msg); err != nil {
		s.release()
	}
	return pk, packets.ErrRejectPacket
}

func (h *hook) message(p ingest.Principal, pk packets.Packet) ingest.Message {
	return ingest.Message{
		Topic:       pk.TopicName,
		Payload:     pk.Payload,
		ReceivedMS:  h.opts.Now().UnixMilli(),
		Redelivered: pk.FixedHeader.Dup,
		Principal:   p,
	}
}

// settle acknowledges a committed publish and passes it on.
func (h *hook) settle(s *session, cl *mqtt.Client, pk packets.Packet, o ingest.Outcome) {
	var reason byte
	if o.Refused != "" {
		reason = packets.ErrNotAuthorized.Code
	} else {
		h.fanOut(pk)
	}
	switch pk.FixedHeader.Qos {
	case 0:
		s.release()
	case 2:
		if reason == 0 {
			h.expectRelease(cl, pk.PacketID)
		}
		s.acknowledge(pk.PacketID, 2, reason)
	default:
		s.acknowledge(pk.PacketID, 1, reason)
	}
}

// expectRelease makes mochi answer the PUBREL that follows a PUBREC. A QoS 2
// publish that is sent again before its PUBREL is committed again, which
// changes nothing: a reading has one identity however often it comes.
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

// fanOut passes a committed message to subscribers, and keeps a retained status.
func (h *hook) fanOut(pk packets.Packet) {
	retain := pk.FixedHeader.Retain && strings.HasSuffix(pk.TopicName, "/"+string(wire.Status))
	if !retain && atomic.LoadInt64(&h.server.Info.Subscriptions) == 0 {
		return
	}
	if err := h.server.Publish(pk.TopicName, pk.Payload, retain, min(pk.FixedHeader.Qos, 1)); err != nil {
		h.opts.Logger.Debug("pass message to subscribers", "topic", pk.TopicName, "err", err)
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
