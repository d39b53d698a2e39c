package presence

import (
	"math"
	"time"
)

// What is known of clocks. Times and differences are in milliseconds.
const (
	// tolerance is how far a clock may be off and still be taken as right: below
	// it the network's delay, not the clock, is what one sees.
	tolerance = int64(time.Minute / time.Millisecond)
	// stride is how far a clock that is corrected may wander from its correction
	// before that is changed.
	stride = int64(10 * time.Second / time.Millisecond)
	// A slow clock looks like late messages. It is believed after proofs messages
	// sent at different times and received over at least proofTime, all late by
	// the same time within stride, while none was on time; those that are later
	// still do not count. A queue that is being emptied does not look so, unless
	// it goes on at the very speed at which it was filled.
	proofs    = 5
	proofTime = int64(5 * time.Minute / time.Millisecond)
	// proofPause is how long a proof may wait for the next.
	proofPause = int64(6 * time.Hour / time.Millisecond)
	// maxLate is the longest that a message is believed to have been under way.
	// What looks later was stamped by a clock that is wrong.
	maxLate = int64(30 * 24 * time.Hour / time.Millisecond)
	// maxSpells bounds what is remembered of one clock, and maxChanges how often
	// its correction may change within an hour: each change is a write to disk.
	maxSpells  = 8
	maxChanges = 8
	burst      = int64(time.Second / time.Millisecond)

	hour = int64(time.Hour / time.Millisecond)
	day  = 24 * hour
)

// spell is a time in which a clock was off by the same amount. It speaks for the
// instants [From, To] of the device's clock, which is why a message and its
// duplicate are corrected alike, whenever they arrive: the correction depends on
// when a message was sent, and what was once answered stays.
//
// Where a clock was set back, spells overlap. There the arrival decides: no
// message comes before it was sent.
type spell struct {
	From   int64 `json:"from"`
	To     int64 `json:"to"`
	Offset int64 `json:"offset"` // added to the device's times
	Since  int64 `json:"since"`  // when it was found, by the server's clock
	Last   int64 `json:"last"`   // the latest instant answered for, by the device's clock

	used int64 // when it was last right, by the server's clock
}

// slack is how much too early a message may arrive under the spell's offset.
func (s *spell) slack() int64 {
	if s.Offset == 0 {
		return tolerance
	}
	return stride
}

// clock is what is known of one device's clock. It is not safe for concurrent
// use.
type clock struct {
	spells  []spell // in the order in which they were found
	samples int64
	guess   guess
	floor   [2]int64 // the least received − sent of this hour and the one before
	hour    int64    // which this is
	window  int64    // when the present hour of changes began
	changed int64    // when the last of them was counted
	changes int
}

const (
	beginning = math.MinInt64
	forever   = math.MaxInt64
)

// newClock is a clock that is right as far as is known.
func newClock() *clock {
	return &clock{spells: []spell{{From: beginning, To: forever, Last: beginning}}, floor: [2]int64{forever, forever}}
}

// restored is a clock of which the spells are known.
func restored(spells []spell) *clock {
	c := newClock()
	c.spells = spells
	for i := range spells {
		spells[i].used = spells[i].Since
	}
	return c
}

// offset is what to add to the times of a message that the device sent at sent
// and the server received at received, and whether the clock's spells changed.
// redelivered says that the message was sent to the server before.
func (c *clock) offset(sent, received int64, redelivered bool) (offset int64, changed bool) {
	c.samples++
	delay := received - sent // of the network, less what the clock is ahead
	c.observe(received, delay)
	s := c.find(sent, delay)
	switch {
	case s == nil:
		s, changed = c.faster(sent, received)
		if s == nil {
			return 0, false
		}
	case delay-s.Offset > s.slack():
		s, changed = c.later(s, sent, received, redelivered)
	case s == c.present():
		s.used = max(s.used, received)
		if received >= c.guess.first {
			c.guess = guess{}
		}
	default:
		s, changed = c.returned(s, sent, received, redelivered)
	}
	s.Last = max(s.Last, sent)
	if c.guess.proofs > 0 {
		c.guess.latest = max(c.guess.latest, sent)
	}
	return s.Offset, changed
}

// observe keeps the least delay of the last one to two hours.
func (c *clock) observe(received, delay int64) {
	switch h := received / hour; {
	case h == c.hour+1:
		c.floor[1], c.floor[0], c.hour = c.floor[0], delay, h
	case h > c.hour:
		c.floor[1], c.floor[0], c.hour = forever, delay, h
	default:
		c.floor[0] = min(c.floor[0], delay)
	}
}

// present is the spell that the clock is in.
func (c *clock) present() *spell { return &c.spells[len(c.spells)-1] }

// find is the latest spell that speaks for sent and under which the message does
// not arrive before it was sent. Where no spell speaks for sent, it is the one
// under which the message took the least time. It is nil where the message comes
// too early for all of them.
func (c *clock) find(sent, delay int64) *spell {
	spoken := false
	for i := len(c.spells) - 1; i >= 0; i-- {
		s := &c.spells[i]
		if s.From <= sent && sent <= s.To {
			spoken = true
			if delay >= s.Offset-s.slack() {
				return s
			}
		}
	}
	if spoken {
		return nil
	}
	var best *spell
	for i := range c.spells {
		s := &c.spells[i]
		if delay >= s.Offset-s.slack() && (best == nil || s.Offset > best.Offset) {
			best = s
		}
	}
	return best
}
