package presence

// guess is a slower clock that is not yet proven.
type guess struct {
	offset      int64 // the least received − sent
	proofs      int
	first, last int64 // arrival of the first and the last proof
	sent        int64 // when the last proof was sent
	latest      int64 // the latest instant answered for since the first proof
}

// prove takes the message for the guess, and reports whether that is proven.
func (c *clock) prove(sent, received int64) bool {
	g := &c.guess
	delay := received - sent
	if g.proofs == 0 || delay < g.offset-stride || received-g.last > proofPause {
		if received < c.present().used {
			return false // out of order: a later message was on time
		}
		*g = guess{offset: delay, proofs: 1, first: received, last: received, sent: sent, latest: sent}
		return false
	}
	if delay <= g.offset+stride && sent != g.sent {
		g.offset = min(g.offset, delay)
		g.proofs++
		g.first, g.last, g.sent = min(g.first, received), max(g.last, received), sent
		if g.proofs >= proofs && g.last-g.first >= proofTime {
			return true
		}
	}
	return false
}

// settle begins the spell that is proven, after all that the guess has seen: what
// was answered for, under s, stands.
func (c *clock) settle(s *spell, offset, sent, received int64) (*spell, bool) {
	from := max(sent, c.guess.latest+1)
	c.guess = guess{}
	if sent < from || !c.open(from, offset, received) {
		return s, false
	}
	return c.present(), true
}
