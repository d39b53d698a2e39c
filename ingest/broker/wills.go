package broker

import (
	"context"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/fleetwatt/fleetwatt/ingest"
)

// maxWills and maxWillBytes bound the last wills that wait for the pipeline.
const (
	maxWills     = 4096
	maxWillBytes = 8 << 20
)

// will is the last will of a connection. mochi does not know it: it would pass it
// to subscribers before the pipeline has seen it.
type will struct {
	topic   *topic
	payload []byte
	retain  bool
}

// takeWill takes the will off the client that is signing in.
func takeWill(cl *mqtt.Client, r rights, hosted bool) (w *will, ok bool) {
	given := cl.Properties.Will
	cl.Properties.Will = mqtt.Will{}
	allowed, retained := r.will(given.TopicName)
	if !allowed {
		return nil, false
	}
	t := r.topic(string([]byte(given.TopicName)), hosted)
	t.passed, t.retained = true, retained
	return &will{topic: t, payload: clone(given.Payload), retain: given.Retain}, true
}

// wills hands last wills to the pipeline, from a goroutine of their own: a
// connection that has ended must not keep its place while the pipeline is full.
// What does not fit in the queue is dropped and counted.
type wills struct {
	queue chan bequest
	bytes allowance

	running sync.WaitGroup
}

type bequest struct {
	submit  Submit
	message ingest.Message
}

func newWills() *wills {
	return &wills{queue: make(chan bequest, maxWills), bytes: allowance{max: maxWillBytes}}
}

// leave does not block. It reports whether there was room.
func (w *wills) leave(b bequest) bool {
	if !w.bytes.take(len(b.message.Payload)) {
		return false
	}
	select {
	case w.queue <- b:
		return true
	default:
		w.bytes.give(len(b.message.Payload))
		return false
	}
}

// start hands on what comes, until ctx ends.
func (w *wills) start(ctx context.Context) {
	w.running.Go(func() {
		for {
			select {
			case b := <-w.queue:
				_ = b.submit(ctx, b.message) // it ends with the broker
				w.bytes.give(len(b.message.Payload))
			case <-ctx.Done():
				return
			}
		}
	})
}

// bequeath stores the will of a session that has ended without a word, and
// passes it on after the commit like any other message.
func (h *hook) bequeath(s *session) {
	w := s.conn.will
	if w == nil || h.ctx.Err() != nil {
		return
	}
	m := ingest.Message{
		Topic: w.topic.name, Payload: w.payload, ReceivedMS: h.opts.Now().UnixMilli(), Principal: s.principal,
		Done: func(o ingest.Outcome) { s.passOn(w.topic, w.payload, w.retain, o) },
	}
	if !h.wills.leave(bequest{s.submitter(w.topic), m}) {
		h.refuse(lostWill, "client", s.client.ID, "topic", w.topic.name)
	}
}
