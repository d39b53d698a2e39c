package simulator

import (
	"math/rand/v2"
	"slices"

	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// station is a battery-swap station: slots with a charger each behind one grid
// connection, and a queue of riders. A swap exchanges the rider's pack for the
// fullest one.
type station struct {
	id     string
	shard  *Shard
	site   int // index of its sky in the shard
	arrive *arrivals
	rng    *rand.Rand // of what breaks
	slots  []slot

	chargerW float64 // limit of one charger at the pack
	gridW    float64 // limit of the connection
	running  int     // chargers at work

	queue   []*visitor
	serving float64 // s left of the swap under way

	outage   failing
	energyWh float64 // the meter
	stepWh   float64 // since the last reading
	cost     float64 // of energyWh, in minor units
	metered  float64 // energyWh at the start of the simulation
	events   int
	swaps    int
	refusals int
	nobody   int
	downMS   int64 // out of service in all
}

// slot holds one pack, or none.
type slot struct {
	pack    *pack
	startWh float64 // what the pack had taken in when its charge began
	fault   failing // a slot that is down neither charges nor gives its pack
}

// visitor waits with a pack that is to be swapped.
type visitor struct {
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

// work runs the station from fromMS to nowMS.
func (s *station) work(w weather, fromMS, nowMS int64) {
	dt := float64(nowMS-fromMS) / 1000
	inside := cabinet(w.celsius)
	s.breakDown(w, fromMS)
	for range s.arrive.next(w.local, w.season, dt) {
		s.receive(nowMS)
	}
	if s.outage.down {
		s.downMS += nowMS - fromMS
	} else {
		s.serve(w, fromMS, nowMS, dt)
	}
	demand := float64(auxiliaryW)
	thrifty := s.thrifty(w.local)
	for i := range s.slots {
		k := &s.slots[i]
		p := k.pack
		if p == nil || p.duty.state != stateCharging && p.duty.state != stateWaiting {
			continue
		}
		if p.duty.state == stateCharging && s.finished(p) {
			s.unplug(p, stateReady)
			p.turn()
			s.shard.events.charged(nowMS, s, p, p.books.EnergyInWh-k.startWh)
			continue
		}
		if p.duty.state == stateWaiting && !k.fault.down && !thrifty && s.startable() {
			p.until(fromMS, inside)
			p.turn()
			p.duty.state = stateCharging
			s.running++
			k.startWh = p.books.EnergyInWh
		}
		if p.duty.state != stateCharging {
			continue
		}
		s.charge(p)
		before := p.books.EnergyInWh
		p.until(nowMS, inside)
		demand += (p.books.EnergyInWh - before) * 3600 / dt / chargerEfficiency
	}
	wh := demand * dt / 3600
	s.energyWh += wh
	s.stepWh += wh
	s.cost += s.shard.cfg.Tariff.cost(w.local, wh)
}

// breakDown lets the station and its slots fail and recover.
func (s *station) breakDown(w weather, nowMS int64) {
	b := &s.shard.cfg.Breakdowns
	if s.outage.step(nowMS, b.StationPerYear, b.StationHours, s.rng) {
		s.shard.events.fault(nowMS, s, 0, s.outage.down)
		for i := range s.slots {
			s.halt(i, w, nowMS)
		}
	}
	if b.SlotPerYear <= 0 {
		return
	}
	for i := range s.slots {
		if s.slots[i].fault.step(nowMS, b.SlotPerYear, b.SlotHours, s.rng) {
			s.shard.events.fault(nowMS, s, i+1, s.slots[i].fault.down)
			s.halt(i, w, nowMS)
		}
	}
}

// halt stops the charge in a slot, if one runs and may not.
func (s *station) halt(i int, w weather, nowMS int64) {
	p := s.slots[i].pack
	if p == nil || p.duty.state != stateCharging || !s.outage.down && !s.slots[i].fault.down {
		return
	}
	p.until(nowMS, cabinet(w.celsius))
	s.unplug(p, stateWaiting)
}

func (s *station) unplug(p *pack, next state) {
	p.stop(next)
	s.running--
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
	ohms := p.ohms()
	power := s.chargerW / max(open+p.amps*ohms+p.rcV, open)
	taper := min(1, (taperZero-soc)/taperWidth)
	voltage := (p.chem.maximum() - open - p.rcV) / ohms
	p.amps, p.slope = clamp(voltage, 0, power*taper), 0
}

// finished reports whether the current of a charge has tapered off.
func (s *station) finished(p *pack) bool {
	return p.soc() > 0.95 && p.amps < p.chem.ratedAh*taperEnd
}

// startable reports whether the connection has room for one more charger. A
// charge that runs is never slowed for another.
func (s *station) startable() bool {
	return !s.outage.down && float64(s.running+1)*s.chargerW/chargerEfficiency+auxiliaryW <= s.gridW
}

// thrifty reports whether the station lets charges wait for a cheaper hour. Those
// that run go on.
func (s *station) thrifty(c clock) bool {
	reserve := s.shard.cfg.Reserve
	if reserve == 0 || !s.shard.cfg.Tariff.dear(c) {
		return false
	}
	ready := 0
	for i := range s.slots {
		if k := &s.slots[i]; k.pack != nil && k.pack.duty.state == stateReady && !k.fault.down {
			ready++
		}
	}
	return ready >= reserve
}

// put places a pack in the first empty slot that works, of which there must be
// one.
func (s *station) put(p *pack) {
	i := slices.IndexFunc(s.slots, func(k slot) bool { return k.pack == nil && !k.fault.down })
	s.slots[i].pack = p
	p.duty.station, p.duty.slot = s, i+1
	p.stop(stateWaiting)
}

// fullest is the ready pack with the most charge, if it has enough.
func (s *station) fullest(least float64) *pack {
	var best *pack
	for i := range s.slots {
		p := s.slots[i].pack
		if p == nil || s.slots[i].fault.down || p.duty.state != stateReady || p.soc() < least {
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
func (s *station) receive(nowMS int64) {
	p := s.shard.caller()
	switch {
	case p == nil:
		s.nobody++
	case s.outage.down:
		s.refuse(&visitor{pack: p}, "out_of_service", nowMS)
	case len(s.queue) >= maxQueue:
		s.refuse(&visitor{pack: p}, "queue_full", nowMS)
	default:
		s.queue = append(s.queue, &visitor{pack: p})
		if len(s.queue) == 1 {
			s.serving = s.swapTime()
		}
	}
}

func (s *station) swapTime() float64 { return draw.Between(s.arrive.rng, swapLow, swapHigh) }

func (s *station) serve(w weather, fromMS, nowMS int64, dt float64) {
	for _, v := range s.queue {
		v.waited += dt
	}
	for left := dt; len(s.queue) > 0; {
		if s.serving > left {
			s.serving -= left
			return
		}
		left -= s.serving
		s.swap(s.queue[0], w, fromMS, nowMS)
		s.queue = s.queue[:copy(s.queue, s.queue[1:])]
		s.serving = s.swapTime()
	}
}

func (s *station) swap(v *visitor, w weather, fromMS, nowMS int64) {
	out := s.fullest(s.shard.cfg.ReadySoC)
	if out == nil {
		s.refuse(v, "no_battery_ready", nowMS)
		return
	}
	v.pack.until(fromMS, w.celsius)
	out.until(fromMS, cabinet(w.celsius))
	from := out.duty.slot
	s.slots[from-1].pack = nil
	s.put(v.pack)
	s.swaps++
	s.shard.events.swapped(nowMS, s, v, out, from)
	out.hand()
	s.shard.mount(out)
	s.shard.dismount(v.pack)
}

// refuse sends a rider away, who will come again.
func (s *station) refuse(v *visitor, reason string, nowMS int64) {
	s.refusals++
	s.shard.events.refused(nowMS, s, v, reason)
	s.shard.waiting = append(s.shard.waiting, v.pack)
}

// counts is the number of slots that are ready, charging or about to, empty,
// and out of order.
func (s *station) counts() (ready, charging, empty, fault int) {
	for i := range s.slots {
		switch p := s.slots[i].pack; {
		case s.slots[i].fault.down:
			fault++
		case p == nil:
			empty++
		case p.duty.state == stateReady:
			ready++
		default:
			charging++
		}
	}
	return ready, charging, empty, fault
}
