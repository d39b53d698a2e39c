package publish_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// broker is a real one that remembers what was published to it.
type broker struct {
	mqtt.HookBase
	server  *mqtt.Server
	addr    string
	decoder *wire.Decoder
	refuse  string      // user name that may not connect
	secret  string      // password of all; empty: any will do
	deaf    atomic.Bool // acknowledges and remembers nothing

	mu       sync.Mutex
	payloads map[string]int // by topic
	largest  int            // records in one payload
	readings map[string]int // ledger line → times
	events   map[string]int
	status   map[string][]string // by topic, in order
	users    map[string]bool
	faults   []wire.Fault
}

func startBroker(t testing.TB) *broker {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	caps := mqtt.NewDefaultServerCapabilities()
	caps.ReceiveMaximum = 1024
	b := &broker{
		server:  mqtt.New(&mqtt.Options{Logger: slog.New(slog.DiscardHandler), Capabilities: caps}),
		addr:    ln.Addr().String(),
		decoder: wire.NewDecoder(schema, wire.DefaultLimits()),
		refuse:  "nobody",

		payloads: map[string]int{}, readings: map[string]int{}, events: map[string]int{},
		status: map[string][]string{}, users: map[string]bool{},
	}
	if err := b.server.AddHook(b, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.server.AddListener(listeners.NewNet("t", ln)); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.server.Close() })
	return b
}

func (b *broker) ID() string { return "test" }

func (b *broker) Provides(x byte) bool {
	return bytes.IndexByte([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnWillSent}, x) >= 0
}

func (b *broker) OnConnectAuthenticate(_ *mqtt.Client, pk packets.Packet) bool {
	user := string(pk.Connect.Username)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.users[user] = true
	return user != b.refuse && (b.secret == "" || string(pk.Connect.Password) == b.secret)
}

func (b *broker) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

func (b *broker) OnWillSent(_ *mqtt.Client, pk packets.Packet) { b.take(pk) }

func (b *broker) OnPublish(_ *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	b.take(pk)
	return pk, nil
}

func (b *broker) take(pk packets.Packet) {
	if b.deaf.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	topic, err := wire.ParseTopic(pk.TopicName)
	if err != nil {
		return
	}
	b.payloads[pk.TopicName]++
	var d wire.Decoded
	switch topic.Channel {
	case wire.Status:
		b.status[pk.TopicName] = append(b.status[pk.TopicName], string(pk.Payload))
		return
	case wire.Event:
		d = b.decoder.Events(topic.Device, pk.Payload, time.Now().UnixMilli())
	case wire.Telemetry:
		d = b.decoder.Telemetry(topic.Device, pk.Payload, time.Now().UnixMilli(), false)
	}
	b.largest = max(b.largest, d.Records())
	b.faults = append(b.faults, d.Faults...)
	for i := range d.Readings {
		b.readings[readingLine(&d.Readings[i])]++
	}
	for _, e := range d.Events {
		b.events["event "+e.Ref().String()+" "+e.ID]++
	}
}

func (b *broker) checkFaults(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.faults); n > 0 {
		f := b.faults[0]
		t.Errorf("%d faults, the first %s: %s in %.200s", n, f.Reason, f.Detail, f.Raw)
	}
}

// proxy stands between clients and the broker and spoils connections.
type proxy struct {
	addr string
	wait sync.WaitGroup
	ln   net.Listener

	mu       sync.Mutex
	limit    []int // bytes that the next connections may send before they are cut; none left: no limit
	mute     bool  // new connections hear nothing but the CONNACK
	conns    map[net.Conn]bool
	accepted int
	closed   bool
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: ln.Addr().String(), ln: ln, conns: map[net.Conn]bool{}}
	p.wait.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			p.serve(in, out)
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.cut()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) serve(in, out net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted++
	if p.closed {
		in.Close()
		out.Close()
		return
	}
	p.conns[in], p.conns[out] = true, true
	limit, mute := -1, p.mute
	if len(p.limit) > 0 {
		limit, p.limit = p.limit[0], p.limit[1:]
	}
	end := func() {
		in.Close()
		out.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, in)
		delete(p.conns, out)
	}
	p.wait.Go(func() {
		defer end()
		if limit < 0 {
			io.Copy(out, in)
			return
		}
		io.CopyN(out, in, int64(limit))
	})
	p.wait.Go(func() {
		defer end()
		if mute {
			const connack = 4 // bytes
			io.CopyN(in, out, connack)
			io.Copy(io.Discard, out)
			return
		}
		io.Copy(in, out)
	})
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *proxy) set(mute bool, limit ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute, p.limit = mute, limit
}

func readingLine(r *telemetry.Reading) string {
	return "reading " + r.Ref().String() + " " + time.UnixMilli(r.TS).UTC().Format(time.RFC3339Nano)
}

// eventually waits for ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
