package wire

import (
	"bytes"
	"fmt"
)

// maxDepth bounds how deep arrays and objects may nest; the contract needs
// three levels, and events may carry a few more.
const maxDepth = 64

// valueKind is the kind of a JSON value; badValue means a syntax error.
type valueKind uint8

const (
	badValue valueKind = iota
	nullValue
	boolValue
	numberValue
	oddValue // NaN and the infinities, which are not JSON, or a number beyond float64
	textValue
	objectValue
	arrayValue
)

// String names the kind as details do.
func (k valueKind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "not finite", "a string", "an object", "an array"}[k]
}

// scanner reads one JSON text (RFC 8259) from left to right, once, without
// building anything. Beyond RFC 8259 it reads NaN and the infinities as values,
// so that the record that holds one is told apart from a broken payload.
//
// data must be valid UTF-8. A method that meets a syntax error sets err and
// returns false, or badValue.
type scanner struct {
	data []byte
	pos  int

	num float64 // of the last number
	str []byte  // of the last string: in data, or in scratch where it had escapes
	odd bool    // a value that is not finite was met

	scratch []byte
	reason  Reason // of the first error
	detail  string
}

// fail records a syntax error at the present position.
func (s *scanner) fail(want string) bool {
	if s.pos >= len(s.data) {
		return s.failAs(ReasonMalformed, fmt.Sprintf("cut off at byte %d: want %s", len(s.data), want))
	}
	return s.failAs(ReasonMalformed, fmt.Sprintf("byte %d: want %s, found %s", s.pos, want, show(s.data[s.pos:])))
}

func (s *scanner) failAs(r Reason, detail string) bool {
	if s.reason == "" {
		s.reason, s.detail = r, detail
	}
	return false
}

// fault is the error as a fault of the whole text.
func (s *scanner) fault() Fault { return Fault{s.reason, s.detail, s.data} }

// space is the white space of JSON, and of both formats around a record.
const space = " \t\r\n"

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// peek skips white space and returns the next byte; 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if !isSpace(c) {
			return c
		}
		s.pos++
	}
	return 0
}

// at returns the next byte; 0 at the end.
func (s *scanner) at() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// end reports whether nothing but white space is left.
func (s *scanner) end() bool {
	if s.peek(); s.pos < len(s.data) {
		return s.fail("the end")
	}
	return true
}

// value reads one value that lies within depth containers, and all that is in
// it.
func (s *scanner) value(depth int) valueKind {
	switch c := s.peek(); {
	case c == '"':
		if s.text() {
			return textValue
		}
	case '0' <= c && c <= '9', c == '-', c == '+':
		return s.number()
	case c == '{':
		if s.members(depth+1, func([]byte) bool { return s.value(depth+1) != badValue }) {
			return objectValue
		}
	case c == '[':
		if s.elements(depth+1, func() bool { return s.value(depth+1) != badValue }) {
			return arrayValue
		}
	default:
		return s.word()
	}
	return badValue
}

// word reads true, false, null, NaN, or an infinity.
func (s *scanner) word() valueKind {
	end := s.pos
	for end < len(s.data) && isLetter(s.data[end]) {
		end++
	}
	w := s.data[s.pos:end]
	var k valueKind
	switch {
	case string(w) == "null":
		k = nullValue
	case string(w) == "true", string(w) == "false":
		k = boolValue
	case isNotFinite(w):
		s.odd = true
		k = oddValue
	default:
		s.fail("a value")
		return badValue
	}
	s.pos = end
	return k
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isNotFinite knows the spellings of NaN and infinity in C, Go, JavaScript and
// Python, without their sign.
func isNotFinite(w []byte) bool {
	switch len(w) {
	case 3:
		return bytes.EqualFold(w, []byte("nan")) || bytes.EqualFold(w, []byte("inf"))
	case 8:
		return bytes.EqualFold(w, []byte("infinity"))
	}
	return false
}

// members reads the object that starts here, calling each with every name;
// each must read the value. The name is valid until then.
func (s *scanner) members(depth int, each func(name []byte) bool) bool {
	if !s.open('{', depth) {
		return false
	}
	if s.peek() == '}' {
		s.pos++
		return true
	}
	for {
		if s.peek() != '"' {
			return s.fail("a name in quotes")
		}
		if !s.text() {
			return false
		}
		name := s.str
		if s.peek() != ':' {
			return s.fail("a colon")
		}
		s.pos++
		if !each(name) {
			return false
		}
		if done, ok := s.next('}'); done || !ok {
			return ok
		}
	}
}

// elements reads the array that starts here, calling each for every element;
// each must read it.
func (s *scanner) elements(depth int, each func() bool) bool {
	if !s.open('[', depth) {
		return false
	}
	if s.peek() == ']' {
		s.pos++
		return true
	}
	for {
		if !each() {
			return false
		}
		if done, ok := s.next(']'); done || !ok {
			return ok
		}
	}
}

func (s *scanner) open(bracket byte, depth int) bool {
	if s.peek() != bracket {
		return s.fail(string(bracket))
	}
	if depth > maxDepth {
		return s.failAs(ReasonMalformed, fmt.Sprintf("byte %d: nested more than %d deep", s.pos, maxDepth))
	}
	s.pos++
	return true
}

// next reads a comma, or the closing bracket, which is done.
func (s *scanner) next(closing byte) (done, ok bool) {
	switch s.peek() {
	case ',':
		s.pos++
		return false, true
	case closing:
		s.pos++
		return true, true
	}
	return false, s.fail("a comma or " + string(closing))
}

// records reads the whole text, which is one record or an array of at most
// limit records, calling each for every record.
func (s *scanner) records(limit int, each func() bool) bool {
	if s.peek() != '[' {
		return each() && s.end()
	}
	n := 0
	return s.elements(1, func() bool {
		if n++; n > limit {
			return s.failAs(ReasonTooLarge, fmt.Sprintf("an array of more than %d records", limit))
		}
		s.peek()
		return each()
	}) && s.end()
}
