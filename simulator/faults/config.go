package faults

import (
	"errors"
	"fmt"
	"math"
)

// Config says how often what goes wrong. The zero value is a fleet without
// faults. Rates are of one device; times between faults are exponentially
// distributed, and so is how long they last.
type Config struct {
	// Connections.
	Offline          Spell `yaml:"offline"`           // the device keeps what it measures and sends it as a backlog
	ReconnectStorms  Storm `yaml:"reconnect_storms"`  // many devices lose their connection at once
	WrongCredentials Rate  `yaml:"wrong_credentials"` // a sign-in with a wrong password

	// Messages.
	Doubled   Share `yaml:"doubled"`   // sent twice
	Shuffled  Share `yaml:"shuffled"`  // sent after its successor, its readings in any order
	Malformed Share `yaml:"malformed"` // followed by a payload that can't be read

	// Clocks.
	ClockOffset Offset `yaml:"clock_offset"`
	ClockDrift  Drift  `yaml:"clock_drift"`

	// Measurements.
	CounterReset    Rate     `yaml:"counter_reset"` // all counters of the device start again from 0
	CounterRollover Rollover `yaml:"counter_rollover"`
	Stuck           Spell    `yaml:"stuck"` // one gauge stays as it is
	DriftingSensor  Creep    `yaml:"drifting_sensor"`
	Spike           Spike    `yaml:"spike"`
	Missing         Share    `yaml:"missing"` // one to three fields are left out
}

// Rate is a number of faults in a year.
type Rate struct {
	PerYear float64 `yaml:"per_year"`
}

// Spell is a fault that lasts.
type Spell struct {
	PerYear float64 `yaml:"per_year"`
	Hours   float64 `yaml:"hours"` // in the mean
}

// Storm is a loss of connections.
type Storm struct {
	PerYear float64 `yaml:"per_year"`
	Share   float64 `yaml:"share"` // of the devices
}

// Share is the probability of a fault in one message or reading.
type Share struct {
	Share float64 `yaml:"share"`
}

// Offset is a clock that is wrong.
type Offset struct {
	Devices float64 `yaml:"devices"` // share of the devices
	Seconds float64 `yaml:"seconds"` // standard deviation, cut off at 9 minutes
}

// Drift is a clock that runs fast or slow.
type Drift struct {
	Devices float64 `yaml:"devices"` // share of the devices
	PPM     float64 `yaml:"ppm"`     // standard deviation
}

// Rollover is a register that has too few digits.
type Rollover struct {
	Devices float64 `yaml:"devices"` // share of the devices
	At      float64 `yaml:"at"`      // where counters go on from 0, in their unit
}

// Creep is a gauge that moves away from the truth.
type Creep struct {
	Devices float64 `yaml:"devices"`  // share of the devices
	PerYear float64 `yaml:"per_year"` // standard deviation, as a share of the value
}

// Spike is a single reading that is far off.
type Spike struct {
	Share  float64 `yaml:"share"`
	Factor float64 `yaml:"factor"` // of the value, or of 1 where that is less
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	within := func(name string, x, high float64) {
		if !(x >= 0 && x <= high) {
			errs = append(errs, fmt.Errorf("faults: %s %v: want 0 to %v", name, x, high))
		}
	}
	const often = 1e5
	for _, q := range []struct {
		name    string
		x, high float64
	}{
		{"offline.per_year", c.Offline.PerYear, often},
		{"offline.hours", c.Offline.Hours, often},
		{"reconnect_storms.per_year", c.ReconnectStorms.PerYear, often},
		{"reconnect_storms.share", c.ReconnectStorms.Share, 1},
		{"wrong_credentials.per_year", c.WrongCredentials.PerYear, often},
		{"doubled.share", c.Doubled.Share, 1},
		{"shuffled.share", c.Shuffled.Share, 1},
		{"malformed.share", c.Malformed.Share, 1},
		{"clock_offset.devices", c.ClockOffset.Devices, 1},
		{"clock_drift.devices", c.ClockDrift.Devices, 1},
		{"counter_reset.per_year", c.CounterReset.PerYear, often},
		{"counter_rollover.devices", c.CounterRollover.Devices, 1},
		{"stuck.per_year", c.Stuck.PerYear, often},
		{"stuck.hours", c.Stuck.Hours, often},
		{"drifting_sensor.devices", c.DriftingSensor.Devices, 1},
		{"spike.share", c.Spike.Share, 1},
		{"missing.share", c.Missing.Share, 1},
	} {
		within(q.name, q.x, q.high)
	}
	within("clock_offset.seconds", c.ClockOffset.Seconds, maxClockMS/1000)
	within("clock_drift.ppm", c.ClockDrift.PPM, 1e4)
	within("drifting_sensor.per_year", c.DriftingSensor.PerYear, 10)
	within("spike.factor", c.Spike.Factor, 1e9)
	if r := c.CounterRollover; r.Devices > 0 && !(r.At >= 1 && !math.IsInf(r.At, 1)) {
		errs = append(errs, fmt.Errorf("faults: counter_rollover.at %v: want at least 1", r.At))
	}
	return errors.Join(errs...)
}
