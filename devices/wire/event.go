package wire

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	maxEventID   = 128 // bytes
	maxEventType = 64  // bytes
)

// ValidEventType reports whether the contract has events of type t: one of a
// few names, or a name of one of the open families subscription.*, payment.*,
// survey.* and ticket.*, at most 64 bytes of a-z 0-9 _ . long.
func ValidEventType(t string) bool {
	switch t {
	case "swap.completed", "swap.failed", "swap.timeout", "charge.completed",
		"fault.opened", "fault.closed", "maintenance.done":
		return true
	}
	family, name, _ := strings.Cut(t, ".")
	switch family {
	case "subscription", "payment", "survey", "ticket":
	default:
		return false
	}
	if name == "" || len(t) > maxEventType {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && !isDigit(c) && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// Events decodes what dev published on its event topic: one event or an array
// of events. receivedMS is the arrival in Unix ms and the time of an event that
// carries none. A device's clock is not corrected here: members beyond id, ts
// and type belong to the event.
//
// Each element of an array is a record of its own: an event or a fault. A
// syntax error makes the whole payload one fault. Events do not alias payload;
// faults do.
func (d *Decoder) Events(dev devices.Ref, payload []byte, receivedMS int64) Decoded {
	body, fault := d.unpack(payload)
	if fault != nil {
		return refused(*fault)
	}
	var out Decoded
	s := scanner{data: body}
	ok := s.records(d.limits.MaxRecords, func() bool {
		e, fault, ok := d.event(&s, dev, receivedMS)
		switch {
		case !ok:
		case fault != nil:
			out.Faults = append(out.Faults, *fault)
		default:
			out.Events = append(out.Events, e)
		}
		return ok
	})
	if !ok {
		return refused(s.fault())
	}
	if out.Records() == 0 {
		return refused(Fault{ReasonEmpty, "an empty array", body})
	}
	return out
}

// event reads one event; ok is false after a syntax error.
func (d *Decoder) event(s *scanner, dev devices.Ref, receivedMS int64) (_ telemetry.Event, _ *Fault, ok bool) {
	const depth = 1
	start := s.pos
	s.odd = false
	m := eventMembers{id: label{name: "id"}, kind: label{name: "type"}}
	if s.at() == '{' {
		ok = s.members(depth+1, func(name []byte) bool { return m.read(s, name) })
	} else {
		k := s.value(depth)
		m.refuse(ReasonWrongType, "want an object, found "+k.String())
		ok = k != badValue
	}
	if !ok {
		return telemetry.Event{}, nil, false
	}
	raw := s.data[start:s.pos:s.pos]
	e := telemetry.Event{Kind: dev.Kind, Device: dev.ID, ID: m.id.value, Type: m.kind.value, TS: receivedMS}
	if m.ts.set {
		e.TS = m.ts.ms
	}
	m.check(s.odd)
	if len(raw) > maxEvent {
		m.reason, m.detail = ReasonTooLarge, fmt.Sprintf("an event of %d bytes, want at most %d", len(raw), maxEvent)
	}
	if m.reason == "" {
		m.reason, m.detail = d.limits.checkTime(e.TS, receivedMS)
	}
	if m.reason != "" {
		return telemetry.Event{}, &Fault{m.reason, m.detail, raw}, true
	}
	e.Data = bytes.Clone(raw)
	return e, nil, true
}

// maxEvent bounds an event in bytes: it is kept whole.
const maxEvent = 64 << 10

// eventMembers are the members of an event that the contract names.
type eventMembers struct {
	id, kind label
	ts       instant
	reason   Reason
	detail   string
}

// label is a member whose value is a string.
type label struct{ name, value string }

// refuse keeps the first fault.
func (m *eventMembers) refuse(r Reason, detail string) {
	if m.reason == "" {
		m.reason, m.detail = r, detail
	}
}

func (m *eventMembers) read(s *scanner, name []byte) bool {
	const depth = 2
	switch string(name) {
	case "id":
		return m.label(s, &m.id)
	case "type":
		return m.label(s, &m.kind)
	case "ts":
		t, problem, ok := s.instant(depth)
		if problem != "" {
			m.refuse(ReasonBadTime, "ts: "+problem)
		}
		m.ts = t
		return ok
	}
	return s.value(depth) != badValue
}

func (m *eventMembers) label(s *scanner, l *label) bool {
	l.value = ""
	switch k := s.value(2); k {
	case badValue:
		return false
	case nullValue:
	case textValue:
		l.value = string(s.str)
	default:
		m.refuse(ReasonWrongType, l.name+": want a string, found "+k.String())
	}
	return true
}

// check finds what is wrong with the event as a whole. odd says that it holds
// a number that is not finite, which would make its data no JSON.
func (m *eventMembers) check(odd bool) {
	switch {
	case odd:
		m.refuse(ReasonNotFinite, "a number that is not finite")
	case m.id.value == "":
		m.refuse(ReasonEmpty, "an event without an id")
	case len(m.id.value) > maxEventID:
		m.refuse(ReasonOutOfBounds, fmt.Sprintf("id: %d bytes: want at most %d", len(m.id.value), maxEventID))
	case strings.ContainsFunc(m.id.value, unicode.IsControl):
		// Beside being no name: PostgreSQL stores no U+0000.
		m.refuse(ReasonOutOfBounds, "id: a control character in "+show([]byte(m.id.value)))
	case !ValidEventType(m.kind.value):
		m.refuse(ReasonUnknownType, "unknown event type "+show([]byte(m.kind.value)))
	}
}
