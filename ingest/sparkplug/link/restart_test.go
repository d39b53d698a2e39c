package link

import (
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// watch is a client that tells what it hears on the host's STATE topic.
func watch(t *testing.T, url, id string) <-chan []byte {
	t.Helper()
	heard := make(chan []byte, 100)
	c := paho.NewClient(paho.NewClientOptions().AddBroker(url).SetClientID(id).SetConnectRetry(true))
	if token := c.Connect(); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		t.Fatalf("connect: %v", token.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	token := c.Subscribe("spBv1.0/STATE/fleetwatt", 1, func(_ paho.Client, m paho.Message) { heard <- m.Payload() })
	if !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		t.Fatalf("subscribe: %v", token.Error())
	}
	return heard
}

// wantState waits for a STATE with that word, and returns its timestamp.
func wantState(t *testing.T, heard <-chan []byte, want bool) int64 {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case payload := <-heard:
			if online, ts := stateOf(t, payload); online == want {
				return ts
			}
		case <-deadline:
			t.Fatalf("no STATE with online %v within 30 s", want)
		}
	}
}

// The broker goes and comes back: so does the host, with a birth of a later
// time. At its end it leaves its death behind.
func TestBrokerRestarts(t *testing.T) {
	m := servertest.StartMosquitto(t)
	_, l, end := start(t, m.URL, discard)
	online(t, l)
	first := wantState(t, watch(t, m.URL, "watcher-1"), true)
	m.Stop()
	m.Start()
	heard := watch(t, m.URL, "watcher-2")
	deadline := time.After(30 * time.Second)
	for second := int64(0); second <= first; {
		select {
		case payload := <-heard:
			if on, ts := stateOf(t, payload); on {
				second = ts
			}
		case <-deadline:
			t.Fatal("no later birth within 30 s")
		}
	}
	end()
	wantState(t, heard, false)
}
