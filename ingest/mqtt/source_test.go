package mqtt

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// pipe stands for the pipeline: it keeps what it is handed, and settles it at
// once or when the test says so.
type pipe struct {
	mu   sync.Mutex
	seen map[string]int // payload → how often
	held []ingest.Message
	hold bool
	came chan string
}

func newPipe(hold bool) *pipe {
	return &pipe{seen: map[string]int{}, hold: hold, came: make(chan string, 100_000)}
}

func (p *pipe) submit(_ context.Context, m ingest.Message) error {
	p.mu.Lock()
	p.seen[string(m.Payload)]++
	hold := p.hold
	if hold {
		p.held = append(p.held, m)
	}
	p.mu.Unlock()
	if !hold {
		m.Done(ingest.Outcome{})
	}
	p.came <- string(m.Payload)
	return nil
}

func (p *pipe) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for i := range n {
		select {
		case <-p.came:
		case <-deadline:
			t.Fatalf("got %d of %d messages", i, n)
		}
	}
}

func (p *pipe) count(payload string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[payload]
}

// run starts a source and returns what stops it, in the order of a server:
// quiescence, then the close.
func run(t *testing.T, broker string, p *pipe, id, group string) (s *Source, stop func()) {
	t.Helper()
	s, err := New(Options{Broker: broker, ClientID: id, Group: group, Submit: p.submit, Now: time.Now, MaxReconnect: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
			s.Close()
			s.Close() // again does nothing
		})
	}
	t.Cleanup(stop)
	return s, stop
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func subscribed(t *testing.T, s *Source) {
	t.Helper()
	eventually(t, "subscribed", func() bool { return s.Trouble() == "" })
}

func device(t *testing.T, broker, id string) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID(id).SetCleanSession(false).
		SetConnectRetry(true).SetConnectRetryInterval(50 * time.Millisecond).SetMaxReconnectInterval(200 * time.Millisecond))
	if token := c.Connect(); !token.WaitTimeout(30*time.Second) || token.Error() != nil {
		t.Fatalf("connect device: %v", token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

const topic = "fleet/v1/battery/b1/telemetry"

// What was not acknowledged before the source went away comes again to its
// successor; what was does not.
func TestAcknowledgedAfterCommit(t *testing.T) {
	m := servertest.StartMosquitto(t)
	held := newPipe(true)
	s, stop := run(t, m.URL, held, "source", "")
	subscribed(t, s)
	dev := device(t, m.URL, "dev")
	for i := range 10 {
		dev.Publish(topic, 1, false, fmt.Sprint("m", i)).WaitTimeout(time.Minute)
	}
	held.wait(t, 10)
	for _, msg := range held.held[:4] { // the first four are committed
		msg.Done(ingest.Outcome{})
	}
	stop()

	rest := newPipe(false)
	run(t, m.URL, rest, "source", "")
	rest.wait(t, 6)
	for i := range 10 {
		want := 0
		if i >= 4 {
			want = 1
		}
		if got := rest.count(fmt.Sprint("m", i)); got != want {
			t.Errorf("m%d came %d times to the successor, want %d", i, got, want)
		}
	}
}

// A broker that stops under load and comes back loses nothing that a device was
// told is taken, and the source finds back by itself.
func TestBrokerRestartsUnderLoad(t *testing.T) {
	m := servertest.StartMosquitto(t)
	p := newPipe(false)
	s, _ := run(t, m.URL, p, "source", "")
	subscribed(t, s)
	dev := device(t, m.URL, "dev")
	var acked []string
	publish := func(from, to int) {
		for i := from; i < to; i++ {
			payload := fmt.Sprint("m", i)
			if token := dev.Publish(topic, 1, false, payload); token.WaitTimeout(30*time.Second) && token.Error() == nil {
				acked = append(acked, payload)
			}
		}
	}
	publish(0, 300)
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		m.Stop()
		m.Start()
	}()
	publish(300, 600)
	<-restarted
	if len(acked) < 500 {
		t.Fatalf("only %d of 600 publishes were acknowledged", len(acked))
	}
	for _, payload := range acked {
		eventually(t, payload, func() bool { return p.count(payload) > 0 })
	}
	subscribed(t, s)
}

// Two replicas share the load; every message goes to one of them.
func TestReplicasShare(t *testing.T) {
	m := servertest.StartMosquitto(t)
	a, b := newPipe(false), newPipe(false)
	sa, _ := run(t, m.URL, a, "replica-a", "fleetwatt")
	sb, _ := run(t, m.URL, b, "replica-b", "fleetwatt")
	subscribed(t, sa)
	subscribed(t, sb)
	dev := device(t, m.URL, "dev")
	const n = 400
	for i := range n {
		dev.Publish(topic, 1, false, fmt.Sprint("m", i)).WaitTimeout(time.Minute)
	}
	eventually(t, "all messages", func() bool { return len(a.came)+len(b.came) == n })
	if len(a.came) == 0 || len(b.came) == 0 {
		t.Errorf("got %d and %d messages, want some on both", len(a.came), len(b.came))
	}
	for i := range n {
		if got := a.count(fmt.Sprint("m", i)) + b.count(fmt.Sprint("m", i)); got != 1 {
			t.Errorf("m%d came %d times", i, got)
		}
	}
}

func TestNoBroker(t *testing.T) {
	s, stop := run(t, fmt.Sprintf("tcp://127.0.0.1:%d", processtest.FreePort(t)), newPipe(false), "source", "")
	if s.Trouble() == "" {
		t.Error("no trouble without a broker")
	}
	stop()
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{Broker: "tcp://x:1"}); err == nil {
		t.Error("a source without client id was made")
	}
	s, err := New(Options{Broker: "tcp://x:1", ClientID: "c", Submit: newPipe(false).submit, Now: time.Now, MaxReconnect: time.Hour})
	if err != nil || s.opts.MaxReconnect != 30*time.Second {
		t.Errorf("got %v, longest reconnect %v; want 30s", err, s.opts.MaxReconnect)
	}
	s.Close()
}
