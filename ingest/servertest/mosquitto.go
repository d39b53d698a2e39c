package servertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
)

// Mosquitto is a running mosquitto broker that lets everybody in and keeps
// every queued message.
type Mosquitto struct {
	URL  string // tcp://127.0.0.1:port
	Addr string // 127.0.0.1:port
	// TLSURL is ssl://127.0.0.1:port, of a second listener; empty where there is
	// none.
	TLSURL string
	s      *processtest.Server
}

// A broker started by root would become another user, who may not write to the
// test's directory.
const mosquittoConfig = `listener %d 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location %s/
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 0
set_tcp_nodelay true
log_type error
log_type warning
`

// StartMosquitto starts mosquitto, found in PATH or in /usr/sbin. extraConfig
// are further lines of its configuration file.
func StartMosquitto(t testing.TB, extraConfig ...string) *Mosquitto {
	t.Helper()
	return startMosquitto(t, nil, extraConfig)
}

// StartMosquittoTLS is StartMosquitto with a second listener, for clients with a
// certificate of the authority.
func StartMosquittoTLS(t testing.TB, a *Authority, extraConfig ...string) *Mosquitto {
	t.Helper()
	return startMosquitto(t, a, extraConfig)
}

const mosquittoTLS = `listener %d 127.0.0.1
cafile %s
certfile %s
keyfile %s
require_certificate true
`

func startMosquitto(t testing.TB, a *Authority, extraConfig []string) *Mosquitto {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "mosquitto.conf")
	path := lookPath(t, "mosquitto", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
	m := &Mosquitto{s: &processtest.Server{
		T: t, Name: "mosquitto", Dir: dir, Command: func() *exec.Cmd { return exec.Command(path, "-c", config) },
	}}
	m.s.Ready = func() error {
		conn, err := net.DialTimeout("tcp", m.Addr, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	m.s.StartOnFreePorts(func() {
		port := processtest.FreePort(t)
		m.Addr = fmt.Sprintf("127.0.0.1:%d", port)
		m.URL = "tcp://" + m.Addr
		text := fmt.Sprintf(mosquittoConfig, port, dir) + strings.Join(extraConfig, "\n") + "\n"
		if a != nil {
			cert, key := a.Issue("mosquitto")
			tlsPort := processtest.FreePort(t)
			m.TLSURL = fmt.Sprintf("ssl://127.0.0.1:%d", tlsPort)
			text += fmt.Sprintf(mosquittoTLS, tlsPort, a.CAFile, cert, key)
		}
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatalf("write mosquitto configuration: %v", err)
		}
	})
	return m
}

// Stop ends the broker with SIGTERM; it saves its sessions and queues.
func (m *Mosquitto) Stop() { m.s.End(syscall.SIGTERM) }

// Kill ends the broker with SIGKILL; what it has not saved is gone.
func (m *Mosquitto) Kill() { m.s.End(syscall.SIGKILL) }

// Start starts a stopped broker again, with what it saved, at the same URL.
func (m *Mosquitto) Start() { m.s.Start() }

// Freeze stops the process with SIGSTOP; it stands still when Freeze returns.
func (m *Mosquitto) Freeze() { m.s.Freeze() }

// Thaw lets a frozen process go on.
func (m *Mosquitto) Thaw() { m.s.Signal(syscall.SIGCONT) }
