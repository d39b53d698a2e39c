package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

func simulateCommand() *cobra.Command {
	var (
		to     target
		cfg    = simulator.Demo(1, time.Time{})
		days   int
		conns  int
		live   bool
		ledger string
		server registrar
	)
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Publish a simulated fleet to any MQTT broker",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := to.complete(cmd); err != nil {
				return err
			}
			if days < 0 || days > 3650 {
				return fmt.Errorf("days: %d: want 0 to 3650", days)
			}
			if !live && days == 0 {
				return fmt.Errorf("nothing to do: give --days for history, --live, or both")
			}
			until := time.Now().UTC().Truncate(cfg.Step)
			cfg.Start = until.AddDate(0, 0, -days)
			fleet, err := simulator.New(cfg)
			if err != nil {
				return err
			}
			inv := fleet.Inventory()
			if err := server.register(cmd.Context(), inv); err != nil {
				return err
			}
			count := int64(len(inv.Batteries) + len(inv.Stations) + len(inv.Buildings))
			b := newBar(cmd.ErrOrStderr(), "publishing history", "readings", count*int64(until.Sub(cfg.Start)/cfg.Step))
			o := publish.Options{Broker: to.broker, Credentials: to.credentials, Connections: conns, Progress: b.acknowledged, Logger: newLogger(cmd.ErrOrStderr(), "info", "text"), ClientPrefix: fmt.Sprintf("simulate-%d", cfg.Seed)}
			closeLedger, err := openLedger(ledger, &o)
			if err != nil {
				return err
			}
			defer closeLedger()
			p, err := publish.New(o)
			if err != nil {
				return err
			}
			defer func() { _ = p.Close() }() // everything wanted was flushed, or the user broke off
			if err := p.Connect(cmd.Context()); err != nil {
				return fmt.Errorf("connect to %s: %w", to.broker, err)
			}
			if err := p.Backfill(cmd.Context(), fleet, until); err != nil {
				return err
			}
			s := p.Stats()
			fmt.Fprintf(cmd.OutOrStdout(), "%d readings and %d events acknowledged\n", s.ReadingsAcked, s.EventsAcked)
			if !live {
				return p.Close()
			}
			if err := fleet.SetStep(time.Second); err != nil {
				return err
			}
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			fmt.Fprintln(cmd.OutOrStdout(), "live, one reading a second from each device; Ctrl-C stops")
			return p.Live(cmd.Context(), fleet, tick.C)
		},
	}
	f := cmd.Flags()
	to.bind(cmd)
	server.bind(cmd)
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "the same seed and start give the same fleet")
	f.IntVar(&days, "days", 0, "days of history to publish at full speed")
	f.BoolVar(&live, "live", false, "go on live, at one reading a second from each device")
	f.DurationVar(&cfg.Step, "step", cfg.Step, "time between the readings of the history")
	f.IntVar(&cfg.Owners, "owners", cfg.Owners, "number of owners")
	f.IntVar(&cfg.Sites, "sites", cfg.Sites, "number of sites")
	f.IntVar(&cfg.Stations, "stations", cfg.Stations, "number of stations")
	f.IntVar(&cfg.Slots, "slots", cfg.Slots, "slots of a station")
	f.IntVar(&cfg.Batteries, "batteries", cfg.Batteries, "number of batteries")
	f.IntVar(&cfg.Buildings, "buildings", cfg.Buildings, "number of buildings")
	f.IntVar(&conns, "connections", 8, "MQTT connections shared by all devices; 0: one for each device")
	f.StringVar(&ledger, "ledger", "", "file to write the identity of every acknowledged reading to")
	return cmd
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
