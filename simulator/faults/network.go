package faults

import (
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

const (
	// MaxRecords bounds the readings of a message.
	MaxRecords = 500
	// maxPayload bounds its bytes: half of what a server has to take.
	maxPayload = 512 << 10
	// maxHeld bounds the readings, and the events, that a device keeps while it
	// is offline. One that has more is online again.
	maxHeld = 20000
)

// network is how the messages of one device travel.
type network struct {
	buf    []byte // the records that wait, each behind a comma
	spans  []span
	next   int       // readings that the next message waits for
	events []Message // that wait
	late   []Message // at most one, which lets its successor pass

	nextOffline, offlineUntil int64
	nextIntrusion             int64
}

// span is one record in the buffer.
type span struct {
	end int // of its bytes
	ts  int64
	ok  bool // can be stored
}

func (n *network) add(r *telemetry.Reading, ok bool) {
	n.buf = appendReading(append(n.buf, ','), r)
	n.spans = append(n.spans, span{len(n.buf), r.TS, ok})
}

// connect lets the connection of a device fail, up to now.
func (d *device) connect(s *Stage, now int64) {
	n := &d.net
	if n.nextIntrusion <= now {
		s.out(Action{Act: Intrude, Ref: d.ref})
		s.note(d, Hit{Fault: "wrong_credentials", From: now, To: now})
		n.nextIntrusion = now + 1 + draw.Wait(d.rng, s.cfg.WrongCredentials.PerYear)
	}
	if n.offlineUntil != 0 && n.offlineUntil <= now {
		n.offlineUntil = 0
		d.flush(s)
		d.flushEvents(s)
	}
	if n.offlineUntil == 0 && n.nextOffline <= now {
		n.offlineUntil = now + 1 + int64(d.rng.ExpFloat64()*s.cfg.Offline.Hours*3600e3)
		n.nextOffline = n.offlineUntil + draw.Wait(d.rng, s.cfg.Offline.PerYear)
		s.out(Action{Act: Cut, Ref: d.ref})
		s.note(d, Hit{Fault: "offline", From: now, To: n.offlineUntil})
	}
}

// flush sends the readings that wait, in as many messages as it takes.
func (d *device) flush(s *Stage) {
	n := &d.net
	if len(n.spans) == 0 {
		return
	}
	start, first := 0, 0
	for i, sp := range n.spans {
		more := i + 1 - first
		if last := i == len(n.spans)-1; last || more >= MaxRecords || n.spans[i+1].end-start+1 > maxPayload {
			d.send(s, n.spans[first:i+1], start)
			start, first = sp.end, i+1
		}
	}
	n.buf, n.spans = n.buf[:0], n.spans[:0]
}

// send makes a message of the records that begin at start of the buffer.
func (d *device) send(s *Stage, spans []span, start int) {
	m := Message{Channel: wire.Telemetry, Records: len(spans), Stamps: make([]int64, 0, len(spans))}
	bytes := d.net.buf[start:spans[len(spans)-1].end]
	shuffled := chance(d.rng, s.cfg.Shuffled.Share)
	first := spans[0].ts
	if shuffled && len(spans) > 1 {
		bytes, spans = shuffle(d.rng, bytes, spans, start)
	}
	if len(spans) == 1 {
		m.Payload = append(m.Payload, bytes[1:]...)
	} else {
		m.Payload = append(append(make([]byte, 0, len(bytes)+1), bytes...), ']')
		m.Payload[0] = '['
	}
	for _, sp := range spans {
		if sp.ok {
			m.Stamps = append(m.Stamps, sp.ts)
		} else {
			m.Refused++
		}
	}
	d.post(s, m, first, shuffled)
}

// shuffle puts records, each behind its comma, in another order.
func shuffle(rng *rand.Rand, bytes []byte, spans []span, start int) ([]byte, []span) {
	mixed, order := make([]byte, 0, len(bytes)), make([]span, 0, len(spans))
	for _, k := range rng.Perm(len(spans)) {
		from := 0
		if k > 0 {
			from = spans[k-1].end - start
		}
		mixed = append(mixed, bytes[from:spans[k].end-start]...)
		order = append(order, spans[k])
	}
	return mixed, order
}

// post hands a message out, twice or after its successor if it comes so.
func (d *device) post(s *Stage, m Message, ts int64, shuffled bool) {
	if shuffled {
		s.note(d, Hit{Fault: "shuffled", From: ts, To: ts})
		if len(d.net.late) == 0 {
			d.net.late = append(d.net.late, m)
			return
		}
	}
	s.out(Action{Act: Send, Ref: d.ref, Message: m})
	if chance(d.rng, s.cfg.Doubled.Share) {
		s.note(d, Hit{Fault: "doubled", From: ts, To: ts})
		s.out(Action{Act: Send, Ref: d.ref, Message: m})
	}
	if chance(d.rng, s.cfg.Malformed.Share) {
		bad, how := damaged(d.rng, m, ts)
		s.note(d, Hit{Fault: "malformed", From: ts, To: ts, Detail: how})
		s.out(Action{Act: Send, Ref: d.ref, Message: bad})
	}
	d.release(s)
}

// release sends the message that let another pass.
func (d *device) release(s *Stage) {
	for _, m := range d.net.late {
		s.out(Action{Act: Send, Ref: d.ref, Message: m})
	}
	d.net.late = d.net.late[:0]
}

func (d *device) flushEvents(s *Stage) {
	for _, m := range d.net.events {
		s.out(Action{Act: Send, Ref: d.ref, Message: m})
		if chance(d.rng, s.cfg.Doubled.Share) {
			s.out(Action{Act: Send, Ref: d.ref, Message: m})
		}
	}
	d.net.events = d.net.events[:0]
}

// damaged is a payload that no server can take: one record, whatever is in it.
func damaged(rng *rand.Rand, m Message, ts int64) (bad Message, how string) {
	bad = Message{Channel: m.Channel, Records: 1, Refused: 1}
	switch rng.IntN(4) {
	case 0:
		bad.Payload = append(bad.Payload, m.Payload[:1+rng.IntN(len(m.Payload)-1)]...)
		return bad, "cut off"
	case 1:
		bad.Payload = append(bad.Payload, m.Payload...)
		bad.Payload[1+rng.IntN(len(bad.Payload)-2)] = 0xff
		return bad, "not UTF-8"
	case 2:
		bad.Payload = wire.AppendReading(nil, &telemetry.Reading{TS: ts})
		bad.Payload = append(bad.Payload[:len(bad.Payload)-1], `,"votlage":1}`...)
		return bad, "unknown field"
	default:
		bad.Payload = append(bad.Payload, `{"ts":NaN}`...)
		return bad, "no time"
	}
}

// chance draws true with probability share; where that is 0, it draws nothing.
func chance(rng *rand.Rand, share float64) bool { return share > 0 && rng.Float64() < share }
