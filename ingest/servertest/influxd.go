package servertest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
)

// Influxd is a running InfluxDB 1.8. Every write that it answers with 204 has
// been synced to disk.
type Influxd struct {
	URL string // http://127.0.0.1:port
	s   *processtest.Server
}

const influxdConfig = `reporting-disabled = true
bind-address = "127.0.0.1:%d"
[meta]
  dir = %q
  logging-enabled = false
[data]
  dir = %q
  wal-dir = %q
  wal-fsync-delay = "0s"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:%d"
  log-enabled = false
[logging]
  level = "warn"
  suppress-logo = true
`

// StartInfluxd starts influxd, found in PATH or where "go install" puts it. env
// overrides its configuration: INFLUXDB_HTTP_MAX_BODY_SIZE=1000.
func StartInfluxd(t testing.TB, env ...string) *Influxd {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "influxdb.conf")
	path := lookPath(t, "influxd", goBins()...)
	db := &Influxd{s: &processtest.Server{T: t, Name: "influxd", Dir: dir, Command: func() *exec.Cmd {
		cmd := exec.Command(path, "run", "-config", config)
		cmd.Env = append(os.Environ(), env...)
		return cmd
	}}}
	client := &http.Client{Timeout: time.Second}
	db.s.Ready = func() error {
		resp, err := client.Get(db.URL + "/ping")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			return fmt.Errorf("ping answers %s", resp.Status)
		}
		return nil
	}
	t.Cleanup(client.CloseIdleConnections)
	db.s.StartOnFreePorts(func() {
		port := processtest.FreePort(t)
		db.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
		text := fmt.Sprintf(influxdConfig, processtest.FreePort(t),
			filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), port)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatalf("write influxd configuration: %v", err)
		}
	})
	return db
}

// Stop kills the server with SIGKILL.
func (db *Influxd) Stop() { db.s.End(syscall.SIGKILL) }

// Start starts a stopped server again, with its data, at the same URL.
func (db *Influxd) Start() { db.s.Start() }

// Freeze stops the process with SIGSTOP: when Freeze returns it accepts
// connections and answers nothing.
func (db *Influxd) Freeze() { db.s.Freeze() }

// Thaw lets a frozen process go on.
func (db *Influxd) Thaw() { db.s.Signal(syscall.SIGCONT) }
