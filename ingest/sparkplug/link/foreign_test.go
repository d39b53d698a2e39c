package link

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/broker"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

// sink keeps what the host hands on.
type sink struct {
	mu       sync.Mutex
	readings []telemetry.Reading
	events   []telemetry.Event
	faults   []wire.Fault
}

func (s *sink) submit(ctx context.Context, m ingest.Message, t ingest.Translated) error {
	s.mu.Lock()
	s.readings = append(s.readings, t.Decoded.Readings...)
	s.events = append(s.events, t.Decoded.Events...)
	s.faults = append(s.faults, t.Decoded.Faults...)
	s.mu.Unlock()
	return discard(ctx, m, t)
}

// until polls what the sink holds.
func (s *sink) until(t *testing.T, what string, ok func(*sink) bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		s.mu.Lock()
		yes := ok(s)
		s.mu.Unlock()
		if yes {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Fatalf("not within 30 s: %s; readings %v events %v faults %v", what, s.readings, s.events, s.faults)
}

func (s *sink) volts(device string, v float64) bool {
	return slices.ContainsFunc(s.readings, func(r telemetry.Reading) bool {
		got, ok := r.Num("voltage_v")
		return ok && got == v && r.Device == device
	})
}

func (s *sink) status(device, kind string) bool {
	return slices.ContainsFunc(s.events, func(e telemetry.Event) bool { return e.Device == device && e.Type == kind })
}

// foreign is an edge node that is not ours: sparkplug-client of Eclipse Tahu,
// for Node.js.
type foreign struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Writer
	lines chan string
}

// install puts the client into a temporary folder, as package-lock.json says.
func install(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed")
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "edge.js"} {
		b, err := os.ReadFile(filepath.Join("testdata", "edge", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("npm ci: %v\n%s", err, out))
	}
	return dir
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("FLEETWATT_REQUIRE_ALL") == "1" {
		t.Fatalf("%s, and FLEETWATT_REQUIRE_ALL=1", what)
	}
	t.Skip(what)
}

func startForeign(t *testing.T, dir, url, node string) *foreign {
	t.Helper()
	f := &foreign{t: t, lines: make(chan string, 100)}
	f.cmd = exec.Command("node", "edge.js", url, "plant", node, "edge", "any")
	f.cmd.Dir = dir
	f.cmd.Stderr = os.Stderr
	in, err := f.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	f.in = in
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			f.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = f.cmd.Process.Kill() // it may have ended by itself
		<-read
		_ = f.cmd.Wait()
	})
	return f
}

func (f *foreign) say(line string) {
	f.t.Helper()
	if _, err := io.WriteString(f.in, line+"\n"); err != nil {
		f.t.Fatal(err)
	}
}

func (f *foreign) hear(want string) {
	f.t.Helper()
	select {
	case got := <-f.lines:
		if got != want {
			f.t.Fatalf("the edge node says %q want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		f.t.Fatalf("the edge node does not say %q", want)
	}
}

// TestForeignEdgeNode leads an edge node that is not ours through its life, over
// mosquitto and over the embedded broker.
func TestForeignEdgeNode(t *testing.T) {
	if testing.Short() {
		t.Skip("installs packages from the npm registry")
	}
	dir := install(t)
	t.Run("broker=mosquitto", func(t *testing.T) {
		m := servertest.StartMosquitto(t)
		s := &sink{}
		host, l, _ := start(t, m.URL, s.submit)
		online(t, l)
		life(t, dir, strings.Replace(m.URL, "tcp:", "mqtt:", 1), s, host)
	})
	t.Run("broker=embedded", func(t *testing.T) {
		s := &sink{}
		host, url := embedded(t, s)
		life(t, dir, url, s, host)
	})
}

func online(t *testing.T, l *Link) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for l.Trouble() != "" {
		if time.Now().After(deadline) {
			t.Fatalf("link: %s", l.Trouble())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// embedded is a host within the embedded broker, wired as a server does.
func embedded(t *testing.T, s *sink) (*sparkplug.Host, string) {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	var b *broker.Broker
	host, err := sparkplug.New(sparkplug.Options{
		HostID: "fleetwatt", Schema: schema, Submit: s.submit, Now: time.Now, ReorderTimeout: 500 * time.Millisecond,
		Publish:  func(_ context.Context, p sparkplug.Publication) error { return b.Publish(p.Topic, p.Payload, p.Retain) },
		MaySpeak: func(ingest.Principal, devices.Ref) bool { return true },
		Mapping:  sparkplug.Mapping{Rules: []sparkplug.Rule{{Name: "battery", Kind: "battery"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err = broker.New(broker.Options{
		Listen: "127.0.0.1:0", Anonymous: true, Now: time.Now, SubmitSparkplug: host.Receive,
		Submit: func(ctx context.Context, m ingest.Message) error { return discard(ctx, m, ingest.Translated{}) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- host.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("host: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	host.Connecting()
	if err := host.Connected(ctx); err != nil {
		t.Fatal(err)
	}
	return host, "mqtt://" + b.Addr()
}

func life(t *testing.T, dir, url string, s *sink, host *sparkplug.Host) {
	t.Helper()
	f := startForeign(t, dir, url, "station1")
	f.hear("birth")
	s.until(t, "births", func(s *sink) bool {
		return s.volts("pack1", 50) && s.volts("pack2", 50) && s.status("pack1", wire.StatusOnline) && s.status("pack2", wire.StatusOnline)
	})
	s.mu.Lock()
	first := s.readings[0]
	s.mu.Unlock()
	for name, want := range map[string]float64{"current_a": -12, "cycles": 317} {
		if got, ok := first.Num(name); !ok || got != want {
			t.Errorf("%s: got %v want %v", name, got, want)
		}
	}
	f.say("data pack1 51.5")
	s.until(t, "data", func(s *sink) bool { return s.volts("pack1", 51.5) })

	f.say("skip")
	f.say("data pack2 48.25")
	f.hear("ncmd") // after the reorder timeout
	f.hear("birth")
	s.until(t, "data behind the gap", func(s *sink) bool { return s.volts("pack2", 48.25) })

	f.say("data pack1 52")
	s.until(t, "data after the rebirth", func(s *sink) bool { return s.volts("pack1", 52) })
	f.say("death pack1")
	s.until(t, "device death", func(s *sink) bool { return s.status("pack1", wire.StatusOffline) })
	if s.status("pack2", wire.StatusOffline) {
		t.Error("pack2 died with pack1")
	}
	f.say("exit")
	s.until(t, "node death", func(s *sink) bool { return s.status("pack2", wire.StatusOffline) })

	st := host.Status()
	if len(s.faults) != 0 || len(st.Unmapped) != 1 || st.Unmapped[0].Metric != "unheard_of" {
		t.Errorf("got faults %v and unmapped %v want none and unheard_of", s.faults, st.Unmapped)
	}
	if st.Counts.Rebirths != 1 || st.Counts.Gaps != 1 {
		t.Errorf("counts: got %+v want one gap and one rebirth request", st.Counts)
	}
}
