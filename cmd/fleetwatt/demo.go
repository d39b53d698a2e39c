package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/cmd/internal/app"
	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

// demo is a server with everything embedded and a simulated fleet beside it.
type demo struct {
	settings
	days int
	seed uint64
	once bool

	origin   origin
	out, err io.Writer
}

func demoCommand() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve with a simulated fleet: 60 batteries, 4 stations, 2 buildings, 90 days of history, then live",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out, d.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := d.load(cmd.Flags()); err != nil {
				return err
			}
			if d.MQTTBroker != "" || d.InfluxURL != "" || d.MQTTListen == "" {
				return errors.New("the demonstration runs with everything embedded: leave out mqtt-broker, influx-url and an empty mqtt-listen")
			}
			// An address nobody asked for must not keep the demonstration from
			// coming up.
			for key, address := range map[string]*string{"mqtt-listen": &d.MQTTListen, "http-listen": &d.HTTPListen} {
				if !cmd.Flags().Changed(key) && taken(*address) {
					*address = "127.0.0.1:0"
				}
			}
			return d.run(cmd.Context())
		},
	}
	d.bind(cmd)
	_ = cmd.Flags().Lookup("data").Value.Set("./data/demo")
	cmd.Flags().Lookup("data").DefValue = "./data/demo"
	_ = cmd.Flags().Lookup("log-level").Value.Set("warn")
	cmd.Flags().Lookup("log-level").DefValue = "warn"
	cmd.Flags().IntVar(&d.days, "days", 90, "days of history")
	cmd.Flags().Uint64Var(&d.seed, "seed", 1, "of the simulation")
	cmd.Flags().BoolVar(&d.once, "once", false, "stop after the history is computed, for scripts")
	return cmd
}

func taken(address string) bool {
	l, err := net.Listen("tcp", address)
	if err == nil {
		_ = l.Close()
	}
	return err != nil
}

func (d *demo) run(ctx context.Context) error {
	if d.days < 1 || d.days > 3650 {
		return fmt.Errorf("days: %d: want 1 to 3650", d.days)
	}
	a, err := app.New(ctx, d.Config, version(), newLogger(d.err, d.LogLevel, d.LogFormat))
	if ctx.Err() != nil { // told to stop while it started
		return errors.Join(errInterrupted, closeApp(a))
	}
	if err != nil {
		return err
	}
	fleet, err := d.fleet()
	if err != nil {
		return errors.Join(err, a.Close())
	}
	secrets, err := register(ctx, a.Registry(), fleet.Inventory())
	if err != nil {
		return errors.Join(err, a.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		defer stop() // a server that ends takes the simulation with it
		served <- a.Run(ctx)
	}()
	err = d.simulate(ctx, a, fleet, secrets)
	if ctx.Err() != nil {
		err = nil
	}
	stop()
	return errors.Join(err, <-served)
}

// origin is what makes the simulation of a data directory, so that the
// demonstration, started again, goes on with the same fleet.
type origin struct {
	Seed  uint64    `json:"seed"`
	Start time.Time `json:"start"`
	Live  time.Time `json:"live,omitzero"` // since when it went by the second
}

func (d *demo) originFile() string { return filepath.Join(d.Data, "demo.json") }

func (d *demo) readOrigin() (o origin, found bool, err error) {
	o = origin{Seed: d.seed, Start: time.Now().UTC().Truncate(historyStep).AddDate(0, 0, -d.days)}
	b, err := os.ReadFile(d.originFile())
	if errors.Is(err, fs.ErrNotExist) {
		return o, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil {
		return o, false, fmt.Errorf("read %s: %w", d.originFile(), err)
	}
	return o, true, nil
}

func (d *demo) writeOrigin(o origin) error {
	b, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(d.originFile(), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", d.originFile(), err)
	}
	return nil
}

// historyStep is the time between two readings of the history.
const historyStep = 15 * time.Minute

func (d *demo) fleet() (*simulator.Fleet, error) {
	o, found, err := d.readOrigin()
	if err != nil {
		return nil, err
	}
	if found {
		fmt.Fprintf(d.out, "Continuing the fleet of %s, which began on %s with seed %d; days and seed of this start do not count.\n",
			d.Data, o.Start.Format(time.DateOnly), o.Seed)
	} else if err := d.writeOrigin(o); err != nil {
		return nil, err
	}
	d.origin = o
	return simulator.New(simulator.Demo(o.Seed, o.Start))
}

// simulate brings the fleet to the present, has everything computed, says what
// there is to see, and goes on live until ctx ends.
func (d *demo) simulate(ctx context.Context, a *app.App, fleet *simulator.Fleet, secrets map[devices.Ref]string) error {
	inv := fleet.Inventory()
	steps := int64(time.Since(fleet.Now()) / historyStep)
	b := newBar(d.err, "publishing history", "readings", steps*int64(len(inv.Batteries)+len(inv.Stations)+len(inv.Buildings)))
	p, err := publish.New(publish.Options{
		Broker: "tcp://" + a.MQTTAddr(), ClientPrefix: "demo", Progress: b.acknowledged,
		Credentials: func(ref devices.Ref) (string, string) { return ref.ID, secrets[ref] },
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // what is on its way when the demonstration ends was not acknowledged
	c, err := client.New(a.URL(), a.AdminKey())
	if err != nil {
		return err
	}
	c.Direct() // an address of all interfaces is none that proxies are left out for
	if err := declare(ctx, c, inv.Batteries); err != nil {
		return err
	}
	if d.origin.Live.IsZero() {
		if err := p.Backfill(ctx, fleet, time.Now().UTC().Truncate(historyStep)); err != nil {
			return err
		}
		b.set(b.total)
	} else {
		b.leave()
		if err := d.relive(ctx, fleet); err != nil {
			return err
		}
	}
	if err := d.compute(ctx, a); err != nil {
		return err
	}
	d.tell(a, inv)
	if d.once {
		return nil
	}
	if err := fleet.SetStep(time.Second); err != nil {
		return err
	}
	if d.origin.Live.IsZero() {
		d.origin.Live = fleet.Now()
		if err := d.writeOrigin(d.origin); err != nil {
			return err
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	return p.Live(ctx, fleet, tick.C)
}

// relive steps a fleet that was live before to the present, by the steps it took
// then and without publishing: it was switched off meanwhile.
func (d *demo) relive(ctx context.Context, fleet *simulator.Fleet) error {
	for fleet.Now().Before(d.origin.Live) {
		fleet.Step(nil, nil)
	}
	if err := fleet.SetStep(time.Second); err != nil {
		return err
	}
	for fleet.Now().Before(time.Now()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		fleet.Step(nil, nil)
	}
	return nil
}

func (d *demo) compute(ctx context.Context, a *app.App) error {
	for _, job := range a.Runner().Jobs() {
		fmt.Fprintf(d.err, "computing: %s\n", job.Name)
		run, err := a.Runner().Trigger(ctx, job.Name, true)
		if err == nil && run.Err != "" {
			err = errors.New(run.Err)
		}
		if err != nil {
			return fmt.Errorf("job %s: %w", job.Name, err)
		}
	}
	return nil
}

func (d *demo) tell(a *app.App, inv simulator.Inventory) {
	fmt.Fprintf(d.out, `
fleetwatt is up: %[1]s  (API description: %[1]s/docs)
MQTT:      %[2]s
admin key: %[3]s

Try:
  KEY='Authorization: Bearer %[3]s'; API=%[1]s/api/v1
  curl -H "$KEY" "$API/batteries?sort=health&limit=5"
  curl -H "$KEY" "$API/batteries/%[4]s/assessment"
  curl -H "$KEY" "$API/batteries/%[4]s/passport"
  curl -H "$KEY" "$API/fleet/stations?sort=-swaps&format=csv"
  curl -H "$KEY" "$API/stations/%[5]s/demand"
  curl -H "$KEY" "$API/buildings/%[6]s/forecast"
  curl -H "$KEY" "$API/buildings/%[6]s/savings/report"
  curl -N -H "$KEY" "$API/stream"

`, a.URL(), a.MQTTAddr(), a.AdminKey(), inv.Batteries[0].ID, inv.Stations[0].ID, inv.Buildings[0].ID)
	if !d.once {
		fmt.Fprintln(d.out, "The fleet goes on live, one reading a second from each device. Ctrl-C stops it.")
	}
}

// register makes the registry hold the inventory, and gives every device a
// credential. What is there already stays.
func register(ctx context.Context, r *registry.Registry, inv simulator.Inventory) (map[devices.Ref]string, error) {
	for _, o := range inv.Owners {
		if _, err := r.CreateOwner(ctx, o); notNew(err) {
			return nil, err
		}
	}
	for _, s := range inv.Sites {
		if _, err := r.CreateSite(ctx, s); notNew(err) {
			return nil, err
		}
	}
	var refs []devices.Ref
	for _, s := range inv.Stations {
		if _, err := r.CreateStation(ctx, s); notNew(err) {
			return nil, err
		}
		refs = append(refs, devices.Ref{Kind: devices.KindStation, ID: s.ID})
	}
	for _, b := range inv.Batteries {
		if _, err := r.CreateBattery(ctx, b); notNew(err) {
			return nil, err
		}
		refs = append(refs, devices.Ref{Kind: devices.KindBattery, ID: b.ID})
	}
	for _, b := range inv.Buildings {
		if _, err := r.CreateBuilding(ctx, b); notNew(err) {
			return nil, err
		}
		refs = append(refs, devices.Ref{Kind: devices.KindBuilding, ID: b.ID})
	}
	secrets := make(map[devices.Ref]string, len(refs))
	for _, ref := range refs {
		secret, err := r.SetCredential(ctx, ref, "")
		if err != nil {
			return nil, err
		}
		secrets[ref] = secret
	}
	return secrets, nil
}

// notNew reports an error other than that the item is there already.
func notNew(err error) bool { return err != nil && !errors.Is(err, registry.ErrExists) }
