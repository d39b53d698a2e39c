//go:build unix

package broker

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/ingest"
)

// The load comes from a process of its own, so that what is measured is the
// server's alone: the test binary, started again with this set.
const loadVariable = "FLEETWATT_BROKER_LOAD"

func TestMain(m *testing.M) {
	if load := os.Getenv(loadVariable); load != "" {
		if err := runLoad(load); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const benchPayload = `{"ts":1767225600000,"soc_pct":81.5,"soh_pct":97.25,"voltage_v":51.23,"current_a":-12.5,"power_w":-640.4,` +
	`"temperature_c":27.8,"cell_voltage_min_v":3.271,"cell_voltage_max_v":3.289,"capacity_ah":39.04,"cycles":412}`

// runLoad publishes as load says: address, connections, unacknowledged on each,
// messages on each. Or as beIdle does.
func runLoad(load string) error {
	f := strings.Fields(load)
	if len(f) == 3 {
		return beIdle(f)
	}
	n := make([]int, 3)
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(f[i+1]); err != nil {
			return err
		}
	}
	errs := make(chan error, n[0])
	for i := range n[0] {
		go func() { errs <- publishAll(f[0], i, n[1], n[2]) }()
	}
	for range n[0] {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// publishAll publishes over one connection at QoS 1, in writes of as many as the
// window has room for.
func publishAll(addr string, client, window, messages int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(connectPacket(4, fmt.Sprint("load-", client), "", "", 60)); err != nil {
		return err
	}
	in := bufio.NewReaderSize(c, 64<<10)
	if _, err := io.ReadFull(in, make([]byte, 4)); err != nil {
		return err
	}
	topic := fmt.Sprintf("fleet/v1/battery/bat-%04d/telemetry", client)
	packet := publishPacketWith(4, topic, 0, benchPayload)
	at := len(packet) - len(benchPayload) - 2 // the packet id's place
	var out []byte
	sent, acked, next := 0, 0, uint16(0)
	for acked < messages {
		out = out[:0]
		for ; sent < messages && sent-acked < window; sent++ {
			if next++; next == 0 {
				next = 1
			}
			binary.BigEndian.PutUint16(packet[at:], next)
			out = append(out, packet...)
		}
		if _, err := c.Write(out); err != nil {
			return err
		}
		// At least one, then what is there.
		for first := true; first || in.Buffered() >= 4; first = false {
			if _, err := io.ReadFull(in, make([]byte, 4)); err != nil {
				return err
			}
			acked++
		}
	}
	return nil
}

// committer stands for the pipeline: it settles what has gathered, in groups.
type committer struct {
	mu    sync.Mutex
	queue []func(ingest.Outcome)
	wake  chan struct{}
}

func startCommitter(b testing.TB) *committer {
	c := &committer{wake: make(chan struct{}, 1)}
	var running sync.WaitGroup
	running.Go(func() {
		for range c.wake {
			c.mu.Lock()
			due := c.queue
			c.queue = nil
			c.mu.Unlock()
			for _, done := range due {
				done(ingest.Outcome{})
			}
		}
	})
	b.Cleanup(func() { close(c.wake); running.Wait() })
	return c
}

func (c *committer) submit(_ context.Context, m ingest.Message) error {
	c.mu.Lock()
	c.queue = append(c.queue, m.Done)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// allowAll is the hook without which mochi lets nobody in.
type allowAll struct{ mochi.HookBase }

func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*allowAll) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

func bareMochi(b testing.TB) string {
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(allowAll), nil); err != nil {
		b.Fatal(err)
	}
	l := listeners.NewTCP(listeners.Config{ID: "tcp", Address: "127.0.0.1:0"})
	if err := s.AddListener(l); err != nil {
		b.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return l.Address()
}

// BenchmarkPublish is a paired run against mochi as it comes, which acknowledges
// at once and stores nothing; here a goroutine settles in groups. cpu-ns/op is
// the server's alone. Recipe: go test -run=^$ -bench=Publish -count=6, benchstat.
func BenchmarkPublish(b *testing.B) {
	servers := map[string]func(testing.TB) string{
		"mochi": bareMochi,
		"fleetwatt": func(b testing.TB) string {
			br, err := New(Options{Listen: "127.0.0.1:0", Anonymous: true, Submit: startCommitter(b).submit, Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			if err := br.Start(); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = br.Close() })
			return br.Addr()
		},
	}
	for _, window := range []int{1, 100} {
		for _, name := range []string{"mochi", "fleetwatt"} {
			b.Run(fmt.Sprintf("server=%s/window=%d", name, window), func(b *testing.B) {
				const connections = 20
				addr := servers[name](b)
				load := exec.Command(os.Args[0])
				load.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d %d", loadVariable, addr, connections, window, b.N/connections+1))
				load.Stderr = os.Stderr
				b.ReportAllocs()
				b.ResetTimer()
				before := cpu(b)
				if err := load.Run(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
