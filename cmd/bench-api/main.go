// Command bench-api measures the HTTP API under load: the common reads of a
// large fleet by many clients at once, while telemetry comes in over MQTT. It
// fills a directory as nights of jobs would leave it, starts a real server on
// it as a process of its own, and loads that with clients in this process; both
// share the machine.
//
// It is run by "make bench-api", which builds what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	if err := command(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-api:", err)
		os.Exit(1)
	}
}

// settings are what can be chosen for a run.
type settings struct {
	Fleetwatt string        // path of the binary
	Batteries int           // of the fleet
	Followed  int           // of these, how many have a past and readings
	Days      int           // of that past
	Clients   int           // HTTP connections, each with one request at a time
	Rate      int           // requests a second of all of them, in the paced phase
	Messages  int           // a second over MQTT
	Duration  time.Duration // of each phase
	Each      time.Duration // for each kind of read alone; 0: not
	Dir       string        // that is filled, or was; empty: a temporary one
}

func command() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var s settings
	flag.StringVar(&s.Fleetwatt, "fleetwatt", "bin/fleetwatt", "the binary to measure")
	flag.IntVar(&s.Batteries, "batteries", 100_000, "batteries of the fleet")
	flag.IntVar(&s.Followed, "followed", 300, "batteries with a past and readings")
	flag.IntVar(&s.Days, "days", 45, "days of that past")
	flag.IntVar(&s.Clients, "clients", 200, "HTTP clients")
	flag.IntVar(&s.Rate, "rate", 3200, "requests a second of all clients in the paced phase")
	flag.IntVar(&s.Messages, "messages", 2000, "MQTT messages a second; 0: none")
	flag.DurationVar(&s.Duration, "duration", 20*time.Second, "time of each phase; of the first a quarter")
	flag.DurationVar(&s.Each, "each", 0, "time in which each kind of read is asked alone before, for what it costs; 0: not")
	flag.StringVar(&s.Dir, "dir", "", "directory to fill and keep, or one that a run with the same fleet has kept; empty: a temporary one")
	flag.Parse()
	if s.Followed > s.Batteries || s.Followed < 1 || s.Clients < 1 || s.Rate < 1 {
		return errors.New("need at least one client, request and followed battery, and no more of these than batteries")
	}
	return run(ctx, s)
}

func run(ctx context.Context, s settings) error {
	if s.Dir == "" {
		dir, err := os.MkdirTemp("", "bench-api-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		s.Dir = dir
	}
	f, err := prepare(ctx, s)
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	p, err := serve(ctx, s)
	if err != nil {
		return err
	}
	defer p.Stop()
	return measure(ctx, s, f, p)
}

// data is the directory of the server below the run's.
func (s settings) data() string { return filepath.Join(s.Dir, "data") }
