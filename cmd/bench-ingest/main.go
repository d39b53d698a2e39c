// Command bench-ingest measures the way from an MQTT publish to a reading that
// can be queried, for fleetwatt and for what else can be had, on one machine in
// one run. It starts real servers, each as a process of its own, and loads them
// with paho clients; it knows the servers only by their protocols.
//
// It is run by "make bench-ingest", which builds what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := command(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-ingest:", err)
		os.Exit(1)
	}
}

func command() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 2 && os.Args[1] == bareCommand {
		return serveBare(ctx, os.Args[2])
	}
	return run(ctx)
}

// settings are what can be chosen for a run.
type settings struct {
	Fleetwatt string        // path of the binary
	Duration  time.Duration // of the full load on brokers that acknowledge what is stored
	Messages  int           // through an external broker, until the last is stored
	Rounds    int           // of the full load on each stack, one stack after the other
	Load      load
	Stacks    []string
	Loads     []string
	Keep      bool
}

func run(ctx context.Context) error {
	s := settings{Load: load{Devices: 1000, Connections: 20, Unacked: 100, Records: 1}}
	var stacks, loads string
	flag.StringVar(&s.Fleetwatt, "fleetwatt", "bin/fleetwatt", "the binary to measure")
	flag.DurationVar(&s.Duration, "duration", 10*time.Second, "time of full load on what acknowledges after the commit")
	flag.IntVar(&s.Messages, "messages", 300_000, "messages through an external broker")
	flag.IntVar(&s.Rounds, "rounds", 3, "rounds over all stacks; the median is printed")
	flag.IntVar(&s.Load.Devices, "devices", s.Load.Devices, "devices that publish")
	flag.IntVar(&s.Load.Connections, "connections", s.Load.Connections, "connections that they share")
	flag.IntVar(&s.Load.Unacked, "unacked", s.Load.Unacked, "publishes of a connection that may wait for their acknowledgement")
	flag.StringVar(&stacks, "stacks", strings.Join(allStacks(), ","), "what to measure")
	flag.StringVar(&loads, "loads", strings.Join(allLoads(), ","), "with what: full; calm, 1,000 messages a second; arrays of 1,000 readings; idle, full beside 10,000 connections that say nothing")
	flag.BoolVar(&s.Keep, "keep", false, "keep the servers' directories and logs")
	flag.Parse()
	s.Stacks, s.Loads = strings.Split(stacks, ","), strings.Split(loads, ",")
	if err := errors.Join(known("stack", s.Stacks, allStacks()), known("load", s.Loads, allLoads())); err != nil {
		return err
	}
	describe(os.Stdout, s)
	results, err := measureAll(ctx, s)
	// What was measured before something failed is worth reading.
	printTable(os.Stdout, results)
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

func known(what string, asked, all []string) error {
	for _, name := range asked {
		if !slices.Contains(all, name) {
			return fmt.Errorf("no %s %q; there are %s", what, name, strings.Join(all, ", "))
		}
	}
	return nil
}
