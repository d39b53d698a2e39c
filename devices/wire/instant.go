package wire

import (
	"fmt"
	"math"
	"time"
)

// instant is a time that a payload may carry.
type instant struct {
	ms  int64 // since 1970, UTC, within ±maxInstant
	set bool
}

// maxInstant bounds instants where float64 stops counting by one, some 285,000
// years from 1970. Whatever lies beyond is as wrong as what lies there.
const maxInstant = 1 << 53

// instant reads a time from the value at s: epoch milliseconds as a whole
// number, an RFC 3339 string whose fraction is cut to milliseconds, or null for
// none. An empty problem means that it could be read; ok is false after a
// syntax error.
func (s *scanner) instant(depth int) (t instant, problem string, ok bool) {
	s.peek()
	start := s.pos
	k := s.value(depth)
	switch k {
	case badValue:
		return instant{}, "", false
	case nullValue:
		return instant{}, "", true
	case numberValue:
		if s.num == math.Trunc(s.num) {
			return instant{int64(max(-maxInstant, min(s.num, maxInstant))), true}, "", true
		}
	case textValue:
		var rfc time.Time
		if rfc.UnmarshalText(s.str) == nil {
			return instant{rfc.UnixMilli(), true}, "", true
		}
	}
	return instant{}, fmt.Sprintf("want whole epoch milliseconds or RFC 3339, found %s", show(s.data[start:s.pos])), true
}

// time is when the present reading was taken. A reading without a time was
// taken on arrival; one with is moved by what the device's clock is off.
func (a *assembly) time() int64 {
	off := int64(0)
	if a.sent.set && a.clock != nil {
		off = a.clock.Offset(a.dev, a.sent.ms, a.receivedMS, a.redelivered)
	}
	if !a.ts.set {
		return a.receivedMS
	}
	return a.ts.ms + off
}

func (a *assembly) checkTime(ms int64) {
	if r, detail := a.limits.checkTime(ms, a.receivedMS); r != "" {
		a.refuse(r, "%s", detail)
	}
}

// checkTime says why a reading or event of that time can't be stored; an empty
// reason means that it can.
func (l *Limits) checkTime(ms, receivedMS int64) (Reason, string) {
	const (
		march1970 = 59 * 86400 * 1000 // seconds till 2131, taken for milliseconds, end before it
		year5000  = 95617584000000    // microseconds from 1973 on, taken for milliseconds, begin behind it
	)
	hint := ""
	if 0 < ms && ms < march1970 || ms > year5000 {
		hint = "; is its unit right?"
	}
	switch {
	case ms > receivedMS+l.MaxAhead.Milliseconds():
		return ReasonFuture, fmt.Sprintf("%s is more than %s ahead of %s%s", formatMS(ms), l.MaxAhead, formatMS(receivedMS), hint)
	case ms < l.MinTS:
		return ReasonAncient, fmt.Sprintf("%s is before %s%s", formatMS(ms), formatMS(l.MinTS), hint)
	}
	return "", ""
}

func formatMS(ms int64) string {
	const year1, year10000 = -62135596800000, 253402300800000
	switch {
	case ms < year1:
		return "a time before the year 1"
	case ms >= year10000:
		return "a time after the year 9999"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
