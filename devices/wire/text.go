package wire

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads the string that starts here into s.str.
func (s *scanner) text() bool {
	start := s.pos + 1
	for i := start; i < len(s.data); i++ {
		c := s.data[i]
		if c == '"' {
			s.str = s.data[start:i]
			s.pos = i + 1
			return true
		}
		if c == '\\' || c < 0x20 {
			s.pos = i
			return s.escaped(start)
		}
	}
	s.pos = len(s.data)
	return s.fail("a closing quote")
}

// escaped goes on with the string that starts at start from its first escape
// or control character.
func (s *scanner) escaped(start int) bool {
	s.scratch = append(s.scratch[:0], s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			s.str = s.scratch
			return true
		case c < 0x20:
			return s.fail("no bare control character in a string")
		case c == '\\':
			if !s.escape() {
				return false
			}
		default:
			s.scratch = append(s.scratch, c)
			s.pos++
		}
	}
	return s.fail("a closing quote")
}

func (s *scanner) escape() bool {
	s.pos++
	c := s.at()
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicode()
	default:
		return s.fail(`one of "\/bfnrtu after a backslash`)
	}
	s.scratch = append(s.scratch, c)
	s.pos++
	return true
}

// unicode reads the rest of \uXXXX from its u, and the second half of a
// surrogate pair.
func (s *scanner) unicode() bool {
	start := s.pos - 1
	r, ok := s.hex4()
	if !ok {
		return false
	}
	if utf16.IsSurrogate(r) {
		first := r
		r = utf8.RuneError
		if s.at() == '\\' && s.pos+1 < len(s.data) && s.data[s.pos+1] == 'u' {
			s.pos++
			second, ok := s.hex4()
			if !ok {
				return false
			}
			r = utf16.DecodeRune(first, second)
		}
		if r == utf8.RuneError {
			return s.failAs(ReasonInvalidUTF8, fmt.Sprintf("byte %d: half of a surrogate pair", start))
		}
	}
	s.scratch = utf8.AppendRune(s.scratch, r)
	return true
}

// hex4 reads four hexadecimal digits behind the u that is next.
func (s *scanner) hex4() (rune, bool) {
	var r rune
	s.pos++
	for range 4 {
		c := s.at()
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, s.fail(`four hexadecimal digits after \u`)
		}
		r = r<<4 | rune(c)
		s.pos++
	}
	return r, true
}

// maxShown bounds how much of the input a detail repeats, in bytes.
const maxShown = 48

// show quotes b for a detail, cut to a length that suits one.
func show(b []byte) string {
	n, more := len(b), ""
	if n > maxShown {
		for n = maxShown; n > 0 && !utf8.RuneStart(b[n]); n-- {
		}
		more = "…"
	}
	s := string(b[:n])
	if strings.Contains(s, `"`) && strconv.CanBackquote(s) {
		return "`" + s + "`" + more
	}
	return strconv.Quote(s) + more
}
