package broker

import (
	"sync"

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
	unacked int    // taken from the client, acknowledgement not yet written
	out     []byte // acknowledgements to write
	acks    int    // how many stand in out
	ended   bool
}

func newSession(cl *mqtt.Client, p ingest.Principal, max int) *session {
	s := &session{client: cl, principal: p, max: max}
	s.changed = sync.NewCond(&s.mu)
	return s
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

// write sends acknowledgements until the session ends; all that have gathered
// go out in one write.
func (s *session) write() {
	var buf []byte
	for {
		s.mu.Lock()
		for s.acks == 0 && !s.ended {
			s.changed.Wait()
		}
		if s.ended {
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
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.changed.Broadcast()
}
