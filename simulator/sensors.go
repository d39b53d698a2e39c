package simulator

import (
	"math"
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// Sensors say how the measurements of a battery differ from the truth. The zero
// value measures exactly, but for the rounding to what a battery management
// system sends: 10 mV, 0.1 A, 0.1 °C, 0.1 % of charge.
type Sensors struct {
	Volts   Sensor // V, of the pack
	Amps    Sensor // A
	Celsius Sensor // °C
	SoC     Sensor // percentage points
}

// Sensor is the standard deviation of each kind of error, in the unit of what
// is measured.
type Sensor struct {
	Noise  float64 `yaml:"noise"`  // from reading to reading
	Offset float64 `yaml:"offset"` // from sensor to sensor
	Drift  float64 `yaml:"drift"`  // of the offset in a year, from sensor to sensor
}

func (s Sensor) valid() bool {
	ok := func(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }
	return ok(s.Noise) && ok(s.Offset) && ok(s.Drift)
}

func (s Sensors) perfect() bool { return s == Sensors{} }

// sensors are those of one pack; nil ones measure exactly.
type sensors struct {
	volts, amps, celsius, soc sensor
	rng                       *rand.Rand
	sinceMS                   int64
}

type sensor struct{ noise, offset, drift float64 }

func (s Sensors) install(rng *rand.Rand, nowMS int64) sensors {
	if s.perfect() {
		return sensors{}
	}
	one := func(x Sensor) sensor {
		return sensor{x.Noise, draw.Normal(rng, 0, x.Offset), draw.Normal(rng, 0, x.Drift)}
	}
	return sensors{one(s.Volts), one(s.Amps), one(s.Celsius), one(s.SoC), rng, nowMS}
}

// measured is what the sensors make of the truth at nowMS.
func (s *sensors) measured(nowMS int64, volts, amps, celsius, soc float64) (v, a, c, z float64) {
	if s.rng == nil {
		return volts, amps, celsius, soc
	}
	years := float64(nowMS-s.sinceMS) / (1000 * yearSeconds)
	read := func(x float64, k *sensor) float64 {
		x += k.offset + k.drift*years
		if k.noise > 0 {
			x += draw.Normal(s.rng, 0, k.noise)
		}
		return x
	}
	return max(0, read(volts, &s.volts)), read(amps, &s.amps), read(celsius, &s.celsius), clamp(read(soc, &s.soc), 0, 100)
}

const yearSeconds = 365 * 86400
