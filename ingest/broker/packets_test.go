package broker

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Packets as a client writes them, by hand.

func text(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// packet puts the fixed header before a body.
func packet(head byte, body []byte) []byte {
	out := []byte{head}
	for n := len(body); ; {
		b := byte(n & 0x7f)
		if n >>= 7; n == 0 {
			return append(append(out, b), body...)
		}
		out = append(out, b|0x80)
	}
}

// connectPacket signs in, without credentials where user is empty.
func connectPacket(version byte, client, user, password string, keepAlive uint16) []byte {
	flags := byte(2)
	if user != "" {
		flags |= 0xC0
	}
	body := text(nil, "MQTT")
	body = append(body, version, flags)
	body = binary.BigEndian.AppendUint16(body, keepAlive)
	if version == 5 {
		body = append(body, 0)
	}
	body = text(body, client)
	if user != "" {
		body = text(text(body, user), password)
	}
	return packet(0x10, body)
}

// publishPacketWith publishes at QoS 1; properties are MQTT 5's.
func publishPacketWith(version byte, topic string, id uint16, payload string, properties ...byte) []byte {
	body := text(nil, topic)
	body = binary.BigEndian.AppendUint16(body, id)
	if version == 5 {
		body = append(append(body, byte(len(properties))), properties...)
	}
	return packet(0x32, append(body, payload...))
}

// raw is a client that speaks MQTT by hand.
type raw struct {
	t       *testing.T
	conn    net.Conn
	r       *bufio.Reader
	version byte
	id      uint16
	got     []string // topic and payload of what was delivered
}

// dialRaw connects, over TLS where there is a configuration.
func dialRaw(t *testing.T, addr string, config *tls.Config, version byte) *raw {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		config = config.Clone()
		config.ServerName = "127.0.0.1"
		conn = tls.Client(conn, config)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return &raw{t: t, conn: conn, r: bufio.NewReader(conn), version: version}
}

func (c *raw) write(b []byte) {
	c.t.Helper()
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next packet; ok is false where the connection has ended.
func (c *raw) read() (head byte, body []byte, ok bool) {
	head, err := c.r.ReadByte()
	if err != nil {
		return 0, nil, false
	}
	n := 0
	for shift := 0; ; shift += 7 {
		b, err := c.r.ReadByte()
		if err != nil {
			return 0, nil, false
		}
		n |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return 0, nil, false
	}
	return head, body, true
}

// answer returns the next packet of a kind, and notes what is delivered before
// it. A DISCONNECT ends the connection as well.
func (c *raw) answer(kind byte) (body []byte, ok bool) {
	for {
		head, body, ok := c.read()
		switch {
		case !ok:
			return nil, false
		case head>>4 == packets.Publish:
			c.note(body)
		case head>>4 == kind:
			return body, true
		case head>>4 == packets.Disconnect:
			return body, false
		}
	}
}

// next waits for a delivery.
func (c *raw) next() {
	c.t.Helper()
	head, body, ok := c.read()
	if !ok || head>>4 != packets.Publish {
		c.t.Fatalf("got packet %#x, connection up %v; want a delivery", head, ok)
	}
	c.note(body)
}

func (c *raw) note(body []byte) {
	n := int(binary.BigEndian.Uint16(body))
	rest := body[2+n:]
	if c.version == 5 {
		rest = rest[1+rest[0]:]
	}
	c.got = append(c.got, string(body[2:2+n])+" "+string(rest))
}

// connect returns the code of the CONNACK; 0xff where there is none.
func (c *raw) connect(client, user, password string) byte {
	if _, err := c.conn.Write(connectPacket(c.version, client, user, password, 60)); err != nil {
		return 0xff
	}
	body, ok := c.answer(packets.Connack)
	if !ok {
		return 0xff
	}
	return body[1]
}

// publish returns the code of the PUBACK, and false where the connection ended;
// the code is then the DISCONNECT's, if there was one.
func (c *raw) publish(topic, payload string) (code byte, ok bool) {
	c.id++
	c.write(publishPacketWith(c.version, topic, c.id, payload))
	body, ok := c.answer(packets.Puback)
	switch {
	case !ok && len(body) > 0:
		return body[0], false
	case ok && len(body) > 2:
		return body[2], true
	}
	return 0, ok
}

// subscribe returns the code of the SUBACK.
func (c *raw) subscribe(filter string) byte {
	c.t.Helper()
	c.id++
	body := binary.BigEndian.AppendUint16(nil, c.id)
	if c.version == 5 {
		body = append(body, 0)
	}
	c.write(packet(0x82, append(text(body, filter), 0)))
	body, ok := c.answer(packets.Suback)
	if !ok {
		c.t.Fatalf("subscribe to %s: the connection ended", filter)
	}
	return body[len(body)-1]
}

// ping waits for the answer, and so for what was sent before it.
func (c *raw) ping() {
	c.t.Helper()
	c.write([]byte{0xC0, 0})
	if _, ok := c.answer(packets.Pingresp); !ok {
		c.t.Fatal("no answer to a ping")
	}
}
