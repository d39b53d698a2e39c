package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fleetwatt/fleetwatt/cmd/internal/process"
)

// The stacks, in the order of the table.
const (
	stackBare      = "mochi"
	stackEmbedded  = "embedded"
	stackExternal  = "mosquitto+embedded"
	stackInflux    = "mosquitto+influxdb"
	stackTelegraf  = "mosquitto+telegraf+influxdb"
	publishTopic   = "fleet/v1/+/+/telemetry"
	influxDatabase = "bench"
)

func allStacks() []string {
	return []string{stackBare, stackEmbedded, stackExternal, stackInflux, stackTelegraf}
}

// stack is a set of running servers.
type stack struct {
	name  string
	dir   string
	addr  string // that clients publish to
	procs []*process.Process

	// stored counts the readings that can be queried; nil where an
	// acknowledgement says that, or where nothing is stored.
	stored func(context.Context) (int64, error)
	keeps  bool // readings at all
}

func (s *stack) stop() {
	for i := len(s.procs) - 1; i >= 0; i-- {
		s.procs[i].Stop()
	}
}

// open starts the servers of a stack in dir.
func open(ctx context.Context, cfg settings, name, dir string) (*stack, error) {
	s := &stack{name: name, dir: dir, keeps: name != stackBare}
	var err error
	switch name {
	case stackBare:
		err = s.bare(ctx)
	case stackEmbedded:
		s.addr, err = s.fleetwatt(ctx, cfg, "--mqtt-anonymous")
		s.stored = nil // its acknowledgement says so
	case stackExternal:
		err = s.external(ctx, cfg)
	case stackInflux:
		err = s.influx(ctx, cfg)
	case stackTelegraf:
		err = s.telegraf(ctx)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// add starts a server that listens on port.
func (s *stack) add(ctx context.Context, port int, name, path string, args ...string) error {
	p, err := process.Start(ctx, s.dir, name, path, args...)
	if err != nil {
		return err
	}
	s.procs = append(s.procs, p)
	if port == 0 {
		return nil
	}
	return p.Listens(ctx, local(port))
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func (s *stack) bare(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	s.addr = local(port)
	return s.add(ctx, port, "mochi", self, bareCommand, s.addr)
}

// fleetwatt starts a server with its defaults and returns the address of its
// broker.
func (s *stack) fleetwatt(ctx context.Context, cfg settings, args ...string) (string, error) {
	port, err := process.FreePort()
	if err != nil {
		return "", err
	}
	web, err := process.FreePort()
	if err != nil {
		return "", err
	}
	all := append([]string{"serve", "--data", filepath.Join(s.dir, "data"), "--log-level", "warn",
		"--mqtt-listen", local(port), "--http-listen", local(web)}, args...)
	s.stored = func(ctx context.Context) (int64, error) {
		return metric(ctx, "http://"+local(web)+"/metrics", "fleetwatt_ingest_stored_total")
	}
	return local(port), s.add(ctx, web, "fleetwatt", cfg.Fleetwatt, all...)
}

func (s *stack) external(ctx context.Context, cfg settings) error {
	if err := s.mosquitto(ctx); err != nil {
		return err
	}
	_, err := s.fleetwatt(ctx, cfg, "--mqtt-broker", "tcp://"+s.addr)
	return err
}

func (s *stack) influx(ctx context.Context, cfg settings) error {
	url, err := s.influxd(ctx)
	if err != nil {
		return err
	}
	if err := s.mosquitto(ctx); err != nil {
		return err
	}
	_, err = s.fleetwatt(ctx, cfg, "--mqtt-broker", "tcp://"+s.addr, "--influx-url", url, "--influx-bucket", influxDatabase)
	return err
}

func (s *stack) mosquitto(ctx context.Context) error {
	path, err := find("mosquitto", "/usr/sbin")
	if err != nil {
		return err
	}
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	s.addr = local(port)
	config, err := s.write("mosquitto.conf", fmt.Sprintf(mosquittoConfig, port))
	if err != nil {
		return err
	}
	return s.add(ctx, port, "mosquitto", path, "-c", config)
}

func (s *stack) influxd(ctx context.Context) (url string, err error) {
	path, err := find("influxd", goBin())
	if err != nil {
		return "", err
	}
	port, err := process.FreePort()
	if err != nil {
		return "", err
	}
	rpc, err := process.FreePort()
	if err != nil {
		return "", err
	}
	config, err := s.write("influxdb.conf", fmt.Sprintf(influxConfig, local(rpc), s.dir, s.dir, s.dir, local(port)))
	if err != nil {
		return "", err
	}
	if err := s.add(ctx, port, "influxd", path, "run", "-config", config); err != nil {
		return "", err
	}
	url = "http://" + local(port)
	s.stored = func(ctx context.Context) (int64, error) { return influxCount(ctx, url) }
	return url, influxCreate(ctx, url)
}

func (s *stack) telegraf(ctx context.Context) error {
	path, err := find("telegraf", goBin())
	if err != nil {
		return err
	}
	url, err := s.influxd(ctx)
	if err != nil {
		return err
	}
	if err := s.mosquitto(ctx); err != nil {
		return err
	}
	config, err := s.write("telegraf.conf", fmt.Sprintf(telegrafConfig, s.addr, url))
	if err != nil {
		return err
	}
	if err := s.add(ctx, 0, "telegraf", path, "--config", config); err != nil {
		return err
	}
	return says(ctx, s.procs[len(s.procs)-1], "Connected ")
}

func (s *stack) write(name, text string) (path string, err error) {
	path = filepath.Join(s.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// find looks for a server in PATH and in dir.
func find(name, dir string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("%s is neither in PATH nor in %s; .ci/bench-servers installs it", name, dir)
	}
	return path, nil
}

func goBin() string {
	out, err := exec.Command("go", "env", "GOPATH").Output()
	if err != nil {
		return "."
	}
	return filepath.Join(strings.TrimSpace(string(out)), "bin")
}
