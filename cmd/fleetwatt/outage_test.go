package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

// stream publishes with senders until told to stop, each again when its
// connection is lost.
type stream struct {
	senders []*sender
	stop    chan struct{}
	running sync.WaitGroup
}

func startStream(broker string, base int64, devices ...string) *stream {
	st := &stream{stop: make(chan struct{})}
	for _, id := range devices {
		sd := &sender{device: id, next: base, acked: map[int64]float64{}, stop: st.stop}
		st.senders = append(st.senders, sd)
		st.running.Go(func() {
			for !sd.stopped() {
				sd.run(broker, 200)
			}
		})
	}
	return st
}

func (st *stream) acked() int {
	n := 0
	for _, sd := range st.senders {
		sd.mu.Lock()
		n += len(sd.acked)
		sd.mu.Unlock()
	}
	return n
}

func (st *stream) end() {
	close(st.stop)
	st.running.Wait()
}

// stalls reports whether nothing is acknowledged for d.
func (st *stream) stalls(d time.Duration) func() bool {
	last, since := -1, time.Now()
	return func() bool {
		if n := st.acked(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > d
	}
}

// wantAll checks that everything acknowledged is there, as it was sent.
func (s *server) wantAll(st *stream, base int64) {
	s.t.Helper()
	for _, sd := range st.senders {
		got := s.readings(sd.device, base)
		for ts, want := range sd.acked {
			if v, ok := got[ts]; !ok || v != want {
				s.t.Fatalf("reading %d of %s was acknowledged and is %v (there: %v), want %v", ts, sd.device, v, ok, want)
			}
		}
	}
}

// resident is the server's memory in MiB.
func (s *server) resident() int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Skip("the memory of a process is read from /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return kib >> 10
}

// unready returns what the health endpoint says is wrong; empty if nothing is.
func (s *server) unready() string {
	s.t.Helper()
	res, err := http.Get(s.url + "/readyz")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return ""
	}
	body := make([]byte, 4096)
	n, _ := res.Body.Read(body)
	return string(body[:n])
}

// The disk gets full under load: nothing more is acknowledged, the health
// endpoint says why, and with space again everything goes on by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	const base = 1767225600000
	disk := servertest.SmallDisk(t, 40<<20)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 34<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--data", filepath.Join(disk, "data"))
	st := startStream("tcp://"+s.mqtt, base, "full-1", "full-2")
	stalled := st.stalls(2 * time.Second)
	s.eventually("nothing acknowledged for two seconds, and the health endpoint telling of the missing space", 2*time.Minute, func() bool {
		return stalled() && strings.Contains(s.unready(), "space")
	})
	before := st.acked()
	if got := s.resident(); got > 1000 {
		t.Errorf("%d MiB of memory on a full disk, want at most 1,000", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.eventually("ten thousand more acknowledged", time.Minute, func() bool { return st.acked() > before+10_000 })
	st.end()
	s.eventually("ready again", time.Minute, func() bool { return s.unready() == "" })
	s.wantAll(st, base)
	t.Logf("%d acknowledged before the disk was full, %d in all, all there", before, st.acked())
	s.kill()
	s.start(time.Minute)
	s.wantAll(st, base)
}

// InfluxDB stands still for a minute: nothing is acknowledged, memory stays
// bounded, and afterwards everything goes on by itself.
func TestFrozenInflux(t *testing.T) {
	t.Parallel()
	const base = 1767225600000
	influxd := servertest.StartInfluxd(t)
	s := serve(t, "--influx-url", influxd.URL, "--influx-bucket", "telemetry", "--influx-timeout", "5s")
	st := startStream("tcp://"+s.mqtt, base, "cold-1", "cold-2")
	s.eventually("a thousand acknowledged", time.Minute, func() bool { return st.acked() > 1000 })
	influxd.Freeze()
	frozen := time.Now()
	s.eventually("nothing acknowledged for five seconds", time.Minute, st.stalls(5*time.Second))
	before := st.acked()
	s.eventually("the health endpoint to say so", time.Minute, func() bool { return strings.Contains(s.unready(), "store") })
	s.eventually("a minute", 2*time.Minute, func() bool { return time.Since(frozen) > time.Minute })
	if got := s.resident(); got > 700 {
		t.Errorf("%d MiB of memory after a minute, want at most 700", got)
	}
	if now := st.acked(); now != before {
		t.Errorf("%d readings were acknowledged while InfluxDB stood still", now-before)
	}
	influxd.Thaw()
	s.eventually("ten thousand more acknowledged", 2*time.Minute, func() bool { return st.acked() > before+10_000 })
	st.end()
	s.eventually("ready again", time.Minute, func() bool { return s.unready() == "" })
	s.wantAll(st, base)
	t.Logf("%d acknowledged before InfluxDB stood still, %d in all, all there", before, st.acked())
}
