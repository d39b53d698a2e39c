package wire

import (
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Telemetry decodes what dev published, or had published for it, on its
// telemetry topic. receivedMS is the arrival in Unix ms: the time of a reading
// that carries none. redelivered says that the message was sent to the server
// before; with the arrival it goes to the Clock.
//
// Each element of an array and each line is a record of its own: a reading or a
// fault. A syntax error in JSON makes the whole payload one fault. Readings do
// not alias payload; faults do.
func (d *Decoder) Telemetry(dev devices.Ref, payload []byte, receivedMS int64, redelivered bool) Decoded {
	schema := d.schema.Measurement(dev.Kind)
	if schema == nil {
		return refused(Fault{ReasonUnknownTopic, fmt.Sprintf("unknown kind %q", dev.Kind), payload})
	}
	body, fault := d.unpack(payload)
	if fault != nil {
		return refused(*fault)
	}
	names := d.orders[dev.Kind].Get().(*order)
	defer d.orders[dev.Kind].Put(names)
	a := assembly{names: names, limits: &d.limits, clock: d.clock, dev: dev, schema: schema, receivedMS: receivedMS, redelivered: redelivered}
	s := scanner{data: body}
	if c := s.peek(); c == '{' || c == '[' {
		a.json(&s)
	} else {
		a.lines(body)
	}
	return a.out
}

func (a *assembly) json(s *scanner) {
	a.mark = ':'
	if !s.records(a.limits.MaxRecords, func() bool { return a.element(s) }) {
		a.out = refused(s.fault())
		return
	}
	if a.out.Records() == 0 {
		a.out = refused(Fault{ReasonEmpty, "an empty array", s.data})
	}
}

// element reads one record, which should be an object.
func (a *assembly) element(s *scanner) bool {
	const depth = 1
	start := s.pos
	a.begin(s.data[start:])
	if s.at() == '{' {
		if !s.members(depth+1, func(name []byte) bool { return a.member(s, name) }) {
			return false
		}
	} else {
		k := s.value(depth)
		if k == badValue {
			return false
		}
		a.refuse(ReasonWrongType, "want an object, found %s", k)
	}
	a.end(s.pos - start)
	return true
}

// member reads a member of a record, and whether it is a field or one of the
// few other names. Names are not case-folded or trimmed.
func (a *assembly) member(s *scanner, name []byte) bool {
	const depth = 2
	if f := a.names.field(name); f != nil {
		return a.field(s, f, depth)
	}
	switch string(name) {
	case "ts":
		return a.instant(s, "ts", &a.ts)
	case "sent_at":
		return a.instant(s, "sent_at", &a.sent)
	case "device":
		return a.device(s, depth)
	case "values":
		return a.nested(s)
	}
	a.unknown(name)
	return s.value(depth) != badValue
}

func (a *assembly) field(s *scanner, f *devices.Field, depth int) bool {
	k := s.value(depth)
	if k == badValue {
		return false
	}
	a.set(f, k, s.num, s.str)
	return true
}

func (a *assembly) instant(s *scanner, name string, to *instant) bool {
	t, problem, ok := s.instant(2)
	if problem != "" {
		a.refuse(ReasonBadTime, "%s: %s", name, problem)
	}
	*to = t
	return ok
}

// device reads the id that a device may repeat in its payload.
func (a *assembly) device(s *scanner, depth int) bool {
	switch k := s.value(depth); k {
	case badValue:
		return false
	case nullValue:
	case textValue:
		a.checkNamed("device", s.str, a.dev.ID)
	default:
		a.refuse(ReasonWrongType, "device: want a string, found %s", k)
	}
	return true
}

// nested reads the object of {"ts": …, "values": {…}}, which holds nothing but
// fields. The other names belong beside it.
func (a *assembly) nested(s *scanner) bool {
	const depth = 3
	if s.peek() == '{' {
		return s.members(depth, func(name []byte) bool {
			if f := a.names.field(name); f != nil {
				return a.field(s, f, depth)
			}
			switch string(name) {
			case "ts", "sent_at", "device":
				a.refuse(ReasonUnknownField, "%s is within values: want it beside them", name)
			default:
				a.unknown(name)
			}
			return s.value(depth) != badValue
		})
	}
	k := s.value(depth - 1)
	if k != nullValue {
		a.refuse(ReasonWrongType, "values: want an object, found %s", k)
	}
	return k != badValue
}
