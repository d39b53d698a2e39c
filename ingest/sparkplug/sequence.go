package sparkplug

import (
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// message is a message of an edge node, taken apart.
type message struct {
	ingest.Message
	topic   Topic
	payload *tahu.Payload
	seq     uint8
	ts      int64 // when it was published, by the node's clock
	dated   bool  // ts is known
	bytes   int64 // of weight, once it was asked for
}

// weight is what the message counts for while it waits: it is kept as it came,
// but unpacked when its turn comes.
func (m *message) weight() int64 {
	const perMessage, perMetric = 256, 128
	if m.bytes == 0 {
		unpacked := max(len(m.Payload), proto.Size(m.payload))
		m.bytes = int64(perMessage + len(m.Topic) + unpacked + perMetric*len(m.payload.Metrics))
	}
	return m.bytes
}

// time is when the message was published, or else received.
func (m *message) time() int64 {
	if m.dated {
		return m.ts
	}
	return m.ReceivedMS
}

// waiting is a message that waits for one that should have come before it.
type waiting struct {
	msg   ingest.Message
	topic Topic
	seq   uint8
	ts    int64
	dated bool
	since time.Time
	stray bool // for the birth that explains it; otherwise for a sequence number
	bytes int64
}

// edge takes a message of an edge node.
func (h *Host) edge(o *outbox, msg *message, now time.Time) {
	topic := msg.topic
	if topic.Verb == NDeath {
		h.nodeDeath(o, msg, now)
		return
	}
	seq, err := sequence(msg.payload)
	if err != nil {
		o.refuse(msg.Message, &wire.Fault{Reason: wire.ReasonMalformed, Detail: string(topic.Verb) + ": " + err.Error(), Raw: msg.Payload})
		return
	}
	msg.seq = seq
	n := h.lookup(o, topic.node(), now)
	n.principal = msg.Principal
	switch {
	case topic.Verb == NBirth:
		h.nodeBirth(o, n, msg, now)
	case !n.born:
		h.want(o, n, now, "data before the birth")
		h.hold(o, n, msg, now)
	default:
		h.sequenced(o, n, msg, now)
	}
	if n.wantsBirth {
		h.ask(o, n, now)
	}
	h.schedule(n)
}

// sequenced takes a message of a session in its turn, or lets it wait for its
// turn.
func (h *Host) sequenced(o *outbox, n *node, msg *message, now time.Time) {
	print := h.fingerprint(msg)
	behind := int8(msg.seq-n.next) < 0
	switch {
	case msg.seq == n.next:
		h.apply(o, n, msg, now)
		n.next, n.last = n.next+1, print
		h.drain(o, n, now)
	case behind && (msg.Redelivered || msg.seq == n.next-1 && print == n.last):
		h.again(o, n, msg, now)
	case h.room(n, msg):
		h.counts.Reordered++
		h.wait(n, msg, now, false)
	default:
		h.abandon(o, n, now)
		h.apply(o, n, msg, now)
		n.next, n.last = msg.seq+1, print
	}
}

func (h *Host) fingerprint(m *message) uint64 {
	var d maphash.Hash
	d.SetSeed(h.seed)
	d.WriteString(m.Topic)
	d.Write(m.Payload)
	return d.Sum64()
}

// again takes a message a second time: its values are the same readings, but
// what it said of the session is over.
func (h *Host) again(o *outbox, n *node, msg *message, now time.Time) {
	h.counts.Repeated++
	if msg.topic.Verb == NData || msg.topic.Verb == DData {
		h.apply(o, n, msg, now)
		return
	}
	o.acknowledge(msg.Message)
}

// drain takes the waiting messages whose turn has come. While others go on
// waiting, the oldest of them says how long.
func (h *Host) drain(o *outbox, n *node, now time.Time) {
	for {
		i := slices.IndexFunc(n.waiting, func(w waiting) bool { return !w.stray && w.seq == n.next })
		if i < 0 {
			break
		}
		if msg := h.resume(o, h.remove(n, i)); msg != nil {
			h.apply(o, n, msg, now)
		}
		n.next++
		h.flush(o)
	}
	n.gap = time.Time{}
	for i := range n.waiting {
		if w := &n.waiting[i]; !w.stray && (n.gap.IsZero() || w.since.Before(n.gap)) {
			n.gap = w.since
		}
	}
}

// abandon gives up the missing messages: those behind them are taken as they
// are, by what the last births said, and a new birth is requested.
func (h *Host) abandon(o *outbox, n *node, now time.Time) {
	h.counts.Gaps++
	missing := n.next
	h.settle(o, n, now)
	h.want(o, n, now, fmt.Sprintf("message %d is missing", missing))
}

// settle takes the messages that wait for a sequence number, in their order.
func (h *Host) settle(o *outbox, n *node, now time.Time) {
	ready := h.takeOut(n, func(w *waiting) bool { return !w.stray })
	expected := n.next
	slices.SortStableFunc(ready, func(a, b waiting) int { return int(a.seq-expected) - int(b.seq-expected) })
	for i, w := range ready {
		if msg := h.resume(o, w); msg != nil {
			h.apply(o, n, msg, now)
		}
		// A number far behind says nothing of what is to come, unless there is no
		// other: then the node has begun to count anew.
		if i == 0 || w.seq-expected < 128 {
			n.next = w.seq + 1
		}
		h.flush(o)
	}
	n.gap = time.Time{}
}

// hold keeps a message for the birth that explains it.
func (h *Host) hold(o *outbox, n *node, msg *message, now time.Time) {
	if !h.room(n, msg) {
		h.unexplained(o, msg.Message, "no birth explains it, and there is no room to wait for one")
		return
	}
	h.wait(n, msg, now, true)
}

// maxWaiting bounds how many messages of a node wait: the queue is searched.
const maxWaiting = 512

func (h *Host) room(n *node, msg *message) bool {
	return len(n.waiting) < maxWaiting &&
		n.waitingBytes+msg.weight() <= h.opts.Bounds.WaitingPerNode &&
		h.waitingBytes+msg.weight() <= h.opts.Bounds.WaitingBytes
}

func (h *Host) wait(n *node, msg *message, now time.Time, stray bool) {
	w := waiting{
		msg: msg.Message, topic: msg.topic, seq: msg.seq, ts: msg.ts, dated: msg.dated,
		since: now, stray: stray, bytes: msg.weight(),
	}
	n.waiting = append(n.waiting, w)
	n.waitingBytes += w.bytes
	h.waitingBytes += w.bytes
	if !stray && n.gap.IsZero() {
		n.gap = now
	}
}

func (h *Host) remove(n *node, i int) waiting {
	w := n.waiting[i]
	n.waiting = slices.Delete(n.waiting, i, i+1)
	n.waitingBytes -= w.bytes
	h.waitingBytes -= w.bytes
	return w
}

// takeOut removes the waiting messages that which reports, in their order.
func (h *Host) takeOut(n *node, which func(*waiting) bool) []waiting {
	var out []waiting
	for i := 0; i < len(n.waiting); {
		if which(&n.waiting[i]) {
			out = append(out, h.remove(n, i))
		} else {
			i++
		}
	}
	return out
}

// dismiss hands waiting messages on as what they are without a birth: faults.
func (h *Host) dismiss(o *outbox, n *node, which func(*waiting) bool, why string) {
	for _, w := range h.takeOut(n, which) {
		h.unexplained(o, w.msg, why)
	}
}

func (h *Host) unexplained(o *outbox, m ingest.Message, why string) {
	h.counts.Unexplained++
	o.refuse(m, &wire.Fault{Reason: wire.ReasonUnknownDevice, Detail: "metrics without a birth: " + why, Raw: m.Payload})
}

// resume takes the payload of a message apart again that has waited. It was
// valid when it came. After an error of Submit it is not worth the work: the
// message stays unacknowledged.
func (h *Host) resume(o *outbox, w waiting) *message {
	if o.err != nil {
		return nil
	}
	p, fault := h.payloads.decode(w.msg.Payload)
	if fault != nil {
		o.refuse(w.msg, fault)
		return nil
	}
	return &message{Message: w.msg, topic: w.topic, payload: p, seq: w.seq, ts: w.ts, dated: w.dated}
}

// want notes that the node should be born again.
func (h *Host) want(o *outbox, n *node, now time.Time, why string) {
	if !n.wantsBirth {
		n.wantsBirth, n.asked = true, 0
		h.opts.Logger.Debug("Sparkplug rebirth wanted", "node", n.key.String(), "why", why)
	}
	h.ask(o, n, now)
}

// maxBackoff is by how many doublings the pause between requests grows.
const maxBackoff = 6

// ask requests a rebirth, unless the last request is too recent. It is repeated
// while the node is heard and not born.
func (h *Host) ask(o *outbox, n *node, now time.Time) {
	if now.Before(n.askAfter) {
		return
	}
	p, err := rebirthRequest(n.key, now)
	if err != nil {
		h.opts.Logger.Error("make a rebirth request", "err", err)
		return
	}
	o.publish(p)
	h.counts.Rebirths++
	n.askAfter = now.Add(h.opts.RebirthInterval << min(n.asked, maxBackoff))
	n.asked++
}

// answered ends the wish for a birth. The next one may be asked for soon, but
// not at once: a node whose births are never good would be asked without end.
func (h *Host) answered(n *node, now time.Time) {
	const soon = time.Second
	if n.asked > 0 {
		if at := now.Add(min(soon, h.opts.RebirthInterval)); at.Before(n.askAfter) {
			n.askAfter = at
		}
	}
	n.wantsBirth, n.asked = false, 0
}
