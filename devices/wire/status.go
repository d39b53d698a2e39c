package wire

import (
	"bytes"
	"strconv"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// The types of the events that Status makes. No device can send them as events.
const (
	StatusOnline  = "status.online"
	StatusOffline = "status.offline"
)

// Status decodes what dev, or the broker as its last will, published on its
// status topic: online or offline, bare, as a JSON string, or as the member
// status of an object that may carry a ts. It becomes one event, named by its
// type and time, so that a retained message with a ts is one event however
// often it is delivered; without ts the time is that of the arrival.
//
// An empty payload clears a retained message and is no record at all.
func (d *Decoder) Status(dev devices.Ref, payload []byte, receivedMS int64) Decoded {
	if len(payload) == 0 {
		return Decoded{}
	}
	body, fault := d.unpack(payload)
	if fault != nil {
		return refused(*fault)
	}
	word := bytes.Trim(body, space)
	ts, data := receivedMS, []byte(nil)
	switch word[0] {
	case '{', '"':
		s := scanner{data: body}
		m, ok := readStatus(&s)
		if !ok {
			return refused(s.fault())
		}
		if m.reason != "" {
			return refused(Fault{m.reason, m.detail, body})
		}
		if word[0] == '{' {
			data = bytes.Clone(word)
		}
		if m.ts.set {
			ts = m.ts.ms
		}
		word = []byte(m.kind.value)
	}
	e := telemetry.Event{Kind: dev.Kind, Device: dev.ID, TS: ts, Data: data}
	switch string(word) {
	case "online":
		e.Type = StatusOnline
	case "offline":
		e.Type = StatusOffline
	default:
		return refused(Fault{ReasonUnknownType, "want online or offline, found " + show(word), body})
	}
	if r, detail := d.limits.checkTime(ts, receivedMS); r != "" {
		return refused(Fault{r, detail, body})
	}
	e.ID = e.Type + "@" + strconv.FormatInt(ts, 10)
	if e.Data == nil {
		e.Data = AppendEvent(nil, &e)
	}
	return Decoded{Events: []telemetry.Event{e}}
}

// readStatus reads the whole text, a string or an object; ok is false after a
// syntax error.
func readStatus(s *scanner) (m eventMembers, ok bool) {
	m.kind.name = "status"
	if s.peek() == '"' {
		return m, m.label(s, &m.kind) && s.end()
	}
	ok = s.members(1, func(name []byte) bool {
		switch string(name) {
		case "status":
			return m.label(s, &m.kind)
		case "ts":
			return m.read(s, name)
		}
		return s.value(1) != badValue
	})
	if s.odd {
		m.refuse(ReasonNotFinite, "a number that is not finite")
	}
	return m, ok && s.end()
}
