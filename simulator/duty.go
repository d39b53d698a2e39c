package simulator

import "math"

// duty is what a pack is doing, and with whom.
type duty struct {
	state   string
	station *station // nil: with a rider
	slot    int      // from 1; 0: none

	ride        ride
	maintenance maintenance
}

// The states of a battery as it reports them.
const (
	stateRiding      = "riding"
	stateParked      = "parked"
	stateWaiting     = "waiting" // in a slot, for a charger or for power
	stateCharging    = "charging"
	stateReady       = "ready"
	stateMaintenance = "maintenance" // the full discharge of every month or so
)

// ride is one trip of a pack from swap to swap. Its current wanders around a
// mean: drawn anew on every step of the simulation and linear in between, so
// that the samples on the grid describe it completely.
type ride struct {
	meanA    float64 // positive
	returnAt float64 // state of charge at which the rider parks the pack
	restAt   float64 // state of charge at which the rider takes a rest; 0: none
	restFor  float64 // s
	resting  float64 // s left
}

const (
	rideSpread      = 0.25    // of the mean
	rideMemory      = 20 * 60 // s, over which the current forgets itself
	returnLow       = 0.15
	returnHigh      = 0.30
	restProbability = 0.15
)

// hand gives the pack to a rider.
func (p *pack) hand() {
	p.turn()
	p.duty.station, p.duty.slot = nil, 0
	r := ride{
		meanA:    p.chem.ratedAh / between(p.rng, 4, 6.5),
		returnAt: between(p.rng, returnLow, returnHigh),
	}
	if p.rng.Float64() < restProbability {
		r.restAt = between(p.rng, 0.4, 0.7)
		r.restFor = between(p.rng, 3600, 6*3600)
	}
	p.duty.ride = r
	p.drive()
}

// drive starts the ride, or goes on with it after a rest.
func (p *pack) drive() {
	p.duty.state = stateRiding
	p.amps, p.slope = -p.duty.ride.meanA, 0
}

// roll is what riding means for the next dt seconds. It reports whether the
// rider has just parked and wants another pack.
func (p *pack) roll(dt float64) bool {
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
			r.restAt, r.resting = 0, r.restFor
			p.stop(stateParked)
		}
	case stateParked:
		if r.resting > 0 {
			if r.resting -= dt; r.resting <= 0 {
				p.drive()
			}
		}
	}
	return false
}

func (p *pack) stop(state string) {
	p.duty.state = state
	p.amps, p.slope = 0, 0
}

// wander draws the current that a ride has at the end of the next step of
// seconds.
func (p *pack) wander(seconds float64) {
	if p.duty.state != stateRiding {
		return
	}
	mean := -p.duty.ride.meanA
	keep := math.Exp(-seconds / rideMemory)
	next := mean + keep*(p.amps-mean) + rideSpread*mean*math.Sqrt(1-keep*keep)*clamp(p.rng.NormFloat64(), -2.5, 2.5)
	p.slope = (clamp(next, 1.8*mean, 0.2*mean) - p.amps) / seconds
}

// maintenance is a full discharge at about C/3 from full to the cut-off
// voltage, into a load bank. It starts on a step of the simulation, and its
// current is such that it ends on one: the first sample shows the full pack
// under load, the last one the cut-off voltage.
type maintenance struct {
	dueMS int64
	endMS int64
}

const (
	maintenanceEvery = 30 * 86400e3 // ms
	maintenanceRate  = 1.0 / 3      // of the capacity in an hour
	// The discharge aims to cross the cut-off this share of the charge early,
	// so that the step that it ends on lies beyond it.
	maintenanceAhead = 0.0015
)

// beginMaintenance starts the discharge at nowMS on a grid of stepMS.
func (p *pack) beginMaintenance(nowMS, stepMS int64) {
	p.turn()
	p.duty.state = stateMaintenance
	hours := p.toCutoff(p.capacityAh*maintenanceRate) / (p.capacityAh * maintenanceRate)
	steps := math.Ceil(hours * 3600e3 / float64(stepMS))
	p.duty.maintenance.endMS = nowMS + int64(steps)*stepMS
	p.keepMaintenance(nowMS)
}

// keepMaintenance sets the current that reaches the cut-off at the planned
// time. It reports false when the discharge is over.
func (p *pack) keepMaintenance(nowMS int64) bool {
	if p.volts() <= p.chem.cutoff() || p.storedAh <= 0 {
		return false
	}
	left := float64(p.duty.maintenance.endMS-nowMS) / 3600e3
	if left <= 0 {
		// Not there yet: on with the same current to the next step.
		return true
	}
	guess := p.capacityAh * maintenanceRate
	if p.amps < 0 {
		guess = -p.amps
	}
	p.amps, p.slope = -p.toCutoff(guess)*(1+maintenanceAhead)/left, 0
	return true
}

// toCutoff is the charge (Ah) left until a discharge with amps shows the
// cut-off voltage.
func (p *pack) toCutoff(amps float64) float64 {
	soc := p.chem.socAt(p.chem.cutoff() + amps*(p.ohms()+p.rcOhms()))
	return max(0, p.storedAh-soc*p.capacityAh)
}
