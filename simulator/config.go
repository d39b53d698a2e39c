package simulator

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Config says what fleet to simulate. Entities are shared out in turn: site i
// belongs to owner i mod Owners, station i and building i stand at site i mod
// Sites, battery i belongs to owner i mod Owners. The batteries of an owner are
// all of one chemistry and fit all stations of that owner.
type Config struct {
	Seed  uint64
	Start time.Time     // of the first step; whole milliseconds
	Step  time.Duration // between readings, 100 ms … 1 h, whole milliseconds

	Owners      int
	Sites       int // at least one per owner
	Stations    int // at least one per owner with batteries
	Slots       int // of a station, at least 2
	Batteries   int
	Buildings   int
	SwapsPerDay float64 // arrivals a station and day, in the mean over stations
	Dispersion  float64 // variance of a day's arrivals over their mean; 0 or 1: Poisson
	ReadySoC    float64 // from which a pack may be handed out, 0.5 … 0.98
	KneeShare   float64 // of the batteries, that age faster from some loss on, 0 … 1
	// Reserve is how many packs a station wants ready before it lets charges wait
	// for an hour that costs no more than the tariff's mean; 0: it never waits.
	Reserve int

	Sensors    Sensors
	Breakdowns Breakdowns
	Tariff     Tariff
	Retrofits  []Retrofit
	Holidays   []time.Time // days, as UTC dates, on which buildings rest
	Weather    *Series     // of every site; nil: made from its latitude

	Schema *devices.Schema // nil: the standard one
}

// Retrofit saves a share of the electricity and gas that buildings use.
type Retrofit struct {
	Building int // from 1; 0: all
	At       time.Time
	Share    float64 // 0 … 1
}

// Demo is the fleet of the demonstration: 2 owners, 4 stations of 12 slots, 60
// batteries and 2 buildings, every 15 minutes.
func Demo(seed uint64, start time.Time) Config {
	return Config{
		Seed: seed, Start: start, Step: 15 * time.Minute,
		Owners: 2, Sites: 2, Stations: 4, Slots: 12, Batteries: 60, Buildings: 2,
		SwapsPerDay: 15, ReadySoC: 0.9,
	}
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(!c.Start.IsZero() && c.Start.Nanosecond()%1e6 == 0, "start %s: want a time in whole milliseconds", c.Start)
	check(validStep(c.Step), "step %s: want 100ms to 1h in whole milliseconds", c.Step)
	check(c.Owners >= 1, "owners %d: want at least 1", c.Owners)
	check(c.Sites >= c.Owners, "sites %d: want at least one for each of %d owners", c.Sites, c.Owners)
	check(c.Stations >= 0 && c.Batteries >= 0 && c.Buildings >= 0,
		"stations %d, batteries %d, buildings %d: want none below 0", c.Stations, c.Batteries, c.Buildings)
	if c.Batteries > 0 {
		// Stations go to sites and sites to owners in turn, so the first ones
		// reach every owner.
		check(c.Stations >= min(c.Owners, c.Batteries), "stations %d: want at least one for each of %d owners", c.Stations, c.Owners)
	}
	if c.Stations > 0 {
		check(c.Slots >= 2 && c.Slots <= 10000, "slots %d: want 2 to 10000", c.Slots)
		check(c.SwapsPerDay >= 0 && c.SwapsPerDay <= 1000, "swaps per day %v: want 0 to 1000", c.SwapsPerDay)
		check(c.ReadySoC >= 0.5 && c.ReadySoC <= 0.98, "ready soc %v: want 0.5 to 0.98", c.ReadySoC)
	}
	check(c.Dispersion >= 0 && c.Dispersion <= 100, "dispersion %v: want 0 to 100", c.Dispersion)
	check(c.KneeShare >= 0 && c.KneeShare <= 1, "knee share %v: want 0 to 1", c.KneeShare)
	check(c.Reserve >= 0, "reserve %d: want 0 or more", c.Reserve)
	return errors.Join(append(errs, c.validateExtras()...)...)
}

func (c Config) validateExtras() (errs []error) {
	for _, s := range []struct {
		name string
		Sensor
	}{{"volts", c.Sensors.Volts}, {"amps", c.Sensors.Amps}, {"celsius", c.Sensors.Celsius}, {"soc", c.Sensors.SoC}} {
		if !s.valid() {
			errs = append(errs, fmt.Errorf("sensor of %s: want no deviation below 0", s.name))
		}
	}
	b := c.Breakdowns
	for _, x := range []float64{b.StationPerYear, b.StationHours, b.SlotPerYear, b.SlotHours} {
		if !(x >= 0 && x <= 10000) {
			errs = append(errs, fmt.Errorf("breakdowns %+v: want 0 to 10000 each", b))
			break
		}
	}
	for _, r := range c.Retrofits {
		if !(r.Share >= 0 && r.Share <= 1) || r.At.IsZero() || r.Building < 0 || r.Building > c.Buildings {
			errs = append(errs, fmt.Errorf("retrofit of building %d at %s by %v: want one of %d buildings, a time and a share of 0 to 1",
				r.Building, r.At, r.Share, c.Buildings))
		}
	}
	if w := c.Weather; w != nil {
		bad := w.Step < time.Second || w.Start.IsZero()
		for _, x := range w.Celsius {
			bad = bad || !(math.Abs(x) <= 70)
		}
		if bad {
			errs = append(errs, errors.New("weather: want a start, a step of at least a second and temperatures of -70 to 70 °C"))
		}
	}
	return append(errs, c.Tariff.validate())
}

func validStep(d time.Duration) bool {
	return d >= 100*time.Millisecond && d <= time.Hour && d%time.Millisecond == 0
}
