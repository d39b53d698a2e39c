package simulator

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Shard is all that belongs to one owner: sites, stations, packs, buildings.
// Any pack goes into any station of it, and nothing in one shard depends on
// another, so shards may be stepped by different goroutines, each by one at a
// time, with the same results.
type Shard struct {
	cfg     *Config
	owner   int
	nowMS   int64
	step    time.Duration
	agedMS  int64
	sites   []*sky
	weather []weather // of each site, now

	chem     *chemistry
	stations []*station
	packs    []*pack
	riding   []*pack // with riders, parked ones included
	waiting  []*pack // of those, the ones to be swapped, longest wait first
	active   []*pack // of those, the ones that stop, start or were handed out in this step

	buildings []*building
	readings  readings
	events    events
}

// longestSubstep bounds the steps at which stations and buildings decide.
const longestSubstep = time.Minute

// ageEvery is how often capacity follows use, in ms.
const ageEvery = 3600e3

// Step moves the shard on by one step; see Fleet.Step.
func (h *Shard) Step(emit func(telemetry.Reading), event func(telemetry.Event)) {
	h.events.emit = event
	stepMS := h.step.Milliseconds()
	n := int64(math.Ceil(float64(h.step) / float64(longestSubstep)))
	start := h.nowMS
	h.pick()
	for i := range n {
		next := start + stepMS*(i+1)/n
		from := h.nowMS
		h.nowMS = next
		h.substep(from)
	}
	h.settle()
	h.age()
	for _, s := range h.stations {
		s.maintain(h.weather[s.site].local, h.nowMS, stepMS)
	}
	h.report(emit, float64(stepMS)/1000)
	for _, s := range h.stations {
		s.endMaintenance(h.nowMS)
	}
	h.wander()
}

// Readings is how many readings a step of the shard emits.
func (h *Shard) Readings() int { return len(h.packs) + len(h.stations) + len(h.buildings) }

// SetStep changes the step from the next one on; see Config.Step for what is
// allowed.
func (h *Shard) SetStep(d time.Duration) error {
	if !validStep(d) {
		return fmt.Errorf("step %s: want 100ms to 1h in whole milliseconds", d)
	}
	h.step = d
	return nil
}

// Now is the time that the shard has reached.
func (h *Shard) Now() time.Time { return time.UnixMilli(h.nowMS).UTC() }

// pick finds the riders who need watching within the next step: all others ride
// or rest through it.
func (h *Shard) pick() {
	h.active = h.active[:0]
	for _, p := range h.riding {
		if p.turnsWithin(h.step.Seconds()) {
			h.active = append(h.active, p)
		}
	}
}

// working reports whether buildings are at work on a day.
func (h *Shard) working(c clock) bool {
	if c.weekday >= 5 {
		return false
	}
	for _, d := range h.cfg.Holidays {
		if floorDiv(d.UnixMilli(), 86400e3) == c.day {
			return false
		}
	}
	return true
}

// home is where the riders are.
func (h *Shard) home() weather { return h.weather[0] }

func (h *Shard) substep(fromMS int64) {
	for i, s := range h.sites {
		h.weather[i] = s.at(h.nowMS)
	}
	outdoor := h.home().celsius
	for _, p := range h.active {
		if p.duty.station != nil {
			continue
		}
		if p.roll() {
			h.waiting = append(h.waiting, p)
		}
		p.until(h.nowMS, outdoor)
	}
	for _, s := range h.stations {
		s.work(h.weather[s.site], fromMS, h.nowMS)
	}
	for _, b := range h.buildings {
		b.work(h.weather[b.site], h.nowMS, float64(h.nowMS-fromMS)/1000)
	}
}

// settle brings every pack to the present.
func (h *Shard) settle() {
	for _, s := range h.stations {
		inside := cabinet(h.weather[s.site].celsius)
		for i := range s.slots {
			if p := s.slots[i].pack; p != nil {
				p.until(h.nowMS, inside)
			}
		}
	}
	outdoor := h.home().celsius
	for _, p := range h.riding {
		p.until(h.nowMS, outdoor)
	}
}

func (h *Shard) age() {
	if h.nowMS-h.agedMS < ageEvery {
		return
	}
	h.agedMS = h.nowMS
	for _, p := range h.packs {
		p.age()
	}
}

func (h *Shard) wander() {
	seconds := h.step.Seconds()
	keep := math.Exp(-seconds / rideMemory)
	for _, p := range h.riding {
		p.wander(seconds, keep)
	}
}

func (h *Shard) report(emit func(telemetry.Reading), seconds float64) {
	for _, p := range h.packs {
		h.readings.battery(p, h.nowMS, emit)
	}
	for _, s := range h.stations {
		h.readings.station(s, h.weather[s.site], h.nowMS, seconds, emit)
	}
	for _, b := range h.buildings {
		h.readings.building(b, h.nowMS, seconds, emit)
	}
}

// caller takes the rider who has waited longest for a swap, or nil.
func (h *Shard) caller() *pack {
	if len(h.waiting) == 0 {
		return nil
	}
	p := h.waiting[0]
	h.waiting = h.waiting[:copy(h.waiting, h.waiting[1:])]
	return p
}

// mount gives a pack to the riders.
func (h *Shard) mount(p *pack) {
	h.riding = append(h.riding, p)
	h.active = append(h.active, p)
}

// dismount takes a pack from the riders.
func (h *Shard) dismount(p *pack) {
	i := slices.Index(h.riding, p)
	h.riding = slices.Delete(h.riding, i, i+1)
}
