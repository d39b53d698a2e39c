package simulator

import "slices"

// station is a battery-swap station: slots with a charger each behind one grid
// connection, and a queue of riders. A swap exchanges the rider's pack for the
// fullest one.
type station struct {
	id      string
	network *network
	site    *sky
	arrive  *arrivals
	slots   []*pack // nil: empty

	chargerW float64 // limit of one charger at the pack
	gridW    float64 // limit of the connection

	queue   []*rider
	serving float64 // s left of the swap under way

	energyWh float64   // the meter
	stepWh   float64   // since the last reading
	startWh  []float64 // what the pack in a slot had taken in when its charge began
	events   int
	swaps    int
	refusals int
	nobody   int
}

// rider waits with a pack that is to be swapped.
type rider struct {
	pack   *pack
	waited float64 // s
}

const (
	chargerEfficiency = 0.94
	auxiliaryW        = 150      // controls, ventilation, light
	taperZero         = 1.025    // state of charge at which the taper would reach zero
	taperWidth        = 0.25     // over which it falls
	taperEnd          = 1.0 / 25 // of the rated charge in an hour: the charge is over
	maxQueue          = 6
	swapLow           = 90  // s
	swapHigh          = 240 // s
)

// work runs the station for dt seconds at nowMS.
func (s *station) work(w weather, nowMS int64, dt float64, f *Fleet) {
	for range s.arrive.next(w.local, dt) {
		s.receive(nowMS, f)
	}
	s.serve(nowMS, dt, f)
	demand := float64(auxiliaryW)
	for slot, p := range s.slots {
		if p == nil {
			continue
		}
		if p.duty.state == stateCharging && s.finished(p) {
			p.stop(stateReady)
			p.turn()
			f.events.charged(nowMS, s, p, p.books.EnergyInWh-s.startWh[slot])
		}
		if p.duty.state == stateWaiting && s.startable() {
			p.turn()
			p.duty.state = stateCharging
			s.startWh[slot] = p.books.EnergyInWh
		}
		if p.duty.state == stateCharging {
			s.charge(p)
		}
		before := p.books.EnergyInWh
		p.flow(dt, cabinet(w.celsius))
		demand += (p.books.EnergyInWh - before) * 3600 / dt / chargerEfficiency
	}
	wh := demand * dt / 3600
	s.energyWh += wh
	s.stepWh += wh
}

// cabinet is the temperature inside the station, which is heated and
// ventilated.
func cabinet(outdoorC float64) float64 { return clamp(outdoorC+2, 12, 38) }

// charge sets the current of a charging pack: the power of the charger, less
// as the battery management asks for less towards the end, and never more than
// holds the pack at its highest voltage.
func (s *station) charge(p *pack) {
	soc := p.soc()
	open := p.chem.openCircuit(soc)
	power := s.chargerW / max(p.volts(), open)
	taper := min(1, (taperZero-soc)/taperWidth)
	voltage := (p.chem.maximum() - open - p.rcV) / p.ohms()
	p.amps, p.slope = clamp(voltage, 0, power*taper), 0
}

// finished reports whether the current of a charge has tapered off.
func (s *station) finished(p *pack) bool {
	return p.soc() > 0.95 && p.amps < p.chem.ratedAh*taperEnd
}

// startable reports whether the connection has room for one more charger. A
// charge that runs is never slowed for another.
func (s *station) startable() bool {
	running := 0
	for _, p := range s.slots {
		if p != nil && p.duty.state == stateCharging {
			running++
		}
	}
	return float64(running+1)*s.chargerW/chargerEfficiency+auxiliaryW <= s.gridW
}

// put places a pack in the first empty slot, of which there must be one.
func (s *station) put(p *pack) {
	i := slices.Index(s.slots, nil)
	s.slots[i] = p
	p.duty.station, p.duty.slot = s, i+1
	p.stop(stateWaiting)
}

// fullest is the ready pack with the most charge, if it has enough.
func (s *station) fullest(least float64) *pack {
	var best *pack
	for _, p := range s.slots {
		if p == nil || p.duty.state != stateReady || p.soc() < least {
			continue
		}
		if best == nil || p.soc() > best.soc() {
			best = p
		}
	}
	return best
}

// receive lets one rider of the network arrive. The process of arrivals knows
// nothing of how many riders want a pack, so at times there is nobody.
func (s *station) receive(nowMS int64, f *Fleet) {
	p := s.network.caller()
	switch {
	case p == nil:
		s.nobody++
	case len(s.queue) >= maxQueue:
		s.refuse(&rider{pack: p}, "queue_full", nowMS, f)
	default:
		s.queue = append(s.queue, &rider{pack: p})
		if len(s.queue) == 1 {
			s.serving = s.swapTime()
		}
	}
}

func (s *station) swapTime() float64 { return between(s.arrive.rng, swapLow, swapHigh) }

func (s *station) serve(nowMS int64, dt float64, f *Fleet) {
	for _, r := range s.queue {
		r.waited += dt
	}
	for left := dt; len(s.queue) > 0; {
		if s.serving > left {
			s.serving -= left
			return
		}
		left -= s.serving
		s.swap(s.queue[0], nowMS, f)
		s.queue = s.queue[:copy(s.queue, s.queue[1:])]
		s.serving = s.swapTime()
	}
}

func (s *station) swap(r *rider, nowMS int64, f *Fleet) {
	out := s.fullest(f.cfg.ReadySoC)
	if out == nil {
		s.refuse(r, "no_battery_ready", nowMS, f)
		return
	}
	slot := out.duty.slot
	s.slots[slot-1] = nil
	s.put(r.pack)
	s.swaps++
	f.events.swapped(nowMS, s, r, out, slot)
	out.hand()
	s.network.riding = append(s.network.riding, out)
	s.network.dismount(r.pack)
}

// refuse sends a rider away, who will come again.
func (s *station) refuse(r *rider, reason string, nowMS int64, f *Fleet) {
	s.refusals++
	f.events.refused(nowMS, s, r, reason)
	s.network.waiting = append(s.network.waiting, r.pack)
}

// maintain starts and ends the monthly discharges, on a step of the grid: one
// at a time, at night, and with packs to spare.
func (s *station) maintain(local clock, nowMS, stepMS int64) {
	busy, ready := false, 0
	for _, p := range s.slots {
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
	if busy || ready < 3 || local.hour > 5 {
		return
	}
	for _, p := range s.slots {
		if p != nil && p.duty.state == stateReady && p.soc() > 0.99 && p.duty.maintenance.dueMS <= nowMS {
			p.beginMaintenance(nowMS, stepMS)
			return
		}
	}
}

// settle follows up the discharge that runs, after its sample was taken.
func (s *station) settle(nowMS int64, f *Fleet) {
	for _, p := range s.slots {
		if p == nil || p.duty.state != stateMaintenance || p.keepMaintenance(nowMS) {
			continue
		}
		p.stop(stateWaiting)
		p.duty.maintenance.dueMS = nowMS + maintenanceEvery
		f.events.maintained(nowMS, p)
	}
}

// counts is the number of slots that are ready, charging or about to, and
// empty.
func (s *station) counts() (ready, charging, empty int) {
	for _, p := range s.slots {
		switch {
		case p == nil:
			empty++
		case p.duty.state == stateReady:
			ready++
		default:
			charging++
		}
	}
	return ready, charging, empty
}

// network is the stations and packs of one owner: any pack goes into any
// station of it.
type network struct {
	chem     *chemistry
	stations []*station
	riding   []*pack // with riders, parked ones included
	waiting  []*pack // of those, the ones to be swapped, longest wait first
	home     int     // index of the site where the riders are
}

// ride moves the packs that are with riders on by dt seconds.
func (n *network) ride(dt, outdoorC float64) {
	for _, p := range n.riding {
		if p.roll(dt) {
			n.waiting = append(n.waiting, p)
		}
		p.flow(dt, outdoorC)
	}
}

// caller takes the rider who has waited longest for a swap, or nil.
func (n *network) caller() *pack {
	if len(n.waiting) == 0 {
		return nil
	}
	p := n.waiting[0]
	n.waiting = n.waiting[:copy(n.waiting, n.waiting[1:])]
	return p
}

// dismount takes a pack from the riders.
func (n *network) dismount(p *pack) {
	i := slices.Index(n.riding, p)
	n.riding = slices.Delete(n.riding, i, i+1)
}
