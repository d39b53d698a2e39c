package broker

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	// maxFanOut and maxFanOutBytes bound the messages on their way to subscribers.
	maxFanOut      = 1024
	maxFanOutBytes = 8 << 20
	// maxPassed is the largest payload that is passed on, in bytes.
	maxPassed = 1 << 20
)

var (
	// ErrBusy says that there are as many messages on their way to subscribers as
	// there may be.
	ErrBusy = errors.New("the way to the subscribers is full")
	// ErrTooLarge says that a message is larger than subscribers are sent.
	ErrTooLarge = errors.New("the message is larger than 1 MiB")
	// ErrClosed says that the broker is closed.
	ErrClosed = errors.New("the broker is closed")
)

// allowance bounds bytes that are held.
type allowance struct {
	max  int64
	used atomic.Int64
}

func (a *allowance) take(n int) bool {
	if a.used.Add(int64(n)) > a.max {
		a.used.Add(-int64(n))
		return false
	}
	return true
}

func (a *allowance) give(n int) { a.used.Add(-int64(n)) }

// fanOut passes committed messages to subscribers, at QoS 0 and from a goroutine
// of its own. It delivers itself: mochi copies the payload for each subscriber
// and counts messages but not bytes. What does not fit in its queue is dropped
// and counted; it is stored all the same.
type fanOut struct {
	server   *mqtt.Server
	sessions *sessions
	log      *slog.Logger
	counts   *counts
	queue    chan outgoing
	bytes    allowance
	// generation is how often subscriptions have changed.
	generation atomic.Uint64
	// order is held while a message is retained and handed to subscribers, and
	// while a new subscriber gets what is retained: he sees no older one last.
	order sync.Mutex

	running sync.WaitGroup
	stop    chan struct{}
	once    sync.Once
}

type outgoing struct {
	topic   string
	payload []byte
	retain  bool
	from    string // client id of the sender; empty: the host
}

func newFanOut(server *mqtt.Server, sessions *sessions, log *slog.Logger, counts *counts) *fanOut {
	return &fanOut{
		server: server, sessions: sessions, log: log, counts: counts, stop: make(chan struct{}),
		queue: make(chan outgoing, maxFanOut), bytes: allowance{max: maxFanOutBytes},
	}
}

// heard reports whether anybody subscribes to a topic. The answer is kept with
// the topic until subscriptions change: few are listened to, and the delivery of
// one message costs as much as its intake.
func (f *fanOut) heard(t *topic) bool {
	generation := f.generation.Load()
	audience := t.audience.Load()
	if audience>>1 != generation {
		audience = generation << 1
		subs := f.server.Topics.Subscribers(t.name)
		if len(subs.Subscriptions)+len(subs.Shared) > 0 {
			audience |= 1
		}
		t.audience.Store(audience)
	}
	return audience&1 != 0
}

// pass does not block.
func (f *fanOut) pass(o outgoing) {
	if len(o.payload) <= maxPassed && f.offer(o) {
		return
	}
	if f.counts.dropped.Add(1) == 1 {
		f.log.Warn("subscribers are too slow; messages to them are dropped, not from the store", "topic", o.topic)
	}
}

// offer queues a message if there is room for it.
func (f *fanOut) offer(o outgoing) bool {
	if !f.bytes.take(len(o.payload)) {
		return false
	}
	select {
	case f.queue <- o:
		return true
	default:
		f.bytes.give(len(o.payload))
		return false
	}
}

// publish is pass for a message whose sender wants to know.
func (f *fanOut) publish(o outgoing) error {
	select {
	case <-f.stop:
		return ErrClosed
	default:
	}
	switch {
	case len(o.payload) > maxPassed:
		return ErrTooLarge
	case !f.offer(o):
		return ErrBusy
	}
	return nil
}

func (f *fanOut) start() {
	f.running.Go(func() {
		for {
			select {
			case o := <-f.queue:
				f.deliver(o)
				f.bytes.give(len(o.payload))
			case <-f.stop:
				return
			}
		}
	})
}

// deliver hands a message to its subscribers. It waits for none of them.
func (f *fanOut) deliver(o outgoing) {
	f.order.Lock()
	defer f.order.Unlock()
	if o.retain {
		f.server.Topics.RetainMessage(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Retain: true}, TopicName: o.topic, Payload: clone(o.payload),
		})
	}
	subs := f.server.Topics.Subscribers(o.topic)
	if len(subs.Shared) > 0 {
		subs.SelectShared()
		subs.MergeSharedSelected()
	}
	d := delivery{topic: o.topic, payload: o.payload}
	for id, sub := range subs.Subscriptions {
		s := f.sessions.find(id)
		if s == nil || sub.NoLocal && id == o.from || !s.rights.read(o.topic) {
			continue
		}
		f.hand(s, &d, sub, o.retain && s.version >= 5 && sub.RetainAsPublished)
	}
}

// greet hands a new subscriber what is retained for its filter.
func (f *fanOut) greet(s *session, sub packets.Subscription) {
	f.order.Lock()
	defer f.order.Unlock()
	for _, pk := range f.server.Topics.Messages(sub.Filter) {
		if s.rights.read(pk.TopicName) {
			f.hand(s, &delivery{topic: pk.TopicName, payload: pk.Payload}, sub, true)
		}
	}
}

func (f *fanOut) hand(s *session, d *delivery, sub packets.Subscription, retain bool) {
	packet := d.packet(s.version, retain, sub)
	if limit := s.client.Properties.Props.MaximumPacketSize; limit > 0 && len(packet) > int(limit) {
		return // MQTT 5 §3.1.2.11.4: it is not sent, and that is no fault
	}
	if !s.deliver(packet) {
		f.counts.dropped.Add(1)
	}
}

// close ends the goroutine. It may be called twice.
func (f *fanOut) close() {
	f.once.Do(func() { close(f.stop) })
	f.running.Wait()
}
