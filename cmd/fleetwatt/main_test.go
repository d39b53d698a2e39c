package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
)

// TestMain lets the test binary stand for fleetwatt itself, so that the tests
// start, signal and kill the real program.
func TestMain(m *testing.M) {
	if os.Getenv("FLEETWATT_TEST_IS_PROGRAM") == "1" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const adminKey = "an-admin-key-for-tests"

// program runs fleetwatt to its end.
func program(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(t, args...)
	stop := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "FLEETWATT_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	// A race that is found, where it is looked for, ends the program.
	cmd.Env = append(cmd.Env, "FLEETWATT_TEST_IS_PROGRAM=1", "GORACE=halt_on_error=1 atexit_sleep_ms=20")
	return cmd
}

// server is a running `fleetwatt serve` or `fleetwatt demo`.
type server struct {
	t    *testing.T
	args []string
	url  string // of the API
	mqtt string // host:port of the embedded broker

	cmd *exec.Cmd
	log lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

// serve starts a server with the embedded parts on free ports and waits until
// it is ready. Later arguments win.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	return launch(t, time.Minute, append([]string{"serve", "--data", t.TempDir(), "--mqtt-anonymous"}, args...)...)
}

func launch(t *testing.T, patience time.Duration, args ...string) *server {
	t.Helper()
	s := &server{
		t:    t,
		url:  fmt.Sprintf("http://127.0.0.1:%d", processtest.FreePort(t)),
		mqtt: fmt.Sprintf("127.0.0.1:%d", processtest.FreePort(t)),
	}
	s.args = append([]string{args[0], "--admin-key", adminKey, "--mqtt-listen", s.mqtt, "--http-listen", strings.TrimPrefix(s.url, "http://")}, args[1:]...)
	t.Cleanup(func() {
		s.kill()
		if strings.Contains(s.log.String(), "DATA RACE") {
			t.Error("a data race in the server")
		}
		if t.Failed() {
			t.Logf("server log:\n%s", s.log.String())
		}
	})
	s.start(patience)
	return s
}

func (s *server) start(patience time.Duration) {
	s.t.Helper()
	s.cmd = command(s.t, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.eventually("ready", patience, func() bool {
		res, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// eventually polls until ok.
func (s *server) eventually(what string, patience time.Duration, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// kill ends the server as a power failure would.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// stop ends the server in order.
func (s *server) stop() {
	s.t.Helper()
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			s.t.Fatalf("stopped with %v, want exit code 0\n%s", err, s.log.String())
		}
	case <-time.After(60 * time.Second):
		_ = cmd.Process.Kill()
		s.t.Fatalf("did not stop within a minute\n%s", s.log.String())
	}
}

// call asks the API and returns the body of an answer with status want.
func (s *server) call(want int, method, path, body string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != want {
		s.t.Fatalf("%s %s: got %s, want %d\n%s", method, path, res.Status, want, b)
	}
	return b
}

func get[T any](s *server, path string) T {
	s.t.Helper()
	var v T
	b := s.call(http.StatusOK, http.MethodGet, path, "")
	if err := json.Unmarshal(b, &v); err != nil {
		s.t.Fatalf("%s: %v\n%s", path, err, b)
	}
	return v
}

// runJob runs a job to its end, which must be a good one.
func (s *server) runJob(name string) {
	s.t.Helper()
	b := s.call(http.StatusOK, http.MethodPost, "/api/v1/jobs/"+name+"/run?wait=true", "")
	var run struct{ Error string }
	if err := json.Unmarshal(b, &run); err != nil || run.Error != "" {
		s.t.Fatalf("job %s: %v\n%s", name, err, b)
	}
}

type accounting struct {
	Received, Stored, Duplicate, Quarantined, Pending uint64
}

func (s *server) accounting() accounting {
	s.t.Helper()
	a := get[accounting](s, "/api/v1/ingest")
	if a.Received != a.Stored+a.Duplicate+a.Quarantined+a.Pending {
		s.t.Errorf("the books do not balance: %+v", a)
	}
	return a
}

// client connects to the server's broker.
func (s *server) client(id string) paho.Client {
	s.t.Helper()
	return mqttClient(s.t, "tcp://"+s.mqtt, id)
}

func mqttClient(t *testing.T, broker, id string) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(broker).SetClientID(id).SetConnectTimeout(time.Minute))
	if token := c.Connect(); !token.WaitTimeout(time.Minute) || token.Error() != nil {
		t.Fatalf("connect to %s: %v", broker, token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}

// send publishes and waits for the acknowledgement.
func send(t *testing.T, c paho.Client, topic string, payload []byte) {
	t.Helper()
	token := c.Publish(topic, 1, false, payload)
	if !token.WaitTimeout(time.Minute) || token.Error() != nil {
		t.Fatalf("publish to %s: not acknowledged: %v", topic, token.Error())
	}
}

func example(name string) string { return filepath.Join("..", "..", "deploy", "examples", name) }
