package wire

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// AppendReading appends r as a flat JSON object with ts in epoch ms. Numbers
// are as short as they can be and still read back the same. A number that is
// not finite is written as NaN, +Inf or -Inf, which a decoder refuses as such:
// that is how the simulator sends one.
func AppendReading(dst []byte, r *telemetry.Reading) []byte {
	dst = append(dst, `{"ts":`...)
	dst = strconv.AppendInt(dst, r.TS, 10)
	for i := range r.Values {
		v := &r.Values[i]
		dst = append(dst, ',', '"')
		dst = append(dst, v.Field.Name...)
		dst = append(dst, '"', ':')
		if v.Field.Numeric() {
			dst = appendNumber(dst, v.Num)
		} else {
			dst = appendString(dst, v.Text)
		}
	}
	return append(dst, '}')
}

// AppendReadings appends a JSON array of readings, which may be empty.
func AppendReadings(dst []byte, readings []telemetry.Reading) []byte {
	dst = append(dst, '[')
	for i := range readings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendReading(dst, &readings[i])
	}
	return append(dst, ']')
}

// AppendEvent appends e as a JSON object: its id, ts and type, then the other
// members of e.Data in their order. Data may be the whole event as a decoder
// returns it, only what is to be added, or nil; Data that is not a JSON object
// is left out.
func AppendEvent(dst []byte, e *telemetry.Event) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, e.ID)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, e.TS, 10)
	dst = append(dst, `,"type":`...)
	dst = appendString(dst, e.Type)
	if utf8.Valid(e.Data) {
		dst = appendMembers(dst, e.Data)
	}
	return append(dst, '}')
}

// appendMembers appends a comma and each member of data, which should be an
// object, but for id, ts and type.
func appendMembers(dst, data []byte) []byte {
	const depth = 2 // as in Events, where an array may be around it
	before := len(dst)
	s := scanner{data: data}
	ok := s.members(depth, func(name []byte) bool {
		known := string(name) == "id" || string(name) == "ts" || string(name) == "type"
		mark := len(dst)
		dst = appendString(append(dst, ','), string(name))
		s.peek()
		start := s.pos
		k := s.value(depth)
		dst = append(append(dst, ':'), data[start:s.pos]...)
		if known {
			dst = dst[:mark]
		}
		return k != badValue
	})
	if !ok || !s.end() || s.odd {
		return dst[:before]
	}
	return dst
}

// appendNumber writes what encoding/json would: plain digits, or an exponent
// where they would be many.
func appendNumber(dst []byte, f float64) []byte {
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

// appendString writes a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		case r < utf8.RuneSelf:
			dst = append(dst, s[i])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
