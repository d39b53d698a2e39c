package presence

// faster deals with a message that arrives before it was sent: at least by that
// much the clock is ahead of what was believed. It returns nil where the clock
// has changed too often to be followed.
func (c *clock) faster(sent, received int64) (*spell, bool) {
	delay := received - sent
	if p := c.present(); p.From <= sent && sent <= p.Last {
		return p, false // a later instant has been answered for, and that stands
	}
	if s := c.before(sent, delay); s != nil {
		if sent <= c.answered(sent) || !c.mayChange(received) {
			return s, false
		}
		s.From = sent
		return s, true
	}
	offset := oddStep(c.present().Offset, delay)
	for i := range c.spells {
		if s := &c.spells[i]; abs(delay-s.Offset) <= s.slack() {
			offset = s.Offset // the clock has come back to it
		}
	}
	if !c.open(sent, offset, received) {
		return nil, false
	}
	return c.present(), true
}

// before is the spell that the message belongs to, though it was sent up to a
// day before the first message of the spell that arrived; nil where there is
// none.
func (c *clock) before(sent, delay int64) *spell {
	var best *spell
	for i := range c.spells {
		s := &c.spells[i]
		late := delay - s.Offset
		if sent < s.From && s.From <= sent+day && -s.slack() <= late && late <= maxLate && (best == nil || s.Offset > best.Offset) {
			best = s
		}
	}
	return best
}

// answered is the latest instant answered for by the spells that speak for sent.
func (c *clock) answered(sent int64) int64 {
	last := int64(beginning)
	for i := range c.spells {
		if s := &c.spells[i]; s.From <= sent && sent <= s.To {
			last = max(last, s.Last)
		}
	}
	return last
}

// returned deals with a message that is on time under a spell of the past: it
// was long under way, or the clock has come back to it.
func (c *clock) returned(s *spell, sent, received int64, redelivered bool) (*spell, bool) {
	s.used = max(s.used, received)
	if redelivered || !c.prove(sent, received) {
		return s, false
	}
	return c.settle(s, s.Offset, sent, received)
}

// later deals with a message that is late under s, or was stamped by a clock
// that is slow.
func (c *clock) later(s *spell, sent, received int64, redelivered bool) (*spell, bool) {
	late := received - sent - s.Offset
	switch {
	case redelivered:
		return s, false
	case late > maxLate, s == c.present() && s.Offset > maxLate && late > tolerance && sent <= s.Last:
		// Nothing takes so long; or the clock counts from its start, and has
		// started again.
		if !c.open(sent, oddStep(s.Offset, received-sent), received) {
			return s, false
		}
		return c.present(), true
	case s != c.present() || !c.prove(sent, received):
		return s, false
	}
	return c.settle(s, oddStep(s.Offset, c.guess.offset), sent, received)
}

// mayChange takes one of the hour's changes, if any is left. Changes within a
// second of the last are one with it: a backlog is written once.
func (c *clock) mayChange(received int64) bool {
	switch {
	case c.changes > 0 && abs(received-c.changed) < burst:
		return true
	case c.changes == 0 || abs(received-c.window) >= hour:
		c.window, c.changes = received, 0
	case c.changes == maxChanges:
		return false
	}
	c.changes++
	c.changed = received
	return true
}

// open begins a spell, unless there were too many changes lately.
func (c *clock) open(from, offset, received int64) bool {
	if !c.mayChange(received) {
		return false
	}
	for i := range c.spells {
		if s := &c.spells[i]; s.To == forever {
			s.To = max(s.Last, from-1)
		}
	}
	if len(c.spells) == maxSpells {
		c.forget()
	}
	c.spells = append(c.spells, spell{From: from, To: forever, Offset: offset, Since: received, Last: beginning, used: received})
	return true
}

// oddStep is the offset to go to from another, given what the clock is off by. A
// right clock is not corrected. Else the step is odd: readings taken every so
// many even milliseconds before and after it do not fall on one instant.
func oddStep(from, off int64) int64 {
	switch {
	case -tolerance <= off && off <= tolerance:
		return 0
	case (off-from)%2 == 0:
		return off - 1
	}
	return off
}

func abs(n int64) int64 { return max(n, -n) }

// forget drops the spell that has been of no use for longest, but never the
// present one.
func (c *clock) forget() {
	oldest := 0
	for i := range len(c.spells) - 1 {
		if c.spells[i].used < c.spells[oldest].used {
			oldest = i
		}
	}
	c.spells = append(c.spells[:oldest], c.spells[oldest+1:]...)
}
