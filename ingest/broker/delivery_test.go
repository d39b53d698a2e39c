package broker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// Subscribers that do not read make the server hold little, however many they
// are and however large the messages.
func TestSlowSubscribersHoldLittle(t *testing.T) {
	b := start(t, newPipe(true), func(o *Options) {
		o.Submit = func(_ context.Context, m ingest.Message) error { // keeps nothing
			m.Done(ingest.Outcome{})
			return nil
		}
	})
	const slow, messages = 10, 60
	for i := range slow {
		c := dialRaw(t, b.Addr(), nil, 5)
		if c.connect(fmt.Sprint("slow-", i), "s1", "one") != 0 || c.subscribe("fleet/v1/station/s1/#") != 0 {
			t.Fatal("not subscribed")
		}
	}
	before := inUse()
	publisher := rawSession(t, b, 5)
	payload := strings.Repeat("x", maxPassed)
	for range messages {
		if code, ok := publisher.publish(own, payload); !ok || code != 0 {
			t.Fatalf("got PUBACK %#x, up %v", code, ok)
		}
	}
	until(t, "delivered", func() bool { return b.hook.fan.bytes.used.Load() == 0 })
	if got, most := inUse()-before, 3*slow*maxMail; got > most {
		t.Errorf("%d messages of %d bytes to %d subscribers: %d bytes are held, want at most %d", messages, maxPassed, slow, got, most)
	}
	if b.Dropped() == 0 {
		t.Error("nothing was dropped: the test tells nothing")
	}
}

// until polls.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not %s in time", what)
		}
	}
}

// The queue to the subscribers is bounded in bytes, and nothing is passed that is
// too large.
func TestFanOutIsBoundedInBytes(t *testing.T) {
	b, err := New(newPolicy(t).options("127.0.0.1:0")) // not started: nobody takes from the queue
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Publish("x", make([]byte, maxPassed+1), false); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want %v", err, ErrTooLarge)
	}
	for range maxFanOutBytes / maxPassed {
		if err := b.Publish("x", make([]byte, maxPassed), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Publish("x", []byte{1}, false); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
}

// What was refused, and what is in quarantine as a whole, is not passed on.
func TestQuarantinedIsNotPassed(t *testing.T) {
	b, _, _ := sparkBroker(t, true)
	watcher, device := dialRaw(t, b.Addr(), nil, 5), dialRaw(t, b.Addr(), nil, 5)
	if watcher.connect("w", "", "") != 0 || watcher.subscribe("#") != 0 || device.connect("d", "station/s1", "secret of station/s1") != 0 {
		t.Fatal("not connected")
	}
	connected(t, b, 2)
	s := b.hook.sessions.only(ref(t, "station/s1"))
	for _, tt := range []struct {
		topic, payload string
		outcome        ingest.Outcome
	}{
		{own, "refused", ingest.Outcome{Refused: wire.ReasonForeign, Records: 1, Quarantined: 1}},
		{own, "quarantined", ingest.Outcome{Records: 2, Quarantined: 2}},
		{own, "in part", ingest.Outcome{Records: 2, Quarantined: 1}},
		{own, "stored", ingest.Outcome{Records: 2}},
	} {
		s.settle(s.rights.topic(tt.topic, true), []byte(tt.payload), 0, 0, false, tt.outcome)
	}
	watcher.next()
	watcher.next()
	if want := []string{own + " in part", own + " stored"}; !slices.Equal(watcher.got, want) {
		t.Errorf("got %q, want %q", watcher.got, want)
	}
}

// Deliveries name their topic, whatever aliases the subscriber would take: the
// one to define an alias might be dropped. And QoS 0 is what is granted.
func TestDeliveriesHaveTopics(t *testing.T) {
	b := start(t, newPipe(true), nil)
	c := dialRaw(t, b.Addr(), nil, 5)
	c.write(connectWith(cleanStart, []byte{0x22, 0, 10}, "c"))
	if body, ok := c.answer(packets.Connack); !ok || body[1] != 0 {
		t.Fatalf("got %x, up %v", body, ok)
	}
	filter := append(text([]byte{0, 1, 0}, "fleet/v1/station/s1/#"), 1)
	c.write(packet(0x82, filter))
	if body, ok := c.answer(packets.Suback); !ok || body[len(body)-1] != 0 {
		t.Errorf("got SUBACK %x, up %v; want QoS 0 granted", body, ok)
	}
	for range 3 {
		if err := b.Publish(own, []byte("x"), false); err != nil {
			t.Fatal(err)
		}
		c.next()
	}
	if want := slices.Repeat([]string{own + " x"}, 3); !slices.Equal(c.got, want) {
		t.Errorf("got %q, want %q", c.got, want)
	}
}

// The encoding is one that mochi reads back.
func TestAppendDelivery(t *testing.T) {
	for _, version := range []byte{4, 5} {
		for _, size := range []int{0, 1, 100, 127, 128, 20_000} {
			b := appendDelivery(nil, version, true, own, []int{7, 300}, make([]byte, size))
			var pk packets.Packet
			if err := pk.FixedHeader.Decode(b[0]); err != nil {
				t.Fatal(err)
			}
			length, rest, err := varint(b[1:])
			if err != nil || length != len(rest) {
				t.Fatalf("got length %d of %d, %v", length, len(rest), err)
			}
			pk.ProtocolVersion, pk.FixedHeader.Remaining = version, length
			if err := pk.PublishDecode(rest); err != nil {
				t.Fatal(err)
			}
			if pk.TopicName != own || len(pk.Payload) != size || !pk.FixedHeader.Retain {
				t.Errorf("version %d, %d bytes: got %s, %d bytes", version, size, pk.TopicName, len(pk.Payload))
			}
			if ids := pk.Properties.SubscriptionIdentifier; version == 5 && !slices.Equal(ids, []int{7, 300}) {
				t.Errorf("got identifiers %v", ids)
			}
		}
	}
}

// What is retained comes as MQTT 5 §3.8.3.1 says, and to shared subscribers
// never.
func TestRetainHandling(t *testing.T) {
	b := start(t, newPipe(true), func(o *Options) { o.Anonymous = true })
	if err := b.Publish("x", []byte("kept"), true); err != nil {
		t.Fatal(err)
	}
	retained(t, b, "x")
	c := dialRaw(t, b.Addr(), nil, 5)
	if c.connect("c", "", "") != 0 {
		t.Fatal("not connected")
	}
	for i, tt := range []struct {
		filter  string
		options byte
		want    bool
	}{
		{"x", 2 << 4, false},
		{"x", 1 << 4, false}, // not new
		{"x", 0, true},
		{"+", 1 << 4, true},
		{"$share/g/x", 0, false},
	} {
		c.got = nil
		c.write(packet(0x82, append(text([]byte{0, byte(i + 1), 0}, tt.filter), tt.options)))
		if _, ok := c.answer(packets.Suback); !ok {
			t.Fatal("no SUBACK")
		}
		if tt.want {
			c.next()
		}
		c.ping()
		if want := map[bool]int{true: 1}[tt.want]; len(c.got) != want {
			t.Errorf("%s with %#x: got %q, want %d", tt.filter, tt.options, c.got, want)
		}
	}
}
