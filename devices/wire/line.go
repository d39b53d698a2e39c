package wire

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
)

// lines decodes InfluxDB line protocol: one reading a line,
//
//	battery,device=B1 soc_pct=81.5,slot=3i,state="charging" 1767225600000000000
//
// A line feed ends a line wherever it stands: the protocol has no way to put
// one into a value. https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
func (a *assembly) lines(body []byte) {
	a.mark = '='
	for rest := body; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			n = len(rest)
		}
		whole := bytes.TrimRight(rest[:n], "\r\n")
		if trimmed := bytes.Trim(whole, space); len(trimmed) > 0 && trimmed[0] != '#' {
			if a.out.Records() == a.limits.MaxRecords {
				a.out = refused(Fault{ReasonTooLarge, "more than " + strconv.Itoa(a.limits.MaxRecords) + " lines", body})
				return
			}
			a.begin(rest)
			a.line(trimmed)
			a.end(len(whole))
		}
		rest = rest[n:]
	}
	switch {
	case a.out.Records() == 0:
		a.out = refused(Fault{ReasonEmpty, "nothing but comments", body})
	case a.out.Records() == 1 && len(a.out.Faults) == 1 && a.out.Faults[0].Reason == ReasonMalformed:
		a.out.Faults[0].Detail = "neither JSON nor line protocol: " + a.out.Faults[0].Detail
	}
}

// line reads one line without white space around it.
func (a *assembly) line(l []byte) {
	name, l := cutAny(l, ", ")
	if len(name) == 0 {
		a.malformed("a line without a measurement")
		return
	}
	a.checkNamed("measurement", unescape(name, ", "), string(a.dev.Kind))
	var ok bool
	for len(l) > 0 && l[0] == ',' {
		if l, ok = a.tag(l[1:]); !ok {
			return
		}
	}
	l = bytes.TrimLeft(l, " ")
	if len(l) == 0 {
		a.malformed("a line without fields")
		return
	}
	for {
		if l, ok = a.lineField(l); !ok {
			return
		}
		if len(l) == 0 || l[0] != ',' {
			break
		}
		l = l[1:]
	}
	a.timestamp(bytes.TrimLeft(l, " "))
}

// malformed makes the line a fault for its syntax, whatever fault of content
// was found before in it.
func (a *assembly) malformed(detail string) {
	a.reason, a.detail = ReasonMalformed, detail
}

// tag reads key=value and returns what is behind it.
func (a *assembly) tag(l []byte) (rest []byte, ok bool) {
	key, l := cutAny(l, "=, ")
	if len(key) == 0 || len(l) == 0 || l[0] != '=' {
		a.malformed("a tag that is not key=value")
		return nil, false
	}
	value, l := cutAny(l[1:], "=, ")
	if len(value) == 0 || len(l) > 0 && l[0] == '=' {
		a.malformed("tag " + show(key) + " has no value, or two")
		return nil, false
	}
	key, value = unescape(key, "=, "), unescape(value, "=, ")
	switch f := a.schema.FieldBytes(key); {
	case f != nil && f.Type == devices.Text:
		a.set(f, textValue, 0, value)
	case string(key) == "device":
		a.checkNamed("tag device", value, a.dev.ID)
	case string(key) == "kind":
		a.checkNamed("tag kind", value, string(a.dev.Kind))
	case f != nil:
		a.refuse(ReasonUnknownField, "tag %s: a number can't be a tag", show(key))
	default:
		a.unknown(key)
	}
	return l, true
}

// lineField reads key=value and returns what is behind it.
func (a *assembly) lineField(l []byte) (rest []byte, ok bool) {
	key, l := cutAny(l, "=, ")
	if len(key) == 0 || len(l) == 0 || l[0] != '=' {
		a.malformed("a field that is not key=value")
		return nil, false
	}
	key = unescape(key, "=, ")
	l = l[1:]
	var (
		k   valueKind
		num float64
		str []byte
	)
	if len(l) > 0 && l[0] == '"' {
		n := closingQuote(l)
		if n < 0 {
			a.malformed("field " + show(key) + " lacks its closing quote")
			return nil, false
		}
		k, str = textValue, unescape(l[1:n], `"\`)
		l = l[n+1:]
		if len(l) > 0 && l[0] != ',' && l[0] != ' ' {
			a.malformed("field " + show(key) + " goes on behind its closing quote")
			return nil, false
		}
	} else {
		var value []byte
		value, l = cutAny(l, ", ")
		if k, num = bareValue(value); k == badValue {
			a.malformed("field " + show(key) + ": " + show(value) + " is no value")
			return nil, false
		}
	}
	if f := a.schema.FieldBytes(key); f != nil {
		a.set(f, k, num, str)
	} else {
		a.unknown(key)
	}
	return l, true
}

// timestamp reads the last part of a line, Unix nanoseconds, which may be
// absent.
func (a *assembly) timestamp(l []byte) {
	if len(l) == 0 {
		return
	}
	ns, err := strconv.ParseInt(string(l), 10, 64)
	if err != nil {
		a.refuse(ReasonBadTime, "want whole epoch nanoseconds, found %s", show(l))
		return
	}
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	a.ts = instant{ms, true}
}

// bareValue reads a field value without quotes: a boolean, a float, an integer
// with the suffix i or u, or a number that is not finite.
func bareValue(v []byte) (valueKind, float64) {
	switch string(v) {
	case "t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE":
		return boolValue, 0
	}
	unsigned := bytes.TrimLeft(v, "+-")
	if len(v)-len(unsigned) > 1 {
		return badValue, 0
	}
	if isNotFinite(unsigned) {
		return oddValue, 0
	}
	whole := bytes.TrimRight(unsigned, "iu")
	if suffix := len(unsigned) - len(whole); suffix > 0 {
		minusU := v[0] == '-' && v[len(v)-1] == 'u'
		if suffix > 1 || minusU || !all(whole, isDigit) {
			return badValue, 0
		}
		v = v[:len(v)-1]
	}
	if !all(whole, isFloatByte) {
		return badValue, 0
	}
	num, err := strconv.ParseFloat(string(v), 64)
	switch {
	case math.IsInf(num, 0):
		return oddValue, 0
	case err != nil:
		return badValue, 0
	}
	return numberValue, num
}

// isFloatByte keeps out what strconv reads beyond plain decimals.
func isFloatByte(c byte) bool {
	return isDigit(c) || c == '.' || c|0x20 == 'e' || c == '+' || c == '-'
}

func all(b []byte, is func(byte) bool) bool {
	for _, c := range b {
		if !is(c) {
			return false
		}
	}
	return true
}

// cutAny cuts l before the first of the stops that no backslash escapes.
func cutAny(l []byte, stops string) (before, from []byte) {
	for i := 0; i < len(l); i++ {
		switch c := l[i]; {
		case c == '\\':
			i++
		case strings.IndexByte(stops, c) >= 0:
			return l[:i], l[i:]
		}
	}
	return l, nil
}

// closingQuote is the index of the quote that ends the string that l starts
// with; -1 where there is none.
func closingQuote(l []byte) int {
	for i := 1; i < len(l); i++ {
		switch l[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unescape drops the backslash before each of the given bytes; any other stays.
func unescape(b []byte, escaped string) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte(escaped, b[i+1]) >= 0 {
			i++
		}
		out = append(out, b[i])
	}
	return out
}
