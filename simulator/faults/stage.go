// Package faults stands between a simulated fleet and the network and makes of
// what devices measure what a server would really get: late, twice, in the
// wrong order, with wrong clocks, broken sensors and broken bytes. It notes each
// fault, so that the truth stays known, and draws from generators of its own, so
// that the fleet behind it is the same with and without.
//
// It does not send anything: it says what is to be sent.
package faults

import (
	"fmt"
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// Act is what to do next for one device.
type Act uint8

// The acts.
const (
	Send    Act = iota // publish Message
	Cut                // break the connection of Ref without a word
	Intrude            // try to sign in as Ref with a wrong password
	Note               // nothing: Hit tells of a fault
)

// Action is one of those.
type Action struct {
	Act     Act
	Ref     devices.Ref
	Message Message
	Hit     Hit
}

// Message is one payload. It does not change any more.
type Message struct {
	Channel wire.Channel
	Payload []byte
	Records int
	Stamps  []int64  // of the readings that can be stored, Unix ms
	Events  []string // ids of the events
	Refused int      // records that a server has to refuse
}

// Hit is a fault that a device has, or had, from From until To (Unix ms).
type Hit struct {
	Fault    string
	From, To int64 // To 0: for good
	Detail   string
}

// Until is To of a fault that lasts and ends, else 0.
func (h Hit) Until() int64 {
	if h.To == h.From {
		return 0
	}
	return h.To
}

// Stage applies faults to the messages of a fleet. It is not safe for
// concurrent use, but devices may be shared out among stages in any way: the
// faults of one depend on the seed and its name only.
type Stage struct {
	cfg     Config
	seed    uint64
	batch   int
	out     func(Action)
	devices map[devices.Ref]*device
	order   []*device
	scratch []telemetry.Value

	storm     int64 // Unix ms, the next one
	stormWave uint64
}

// New returns a stage that packs batch readings of a device into a message, at
// most MaxRecords, and hands out what is to be done, in order.
func New(cfg Config, seed uint64, batch int, out func(Action)) (*Stage, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if batch < 1 || batch > MaxRecords {
		return nil, fmt.Errorf("faults: batch of %d: want 1 to %d", batch, MaxRecords)
	}
	return &Stage{cfg: cfg, seed: seed, batch: batch, out: out, devices: make(map[devices.Ref]*device)}, nil
}

// SetBatch changes how many readings make a message; see New.
func (s *Stage) SetBatch(n int) { s.batch = max(1, min(n, MaxRecords)) }

// device is the state of the faults of one device.
type device struct {
	ref    devices.Ref
	rng    *rand.Rand
	sensor broken
	net    network
}

// device returns the one of that name, which begins at ts if it is new.
func (s *Stage) device(ref devices.Ref, ts int64) *device {
	if d := s.devices[ref]; d != nil {
		return d
	}
	d := &device{ref: ref, rng: draw.Source(s.seed, "fault/"+ref.String())}
	// The first message is shorter, so that not all devices send at once.
	d.net.next = 1 + d.rng.IntN(s.batch)
	s.devices[ref] = d
	s.order = append(s.order, d)
	d.begin(s, ts)
	return d
}

func (s *Stage) note(d *device, h Hit) { s.out(Action{Act: Note, Ref: d.ref, Hit: h}) }

// Reading takes what a device measured, stamped with the true time. It is not
// kept.
func (s *Stage) Reading(r telemetry.Reading) {
	d := s.device(r.Ref(), r.TS)
	now := r.TS
	d.connect(s, now)
	r.Values = d.distort(s, now, r.Values)
	r.TS = d.clock(now)
	d.net.add(&r, storable(r.Values))
	if now >= d.net.offlineUntil && len(d.net.spans) >= min(s.batch, d.net.next) || len(d.net.spans) >= maxHeld {
		d.flush(s)
		d.net.next = s.batch
	}
}

// Event takes an event, stamped with the true time.
func (s *Stage) Event(e telemetry.Event) {
	d := s.device(e.Ref(), e.TS)
	now := e.TS
	d.connect(s, now)
	e.TS = d.clock(now)
	d.net.events = append(d.net.events, Message{
		Channel: wire.Event, Payload: wire.AppendEvent(nil, &e), Records: 1, Events: []string{e.ID},
	})
	if now >= d.net.offlineUntil || len(d.net.events) >= maxHeld {
		d.flushEvents(s)
	}
}

// Tick tells that the time is now: storms happen, though nobody measures.
func (s *Stage) Tick(now int64) {
	if s.cfg.ReconnectStorms.PerYear <= 0 {
		return
	}
	if s.storm == 0 {
		s.storm = now + draw.Wait(s.waves(), s.cfg.ReconnectStorms.PerYear)
	}
	for s.storm <= now {
		for _, d := range s.order {
			// Whom a storm hits does not depend on who else there is.
			hit := draw.Source(s.seed+s.stormWave, "storm/"+d.ref.String())
			if hit.Float64() < s.cfg.ReconnectStorms.Share {
				s.out(Action{Act: Cut, Ref: d.ref})
				s.note(d, Hit{Fault: "reconnect_storm", From: s.storm, To: s.storm})
			}
		}
		s.stormWave++
		s.storm += 1 + draw.Wait(s.waves(), s.cfg.ReconnectStorms.PerYear)
	}
}

// waves draws the time between storms, which is the same for all stages of a
// seed.
func (s *Stage) waves() *rand.Rand {
	return draw.Source(s.seed, fmt.Sprintf("storms/%d", s.stormWave))
}

// Flush hands out all that is still held, whoever is offline.
func (s *Stage) Flush() {
	for _, d := range s.order {
		d.flush(s)
		d.flushEvents(s)
		d.release(s)
	}
}
