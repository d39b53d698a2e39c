package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/generate"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

func simulateCommand() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Publish a simulated fleet to any MQTT broker, or write down what it would publish",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.stdout, s.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := s.to.complete(cmd); err != nil {
				return err
			}
			if err := s.choose(cmd.Flags().Changed); err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	s.bind(cmd)
	return cmd
}

// run makes the fleet and takes it from its start to the end of the history,
// and on if it is to be live.
func (s *simulation) run(ctx context.Context) (err error) {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	fleet, err := simulator.New(cfg)
	if err != nil {
		return err
	}
	inv := fleet.Inventory()
	if err := s.server.register(ctx, inv); err != nil {
		return err
	}
	plan := generate.Plan{Faults: s.scenario.Faults, Seed: s.seed, Batch: s.scenario.Batch}
	if s.out == "" && !s.publishes() {
		plan.Batch = 0 // nobody wants the messages
	}
	if s.truth != "" {
		plan.Truth = time.Duration(s.scenario.TruthEvery)
	}
	g, err := generate.New(fleet, plan)
	if err != nil {
		return err
	}
	t, err := s.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	refs := inv.Refs()
	total := int64(len(refs)) * int64(s.until.Sub(cfg.Start)/cfg.Step)
	if s.publishes() {
		return s.publish(ctx, g, t, refs, total)
	}
	t.bar = newBar(s.stderr, "generating history", "readings", total)
	if err := g.Run(ctx, s.until, t.block(ctx)); err != nil {
		return err
	}
	if err := t.block(ctx)(g.Flush()); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "%d readings generated\n", t.readings)
	return nil
}

// publish brings the history to the broker, and goes on live if that is wanted.
func (s *simulation) publish(ctx context.Context, g *generate.Generator, t *takers, refs []devices.Ref, total int64) error {
	b := newBar(s.stderr, "publishing history", "readings", total)
	if total <= 0 {
		b.leave()
	}
	o := publish.Options{
		Broker: s.to.broker, Credentials: s.credentials, Connections: s.scenario.Connections, Progress: b.acknowledged,
		Logger: newLogger(s.stderr, "info", "text"), ClientPrefix: fmt.Sprintf("simulate-%d", s.seed),
	}
	closeLedger, err := openLedger(s.ledger, &o)
	if err != nil {
		return err
	}
	defer closeLedger()
	p, err := publish.New(o)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // everything wanted was flushed, or the user broke off
	// One device tells whether the broker is there; the others may come later.
	if err := p.Connect(ctx, refs[:min(1, len(refs))]...); err != nil {
		return fmt.Errorf("connect to %s: %w", s.to.broker, err)
	}
	t.fleet = p
	if err := s.history(ctx, g, t); err != nil {
		return err
	}
	if !s.live {
		// What devices still hold belongs to the history.
		if err := t.block(ctx)(g.Flush()); err != nil {
			return err
		}
	}
	if err := p.Flush(ctx); err != nil {
		return err
	}
	if total > 0 {
		s.tell(p)
	}
	if !s.live {
		return p.Close()
	}
	b.leave()
	return s.goLive(ctx, g, t)
}

// tell says what was acknowledged so far.
func (s *simulation) tell(p *publish.Fleet) {
	st := p.Stats()
	fmt.Fprintf(s.stdout, "%d readings and %d events acknowledged\n", st.ReadingsAcked, st.EventsAcked)
	if tried := st.SignInRefused + st.SignInLetIn; tried > 0 {
		fmt.Fprintf(s.stdout, "%d of %d sign-ins with a wrong password refused\n", st.SignInRefused, tried)
	}
}

// goLive steps the fleet with the time of day until ctx ends, and sends what
// devices hold then.
func (s *simulation) goLive(ctx context.Context, g *generate.Generator, t *takers) error {
	step := time.Duration(s.scenario.LiveStep)
	if err := g.SetPace(step, 1); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "live, one reading every %s from each device; Ctrl-C stops\n", step)
	if err := s.follow(ctx, g, t, step, time.Time{}); err != nil && ctx.Err() == nil {
		return err
	}
	late, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	if err := t.block(late)(g.Flush()); err != nil {
		return err
	}
	if err := t.fleet.Flush(late); err != nil {
		return err
	}
	s.tell(t.fleet)
	return nil
}

func openLedger(path string, o *publish.Options) (closeFile func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	o.Ledger = io.Writer(f)
	return func() { _ = f.Close() }, nil
}
