package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
)

// connectWith signs in as s1 over MQTT 5, with a will on its status.
func connectWith(flags byte, properties []byte, client string) []byte {
	body := append(text(nil, "MQTT"), 5, flags, 0, 60, byte(len(properties)))
	body = text(append(body, properties...), client)
	body = text(text(append(body, 0), "fleet/v1/station/s1/status"), "offline")
	return packet(0x10, text(text(body, "s1"), "one"))
}

const (
	keepSession = 0xC4 // user, password, will; Clean Start 0
	cleanStart  = 0xC6
)

// property is the value of a four-byte property among those of a CONNACK.
func property(body []byte, id byte) (value []byte, ok bool) {
	for rest := body[3:]; len(rest) > 0; {
		size := map[byte]int{0x11: 4, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1, 0x13: 2}[rest[0]]
		if size == 0 {
			return nil, false
		}
		if rest[0] == id {
			return rest[1 : 1+size], true
		}
		rest = rest[1+size:]
	}
	return nil, false
}

// Who asks for a session is told that there is none, and an orderly DISCONNECT
// that asks again leaves no will.
func TestNoSessionExpiry(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, nil)
	c := dialRaw(t, b.Addr(), nil, 5)
	c.write(connectWith(cleanStart, []byte{0x11, 0, 0, 14, 16}, "c"))
	body, ok := c.answer(packets.Connack)
	if !ok || body[1] != 0 {
		t.Fatalf("got %x, up %v", body, ok)
	}
	if v, told := property(body, 0x11); !told || string(v) != "\x00\x00\x00\x00" {
		t.Errorf("CONNACK: got session expiry %x, told %v; want 0", v, told)
	}
	c.write([]byte{0xE0, 7, 0, 5, 0x11, 0, 0, 14, 16})
	if body, ok := c.answer(packets.Disconnect); ok || body != nil {
		t.Errorf("got DISCONNECT %x, want the connection closed", body)
	}
	connected(t, b, 0)
	// Wills go through one queue: this one comes behind any other.
	last := dialRaw(t, b.Addr(), nil, 5)
	last.write(connectWith(cleanStart, nil, "last"))
	last.answer(packets.Connack)
	last.conn.Close()
	p.wait(t, 1)
	if got := len(p.messages); got != 1 {
		t.Errorf("got %d wills, want 1", got)
	}
}

// Session Present is never set, also where a client takes over its own.
func TestNoSessionPresent(t *testing.T) {
	b := start(t, newPipe(true), nil)
	for i := range 3 {
		c := dialRaw(t, b.Addr(), nil, 5)
		c.write(connectWith(keepSession, nil, "same"))
		body, ok := c.answer(packets.Connack)
		if !ok || body[0] != 0 || body[1] != 0 {
			t.Fatalf("connection %d: got CONNACK %x, up %v; want no session and success", i, body, ok)
		}
		if c.subscribe("fleet/v1/station/s1/#") != 0 {
			t.Fatal("not subscribed")
		}
	}
}

// No two devices share a client id, whatever names they choose.
func TestClientIDsOfPrincipals(t *testing.T) {
	b := start(t, newPipe(true), func(o *Options) {
		o.Authenticate = func(_ context.Context, user, _ string) (devices.Ref, error) {
			return devices.Ref{Kind: devices.KindStation, ID: strings.ReplaceAll(user, "/", "-")}, nil
		}
	})
	first, second := dialRaw(t, b.Addr(), nil, 5), dialRaw(t, b.Addr(), nil, 5)
	if first.connect("c", "station/7", "x") != 0 || second.connect("7/c", "station", "x") != 0 {
		t.Fatal("not connected")
	}
	connected(t, b, 2)
	first.ping()
	second.ping()
}

// A certificate that has been taken back spoils a right password.
func TestRevokedCertificateWithPassword(t *testing.T) {
	authority, o := tlsOptions(t)
	o.AuthenticateCert = func(context.Context, string) (devices.Ref, error) { return devices.Ref{}, errors.New("revoked") }
	b := serve(t, o)
	c := dialRaw(t, b.TLSAddr(), authority.Client("station/m1"), 5)
	if code := c.connect("c", "station/m1", "secret of station/m1"); code != 0x86 {
		t.Errorf("got CONNACK %#x, want 0x86", code)
	}
}

// An empty user name and an empty password are allowed by the standard, and
// nobody's.
func TestEmptyCredentials(t *testing.T) {
	for _, version := range []byte{4, 5} {
		for _, anonymous := range []bool{true, false} {
			b := start(t, newPipe(true), func(o *Options) { o.Anonymous = anonymous })
			c := dialRaw(t, b.Addr(), nil, version)
			body := append(text(nil, "MQTT"), version, 0xC2, 0, 60)
			if version == 5 {
				body = append(body, 0)
			}
			c.write(packet(0x10, text(text(text(body, "c"), ""), "")))
			answer, ok := c.answer(packets.Connack)
			if !ok || (answer[1] == 0) != anonymous {
				t.Errorf("version %d, anonymous %v: got CONNACK %x, up %v", version, anonymous, answer, ok)
			}
		}
	}
}

// A device whose places are all taken by connections that wait for its quota,
// and may be dead, gets one of them.
func TestThrottledGivesWay(t *testing.T) {
	b := start(t, newPipe(true), func(o *Options) {
		o.MaxPerDevice, o.MessagesPerSecond, o.MessageBurst = 2, 0.001, 1
	})
	for _, id := range []string{"a", "b"} {
		c := dialRaw(t, b.Addr(), nil, 4)
		if c.connect(id, "s1", "one") != 0 {
			t.Fatal("not connected")
		}
		for n := range uint16(3) {
			c.write(publishPacketWith(4, own, n+1, "x"))
		}
		c.conn.Close() // nobody sees it
	}
	throttled := func() (all []*conn) {
		ss := b.hook.sessions
		ss.mu.Lock()
		defer ss.mu.Unlock()
		for _, c := range ss.byDevice[ref(t, "station/s1")] {
			if c.throttledSince.Load() != 0 {
				all = append(all, c)
			}
		}
		return all
	}
	for deadline := time.Now().Add(time.Minute); len(throttled()) < 2; {
		if time.Now().After(deadline) {
			t.Fatal("they do not wait")
		}
	}
	if code := dialRaw(t, b.Addr(), nil, 4).connect("c", "s1", "one"); code == 0 {
		t.Error("one that has just begun to wait gave way")
	}
	for _, c := range throttled() {
		c.throttledSince.Store(time.Now().Add(-maxThrottled).UnixNano())
	}
	if code := dialRaw(t, b.Addr(), nil, 4).connect("d", "s1", "one"); code != 0 {
		t.Errorf("got CONNACK %#x, want 0", code)
	}
	connected(t, b, 2)
}
