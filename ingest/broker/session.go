package broker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/ingest"
)

// maxAnswers bounds the answers that wait to be written, in bytes, beside those
// that MaxUnacked bounds.
const maxAnswers = 64 << 10

var errUnread = errors.New("the client does not read its answers")

// session is one connection: who it is, and what is on its way to it:
// acknowledgements and deliveries. They are written by a goroutine of the session's own, so that a client
// that does not read holds up nobody else; it lives only while there is
// something to write.
type session struct {
	hook      *hook
	client    *mqtt.Client
	conn      *conn
	principal ingest.Principal
	rights    rights
	version   byte
	quota     *quota // nil: no limit
	intake    intake
	greetings []greeting // of the SUBSCRIBE that is being processed

	unacked atomic.Int32 // taken from the client, acknowledgement not yet written
	waiting atomic.Bool  // the reader waits for unacked to fall

	mu      sync.Mutex
	changed sync.Cond
	out     []byte              // acknowledgements to write
	acks    int32               // how many publishes they settle
	mail    mailbox             // deliveries to write
	due     map[uint16]struct{} // packet ids whose PUBREC was sent and whose PUBREL has not come
	writing bool                // there is a goroutine in write
	ended   bool
}

func newSession(h *hook, cl *mqtt.Client, c *conn, p ingest.Principal) *session {
	s := &session{hook: h, client: cl, conn: c, principal: p, version: cl.Properties.ProtocolVersion}
	s.rights = h.rightsOf(p)
	s.changed.L = &s.mu
	return s
}

// lives ends with the connection.
func (s *session) lives() context.Context { return s.conn.ctx }

// reserve waits until another publish may be taken; false once the session has
// ended.
func (s *session) reserve() bool {
	limit := int32(s.hook.opts.MaxUnacked)
	if s.unacked.Load() < limit { // only this goroutine adds to it
		s.unacked.Add(1)
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.Store(true)
	defer s.waiting.Store(false)
	for s.unacked.Load() >= limit && !s.ended {
		s.changed.Wait()
	}
	s.unacked.Add(1)
	return !s.ended
}

// release gives back what reserve took n times. It is called without the lock.
func (s *session) release(n int32) {
	s.unacked.Add(-n)
	if s.waiting.Load() {
		s.mu.Lock()
		s.changed.Broadcast()
		s.mu.Unlock()
	}
}

// acknowledge queues the acknowledgement of a publish. It does not block.
func (s *session) acknowledge(id uint16, qos, reason byte) {
	kind := packets.Puback
	if qos == 2 {
		kind = packets.Pubrec
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if qos == 2 && reason == 0 {
		if s.due == nil {
			s.due = make(map[uint16]struct{})
		}
		s.due[id] = struct{}{}
	}
	s.send(kind, id, reason)
	s.acks++
}

// send needs the lock.
func (s *session) send(kind byte, id uint16, reason byte) {
	if s.out == nil {
		s.out = make([]byte, 0, 64)
	}
	s.out = appendAck(s.out, kind, id, reason, s.version)
	s.wake()
}

// wake sees that somebody writes. It needs the lock.
func (s *session) wake() {
	if !s.writing {
		s.writing = true
		go s.write()
	}
}

// pubrel answers the client's part in an exchange of QoS 2 with a PUBCOMP.
func (s *session) pubrel(body []byte) error {
	id, goesOn, err := parsePubrel(body)
	if err != nil {
		return s.fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, expected := s.due[id]
	delete(s.due, id)
	switch {
	case s.ended || !goesOn:
	case len(s.out) > maxAnswers+ackSize*s.hook.opts.MaxUnacked:
		return errUnread
	case expected:
		s.send(packets.Pubcomp, id, 0)
	default:
		s.send(packets.Pubcomp, id, packets.ErrPacketIdentifierNotFound.Code)
	}
	return nil
}

// owed is how many exchanges of QoS 2 wait for their PUBREL.
func (s *session) owed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.due)
}

// write sends what is due until nothing is: first the acknowledgements, all that
// have gathered in one write, then the deliveries.
func (s *session) write() {
	var buf []byte
	for {
		s.mu.Lock()
		if len(s.out) == 0 && len(s.mail.packets) == 0 {
			s.out, s.writing = nil, false
			s.changed.Broadcast()
			s.mu.Unlock()
			return
		}
		buf, s.out = s.out, buf[:0]
		acks := s.acks
		s.acks = 0
		chunk, mails, size := buf, 0, 0
		if len(buf) == 0 {
			chunk, mails, size = s.mail.take(buf)
		}
		s.mu.Unlock()

		s.client.Lock()
		_, err := s.conn.Write(chunk)
		s.client.Unlock()
		if mails > 0 && len(chunk) <= writeChunk {
			buf = chunk // it may have grown
		}
		if err != nil {
			s.client.Stop(err)
			s.end()
		}
		s.mu.Lock()
		s.mail.give(mails, size)
		if err != nil {
			s.out, s.mail = nil, mailbox{}
		}
		s.mu.Unlock()
		if err == nil {
			s.hook.counts.acknowledged.Add(uint64(acks))
			s.release(acks)
		}
	}
}

// fail tells an MQTT 5 client why its connection ends, and returns the reason
// for the reader to end it with.
func (s *session) fail(err error) error {
	var code packets.Code
	if s.version < 5 || !errors.As(err, &code) {
		return err
	}
	s.client.Lock()
	defer s.client.Unlock()
	_, _ = s.conn.Write([]byte{packets.Disconnect << 4, 2, code.Code, 0}) // it ends anyway
	return err
}

// end wakes everyone who waits on the session. Acknowledgements that are due are
// still written.
func (s *session) end() {
	s.conn.hurry.Store(true)
	_ = s.conn.SetWriteDeadline(time.Now().Add(farewellTimeout)) // of the write under way
	s.mu.Lock()
	s.ended = true
	s.mail.packets = nil
	s.changed.Broadcast()
	s.mu.Unlock()
}

// written waits until what was due at the end is written, or can't be.
func (s *session) written() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing {
		s.changed.Wait()
	}
}
