package broker

import (
	"context"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/ingest"
)

// hook is where mochi hands over: who may connect, who may subscribe to what,
// and where a session begins and ends.
type hook struct {
	mqtt.HookBase
	opts   Options
	server *mqtt.Server

	ctx      context.Context // ends when publishes are no longer taken
	quiesce  context.CancelFunc
	sessions *sessions
	quotas   *quotas
	guard    *guard
	notices  *notices
	counts   *counts
	fan      *fanOut

	running sync.WaitGroup // the janitor
	stop    chan struct{}
	once    sync.Once
}

func newHook(opts Options, server *mqtt.Server) *hook {
	h := &hook{
		opts: opts, server: server,
		sessions: newSessions(),
		guard:    newGuard(opts.Now),
		notices:  &notices{log: opts.Logger, now: opts.Now},
		counts:   &counts{},
		stop:     make(chan struct{}),
	}
	h.quotas = newQuotas(&h.opts)
	h.fan = newFanOut(server, opts.Logger, h.counts)
	h.ctx, h.quiesce = context.WithCancel(context.Background())
	return h
}

// janitorPause is how often the janitor looks around.
const janitorPause = 5 * time.Second

// start begins the fan-out, and the janitor: who closes stalled connections and
// logs what notices have held back.
func (h *hook) start() {
	h.fan.start()
	h.running.Go(func() {
		tick := time.NewTicker(janitorPause)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				h.sessions.closeStalled(now, func(s *session) { h.refuse(refusedSlow, "client", s.client.ID) })
				h.notices.flush()
			case <-h.stop:
				return
			}
		}
	})
}

// close ends what start began. It may be called twice, and without start.
func (h *hook) close() {
	h.once.Do(func() { close(h.stop) })
	h.running.Wait()
	h.fan.close()
}

// refuse counts and logs that something was refused. args are slog's.
func (h *hook) refuse(c cause, args ...any) {
	h.counts.refused[c].Add(1)
	h.notices.note(c, args...)
}

// ID names the hook within the server.
func (h *hook) ID() string { return "fleetwatt-ingest" }

// Provides lists what the hook takes part in.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribed,
		mqtt.OnSessionEstablished, mqtt.OnDisconnect, mqtt.OnPacketEncode, mqtt.OnPublish, mqtt.OnPublishDropped, mqtt.OnWillSent:
		return true
	}
	return false
}

// OnSessionEstablished starts the session. Reading begins only after it.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, pk packets.Packet) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		return
	}
	p, ok := h.principal(c, pk)
	if !ok { // revoked between the two calls
		cl.Stop(packets.ErrNotAuthorized)
		return
	}
	s := newSession(h, cl, c, p)
	if !p.Trusted {
		s.quota = h.quotas.take(p.Device)
	}
	c.begin(s, cl.State.Keepalive)
	h.sessions.add(s)
	h.counts.connects.Add(1)
	// Whoever closes the connection, a reader that waits for room learns of it.
	context.AfterFunc(s.lives(), s.end)
	if h.ctx.Err() != nil { // closing: it was let in just before
		cl.Stop(packets.ErrServerShuttingDown)
	}
}

func sessionOf(cl *mqtt.Client) (*session, bool) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok || c.session == nil {
		return nil, false
	}
	return c.session, true
}

// OnDisconnect ends the session.
func (h *hook) OnDisconnect(cl *mqtt.Client, err error, _ bool) {
	s, ok := sessionOf(cl)
	if !ok {
		return
	}
	s.pause() // the last counts
	if !h.sessions.remove(s) {
		return
	}
	s.end()
	h.quotas.give(s.principal.Device, s.quota)
	h.opts.Logger.Debug("MQTT client disconnected", "client", cl.ID, "remote", cl.Net.Remote, "err", err)
}

// gone ends the session of a connection that did not come to a proper end.
func (h *hook) gone(c *conn) {
	s := c.session
	if s == nil {
		return
	}
	s.client.Stop(packets.ErrMalformedPacket)
	h.server.UnsubscribeClient(s.client)
	if now, ok := h.server.Clients.Get(s.client.ID); ok && now == s.client {
		h.server.Clients.Delete(s.client.ID)
	}
	h.OnDisconnect(s.client, packets.ErrMalformedPacket, true)
}

// OnPacketEncode tells MQTT 5 clients of limits that mochi does not tell.
func (h *hook) OnPacketEncode(_ *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && pk.ReasonCode == 0 {
		pk.Properties.MaximumPacketSize = uint32(h.opts.MaxPacket)
		pk.Properties.TopicAliasMaximum = maxAliases
	}
	return pk
}

// OnSubscribe makes the filters beyond the limit such as mochi refuses.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	room := h.opts.MaxSubscriptions - cl.State.Subscriptions.Len()
	for i := max(room, 0); i < len(pk.Filters); i++ {
		pk.Filters[i].Filter = ""
	}
	return pk
}

// OnACLCheck decides on subscriptions, and on deliveries to them: what a client
// may read may have changed since it subscribed. What it may publish is decided
// elsewhere.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	if write {
		return true
	}
	s, ok := sessionOf(cl)
	return ok && s.rights.read(topic)
}

// OnSubscribed notes that there may be somebody to pass messages on to.
func (h *hook) OnSubscribed(*mqtt.Client, packets.Packet, []byte) { h.fan.generation.Add(1) }

// OnUnsubscribed notes that there may be nobody any more. mochi calls it for
// each client that goes.
func (h *hook) OnUnsubscribed(_ *mqtt.Client, pk packets.Packet) {
	if len(pk.Filters) > 0 {
		h.fan.generation.Add(1)
	}
}

// OnPublish refuses what a client publishes: a session has it already, and mochi
// does not see it. The host's own messages go on.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	return pk, packets.ErrRejectPacket
}

// OnPublishDropped counts a message that a subscriber was too slow for.
func (h *hook) OnPublishDropped(*mqtt.Client, packets.Packet) { h.counts.dropped.Add(1) }

// OnWillSent stores the last will of a client that went without a word. mochi
// has passed it to subscribers already.
func (h *hook) OnWillSent(cl *mqtt.Client, pk packets.Packet) {
	s, ok := sessionOf(cl)
	if !ok {
		return
	}
	t := s.rights.topic(string([]byte(pk.TopicName)), h.opts.SubmitSparkplug != nil)
	err := s.submitter(t)(h.ctx, ingest.Message{
		Topic: t.name, Payload: pk.Payload, ReceivedMS: h.opts.Now().UnixMilli(), Principal: s.principal,
		Done: func(ingest.Outcome) {},
	})
	if err != nil {
		h.opts.Logger.Debug("last will not stored", "topic", pk.TopicName, "err", err)
	}
}
