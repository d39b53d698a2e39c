package simulator

import (
	"math"

	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// duty is what a pack is doing, and with whom.
type duty struct {
	state   state
	station *station // nil: with a rider
	slot    int      // from 1; 0: none

	ride        ride
	maintenance maintenance
}

// state is what a battery reports to be doing.
type state uint8

const (
	stateRiding state = iota
	stateParked
	stateWaiting // in a slot, for a charger or for power
	stateCharging
	stateReady
	stateMaintenance // the full discharge of every month or so
)

func (s state) String() string {
	return [...]string{"riding", "parked", "waiting", "charging", "ready", "maintenance"}[s]
}

// ride is one trip of a pack from swap to swap. Its current wanders around a
// mean: drawn anew on every step of the simulation and linear in between, so
// that the samples on the grid describe it completely.
type ride struct {
	meanA     float64 // positive
	returnAt  float64 // state of charge at which the rider parks the pack
	restAt    float64 // state of charge at which the rider takes a rest; 0: none
	restFor   float64 // s
	restUntil int64   // Unix ms, while resting; 0: not
}

const (
	rideSpread = 0.25    // of the mean
	rideMemory = 20 * 60 // s, over which the current forgets itself
	returnLow  = 0.15
	returnHigh = 0.30
)

// rider is a way of using a pack.
type rider struct {
	share     float64 // of the riders
	slow      float64 // hours that a full pack lasts, at most
	fast      float64 // and at least
	restShare float64 // of the trips, that have a rest
	restLow   float64 // h
	restHigh  float64 // h
}

// riders are those of a mixed fleet: couriers who ride it empty, commuters who
// rest between the ways, and people who leave it for a day or two.
func riders() [3]rider {
	return [3]rider{
		{share: 0.50, fast: 4, slow: 5, restShare: 0.05, restLow: 0.5, restHigh: 2},
		{share: 0.46, fast: 4.8, slow: 6.5, restShare: 0.25, restLow: 1, restHigh: 6},
		{share: 0.04, fast: 5, slow: 6.5, restShare: 1, restLow: 20, restHigh: 50},
	}
}

// hand gives the pack to a rider.
func (p *pack) hand() {
	p.turn()
	p.duty.station, p.duty.slot = nil, 0
	u := p.rng.Float64()
	all := riders()
	kind := all[0]
	for _, kind = range all {
		if u -= kind.share; u < 0 {
			break
		}
	}
	r := ride{
		meanA:    p.chem.ratedAh / draw.Between(p.rng, kind.fast, kind.slow),
		returnAt: draw.Between(p.rng, returnLow, returnHigh),
	}
	if p.rng.Float64() < kind.restShare {
		r.restAt = draw.Between(p.rng, 0.4, 0.7)
		r.restFor = 3600 * draw.Between(p.rng, kind.restLow, kind.restHigh)
	}
	p.duty.ride = r
	p.drive()
}

// drive starts the ride, or goes on with it after a rest.
func (p *pack) drive() {
	p.duty.state = stateRiding
	p.duty.ride.restUntil = 0
	p.amps, p.slope = -p.duty.ride.meanA, 0
}

// turnsWithin reports whether the pack stops or starts within the next seconds
// if nobody swaps it.
func (p *pack) turnsWithin(seconds float64) bool {
	r := &p.duty.ride
	if p.duty.state != stateRiding {
		return r.restUntil != 0 && r.restUntil <= p.atMS+int64(seconds*1000)
	}
	end := p.storedAh + (p.amps+p.slope*seconds/2)*seconds/3600
	return end <= max(r.returnAt, r.restAt)*p.capacityAh
}

// roll is what the state of a pack with a rider means now. It reports whether
// the rider has just parked and wants another pack.
func (p *pack) roll() bool {
	r := &p.duty.ride
	switch p.duty.state {
	case stateRiding:
		soc := p.soc()
		if soc <= r.returnAt {
			p.stop(stateParked)
			p.turn()
			return true
		}
		if soc <= r.restAt {
			r.restAt, r.restUntil = 0, p.atMS+int64(r.restFor*1000)
			p.stop(stateParked)
		}
	case stateParked:
		if r.restUntil != 0 && r.restUntil <= p.atMS {
			p.drive()
		}
	}
	return false
}

func (p *pack) stop(s state) {
	p.duty.state = s
	p.amps, p.slope = 0, 0
}

// wander draws the current that a ride has at the end of the next step of
// seconds, of which keep is exp(−seconds/rideMemory).
func (p *pack) wander(seconds, keep float64) {
	if p.duty.state != stateRiding {
		return
	}
	mean := -p.duty.ride.meanA
	next := mean + keep*(p.amps-mean) + rideSpread*mean*math.Sqrt(1-keep*keep)*clamp(p.rng.NormFloat64(), -2.5, 2.5)
	p.slope = (clamp(next, 1.8*mean, 0.2*mean) - p.amps) / seconds
}
