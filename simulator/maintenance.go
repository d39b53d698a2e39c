package simulator

import "math"

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

// maintain starts and ends the monthly discharges, on a step of the grid: one
// at a time, at night, and with packs to spare.
func (s *station) maintain(local clock, nowMS, stepMS int64) {
	if local.hour > 5 || s.outage.down {
		return
	}
	busy, ready := false, 0
	for i := range s.slots {
		p := s.slots[i].pack
		if p == nil {
			continue
		}
		switch p.duty.state {
		case stateReady:
			ready++
		case stateMaintenance:
			busy = true
		}
	}
	if busy || ready < 3 {
		return
	}
	for i := range s.slots {
		p := s.slots[i].pack
		if p != nil && !s.slots[i].fault.down && p.duty.state == stateReady && p.soc() > 0.99 && p.duty.maintenance.dueMS <= nowMS {
			p.beginMaintenance(nowMS, stepMS)
			return
		}
	}
}

// endMaintenance follows up the discharge that runs, after its sample was
// taken.
func (s *station) endMaintenance(nowMS int64) {
	for i := range s.slots {
		p := s.slots[i].pack
		if p == nil || p.duty.state != stateMaintenance || p.keepMaintenance(nowMS) {
			continue
		}
		p.stop(stateWaiting)
		p.duty.maintenance.dueMS = nowMS + maintenanceEvery
		s.shard.events.maintained(nowMS, p)
	}
}
