package broker

import (
	"log/slog"
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
)

// maxFanOut bounds the messages on their way to subscribers.
const maxFanOut = 1024

// fanOut passes committed messages to subscribers, at QoS 0 and from a goroutine
// of its own: mochi's delivery takes locks that a client which does not read can
// hold. What does not fit in its queue is dropped and counted; it is stored all
// the same.
type fanOut struct {
	server *mqtt.Server
	log    *slog.Logger
	queue  chan outgoing
	wanted atomic.Bool // somebody has subscribed at some time

	dropped atomic.Uint64
	running sync.WaitGroup
	stop    chan struct{}
	once    sync.Once
}

type outgoing struct {
	topic   string
	payload []byte
	retain  bool
}

func newFanOut(server *mqtt.Server, log *slog.Logger) *fanOut {
	return &fanOut{server: server, log: log, queue: make(chan outgoing, maxFanOut), stop: make(chan struct{})}
}

// pass does not block.
func (f *fanOut) pass(o outgoing) {
	if !o.retain && !f.wanted.Load() {
		return
	}
	select {
	case f.queue <- o:
	default:
		if f.dropped.Add(1) == 1 {
			f.log.Warn("subscribers are too slow; messages to them are dropped, not from the store", "topic", o.topic)
		}
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
