package wire

import (
	"math"
	"strconv"
)

// decimal is a number as written: ±mant × 10^exp, unless long is set, in which
// case it has more digits than mant holds.
type decimal struct {
	mant uint64
	exp  int
	neg  bool
	long bool
}

// maxMant is the greatest mantissa that can take one more digit and stay below
// 2^53, where float64 holds every whole number.
const maxMant = (1<<53 - 10) / 10

// digit takes one more digit of the whole part, or of the fraction.
func (d *decimal) digit(c byte, fraction bool) {
	if d.mant > maxMant {
		d.long = true
		return
	}
	d.mant = d.mant*10 + uint64(c-'0')
	if fraction {
		d.exp--
	}
}

// exactPowers are the powers of ten that float64 holds exactly.
var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// float is the nearest float64; an infinity beyond the greatest. raw is the
// number as written. Where mantissa and power are both exact, one operation
// rounds once and so rightly (W. D. Clinger, How to Read Floating Point Numbers
// Accurately, 1990); everything else is left to strconv.
func (d *decimal) float(raw []byte) float64 {
	const top = len(exactPowers) - 1
	if d.long || d.exp < -top || d.exp > top {
		f, _ := strconv.ParseFloat(string(raw), 64) // the only error left is the range, which shows as an infinity
		return f
	}
	f := float64(d.mant)
	if d.exp < 0 {
		f /= exactPowers[-d.exp]
	} else {
		f *= exactPowers[d.exp]
	}
	if d.neg {
		f = -f
	}
	return f
}

// number reads the number that starts here into s.num, or a sign before NaN or
// an infinity.
func (s *scanner) number() valueKind {
	start := s.pos
	var d decimal
	if c := s.at(); c == '-' || c == '+' {
		d.neg = c == '-'
		s.pos++
		if isLetter(s.at()) {
			return s.signedWord(start)
		}
		if c == '+' {
			s.pos = start
			s.fail("a value")
			return badValue
		}
	}
	if s.at() == '0' {
		s.pos++
		if isDigit(s.at()) {
			s.fail("no digit behind a leading zero")
			return badValue
		}
	} else if !s.digits(&d, false) {
		return badValue
	}
	if s.at() == '.' {
		s.pos++
		if !s.digits(&d, true) {
			return badValue
		}
	}
	if s.at()|0x20 == 'e' && !s.exponent(&d) {
		return badValue
	}
	s.num = d.float(s.data[start:s.pos])
	if math.IsInf(s.num, 0) {
		s.odd = true
		return oddValue
	}
	return numberValue
}

func (s *scanner) signedWord(start int) valueKind {
	if k := s.word(); k == oddValue {
		return k
	}
	s.pos = start
	s.fail("a value")
	return badValue
}

func (s *scanner) digits(d *decimal, fraction bool) bool {
	start := s.pos
	for ; s.pos < len(s.data) && isDigit(s.data[s.pos]); s.pos++ {
		d.digit(s.data[s.pos], fraction)
	}
	if s.pos == start {
		return s.fail("a digit")
	}
	return true
}

func (s *scanner) exponent(d *decimal) bool {
	s.pos++
	neg := s.at() == '-'
	if neg || s.at() == '+' {
		s.pos++
	}
	if !isDigit(s.at()) {
		return s.fail("a digit")
	}
	const enough = 1 << 30 // any exponent near this is beyond float64 or zero
	e := 0
	for ; isDigit(s.at()); s.pos++ {
		if e < enough/10 {
			e = e*10 + int(s.data[s.pos]-'0')
		}
	}
	if neg {
		e = -e
	}
	d.exp += e
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
