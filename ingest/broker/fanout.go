package broker

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
)

// maxFanOut bounds the messages on their way to subscribers.
const maxFanOut = 1024

var (
	// ErrBusy says that there are as many messages on their way to subscribers as
	// there may be.
	ErrBusy = errors.New("the way to the subscribers is full")
	// ErrClosed says that the broker is closed.
	ErrClosed = errors.New("the broker is closed")
)

// fanOut passes committed messages to subscribers, at QoS 0 and from a goroutine
// of its own: mochi's delivery takes locks that a client which does not read can
// hold. What does not fit in its queue is dropped and counted; it is stored all
// the same.
type fanOut struct {
	server *mqtt.Server
	log    *slog.Logger
	counts *counts
	queue  chan outgoing
	// generation is how often subscriptions have changed.
	generation atomic.Uint64

	running sync.WaitGroup
	stop    chan struct{}
	once    sync.Once
}

type outgoing struct {
	topic   string
	payload []byte
	retain  bool
}

func newFanOut(server *mqtt.Server, log *slog.Logger, counts *counts) *fanOut {
	return &fanOut{server: server, log: log, counts: counts, queue: make(chan outgoing, maxFanOut), stop: make(chan struct{})}
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
		if len(subs.Subscriptions)+len(subs.Shared)+len(subs.InlineSubscriptions) > 0 {
			audience |= 1
		}
		t.audience.Store(audience)
	}
	return audience&1 != 0
}

// pass does not block.
func (f *fanOut) pass(o outgoing) {
	select {
	case f.queue <- o:
	default:
		if f.counts.dropped.Add(1) == 1 {
			f.log.Warn("subscribers are too slow; messages to them are dropped, not from the store", "topic", o.topic)
		}
	}
}

// publish is pass for a message whose sender wants to know.
func (f *fanOut) publish(o outgoing) error {
	select {
	case <-f.stop:
		return ErrClosed
	default:
	}
	select {
	case f.queue <- o:
		return nil
	default:
		return ErrBusy
	}
}

func (f *fanOut) start() {
	f.running.Go(func() {
		for {
			select {
			case o := <-f.queue:
				if err := f.server.Publish(o.topic, o.payload, o.retain, 0); err != nil {
					f.log.Debug("pass message to subscribers", "topic", o.topic, "err", err)
				}
			case <-f.stop:
				return
			}
		}
	})
}

// close ends the goroutine. It may be called twice.
func (f *fanOut) close() {
	f.once.Do(func() { close(f.stop) })
	f.running.Wait()
}
