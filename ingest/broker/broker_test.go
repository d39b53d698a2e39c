package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// pipe stands for the pipeline: it keeps what it is handed until the test
// settles it.
type pipe struct {
	mu       sync.Mutex
	messages []ingest.Message
	came     chan struct{}
	auto     bool // settle at once
}

func newPipe(auto bool) *pipe { return &pipe{came: make(chan struct{}, 10_000), auto: auto} }

func (p *pipe) submit(ctx context.Context, m ingest.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	p.messages = append(p.messages, m)
	p.mu.Unlock()
	if p.auto && m.Done != nil {
		m.Done(ingest.Outcome{})
	}
	p.came <- struct{}{}
	return nil
}

// wait returns the first n messages.
func (p *pipe) wait(t *testing.T, n int) []ingest.Message {
	t.Helper()
	deadline := time.After(time.Minute)
	for range n {
		select {
		case <-p.came:
		case <-deadline:
			t.Fatalf("fewer than %d messages came", n)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]ingest.Message(nil), p.messages...)
}

var secrets = map[string]string{"s1": "one", "s2": "two"}

func authenticate(_ context.Context, user, password string) (devices.Ref, error) {
	if want, ok := secrets[user]; !ok || want != password {
		return devices.Ref{}, errors.New("bad credential")
	}
	return devices.Ref{Kind: devices.KindStation, ID: user}, nil
}

func start(t *testing.T, p *pipe, change func(*Options)) *Broker {
	t.Helper()
	o := Options{Listen: "127.0.0.1:0", Authenticate: authenticate, Submit: p.submit, Now: time.Now}
	if change != nil {
		change(&o)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func connect(t *testing.T, b *Broker, user, password string, change func(*paho.ClientOptions)) (paho.Client, error) {
	t.Helper()
	o := paho.NewClientOptions().AddBroker("tcp://" + b.Addr()).SetClientID(t.Name() + user).
		SetUsername(user).SetPassword(password).SetAutoReconnect(false).SetConnectTimeout(time.Minute)
	if change != nil {
		change(o)
	}
	c := paho.NewClient(o)
	token := c.Connect()
	if !token.WaitTimeout(time.Minute) {
		t.Fatal("no answer to CONNECT")
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c, token.Error()
}

// connected waits until so many clients are.
func connected(t *testing.T, b *Broker, want int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for b.Connected() != want {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("got %d connected, want %d", b.Connected(), want)
		}
	}
}

func TestCredentials(t *testing.T) {
	anonymous := func(o *Options) { o.Anonymous = true }
	tests := []struct {
		name, user, password string
		change               func(*Options)
		ok                   bool
	}{
		{"right", "s1", "one", nil, true},
		{"wrong password", "s1", "two", nil, false},
		{"unknown user", "s3", "one", nil, false},
		{"none", "", "", nil, false},
		{"none, anonymous allowed", "", "", anonymous, true},
		{"wrong, anonymous allowed", "s1", "two", anonymous, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, newPipe(true), tt.change)
			_, err := connect(t, b, tt.user, tt.password, nil)
			if (err == nil) != tt.ok {
				t.Errorf("got %v, want success %v", err, tt.ok)
			}
		})
	}
}

// No acknowledgement leaves before the pipeline has settled the message; then
// it does, for QoS 1 and 2.
func TestAcknowledgedAfterCommit(t *testing.T) {
	for _, qos := range []byte{1, 2} {
		t.Run(fmt.Sprint("qos=", qos), func(t *testing.T) {
			p := newPipe(false)
			b := start(t, p, nil)
			c, err := connect(t, b, "s1", "one", nil)
			if err != nil {
				t.Fatal(err)
			}
			token := c.Publish("fleet/v1/station/s1/telemetry", qos, false, `{"queue":1}`)
			m := p.wait(t, 1)[0]
			if token.WaitTimeout(200 * time.Millisecond) {
				t.Fatal("acknowledged before the commit")
			}
			want := ingest.Principal{Name: "s1", Device: devices.Ref{Kind: devices.KindStation, ID: "s1"}}
			if diff := cmp.Diff(want, m.Principal); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
			m.Done(ingest.Outcome{})
			if !token.WaitTimeout(time.Minute) {
				t.Fatal("not acknowledged after the commit")
			}
			// The packet id is free again: the flow ended on both sides.
			if token = c.Publish("fleet/v1/station/s1/telemetry", qos, false, `{"queue":2}`); true {
				p.wait(t, 1)[1].Done(ingest.Outcome{})
			}
			if !token.WaitTimeout(time.Minute) {
				t.Fatal("the second publish was not acknowledged")
			}
		})
	}
}

// rawConnect speaks MQTT by hand, to see the bytes.
func rawConnect(t *testing.T, b *Broker, version byte) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', version, 0xC2, 0, 60}
	if version == 5 {
		body = append(body, 0)
	}
	for _, s := range []string{"raw", "s1", "one"} {
		body = append(body, 0, byte(len(s)))
		body = append(body, s...)
	}
	write(t, conn, append([]byte{0x10, byte(len(body))}, body...))
	r := bufio.NewReader(conn)
	if head, _ := readPacket(t, r); head != 0x20 {
		t.Fatalf("got packet %#x, want CONNACK", head)
	}
	return conn, r
}

func write(t *testing.T, conn net.Conn, b []byte) {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

func readPacket(t *testing.T, r *bufio.Reader) (byte, []byte) {
	t.Helper()
	head, err := r.ReadByte()
	if err != nil {
		t.Fatal(err)
	}
	n, err := r.ReadByte() // all packets here are shorter than 128 bytes
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal(err)
	}
	return head, body
}

func publishPacket(version byte, topic string, id uint16) []byte {
	body := append([]byte{0, byte(len(topic))}, topic...)
	body = append(body, byte(id>>8), byte(id))
	if version == 5 {
		body = append(body, 0)
	}
	body = append(body, `{"queue":1}`...)
	return append([]byte{0x32, byte(len(body))}, body...)
}

// MQTT 5 says why a publish was not taken; MQTT 3.1.1 has no way to, and
// acknowledges.
func TestRefusalOnTheWire(t *testing.T) {
	tests := []struct {
		version byte
		want    []byte
	}{
		{4, []byte{0, 7}},
		{5, []byte{0, 7, 0x87}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint("version=", tt.version), func(t *testing.T) {
			p := newPipe(false)
			b := start(t, p, nil)
			conn, r := rawConnect(t, b, tt.version)
			write(t, conn, publishPacket(tt.version, "fleet/v1/station/s2/telemetry", 7))
			p.wait(t, 1)[0].Done(ingest.Outcome{Refused: wire.ReasonForeign})
			head, body := readPacket(t, r)
			if diff := cmp.Diff(tt.want, body); head != 0x40 || diff != "" {
				t.Errorf("got packet %#x, PUBACK (-want +got):\n%s", head, diff)
			}
		})
	}
}

func TestAcknowledgementsInOrder(t *testing.T) {
	p := newPipe(false)
	b := start(t, p, nil)
	conn, r := rawConnect(t, b, 4)
	const n = 200
	for id := uint16(1); id <= n; id++ {
		write(t, conn, publishPacket(4, "fleet/v1/station/s1/telemetry", id))
	}
	for _, m := range p.wait(t, n) {
		m.Done(ingest.Outcome{})
	}
	for id := uint16(1); id <= n; id++ {
		head, body := readPacket(t, r)
		if got := uint16(body[0])<<8 | uint16(body[1]); head != 0x40 || got != id {
			t.Fatalf("got packet %#x for id %d, want PUBACK for %d", head, got, id)
		}
	}
}

// A client that does not wait for acknowledgements is held at MaxUnacked, and
// holds up nobody else.
func TestUnackedIsBounded(t *testing.T) {
	p := newPipe(false)
	b := start(t, p, func(o *Options) { o.MaxUnacked = 10 })
	conn, _ := rawConnect(t, b, 4)
	go func() {
		for id := uint16(1); id <= 100; id++ {
			if _, err := conn.Write(publishPacket(4, "fleet/v1/station/s1/telemetry", id)); err != nil {
				return
			}
		}
	}()
	p.wait(t, 10)
	other, err := connect(t, b, "s2", "two", nil)
	if err != nil {
		t.Fatal(err)
	}
	token := other.Publish("fleet/v1/station/s2/telemetry", 1, false, `{}`)
	all := p.wait(t, 1)
	if len(all) != 11 || all[10].Principal.Name != "s2" {
		t.Fatalf("got %d messages, the last from %s; want 11, from s2", len(all), all[len(all)-1].Principal.Name)
	}
	all[10].Done(ingest.Outcome{})
	if !token.WaitTimeout(time.Minute) {
		t.Error("the other client was held up")
	}
	all[0].Done(ingest.Outcome{})
	p.wait(t, 1) // one more was let through
}

func TestSubscriptions(t *testing.T) {
	tests := []struct {
		filter  string
		device  bool // allowed for s1
		trusted bool
	}{
		{"fleet/v1/station/s1/status", true, true},
		{"fleet/v1/station/s1/#", true, true},
		{"fleet/v1/station/s1/+", false, true},
		{"fleet/v1/station/s2/status", false, true},
		{"fleet/v1/station/s11/status", false, true},
		{"fleet/v1/#", false, true},
		{"#", false, true},
		{"$SYS/#", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			b := start(t, newPipe(true), func(o *Options) { o.Anonymous = true })
			for user, want := range map[string]bool{"s1": tt.device, "": tt.trusted} {
				c, err := connect(t, b, user, secrets[user], nil)
				if err != nil {
					t.Fatal(err)
				}
				token := c.Subscribe(tt.filter, 1, func(paho.Client, paho.Message) {})
				token.WaitTimeout(time.Minute)
				got := token.(*paho.SubscribeToken).Result()[tt.filter] <= 2
				if got != want {
					t.Errorf("user %q: got %v, want %v", user, got, want)
				}
			}
		})
	}
}

// retained waits until the broker keeps a message on the topic: it does so a
// moment after it was acknowledged.
func retained(t *testing.T, b *Broker, topic string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		if _, ok := b.server.Topics.Retained.Get(topic); ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nothing is retained on %s", topic)
		}
	}
}

// Subscribers see a message after it is committed, and a retained status stays.
func TestFanOut(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, func(o *Options) { o.Anonymous = true })
	device, err := connect(t, b, "s1", "one", nil)
	if err != nil {
		t.Fatal(err)
	}
	device.Publish("fleet/v1/station/s1/status", 1, true, "online").WaitTimeout(time.Minute)
	retained(t, b, "fleet/v1/station/s1/status")
	watcher, err := connect(t, b, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	watcher.Subscribe("fleet/v1/#", 1, func(_ paho.Client, m paho.Message) {
		got <- fmt.Sprint(m.Topic(), " ", string(m.Payload()), " ", m.Retained())
	}).WaitTimeout(time.Minute)
	expect := func(want string) {
		t.Helper()
		select {
		case g := <-got:
			if g != want {
				t.Errorf("got %q, want %q", g, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q did not come", want)
		}
	}
	expect("fleet/v1/station/s1/status online true")
	device.Publish("fleet/v1/station/s1/telemetry", 1, false, `{"queue":3}`).WaitTimeout(time.Minute)
	expect(`fleet/v1/station/s1/telemetry {"queue":3} false`)
}

// A last will is stored like a publish of the device; one on another's topic
// keeps the device out.
func TestLastWill(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, nil)
	_, err := connect(t, b, "s1", "one", func(o *paho.ClientOptions) {
		o.SetWill("fleet/v1/station/s2/status", "offline", 1, true)
	})
	if err == nil {
		t.Error("a last will on another device's topic was accepted")
	}
	conn, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	body := []byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0xCE, 0, 60}
	for _, s := range []string{"will", "fleet/v1/station/s1/status", "offline", "s1", "one"} {
		body = append(body, 0, byte(len(s)))
		body = append(body, s...)
	}
	write(t, conn, append([]byte{0x10, byte(len(body))}, body...))
	readPacket(t, bufio.NewReader(conn))
	conn.Close()
	m := p.wait(t, 1)[0]
	if m.Topic != "fleet/v1/station/s1/status" || string(m.Payload) != "offline" {
		t.Errorf("got %s %q", m.Topic, m.Payload)
	}
}

// After Quiesce nothing is taken, but what was taken before is acknowledged.
func TestQuiesce(t *testing.T) {
	p := newPipe(false)
	b := start(t, p, nil)
	c, err := connect(t, b, "s1", "one", nil)
	if err != nil {
		t.Fatal(err)
	}
	before := c.Publish("fleet/v1/station/s1/telemetry", 1, false, `{}`)
	m := p.wait(t, 1)[0]
	b.Quiesce()
	after := c.Publish("fleet/v1/station/s1/telemetry", 1, false, `{}`)
	m.Done(ingest.Outcome{})
	if !before.WaitTimeout(time.Minute) {
		t.Error("what was taken before is not acknowledged")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if after.WaitTimeout(time.Second) && after.Error() == nil {
		t.Error("what came after was acknowledged")
	}
	if err := b.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestTooLargeAPacketEndsTheConnection(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, func(o *Options) { o.MaxPacket = 1024 })
	lost := make(chan struct{})
	c, err := connect(t, b, "s1", "one", func(o *paho.ClientOptions) {
		o.SetConnectionLostHandler(func(paho.Client, error) { close(lost) })
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Publish("fleet/v1/station/s1/telemetry", 1, false, make([]byte, 2000))
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Error("the connection stayed up")
	}
	connected(t, b, 0)
}

func TestAddressInUse(t *testing.T) {
	b := start(t, newPipe(true), nil)
	_, err := New(Options{Listen: b.Addr(), Anonymous: true, Submit: newPipe(true).submit, Now: time.Now})
	if err == nil {
		t.Error("a second broker took the same address")
	}
}
