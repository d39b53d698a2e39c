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
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Fleet is a running simulation. It is not safe for concurrent use.
type Fleet struct {
	cfg       Config
	nowMS     int64
	step      time.Duration
	agedMS    int64
	sites     []*sky
	weather   []weather // of each site, now
	networks  []*network
	stations  []*station
	packs     []*pack
	buildings []*building
	readings  readings
	events    events
}

// longestSubstep bounds the steps of integration.
const longestSubstep = time.Minute

// ageEvery is how often capacity follows use, in ms.
const ageEvery = 3600e3

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
	f := &Fleet{cfg: cfg, nowMS: cfg.Start.UnixMilli(), step: cfg.Step}
	f.agedMS = f.nowMS
	var err error
	if f.readings, err = newReadings(cfg.Schema); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	f.populate()
	return f, nil
}

// Now is the time that the simulation has reached.
func (f *Fleet) Now() time.Time { return time.UnixMilli(f.nowMS).UTC() }

// SetStep changes the step from the next one on; see Config.Step for what is
// allowed.
func (f *Fleet) SetStep(d time.Duration) error {
	if !validStep(d) {
		return fmt.Errorf("step %s: want 100ms to 1h in whole milliseconds", d)
	}
	f.step = d
	return nil
}

// Step moves time on by one step and reports what happened in it: its events,
// ascending in time for each device, then one reading of every device stamped
// at its end. The values of a reading are valid only during the call of emit.
// Either function may be nil.
func (f *Fleet) Step(emit func(telemetry.Reading), event func(telemetry.Event)) {
	f.events.emit = event
	stepMS := f.step.Milliseconds()
	n := int64(math.Ceil(float64(f.step) / float64(longestSubstep)))
	start := f.nowMS
	for i := range n {
		next := start + stepMS*(i+1)/n
		dt := float64(next-f.nowMS) / 1000
		f.nowMS = next
		f.substep(dt)
	}
	f.age()
	for _, s := range f.stations {
		s.maintain(s.site.clock(f.nowMS), f.nowMS, stepMS)
	}
	f.report(emit, float64(stepMS)/1000)
	for _, s := range f.stations {
		s.settle(f.nowMS, f)
	}
	f.wander()
}

func (f *Fleet) substep(dt float64) {
	for i, s := range f.sites {
		f.weather[i] = s.at(f.nowMS)
	}
	for _, n := range f.networks {
		n.ride(dt, f.weather[n.home].celsius)
	}
	for i, s := range f.stations {
		s.work(f.weather[i%len(f.sites)], f.nowMS, dt, f)
	}
	for i, b := range f.buildings {
		b.work(f.weather[i%len(f.sites)], dt)
	}
}

func (f *Fleet) age() {
	if f.nowMS-f.agedMS < ageEvery {
		return
	}
	f.agedMS = f.nowMS
	for _, p := range f.packs {
		p.age()
	}
}

func (f *Fleet) wander() {
	for _, n := range f.networks {
		for _, p := range n.riding {
			p.wander(f.step.Seconds())
		}
	}
}

func (f *Fleet) report(emit func(telemetry.Reading), seconds float64) {
	for _, p := range f.packs {
		f.readings.battery(p, f.nowMS, emit)
	}
	for i, s := range f.stations {
		f.readings.station(s, f.weather[i%len(f.sites)], f.nowMS, seconds, emit)
	}
	for _, b := range f.buildings {
		f.readings.building(b, f.nowMS, seconds, emit)
	}
}
