package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
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
	t, err := s.open(ctx)
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
	told := &muted{Handler: newLogger(s.stderr, "info", "text").Handler(), open: new(atomic.Bool)}
	o := publish.Options{
		Broker: s.to.broker, Credentials: s.credentials, Connections: s.scenario.Connections, Progress: b.acknowledged,
		Logger: slog.New(told), ClientPrefix: fmt.Sprintf("simulate-%d", s.seed),
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
		return s.to.unreached(eachOnce(err))
	}
	told.open.Store(true)
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

// muted logs nothing until it is open: what the first attempts find is returned.
type muted struct {
	slog.Handler
	open *atomic.Bool
}

func (m *muted) Enabled(ctx context.Context, l slog.Level) bool {
	return m.open.Load() && m.Handler.Enabled(ctx, l)
}

func (m *muted) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &muted{m.Handler.WithAttrs(attrs), m.open}
}

func (m *muted) WithGroup(name string) slog.Handler { return &muted{m.Handler.WithGroup(name), m.open} }

// eachOnce are the errors that err joins, but those that say the same only once:
// what is wrong with the broker, all connections find out.
func eachOnce(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var errs []error
	said := map[string]bool{}
	for _, err := range joined.Unwrap() {
		if !said[err.Error()] {
			said[err.Error()] = true
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
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
