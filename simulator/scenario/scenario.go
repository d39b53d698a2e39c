// Package scenario reads descriptions of simulated fleets: how large they are,
// how they are used, and what goes wrong. It turns YAML into the configuration
// of the simulator and its faults, and knows nothing of how either works.
package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
)

// Scenario is a fleet and what happens to it. Every key has a default: that of
// Default.
type Scenario struct {
	Name  string `yaml:"name"`
	About string `yaml:"about"`

	Days       int      `yaml:"days"`        // of history
	Step       Duration `yaml:"step"`        // between the readings of the history, 100ms … 1h
	LiveStep   Duration `yaml:"live_step"`   // between live readings, likewise
	Batch      int      `yaml:"batch"`       // readings of a device in a message of the history, 1 … 500
	TruthEvery Duration `yaml:"truth_every"` // between the states that are written down

	Connections int `yaml:"connections"` // that all devices share; 0: one for each device

	Fleet      Fleet                `yaml:"fleet"`
	Sensors    Sensors              `yaml:"sensors"`
	Breakdowns simulator.Breakdowns `yaml:"breakdowns"`
	Tariff     Tariff               `yaml:"tariff"`
	Retrofits  []Retrofit           `yaml:"retrofits"`
	Holidays   []Date               `yaml:"holidays"`
	Weather    string               `yaml:"weather"` // CSV file of time and °C; empty: made from the latitude
	Faults     faults.Config        `yaml:"faults"`
}

// Fleet says how large the fleet is; see simulator.Config.
type Fleet struct {
	Owners      int     `yaml:"owners"`
	Sites       int     `yaml:"sites"`
	Stations    int     `yaml:"stations"`
	Slots       int     `yaml:"slots"`
	Batteries   int     `yaml:"batteries"`
	Buildings   int     `yaml:"buildings"`
	SwapsPerDay float64 `yaml:"swaps_per_day"`
	Dispersion  float64 `yaml:"dispersion"`
	ReadySoC    float64 `yaml:"ready_soc"`
	KneeShare   float64 `yaml:"knee_share"`
	Reserve     int     `yaml:"reserve"` // ready packs from which charges wait for a cheaper hour; 0: never
}

// Sensors are simulator.Sensors, named by the field they measure.
type Sensors struct {
	Volts   simulator.Sensor `yaml:"voltage_v"`
	Amps    simulator.Sensor `yaml:"current_a"`
	Celsius simulator.Sensor `yaml:"temperature_c"`
	SoC     simulator.Sensor `yaml:"soc_pct"`
}

// Tariff is a price by time of use, in minor units of a currency for 1 kWh; see
// simulator.TimeOfUse.
type Tariff struct {
	Low    float64 `yaml:"low"`
	Middle float64 `yaml:"middle"`
	High   float64 `yaml:"high"`
}

// Retrofit saves a share of the use of a building from a day on.
type Retrofit struct {
	Building int     `yaml:"building"` // from 1; 0: all
	Day      int     `yaml:"day"`      // since the start
	Share    float64 `yaml:"share"`    // 0 … 1
}

// Default is the demonstration's fleet, without a fault.
func Default() Scenario {
	d := simulator.Demo(1, time.Time{})
	return Scenario{
		Days: 90, Step: Duration(d.Step), LiveStep: Duration(time.Second), Batch: 96, TruthEvery: Duration(7 * 24 * time.Hour),
		Connections: 8,
		Fleet: Fleet{
			Owners: d.Owners, Sites: d.Sites, Stations: d.Stations, Slots: d.Slots, Batteries: d.Batteries, Buildings: d.Buildings,
			SwapsPerDay: d.SwapsPerDay, ReadySoC: d.ReadySoC,
		},
	}
}

// Read reads one scenario. A key that does not exist is an error that names its
// line, and so is a second document; what is not valid is reported all at once.
func Read(r io.Reader) (Scenario, error) {
	s := Default()
	b, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return s, fmt.Errorf("read scenario: %w", err)
	}
	if len(b) > maxBytes {
		return s, fmt.Errorf("read scenario: more than %d bytes", maxBytes)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return s, fmt.Errorf("read scenario: %w", err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return s, errors.New("read scenario: more than one document")
	}
	return s, s.Validate()
}

const maxBytes = 1 << 20

// Validate reports everything that is wrong with the scenario.
func (s Scenario) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(s.Days >= 0 && s.Days <= 3650, "days %d: want 0 to 3650", s.Days)
	check(s.Batch >= 1 && s.Batch <= faults.MaxRecords, "batch %d: want 1 to %d", s.Batch, faults.MaxRecords)
	check(s.TruthEvery > 0, "truth_every %s: want more than 0", time.Duration(s.TruthEvery))
	check(s.Connections >= 0 && s.Connections <= 100000, "connections %d: want 0 to 100000", s.Connections)
	// Any start will do to check the rest.
	c := s.Config(1, time.Unix(1767225600, 0).UTC())
	if err := c.Validate(); err != nil {
		errs = append(errs, err)
	}
	c.Step = time.Duration(s.LiveStep)
	if err := c.Validate(); err != nil && s.LiveStep != s.Step {
		errs = append(errs, fmt.Errorf("live_step: %w", err))
	}
	if err := s.Faults.Validate(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("scenario %q: %w", s.Name, errors.Join(errs...))
	}
	return nil
}

// Config is the fleet of the scenario as the simulator wants it, but for the
// weather.
func (s Scenario) Config(seed uint64, start time.Time) simulator.Config {
	f := s.Fleet
	c := simulator.Config{
		Seed: seed, Start: start, Step: time.Duration(s.Step),
		Owners: f.Owners, Sites: f.Sites, Stations: f.Stations, Slots: f.Slots, Batteries: f.Batteries, Buildings: f.Buildings,
		SwapsPerDay: f.SwapsPerDay, Dispersion: f.Dispersion, ReadySoC: f.ReadySoC, KneeShare: f.KneeShare, Reserve: f.Reserve,
		Sensors:    simulator.Sensors{Volts: s.Sensors.Volts, Amps: s.Sensors.Amps, Celsius: s.Sensors.Celsius, SoC: s.Sensors.SoC},
		Breakdowns: s.Breakdowns,
		Tariff:     simulator.TimeOfUse(s.Tariff.Low, s.Tariff.Middle, s.Tariff.High),
	}
	for _, r := range s.Retrofits {
		c.Retrofits = append(c.Retrofits, simulator.Retrofit{Building: r.Building, At: start.AddDate(0, 0, r.Day), Share: r.Share})
	}
	for _, d := range s.Holidays {
		c.Holidays = append(c.Holidays, time.Time(d))
	}
	return c
}

// Duration is a time.Duration, written like 15m.
type Duration time.Duration

// UnmarshalYAML reads one.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	x, err := time.ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a time like 15m", n.Line, n.Value)
	}
	*d = Duration(x)
	return nil
}

// Date is a day, written like 2026-12-25.
type Date time.Time

// UnmarshalYAML reads one.
func (d *Date) UnmarshalYAML(n *yaml.Node) error {
	x, err := time.Parse(time.DateOnly, n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is not a date like 2026-12-25", n.Line, n.Value)
	}
	*d = Date(x)
	return nil
}
