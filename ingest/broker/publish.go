package broker

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"
)

// publish is a PUBLISH packet taken apart. Its slices are windows on the packet.
type publish struct {
	topic   []byte // empty where an alias stands for it
	payload []byte
	id      uint16 // 0 at QoS 0
	alias   uint16 // MQTT 5; 0: none
	qos     byte
	dup     bool
	retain  bool
}

// parsePublish takes apart what follows the fixed header of a PUBLISH (MQTT
// 3.1.1 §3.3, MQTT 5 §3.3). Whether the topic is well formed is left to
// validTopic. An error is a packets.Code.
func parsePublish(flags byte, body []byte, version byte) (p publish, err error) {
	p.dup, p.qos, p.retain = flags&8 != 0, flags>>1&3, flags&1 != 0
	switch {
	case p.qos == 3:
		return p, packets.ErrProtocolViolationQosOutOfRange
	case p.qos == 0 && p.dup:
		return p, packets.ErrProtocolViolationDupNoQos
	}
	if p.topic, body, err = field(body); err != nil {
		return p, packets.ErrMalformedTopic
	}
	if p.qos > 0 {
		if len(body) < 2 {
			return p, packets.ErrMalformedPacketID
		}
		p.id, body = binary.BigEndian.Uint16(body), body[2:]
		if p.id == 0 {
			return p, packets.ErrProtocolViolationNoPacketID
		}
	}
	if version >= 5 {
		if p.alias, body, err = publishProperties(body); err != nil {
			return p, err
		}
	}
	if len(p.topic) == 0 && p.alias == 0 {
		return p, packets.ErrProtocolViolationNoTopic
	}
	p.payload = body
	return p, nil
}

// field reads a string or binary data: two bytes of length, and so many bytes.
func field(b []byte) (f, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, packets.ErrMalformedPacket
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return nil, nil, packets.ErrMalformedPacket
	}
	return b[2 : 2+n : 2+n], b[2+n:], nil
}

// The properties that a client's PUBLISH may have (MQTT 5 §3.3.2.3).
const (
	payloadFormat   = 0x01
	messageExpiry   = 0x02
	contentType     = 0x03
	responseTopic   = 0x08
	correlationData = 0x09
	topicAlias      = 0x23
	userProperty    = 0x26
)

// publishProperties reads past the properties; none but the topic alias means
// anything here.
func publishProperties(b []byte) (alias uint16, rest []byte, err error) {
	n, b, err := varint(b)
	if err != nil || n > len(b) {
		return 0, nil, packets.ErrMalformedProperties
	}
	props, rest := b[:n], b[n:]
	for len(props) > 0 {
		id := props[0]
		props = props[1:]
		fixed, fields := 0, 0
		switch id {
		case payloadFormat:
			fixed = 1
		case messageExpiry:
			fixed = 4
		case topicAlias:
			fixed = 2
		case contentType, responseTopic, correlationData:
			fields = 1
		case userProperty:
			fields = 2
		default:
			return 0, nil, packets.ErrProtocolViolationUnsupportedProperty
		}
		if len(props) < fixed {
			return 0, nil, packets.ErrMalformedProperties
		}
		if id == topicAlias {
			if alias != 0 {
				return 0, nil, packets.ErrProtocolViolation
			}
			if alias = binary.BigEndian.Uint16(props); alias == 0 || alias > maxAliases {
				return 0, nil, packets.ErrTopicAliasInvalid
			}
		}
		props = props[fixed:]
		for range fields {
			if _, props, err = field(props); err != nil {
				return 0, nil, packets.ErrMalformedProperties
			}
		}
	}
	return alias, rest, nil
}

// varint reads a variable byte integer (MQTT 5 §1.5.5).
func varint(b []byte) (n int, rest []byte, err error) {
	for i := range min(len(b), 4) {
		n |= int(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return n, b[i+1:], nil
		}
	}
	return 0, nil, packets.ErrMalformedVariableByteInteger
}

// validTopic reports whether one can publish to the topic (MQTT 3.1.1 and 5
// §4.7): text without wildcards, and not one of the server's own.
func validTopic(topic []byte) bool {
	return len(topic) > 0 && topic[0] != '$' && bytes.IndexByte(topic, 0) < 0 &&
		!bytes.ContainsAny(topic, "+#") && utf8.Valid(topic)
}

// parsePubrel reads the packet id, and whether the client goes on with the
// exchange (MQTT 5 §3.6).
func parsePubrel(body []byte) (id uint16, goesOn bool, err error) {
	if len(body) < 2 {
		return 0, false, packets.ErrMalformedPacketID
	}
	goesOn = len(body) < 3 || body[2] < packets.ErrUnspecifiedError.Code
	return binary.BigEndian.Uint16(body), goesOn, nil
}

// ackSize is the most bytes that appendAck appends.
const ackSize = 5

// appendAck encodes a PUBACK, PUBREC or PUBCOMP (MQTT 3.1.1 §3.4, §3.5, §3.7;
// MQTT 5 the same: reason code and properties may be left out for success, and
// the properties alone otherwise).
func appendAck(dst []byte, kind byte, id uint16, reason byte, version byte) []byte {
	if version >= 5 && reason != 0 {
		return append(dst, kind<<4, 3, byte(id>>8), byte(id), reason)
	}
	return append(dst, kind<<4, 2, byte(id>>8), byte(id))
}
