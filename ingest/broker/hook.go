package broker

import (
	"context"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
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
	wills    *wills

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
		wills:    newWills(),
		stop:     make(chan struct{}),
	}
	h.quotas = newQuotas(&h.opts)
	h.fan = newFanOut(server, h.sessions, opts.Logger, h.counts)
	h.ctx, h.quiesce = context.WithCancel(context.Background())
	return h
}

// janitorPause is how often the janitor looks around.
const janitorPause = 5 * time.Second

// start begins the fan-out, the wills, and the janitor: who closes stalled
// connections and logs what notices have held back.
func (h *hook) start() {
	h.fan.start()
	h.wills.start(h.ctx)
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
	h.quiesce()
	h.wills.running.Wait()
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
	case mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnPacketProcessed, mqtt.OnConnect, mqtt.OnConnectAuthenticate,
		mqtt.OnACLCheck, mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribed, mqtt.OnSessionEstablished,
		mqtt.OnDisconnect, mqtt.OnPublish:
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
	if err != nil { // nil: the client has taken its leave
		h.bequeath(s)
	}
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

// OnACLCheck decides on subscriptions. Deliveries to them are checked again, and
// what a client may publish is decided elsewhere.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	if write {
		return true
	}
	s, ok := sessionOf(cl)
	return ok && s.rights.read(topic)
}

// OnPublish refuses what a client publishes: a session has it already, and mochi
// does not see it.
func (h *hook) OnPublish(_ *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	return pk, packets.ErrRejectPacket
}
