package servertest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Influxd is a running InfluxDB 1.8. Every write that it answers with 204 has
// been synced to disk.
type Influxd struct {
	URL string // http://127.0.0.1:port
	s   *server
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
	db := &Influxd{s: &server{
		t: t, name: "influxd", dir: dir, env: env,
		path: lookPath(t, "influxd", goBins()...),
		args: []string{"run", "-config", config},
	}}
	client := &http.Client{Timeout: time.Second}
	db.s.ready = func() error {
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
	db.s.startOnFreePorts(func() {
		port := FreePort(t)
		db.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
		text := fmt.Sprintf(influxdConfig, FreePort(t),
			filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), port)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatalf("write influxd configuration: %v", err)
		}
	})
	return db
}

// Stop kills the server with SIGKILL.
func (db *Influxd) Stop() { db.s.end(syscall.SIGKILL) }

// Start starts a stopped server again, with its data, at the same URL.
func (db *Influxd) Start() { db.s.mustStart() }

// Freeze stops the process with SIGSTOP: when Freeze returns it accepts
// connections and answers nothing.
func (db *Influxd) Freeze() { db.s.freeze() }

// Thaw lets a frozen process go on.
func (db *Influxd) Thaw() { db.s.signal(syscall.SIGCONT) }
