package presence

import "github.com/fleetwatt/fleetwatt/devices/wire"

// State is how a device is.
type State string

// The states. The first that applies is the device's.
const (
	Never   State = "never"   // nothing was received from it
	Offline State = "offline" // it was reported gone, or is silent for longer than it ever is
	Stale   State = "stale"   // it sends, but nothing that was measured lately
	Online  State = "online"
)

// States lists every state.
func States() []State { return []State{Online, Stale, Offline, Never} }

// seen is what was seen of one device: Unix milliseconds by the server's clock,
// 0 where there is none. All but since and the pace are maxima, so that the
// order of arrival does not matter.
type seen struct {
	first   int64 // the first sign of life
	last    int64 // the last sign of life
	newest  int64 // the time of the newest reading or event
	offline int64 // the time of the newest status offline
	since   int64 // the first sign of life after the device was offline

	pace    int64 // the longest usual time between two signs of life
	gap     int64 // a silence longer than allowed, which may be the pace
	gapOver int64 // when it ended
}

const (
	minAllowed = int64(60_000)     // a minute
	maxAllowed = int64(86_400_000) // a day
	// paces is how many times its pace a device may be silent.
	paces = 3
	// forgetting is how many times the pace it takes to forget it.
	forgetting = 8
)

// take adds a message. Its statuses come with times of their own; anything else
// is a sign of life when it is received.
func (s *seen) take(received int64, d *wire.Decoded, fixed, preset int64) {
	life := int64(0)
	if len(d.Readings)+len(d.Faults) > 0 {
		life = received
	}
	for i := range d.Readings {
		s.newest = max(s.newest, d.Readings[i].TS)
	}
	for i := range d.Events {
		e := &d.Events[i]
		switch e.Type {
		case wire.StatusOffline:
			s.offline = max(s.offline, min(e.TS, received))
		case wire.StatusOnline:
			// A retained one is delivered long after it was true.
			life = max(life, min(e.TS, received))
		default:
			life, s.newest = received, max(s.newest, e.TS)
		}
	}
	if life > 0 {
		s.live(life, fixed, preset)
	}
}

// live notes a sign of life.
func (s *seen) live(at, fixed, preset int64) {
	if s.last == 0 {
		s.first, s.last, s.since, s.pace = at, at, at, preset/paces
		return
	}
	if at <= s.last {
		s.first = min(s.first, at)
		return
	}
	silence := at - s.last
	if s.offline >= s.last || silence > s.allowed(fixed) {
		s.since = at
	}
	s.learn(silence, at)
	s.last = at
}

// learn follows the pace. A longer silence within what is allowed is the pace
// at once; it is forgotten slowly, so that a device that talks fast now and then
// is not expected to do so always. One silence beyond what is allowed is an
// outage; a second one after a shorter time than it took is how the device is.
func (s *seen) learn(silence, at int64) {
	switch {
	case silence > s.allowed(0):
		if s.gap > 0 && at-silence-s.gapOver < s.gap {
			s.pace, s.gap, s.gapOver = min(s.gap, silence, maxAllowed/paces), 0, 0
			return
		}
		s.gap, s.gapOver = silence, at
	case silence >= s.pace:
		s.pace = min(silence, maxAllowed/paces)
	default:
		// By as much as the silence is of the time to forget: a burst of messages
		// counts for no more than it takes.
		s.pace -= (s.pace - silence) * silence / (forgetting * s.pace)
	}
}

// allowed is how long the device may be silent: fixed, or learned where that is
// zero.
func (s *seen) allowed(fixed int64) int64 {
	if fixed > 0 {
		return fixed
	}
	return max(minAllowed, min(paces*s.pace, maxAllowed))
}

// state is how the device is at now. stale is how old its newest reading may be.
func (s *seen) state(now, fixed, stale int64) State {
	allowed := s.allowed(fixed)
	switch {
	case s.last == 0 && s.offline == 0:
		return Never
	case s.offline >= s.last || now-s.last > allowed:
		return Offline
	case now-max(s.newest, s.since) > max(stale, allowed):
		return Stale
	}
	return Online
}
