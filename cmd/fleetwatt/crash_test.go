package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"path/filepath"
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
	if token := c.Connect(); !token.WaitTimeout(time.Minute) || token.Error() != nil {
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

// soc is the value of a reading: a different one for each, that does not
// compress.
func soc(ts int64) float64 {
	_, fraction := math.Modf(float64(ts%1_000_003) * math.Phi)
	return 100 * fraction
}

// Twenty times the server is killed in the middle of a stream, at a random
// moment, while it seals and merges small segments all the time; every reading
// that was ever acknowledged is there, as it was sent, and none twice.
func TestKillNine(t *testing.T) {
	t.Parallel()
	const rounds, look, base = 20, 10, 1767225600000
	data := t.TempDir()
	s := serve(t, "--data", data, "--store-segment-rows", "5000")
	st := &stream{}
	for i := range 2 {
		st.senders = append(st.senders, &sender{device: fmt.Sprint("k", i), next: base, acked: map[int64]float64{}})
	}
	during := 0 // kills in the middle of writing a file
	for round := range rounds {
		for _, sd := range st.senders {
			st.running.Go(func() { sd.run("tcp://"+s.mqtt, 200) })
		}
		if (round+1)%look == 0 { // a slow machine may be killed each time before it has sealed anything
			s.eventually("a sealed file", 2*time.Minute, func() bool { return len(sealedBatteries(t, data)) > 0 })
		}
		time.Sleep(50*time.Millisecond + rand.N(250*time.Millisecond)) // the moment of the kill
		s.kill()
		st.running.Wait()
		if unfinished, err := filepath.Glob(filepath.Join(data, "sealed", "*", "*", "*.tmp")); err != nil {
			t.Fatal(err)
		} else if len(unfinished) > 0 {
			during++
		}
		s.start(30 * time.Second)
		if (round+1)%look == 0 {
			s.wantAll(st, base)
		}
	}
	if st.acked() < 1000 {
		t.Errorf("only %d readings were acknowledged in %d rounds", st.acked(), rounds)
	}
	if len(sealedBatteries(t, data)) == 0 {
		t.Error("nothing was sealed")
	}
	t.Logf("%d acknowledged readings over %d kills, %d of them while a sealed file was being written, all there", st.acked(), rounds, during)
}

// sealedBatteries are the sealed files of batteries.
func sealedBatteries(t *testing.T, data string) []string {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(data, "sealed", "battery", "*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return parts
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
	t.Parallel()
	const base = 1767225600000
	s := serve(t)
	sd := &sender{device: "st", next: base, acked: map[int64]float64{}}
	done := make(chan struct{})
	go func() { defer close(done); sd.run("tcp://"+s.mqtt, 200) }()
	s.eventually("a thousand stored", time.Minute, func() bool { return s.accounting().Stored > 1000 })
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
