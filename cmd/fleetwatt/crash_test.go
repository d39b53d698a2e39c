package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// sender publishes readings of one device as fast as a window of unacknowledged
// messages lets it, and remembers which were acknowledged.
type sender struct {
	device string
	next   int64           // timestamp of the next reading
	stop   <-chan struct{} // closed when to send no more; nil: never

	mu    sync.Mutex
	acked map[int64]float64 // ts → soc_pct
}

func (s *sender) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// run publishes until the connection breaks, or it is to stop.
func (s *sender) run(broker string, window int) {
	lost := make(chan struct{})
	c := paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID(s.device).SetAutoReconnect(false).
		SetConnectionLostHandler(func(paho.Client, error) { close(lost) }))
	if token := c.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		return
	}
	defer c.Disconnect(0)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	room := make(chan struct{}, window)
	for {
		select {
		case room <- struct{}{}:
		case <-lost:
			return
		case <-s.stop:
			return
		}
		ts, n := s.next, int64(1)
		if ts%7 == 0 {
			n = 20 // a backlog
		}
		s.next += n
		payload := make([]byte, 0, 1024)
		for i := range n {
			payload = fmt.Appendf(payload, `,{"ts":%d,"soc_pct":%v}`, ts+i, soc(ts+i))
		}
		payload = append(payload, ']')
		payload[0] = '['
		token := c.Publish("fleet/v1/battery/"+s.device+"/telemetry", 1, false, payload)
		waiting.Go(func() {
			defer func() { <-room }()
			select {
			case <-token.Done():
			case <-lost:
				return
			}
			if token.Error() != nil {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for i := range n {
				s.acked[ts+i] = soc(ts + i)
			}
		})
	}
}

func soc(ts int64) float64 { return float64(ts%1000) / 10 }

// Ten times the server is killed in the middle of a stream, at a random moment;
// after each restart every reading that was ever acknowledged is there, as it
// was sent, and none twice.
func TestKillNine(t *testing.T) {
	const rounds, base = 10, 1767225600000
	s := serve(t)
	senders := make([]*sender, 4)
	for i := range senders {
		senders[i] = &sender{device: fmt.Sprint("k", i), next: base, acked: map[int64]float64{}}
	}
	for round := range rounds {
		var running sync.WaitGroup
		for _, sd := range senders {
			running.Go(func() { sd.run("tcp://"+s.mqtt, 200) })
		}
		time.Sleep(100*time.Millisecond + rand.N(400*time.Millisecond)) // the moment of the kill
		s.kill()
		running.Wait()
		s.start(30 * time.Second)
		for _, sd := range senders {
			got := s.readings(sd.device, base)
			for ts, want := range sd.acked {
				if v, ok := got[ts]; !ok || v != want {
					t.Fatalf("round %d: reading %d of %s was acknowledged and is %v (there: %v), want %v", round+1, ts, sd.device, v, ok, want)
				}
			}
		}
	}
	total := 0
	for _, sd := range senders {
		total += len(sd.acked)
	}
	if total < 1000 {
		t.Errorf("only %d readings were acknowledged in %d rounds", total, rounds)
	}
	t.Logf("%d acknowledged readings over %d kills, all there", total, rounds)
}

// readings fetches all of a device's, page by page; a timestamp that comes twice
// fails.
func (s *server) readings(device string, from int64) map[int64]float64 {
	s.t.Helper()
	out := map[int64]float64{}
	at := time.UnixMilli(from).UTC().Format("2006-01-02T15:04:05.000Z")
	for at != "" {
		page := get[struct {
			Items []struct {
				TS  time.Time `json:"ts"`
				SoC float64   `json:"soc_pct"`
			}
			Next string
		}](s, "/api/v1/batteries/"+device+"/telemetry?limit=100000&fields=soc_pct&to=2027-01-01T00:00:00Z&from="+at)
		for _, it := range page.Items {
			ts := it.TS.UnixMilli()
			if _, twice := out[ts]; twice {
				s.t.Fatalf("%s: reading %d is there twice", device, ts)
			}
			out[ts] = it.SoC
		}
		at = page.Next
	}
	return out
}

// A stop in order, in the middle of a stream, leaves nothing pending, exits with
// 0, and what was acknowledged is there.
func TestStopUnderLoad(t *testing.T) {
	const base = 1767225600000
	s := serve(t)
	sd := &sender{device: "st", next: base, acked: map[int64]float64{}}
	done := make(chan struct{})
	go func() { defer close(done); sd.run("tcp://"+s.mqtt, 200) }()
	s.eventually("a thousand stored", 30*time.Second, func() bool { return s.accounting().Stored > 1000 })
	s.stop()
	<-done
	s.start(30 * time.Second)
	got := s.readings("st", base)
	for ts := range sd.acked {
		if _, ok := got[ts]; !ok {
			t.Fatalf("reading %d was acknowledged and is not there", ts)
		}
	}
	if b := s.call(http.StatusOK, http.MethodGet, "/api/v1/jobs", ""); len(b) == 0 {
		t.Error("no jobs")
	}
}
