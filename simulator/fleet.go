// Package simulator is a fleet of batteries, swap stations and buildings that
// exists only as numbers: seeded, reproducible, physically plausible, and open
// about the truth behind what it reports. It knows nothing of how readings
// travel or what is computed from them, and it has no clock: whoever steps it
// decides how fast time passes.
//
// What a reading says: it is stamped on the grid of steps. Gauges of a battery
// are instantaneous at the stamp. Within one charge or discharge the current is
// constant, falls slowly, or is linear from stamp to stamp, so the trapezoid
// over the samples agrees with the charge that moved to better than 2 % at
// steps of 15 minutes. power_w of a station or building is the mean over the
// step that ends at the stamp, as a demand meter shows it, net of its own
// generation; energy_wh is the import register, so it stands still while a
// building exports. slot is 0 and station empty while a battery is with a
// rider.
package simulator

import (
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Fleet is a running simulation. It is not safe for concurrent use.
type Fleet struct {
	cfg    Config
	shards []*Shard

	// In the order of their numbers.
	packs     []*pack
	stations  []*station
	buildings []*building
	sites     []*sky
}

// New makes the fleet as it is at cfg.Start. An error says all that is wrong
// with cfg.
func New(cfg Config) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	if cfg.Schema == nil {
		s, err := devices.NewSchema()
		if err != nil {
			return nil, fmt.Errorf("simulator: %w", err)
		}
		cfg.Schema = s
	}
	f := &Fleet{cfg: cfg}
	if err := f.populate(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return f, nil
}

// Now is the time that the simulation has reached.
func (f *Fleet) Now() time.Time { return f.shards[0].Now() }

// SetStep changes the step from the next one on; see Config.Step for what is
// allowed.
func (f *Fleet) SetStep(d time.Duration) error {
	for _, h := range f.shards {
		if err := h.SetStep(d); err != nil {
			return err
		}
	}
	return nil
}

// Shards are the independent parts of the fleet, one for each owner. Who steps
// them one by one keeps them together: Now is that of the first.
func (f *Fleet) Shards() []*Shard { return f.shards }

// Step moves time on by one step and reports what happened in it: shard by
// shard its events, ascending in time for each device, then one reading of
// every device stamped at its end. The values of a reading are valid only
// during the call of emit. Either function may be nil.
func (f *Fleet) Step(emit func(telemetry.Reading), event func(telemetry.Event)) {
	for _, h := range f.shards {
		h.Step(emit, event)
	}
}
