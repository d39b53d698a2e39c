package broker

import (
	"context"
	"errors"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/ingest"
)

// session is one connection: who it is, and the acknowledgements on their way
// to it. They are written by a goroutine of the session's own, so that a client
// that does not read holds up nobody else.
type session struct {
	client    *mqtt.Client
	principal ingest.Principal
	max       int

	mu      sync.Mutex
	changed *sync.Cond
	unacked int                 // taken from the client, acknowledgement not yet written
	out     []byte              // acknowledgements to write
	acks    int                 // how many stand in out
	due     map[uint16]struct{} // packet ids whose PUBREC was sent and whose PUBREL has not come
	ended   bool

	// stalled closes the connection when one publish waits too long to be
	// taken: the client may be gone, which nobody notices while nobody reads.
	stalled *time.Timer
}

// maxStall is how long a publish may wait to be taken before its connection is
// closed. The client keeps it and comes again.
const maxStall = time.Minute

var errStalled = errors.New("the server could not take a message within a minute")

func newSession(cl *mqtt.Client, p ingest.Principal, max int) *session {
	s := &session{client: cl, principal: p, max: max}
	s.changed = sync.NewCond(&s.mu)
	s.stalled = time.AfterFunc(maxStall, func() { cl.Stop(errStalled) })
	s.stalled.Stop()
	return s
}

// lives ends with the connection.
func (s *session) lives() context.Context {
	if c, ok := s.client.Net.Conn.(*conn); ok {
		return c.ctx
	}
	return context.Background()
}

// expect notes that a PUBREL is to come.
func (s *session) expect(id uint16) {
	s.mu.Lock()
	if s.due == nil {
		s.due = make(map[uint16]struct{})
	}
	s.due[id] = struct{}{}
	s.mu.Unlock()
}

// released reports whether a PUBREL was expected, and expects it no more.
func (s *session) released(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.due[id]
	delete(s.due, id)
	return ok
}

// reserve waits until another publish may be taken; false once the session has
// ended.
func (s *session) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.unacked >= s.max && !s.ended {
		s.changed.Wait()
	}
	if s.ended {
		return false
	}
	s.unacked++
	return true
}

// release gives back what reserve took, for a publish that gets no
// acknowledgement.
func (s *session) release() {
	s.mu.Lock()
	s.unacked--
	s.mu.Unlock()
	s.changed.Broadcast()
}

// acknowledge queues the acknowledgement of a publish. It does not block.
func (s *session) acknowledge(id uint16, qos byte, reason byte) {
	kind := packets.Puback
	if qos == 2 {
		kind = packets.Pubrec
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.out = appendAck(s.out, kind, id, reason, s.client.Properties.ProtocolVersion)
	s.acks++
	s.changed.Broadcast()
}

// appendAck encodes a PUBACK or PUBREC (MQTT 3.1.1 §3.4, §3.5; MQTT 5 §3.4,
// §3.5: reason code and properties may be left out for success, and the
// properties alone otherwise).
func appendAck(dst []byte, kind byte, id uint16, reason byte, version byte) []byte {
	if version >= 5 && reason != 0 {
		return append(dst, kind<<4, 3, byte(id>>8), byte(id), reason)
	}
	return append(dst, kind<<4, 2, byte(id>>8), byte(id))
}

// write sends acknowledgements until the session has ended and none is due; all
// that have gathered go out in one write.
func (s *session) write() {
	var buf []byte
	for {
		s.mu.Lock()
		for s.acks == 0 && !s.ended {
			s.changed.Wait()
		}
		if s.acks == 0 {
			s.mu.Unlock()
			return
		}
		buf, s.out = s.out, buf[:0]
		n := s.acks
		s.acks = 0
		s.mu.Unlock()

		s.client.Lock()
		_, err := s.client.Net.Conn.Write(buf)
		s.client.Unlock()
		if err != nil {
			s.client.Stop(err)
			s.end()
			return
		}
		s.mu.Lock()
		s.unacked -= n
		s.mu.Unlock()
		s.changed.Broadcast()
	}
}

// end wakes everyone who waits on the session.
func (s *session) end() {
	s.stalled.Stop()
	if c, ok := s.client.Net.Conn.(*conn); ok {
		c.hurry.Store(true)
	}
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.changed.Broadcast()
}
