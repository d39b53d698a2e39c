package broker

import (
	"encoding/binary"
	"slices"

	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	// maxMail bounds the deliveries that wait for one subscriber in bytes, beside
	// MaxPending. A payload of maxPassed fits, alone.
	maxMail = maxPassed + 64<<10
	// writeChunk is how much is gathered for one write, if it is there.
	writeChunk = 16 << 10
)

// delivery is a message as it is encoded: once for all the subscribers that get
// the same bytes.
type delivery struct {
	topic   string
	payload []byte
	encoded [4][]byte // by MQTT 5 or not, and the retain flag
}

// packet is the message for one subscriber.
func (d *delivery) packet(version byte, retain bool, sub packets.Subscription) []byte {
	i := 0
	if version >= 5 {
		i |= 1
		if ids := identifiers(sub); len(ids) > 0 {
			return appendDelivery(nil, version, retain, d.topic, ids, d.payload)
		}
	}
	if retain {
		i |= 2
	}
	if d.encoded[i] == nil {
		d.encoded[i] = appendDelivery(nil, version, retain, d.topic, nil, d.payload)
	}
	return d.encoded[i]
}

// identifiers are those of the subscriptions that a delivery is for.
func identifiers(sub packets.Subscription) []int {
	var ids []int
	for _, id := range sub.Identifiers {
		if id > 0 {
			ids = append(ids, id)
		}
	}
	if len(sub.Identifiers) == 0 && sub.Identifier > 0 {
		ids = append(ids, sub.Identifier)
	}
	slices.Sort(ids)
	return ids
}

// subscriptionIdentifier is a property of a PUBLISH to a subscriber (MQTT 5
// §3.3.2.3.8).
const subscriptionIdentifier = 0x0b

// appendDelivery encodes a PUBLISH at QoS 0 (MQTT 3.1.1 and 5 §3.3). It uses no
// topic alias: the delivery that defines one might be dropped.
func appendDelivery(dst []byte, version byte, retain bool, topic string, ids []int, payload []byte) []byte {
	length := 2 + len(topic) + len(payload)
	var size, props []byte
	if version >= 5 {
		for _, id := range ids {
			props = binary.AppendUvarint(append(props, subscriptionIdentifier), uint64(id))
		}
		size = binary.AppendUvarint(nil, uint64(len(props)))
		length += len(size) + len(props)
	}
	head := packets.Publish << 4
	if retain {
		head |= 1
	}
	dst = slices.Grow(dst, length+5)
	dst = binary.AppendUvarint(append(dst, head), uint64(length)) // the same as a variable byte integer
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(topic)))
	dst = append(dst, topic...)
	dst = append(append(dst, size...), props...)
	return append(dst, payload...)
}

// mailbox is what waits to be written to a subscriber.
type mailbox struct {
	packets [][]byte
	count   int // of packets, with those being written
	bytes   int // of the same
}

// put takes a packet if there is room for it.
func (m *mailbox) put(packet []byte, most int) bool {
	if m.count >= most || m.bytes+len(packet) > maxMail {
		return false
	}
	m.packets = append(m.packets, packet)
	m.count++
	m.bytes += len(packet)
	return true
}

// take adds packets to buf up to a chunk, or returns one that is larger. n and
// size are how many and how large, to give back when they are written.
func (m *mailbox) take(buf []byte) (chunk []byte, n, size int) {
	for len(m.packets) > 0 {
		next := m.packets[0]
		if len(buf) > 0 && len(buf)+len(next) > writeChunk {
			break
		}
		m.packets[0] = nil
		m.packets = m.packets[1:]
		n++
		size += len(next)
		if len(next) > writeChunk {
			return next, n, size
		}
		buf = append(buf, next...)
	}
	if len(m.packets) == 0 {
		m.packets = nil
	}
	return buf, n, size
}

func (m *mailbox) give(n, size int) {
	m.count -= n
	m.bytes -= size
}

// deliver queues a packet for the client; false where there is no room. It does
// not block.
func (s *session) deliver(packet []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return true // nobody misses it
	}
	if !s.mail.put(packet, s.hook.opts.MaxPending) {
		return false
	}
	s.wake()
	return true
}
