package broker

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// stillServes publishes as s2 and wants the acknowledgement.
func stillServes(t *testing.T, b *Broker) {
	t.Helper()
	c, err := connect(t, b, "s2", "two", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Publish("fleet/v1/station/s2/telemetry", 1, false, `{}`).WaitTimeout(time.Minute) {
		t.Fatal("another client is not served any more")
	}
}

func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := conn.Read(make([]byte, 100)); err == nil {
		t.Errorf("got %d bytes, want the connection closed", n)
	}
}

// A SUBSCRIBE that is cut off makes mochi's decoder panic; that ends its sender
// alone, and leaves nothing of it behind.
func TestDecoderPanic(t *testing.T) {
	b := start(t, newPipe(true), nil)
	conn, _ := rawConnect(t, b, 5)
	write(t, conn, []byte{0x82, 6, 0, 1, 0, 0, 1, 'a'})
	closed(t, conn)
	stillServes(t, b)
	connected(t, b, 1)
}

// Before anybody is known to be let in, nobody makes the server hold megabytes.
func TestLargeConnect(t *testing.T) {
	b := start(t, newPipe(true), nil)
	for _, first := range [][]byte{{0x10, 0xff, 0xff, 0xff, 0x01}, {0x10, 0x80, 0x80, 0x08}} {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, c := range first { // also in pieces
			if _, err := conn.Write([]byte{c}); err != nil {
				break
			}
		}
		closed(t, conn)
	}
	stillServes(t, b)
}

// A subscriber that does not read holds up neither the commits of others nor the
// close.
func TestSubscriberThatDoesNotRead(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, func(o *Options) { o.Anonymous = true })
	conn, r := rawConnect(t, b, 4)
	filter := "fleet/v1/station/s1/#"
	body := append([]byte{0, 1, 0, byte(len(filter))}, filter...)
	write(t, conn, append(append([]byte{0x82, byte(len(body) + 1)}, body...), 1))
	if head, _ := readPacket(t, r); head != 0x90 {
		t.Fatalf("got packet %#x, want SUBACK", head)
	}
	// From here on it does not read.
	c, err := connect(t, b, "s1", "one", nil)
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 1<<20)
	for i := range 40 {
		if !c.Publish("fleet/v1/station/s1/telemetry", 1, false, large).WaitTimeout(time.Minute) {
			t.Fatalf("publish %d was not acknowledged", i)
		}
	}
	stillServes(t, b)
	done := make(chan struct{})
	go func() { defer close(done); _ = b.Close() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("the close waits for the client that does not read")
	}
}

// A device publishes into nobody else's topics, and keeps nothing there.
func TestNothingForeignIsPassedOn(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, nil)
	victim, err := connect(t, b, "s2", "two", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	victim.Subscribe("fleet/v1/station/s2/#", 1, func(_ paho.Client, m paho.Message) { got <- m.Topic() }).WaitTimeout(time.Minute)
	attacker, err := connect(t, b, "s1", "one", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"fleet/v1/station/s2/command", "x/status", "fleet/v1/station/s2/x/status"} {
		attacker.Publish(topic, 1, true, "evil").WaitTimeout(time.Minute)
	}
	victim.Publish("fleet/v1/station/s2/telemetry", 1, false, `{}`).WaitTimeout(time.Minute)
	select {
	case topic := <-got:
		if topic != "fleet/v1/station/s2/telemetry" {
			t.Errorf("got %s", topic)
		}
	case <-time.After(time.Minute):
		t.Error("its own message did not come back")
	}
}

// A client id is its owner's: another device that uses it throws nobody out.
func TestClientIDIsBound(t *testing.T) {
	b := start(t, newPipe(true), nil)
	lost := make(chan struct{})
	same := func(o *paho.ClientOptions) {
		o.SetClientID("same").SetCleanSession(false).SetConnectionLostHandler(func(paho.Client, error) { close(lost) })
	}
	c, err := connect(t, b, "s2", "two", same)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, b, "s1", "one", func(o *paho.ClientOptions) { o.SetClientID("same") }); err != nil {
		t.Fatal(err)
	}
	if !c.Publish("fleet/v1/station/s2/telemetry", 1, false, `{}`).WaitTimeout(time.Minute) {
		t.Error("the first client is not served any more")
	}
	select {
	case <-lost:
		t.Error("the first client was thrown out")
	default:
	}
}

// A device whose credential has changed is thrown out.
func TestKick(t *testing.T) {
	b := start(t, newPipe(true), nil)
	lost := make(chan struct{})
	if _, err := connect(t, b, "s1", "one", func(o *paho.ClientOptions) {
		o.SetConnectionLostHandler(func(paho.Client, error) { close(lost) })
	}); err != nil {
		t.Fatal(err)
	}
	b.Kick(devices.Ref{Kind: devices.KindStation, ID: "s2"}) // another
	b.Kick(devices.Ref{Kind: devices.KindStation, ID: "s1"})
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Error("the connection stayed up")
	}
}

// While the pipeline takes nothing, a client that comes back does not leave its
// old connection behind.
func TestReconnectWhileStuck(t *testing.T) {
	stuck := func(ctx context.Context, _ ingest.Message) error { <-ctx.Done(); return ctx.Err() }
	b := start(t, newPipe(true), func(o *Options) { o.MaxClients = 5; o.Submit = stuck })
	for i := range 20 {
		c, err := connect(t, b, "s1", "one", func(o *paho.ClientOptions) { o.SetClientID("again") })
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		c.Publish("fleet/v1/station/s1/telemetry", 1, false, fmt.Sprint(i))
	}
}

// The same where a client has as many unacknowledged as it may, and its reader
// waits for room.
func TestReconnectWhileFull(t *testing.T) {
	p := newPipe(false) // takes, and never settles
	b := start(t, p, func(o *Options) { o.MaxClients = 5; o.MaxUnacked = 2 })
	for i := range 20 {
		c, err := connect(t, b, "s1", "one", func(o *paho.ClientOptions) { o.SetClientID("again") })
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		for range 4 {
			c.Publish("fleet/v1/station/s1/telemetry", 1, false, "{}")
		}
		p.wait(t, 2)
	}
}

// What is due when the broker closes is still sent.
func TestDueAcknowledgementsAreSentAtTheEnd(t *testing.T) {
	p := newPipe(false)
	b := start(t, p, nil)
	conn, r := rawConnect(t, b, 4)
	const n = 100
	for id := uint16(1); id <= n; id++ {
		write(t, conn, publishPacket(4, "fleet/v1/station/s1/telemetry", id))
	}
	for _, m := range p.wait(t, n) {
		m.Done(ingest.Outcome{})
	}
	go func() { _ = b.Close() }()
	for range n {
		if head, _ := readPacket(t, r); head != 0x40 {
			t.Fatalf("got packet %#x, want PUBACK", head)
		}
	}
}
