package link

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

// conformance has a test for each assertion of the specification that concerns
// how a host connects, by what goes over the wire. CONFORMANCE.md lists all.
var conformance = map[string]func(*testing.T){
	"tck-id-host-topic-phid-death-required":                                             willInConnect,
	"tck-id-operational-behavior-host-application-connect-will":                         willInConnect,
	"tck-id-payloads-state-will-message":                                                willInConnect,
	"tck-id-payloads-state-will-message-qos":                                            willInConnect,
	"tck-id-payloads-state-will-message-retain":                                         willInConnect,
	"tck-id-message-flow-phid-sparkplug-clean-session-311":                              cleanSession,
	"tck-id-host-topic-phid-birth-sub-required":                                         subscribedFirst,
	"tck-id-payloads-state-subscribe":                                                   subscribedFirst,
	"tck-id-message-flow-phid-sparkplug-subscription":                                   subscribedFirst,
	"tck-id-host-topic-phid-birth-message":                                              birthFirst,
	"tck-id-host-topic-phid-birth-required":                                             birthFirst,
	"tck-id-message-flow-phid-sparkplug-state-publish":                                  birthFirst,
	"tck-id-operational-behavior-host-application-connect-birth":                        birthFirst,
	"tck-id-operational-behavior-primary-application-state-with-multiple-servers-state": birthOfEachConnection,
	"tck-id-operational-behavior-host-application-termination":                          deathBeforeDisconnect,
	"tck-id-operational-behavior-host-application-disconnect-intentional":               deathBeforeDisconnect,
}

func TestConformance(t *testing.T) {
	for id, test := range conformance {
		t.Run(id, func(t *testing.T) { t.Parallel(); test(t) })
	}
}

func TestConformanceIsListed(t *testing.T) {
	text, err := os.ReadFile("../CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	const heading = "## Tested in package link"
	_, section, ok := strings.Cut(string(text), heading)
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for id := range conformance {
		if !strings.Contains(section, "`"+id+"`") {
			t.Errorf("%s: not listed under %q", id, heading)
		}
	}
	if got, want := strings.Count(section, "`tck-id-"), len(conformance); got != want {
		t.Errorf("listed under %q: got %d want the %d that have a test", heading, got, want)
	}
}

// server takes MQTT 3.1.1 connections and says yes to everything.
type server struct {
	t        testing.TB
	listener net.Listener
	got      chan packets.ControlPacket // everything but pings, of all connections
	mu       sync.Mutex
	conns    []net.Conn
}

func newServer(t testing.TB) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: l, got: make(chan packets.ControlPacket, 1000)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			all.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.drop()
		all.Wait()
	})
	return s
}

// drop breaks all connections.
func (s *server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

// deliver publishes to the last client.
func (s *server) deliver(topic, payload string) {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, []byte(payload)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := p.Write(s.conns[len(s.conns)-1]); err != nil {
		s.t.Errorf("deliver: %v", err)
	}
}

func (s *server) serve(c net.Conn) {
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		var answer packets.ControlPacket
		switch p := p.(type) {
		case *packets.ConnectPacket:
			answer = packets.NewControlPacket(packets.Connack)
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, p.Qoss
			answer = ack
		case *packets.PublishPacket:
			if p.Qos == 1 {
				ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
				ack.MessageID = p.MessageID
				answer = ack
			}
		case *packets.PingreqPacket:
			answer = packets.NewControlPacket(packets.Pingresp)
		}
		if answer != nil {
			s.mu.Lock()
			err := answer.Write(c)
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
		s.got <- p
	}
}

// next is the next packet, which should be a P.
func next[P packets.ControlPacket](s *server) P {
	s.t.Helper()
	select {
	case p := <-s.got:
		want, ok := p.(P)
		if !ok {
			s.t.Fatalf("got %s want %T", p, want)
		}
		return want
	case <-time.After(20 * time.Second):
		var want P
		s.t.Fatalf("no packet within 20 s, want %T", want)
		return want
	}
}

// start runs a host over a link, and returns what ends both.
func start(t testing.TB, broker string, submit func(context.Context, ingest.Message, ingest.Translated) error) (*sparkplug.Host, *Link, func()) {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(Options{Broker: broker, ClientID: "fleetwatt-sparkplug", HostID: "fleetwatt", Now: time.Now, MaxReconnect: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	host, err := sparkplug.New(sparkplug.Options{
		HostID: "fleetwatt", Schema: schema, Submit: submit, Publish: l.Publish, Now: time.Now, ReorderTimeout: 500 * time.Millisecond,
		MaySpeak: func(ingest.Principal, devices.Ref) bool { return true },
		Mapping:  sparkplug.Mapping{Rules: []sparkplug.Rule{{Name: "battery", Kind: "battery"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() {
		if err := l.Run(ctx, host); err != nil {
			t.Errorf("link: %v", err)
		}
	})
	both.Go(func() {
		if err := host.Run(ctx); err != nil {
			t.Errorf("host: %v", err)
		}
	})
	end := func() { cancel(); both.Wait() }
	t.Cleanup(end)
	return host, l, end
}

func discard(_ context.Context, m ingest.Message, _ ingest.Translated) error {
	if m.Done != nil {
		m.Done(ingest.Outcome{})
	}
	return nil
}

func (s *server) url() string { return "tcp://" + s.listener.Addr().String() }

func stateOf(t testing.TB, payload []byte) (online bool, timestamp int64) {
	t.Helper()
	var m struct {
		Online    bool  `json:"online"`
		Timestamp int64 `json:"timestamp"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatalf("STATE payload %q: %v", payload, err)
	}
	return m.Online, m.Timestamp
}

func willInConnect(t *testing.T) {
	s := newServer(t)
	before := time.Now().UnixMilli()
	start(t, s.url(), discard)
	c := next[*packets.ConnectPacket](s)
	if !c.WillFlag || c.WillQos != 1 || !c.WillRetain || c.WillTopic != "spBv1.0/STATE/fleetwatt" {
		t.Errorf("got will %v on %q at QoS %d, retain %v", c.WillFlag, c.WillTopic, c.WillQos, c.WillRetain)
	}
	online, ts := stateOf(t, c.WillMessage)
	if online || ts < before || ts > time.Now().UnixMilli() {
		t.Errorf("got %s want offline at the present time", c.WillMessage)
	}
}

func cleanSession(t *testing.T) {
	s := newServer(t)
	start(t, s.url(), discard)
	if c := next[*packets.ConnectPacket](s); !c.CleanSession || c.ProtocolVersion != 4 {
		t.Errorf("got clean session %v in protocol %d want true in 4", c.CleanSession, c.ProtocolVersion)
	}
}

func subscribedFirst(t *testing.T) {
	s := newServer(t)
	start(t, s.url(), discard)
	next[*packets.ConnectPacket](s)
	sub := next[*packets.SubscribePacket](s)
	for _, f := range []string{"spBv1.0/STATE/fleetwatt", "spBv1.0/#"} {
		if i := slices.Index(sub.Topics, f); i < 0 || sub.Qoss[i] != 1 {
			t.Errorf("subscribed to %v at %v want %s at QoS 1", sub.Topics, sub.Qoss, f)
		}
	}
	next[*packets.PublishPacket](s)
}

func birthFirst(t *testing.T) {
	s := newServer(t)
	start(t, s.url(), discard)
	c := next[*packets.ConnectPacket](s)
	next[*packets.SubscribePacket](s)
	p := next[*packets.PublishPacket](s)
	online, ts := stateOf(t, p.Payload)
	_, will := stateOf(t, c.WillMessage)
	if p.TopicName != "spBv1.0/STATE/fleetwatt" || p.Qos != 1 || !p.Retain || !online || ts != will {
		t.Errorf("got %s on %s at QoS %d, retain %v want the birth with timestamp %d", p.Payload, p.TopicName, p.Qos, p.Retain, will)
	}
}

func birthOfEachConnection(t *testing.T) {
	s := newServer(t)
	start(t, s.url(), discard)
	last := int64(0)
	for range 2 {
		c := next[*packets.ConnectPacket](s)
		next[*packets.SubscribePacket](s)
		p := next[*packets.PublishPacket](s)
		_, will := stateOf(t, c.WillMessage)
		online, ts := stateOf(t, p.Payload)
		if !online || ts != will || ts <= last {
			t.Errorf("got birth %s after a will of %d, the one before of %d", p.Payload, will, last)
		}
		last = ts
		s.drop()
	}
}

func deathBeforeDisconnect(t *testing.T) {
	s := newServer(t)
	_, _, end := start(t, s.url(), discard)
	c := next[*packets.ConnectPacket](s)
	next[*packets.SubscribePacket](s)
	next[*packets.PublishPacket](s)
	end()
	p := next[*packets.PublishPacket](s)
	online, ts := stateOf(t, p.Payload)
	_, will := stateOf(t, c.WillMessage)
	if p.TopicName != "spBv1.0/STATE/fleetwatt" || p.Qos != 1 || !p.Retain || online || ts < will {
		t.Errorf("got %s on %s at QoS %d, retain %v want the death", p.Payload, p.TopicName, p.Qos, p.Retain)
	}
	next[*packets.DisconnectPacket](s)
}

func TestOfflineOfOneselfIsAnswered(t *testing.T) {
	s := newServer(t)
	start(t, s.url(), discard)
	next[*packets.ConnectPacket](s)
	next[*packets.SubscribePacket](s)
	birth := next[*packets.PublishPacket](s)
	s.deliver("spBv1.0/STATE/fleetwatt", `{"online":false,"timestamp":1767225600000}`)
	if p := next[*packets.PublishPacket](s); string(p.Payload) != string(birth.Payload) || !p.Retain || p.Qos != 1 {
		t.Errorf("got %s want the birth again: %s", p.Payload, birth.Payload)
	}
}

func TestHostErrorEndsTheLink(t *testing.T) {
	s := newServer(t)
	l, err := New(Options{Broker: s.url(), ClientID: "c", HostID: "h", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run(t.Context(), closedHost{}) }()
	next[*packets.ConnectPacket](s)
	next[*packets.SubscribePacket](s)
	s.deliver("spBv1.0/g/NDATA/n", "x")
	select {
	case err := <-done:
		if !errors.Is(err, ingest.ErrClosed) {
			t.Errorf("run: got %v want ErrClosed", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the link goes on")
	}
}

// closedHost is a host whose pipeline is closed.
type closedHost struct{}

func (closedHost) Connecting() sparkplug.Publication {
	return sparkplug.Publication{Topic: "spBv1.0/STATE/h", Payload: []byte("{}"), QoS: 1, Retain: true}
}
func (closedHost) Connected(context.Context) error               { return nil }
func (closedHost) Disconnecting(context.Context) error           { return nil }
func (closedHost) Lost(context.Context) error                    { return nil }
func (closedHost) Receive(context.Context, ingest.Message) error { return ingest.ErrClosed }

func TestPublishOffline(t *testing.T) {
	l, err := New(Options{Broker: "tcp://127.0.0.1:1", ClientID: "c", HostID: "h", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Publish(t.Context(), sparkplug.Publication{Topic: "x"}); !errors.Is(err, ErrOffline) {
		t.Errorf("got %v want ErrOffline", err)
	}
}
