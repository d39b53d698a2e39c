package broker

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
)

func rawSession(t *testing.T, b *Broker, version byte) *raw {
	t.Helper()
	c := dialRaw(t, b.Addr(), nil, version)
	if code := c.connect(t.Name(), "s1", "one"); code != 0 {
		t.Fatalf("got CONNACK %#x, want 0", code)
	}
	return c
}

const own = "fleet/v1/station/s1/telemetry"

// An MQTT 5 client is told why it is disconnected.
func TestReasonsOnTheWire(t *testing.T) {
	tests := []struct {
		name   string
		packet []byte
		want   byte
	}{
		{"too large", publishPacketWith(5, own, 1, string(make([]byte, 2000))), 0x95},
		{"too large, not all of it sent", []byte{0x32, 0xff, 0xff, 0xff, 0x7f}, 0x95},
		{"reserved topic", publishPacketWith(5, "$SYS/x", 1, ""), 0x90},
		{"wildcard", publishPacketWith(5, "fleet/v1/station/+/telemetry", 1, ""), 0x90},
		{"alias out of range", publishPacketWith(5, own, 1, "", 0x23, 0, 65), 0x94},
		{"unknown alias", publishPacketWith(5, "", 1, "", 0x23, 0, 5), 0x82},
		{"no packet id", publishPacketWith(5, own, 0, ""), 0x82},
		{"malformed", []byte{0x32, 2, 0, 9}, 0x81},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, newPipe(true), func(o *Options) { o.MaxPacket = 1024 })
			c := rawSession(t, b, 5)
			c.write(tt.packet)
			body, ok := c.answer(packets.Puback)
			if ok || len(body) == 0 || body[0] != tt.want {
				t.Errorf("got %x, still up %v; want DISCONNECT %#x", body, ok, tt.want)
			}
			stillServes(t, b)
		})
	}
}

// An alias stands for its topic from its first use on (MQTT 5 §3.3.2.3.4).
func TestTopicAlias(t *testing.T) {
	p := newPipe(true)
	c := rawSession(t, start(t, p, nil), 5)
	c.write(publishPacketWith(5, own, 1, "1", 0x23, 0, 3))
	c.write(publishPacketWith(5, "", 2, "2", 0x23, 0, 3))
	c.write(publishPacketWith(5, "fleet/v1/station/s1/event", 3, "3", 0x23, 0, 3))
	c.write(publishPacketWith(5, "", 4, "4", 0x23, 0, 3))
	for i, m := range p.wait(t, 4) {
		want := own
		if i >= 2 {
			want = "fleet/v1/station/s1/event"
		}
		if m.Topic != want || string(m.Payload) != fmt.Sprint(i+1) {
			t.Errorf("message %d: got %s %q, want %s", i, m.Topic, m.Payload, want)
		}
	}
}

// The exchange of QoS 2 goes PUBLISH, PUBREC after the commit, PUBREL, PUBCOMP.
func TestQoS2(t *testing.T) {
	p := newPipe(false)
	b := start(t, p, func(o *Options) { o.MaxUnacked = 3 })
	c := rawSession(t, b, 5)
	publish := func(id uint16) {
		pk := publishPacketWith(5, own, id, "x")
		pk[0] = 0x34
		c.write(pk)
	}
	expect := func(kind byte, want ...byte) {
		t.Helper()
		if body, ok := c.answer(kind); !ok || !bytes.Equal(body, want) {
			t.Fatalf("got %x, up %v; want %x", body, ok, want)
		}
	}
	publish(5)
	p.wait(t, 1)[0].Done(ingest.Outcome{})
	expect(packets.Pubrec, 0, 5)
	for range 2 { // the second PUBREL is that of a PUBCOMP that was lost
		c.write([]byte{0x62, 2, 0, 5})
	}
	expect(packets.Pubcomp, 0, 5)
	expect(packets.Pubcomp, 0, 5, 0x92)
	// Who never sends a PUBREL does not make the server remember without end.
	for id := uint16(10); id < 13; id++ {
		publish(id)
		all := p.wait(t, 1)
		all[len(all)-1].Done(ingest.Outcome{})
		expect(packets.Pubrec, 0, byte(id))
	}
	publish(13)
	if body, ok := c.answer(packets.Pubrec); ok || len(body) == 0 || body[0] != 0x93 {
		t.Errorf("got %x, up %v; want DISCONNECT 0x93", body, ok)
	}
}

// A CONNECT and what follows may come in one piece.
func TestPipelinedConnect(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, nil)
	c := dialRaw(t, b.Addr(), nil, 4)
	c.write(append(connectPacket(4, "c", "s1", "one", 60), publishPacketWith(4, own, 9, "x")...))
	if body, ok := c.answer(packets.Connack); !ok || body[1] != 0 {
		t.Fatalf("got %x, up %v; want CONNACK 0", body, ok)
	}
	if body, ok := c.answer(packets.Puback); !ok || !bytes.Equal(body, []byte{0, 9}) {
		t.Errorf("got %x, up %v; want PUBACK for 9", body, ok)
	}
}

// A client that goes silent for one and a half of its keep-alive is gone; one
// that publishes, or pings, is not.
func TestKeepAlive(t *testing.T) {
	b := start(t, newPipe(true), nil)
	silent, alive := dialRaw(t, b.Addr(), nil, 4), dialRaw(t, b.Addr(), nil, 4)
	for _, c := range []*raw{silent, alive} {
		c.write(connectPacket(4, fmt.Sprintf("%p", c), "s1", "one", 1))
		if _, ok := c.answer(packets.Connack); !ok {
			t.Fatal("not connected")
		}
	}
	connected(t, b, 2) // a session begins just after its CONNACK
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for id := uint16(1); b.Connected() == 2; id++ {
		alive.write(publishPacketWith(4, own, id, "x"))
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the silent client is still connected")
		}
	}
	if _, _, ok := silent.read(); ok {
		t.Error("the silent client got something")
	}
	alive.ping()
}

// A client that pings in time is not cut off because the server has made its
// reader wait for longer than the keep-alive.
func TestKeepAliveAfterBackPressure(t *testing.T) {
	p := newPipe(false)
	b := start(t, p, func(o *Options) { o.MaxUnacked = 1 })
	c := dialRaw(t, b.Addr(), nil, 4)
	c.write(connectPacket(4, "c", "s1", "one", 1))
	if _, ok := c.answer(packets.Connack); !ok {
		t.Fatal("not connected")
	}
	c.write(append(publishPacketWith(4, own, 1, ""), publishPacketWith(4, own, 2, "")...))
	m := p.wait(t, 1)[0] // the second waits for room
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < 3*time.Second; <-tick.C {
		c.write([]byte{0xC0, 0})
	}
	m.Done(ingest.Outcome{})
	for _, want := range []byte{packets.Puback, packets.Pingresp} {
		if _, ok := c.answer(want); !ok {
			t.Fatalf("the connection ended before packet %#x", want)
		}
	}
}

// Who sends PUBRELs and reads no answer does not make the server remember
// without end.
func TestPubrelFlood(t *testing.T) {
	b := start(t, newPipe(true), func(o *Options) { o.MaxUnacked = 10 })
	c := rawSession(t, b, 5)
	connected(t, b, 1)
	s := b.hook.sessions.only(ref(t, "station/s1"))
	flood := bytes.Repeat([]byte{0x62, 2, 0, 5}, 10_000)
	for {
		_, err := c.conn.Write(flood)
		s.mu.Lock()
		got := len(s.out)
		s.mu.Unlock()
		if most := maxAnswers + 11*ackSize; got > most {
			t.Fatalf("%d bytes of answers wait, want at most %d", got, most)
		}
		if err != nil {
			return // the connection was ended
		}
	}
}

// A large message in the middle of small ones.
func TestLargePublish(t *testing.T) {
	p := newPipe(true)
	c := rawSession(t, start(t, p, nil), 4)
	sizes := []int{1, 500, 20_000, 3, 1 << 20, 7}
	go func() {
		for i, size := range sizes {
			_, _ = c.conn.Write(publishPacketWith(4, own, uint16(i+1), string(bytes.Repeat([]byte{byte('a' + i)}, size))))
		}
	}()
	for i, m := range p.wait(t, len(sizes)) {
		if want := bytes.Repeat([]byte{byte('a' + i)}, sizes[i]); !bytes.Equal(m.Payload, want) {
			t.Errorf("message %d: got %d bytes, want %d, or they differ", i, len(m.Payload), len(want))
		}
	}
}

// A connection whose publish stands still is closed after its minute, and only
// that.
func TestStalledIsClosed(t *testing.T) {
	p := newPipe(false)
	b := start(t, p, func(o *Options) { o.MaxUnacked = 1 })
	stuck, idle := rawSession(t, b, 4), dialRaw(t, b.Addr(), nil, 4)
	if idle.connect("idle", "s2", "two") != 0 {
		t.Fatal("not connected")
	}
	stuck.write(append(publishPacketWith(4, own, 1, ""), publishPacketWith(4, own, 2, "")...))
	p.wait(t, 1)
	s := b.hook.sessions.only(ref(t, "station/s1"))
	for deadline := time.Now().Add(time.Minute); s.intake.step.Load() != 3; { // the second waits
		if time.Now().After(deadline) {
			t.Fatal("the second publish does not wait")
		}
	}
	ended := 0
	at := time.Now()
	for _, after := range []time.Duration{0, 59 * time.Second, 61 * time.Second} {
		b.hook.sessions.closeStalled(at.Add(after), func(*session) { ended++ })
		if want := min(1, int(after/(time.Minute))); ended != want {
			t.Errorf("after %v: got %d closed, want %d", after, ended, want)
		}
	}
	connected(t, b, 1)
	idle.ping()
}

// only is a session of the device.
func (ss *sessions) only(ref devices.Ref) *session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for s := range ss.all {
		if s.principal.Device == ref {
			return s
		}
	}
	return nil
}

// A busy connection gives its large buffer back when it falls idle.
func TestBufferIsGivenBack(t *testing.T) {
	b := start(t, newPipe(true), nil)
	c := rawSession(t, b, 4)
	c.write(publishPacketWith(4, own, 1, string(make([]byte, 5000))))
	if _, ok := c.answer(packets.Puback); !ok {
		t.Fatal("not acknowledged")
	}
	conn := b.hook.sessions.only(ref(t, "station/s1")).conn
	// The buffer is the reader's: what it says over the network tells when to look.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); conn.shrunk.Load() == 0; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the large buffer is still held")
		}
	}
	c.write(publishPacketWith(4, own, 2, "x"))
	if _, ok := c.answer(packets.Puback); !ok {
		t.Error("not acknowledged after that")
	}
}
