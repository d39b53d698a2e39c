package wire

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// assembly gathers the readings and faults of one payload, whichever format it
// has. A format calls begin, then refuse and set as it meets things, then end.
type assembly struct {
	limits      *Limits
	clock       Clock
	dev         devices.Ref
	schema      *devices.Measurement
	names       *order
	receivedMS  int64
	redelivered bool
	mark        byte // stands once before each value, to guess how many there are

	out    Decoded
	values []telemetry.Value // a chunk of the arena that readings share
	texts  [8]string         // copied last: a backlog repeats its texts
	copied int

	// Of the present record.
	raw    []byte // where it begins, to the end of the payload
	first  int    // of its values
	ts     instant
	sent   instant
	reason Reason
	detail string
}

// begin starts a record; rest is the payload from there.
func (a *assembly) begin(rest []byte) {
	a.raw = rest
	a.first = len(a.values)
	a.ts, a.sent = instant{}, instant{}
	a.reason, a.detail = "", ""
	a.names.last = -1
}

// refuse makes the present record a fault. The first fault of a record stands.
func (a *assembly) refuse(r Reason, format string, args ...any) {
	if a.reason == "" {
		a.reason, a.detail = r, fmt.Sprintf(format, args...)
	}
}

// set checks a value of the kind k, which is num or str, and gives it to the
// field. An earlier value of the field gives way.
func (a *assembly) set(f *devices.Field, k valueKind, num float64, str []byte) {
	switch {
	case k == nullValue:
		a.drop(f)
	case k == oddValue && f.Numeric():
		a.refuse(ReasonNotFinite, "%s: not a finite number", f.Name)
	case k == textValue && f.Type == devices.Text:
		a.setText(f, str)
	case k == numberValue && f.Numeric():
		a.setNumber(f, num)
	case f.Type == devices.Integer:
		a.refuse(ReasonWrongType, "%s: want a whole number, found %s", f.Name, k)
	case f.Type == devices.Text:
		a.refuse(ReasonWrongType, "%s: want a string, found %s", f.Name, k)
	default:
		a.refuse(ReasonWrongType, "%s: want a number, found %s", f.Name, k)
	}
}

func (a *assembly) setNumber(f *devices.Field, num float64) {
	switch {
	case f.Type == devices.Integer && num != math.Trunc(num):
		a.refuse(ReasonWrongType, "%s: want a whole number, found %v", f.Name, num)
	case num < f.Min || num > f.Max:
		a.refuse(ReasonOutOfBounds, "%s: %v is not within [%v, %v]", f.Name, num, f.Min, f.Max)
	case num == 0:
		a.put(telemetry.Value{Field: f}) // also for −0
	default:
		a.put(telemetry.Value{Field: f, Num: num})
	}
}

func (a *assembly) setText(f *devices.Field, str []byte) {
	if len(str) > devices.MaxTextLength {
		a.refuse(ReasonOutOfBounds, "%s: %d bytes of text: want at most %d", f.Name, len(str), devices.MaxTextLength)
		return
	}
	a.put(telemetry.Value{Field: f, Text: a.copyText(str)})
}

func (a *assembly) copyText(str []byte) string {
	for i := range a.texts {
		if a.texts[i] == string(str) {
			return a.texts[i]
		}
	}
	t := string(str)
	a.texts[a.copied%len(a.texts)] = t
	a.copied++
	return t
}

// unknown refuses the record for a field that its kind does not have.
func (a *assembly) unknown(name []byte) {
	if a.reason != "" {
		return
	}
	hint := ""
	if s := suggest(a.schema, name); s != "" {
		hint = fmt.Sprintf("; did you mean %q?", s)
	}
	a.refuse(ReasonUnknownField, "a %s has no field %s%s", a.dev.Kind, show(name), hint)
}

// checkNamed refuses the record where it names another device than the topic.
func (a *assembly) checkNamed(what string, got []byte, want string) {
	if string(got) != want {
		a.refuse(ReasonForeign, "%s %s: the topic is of %s", what, show(got), a.dev)
	}
}

// put keeps the values of a record in the order of the schema.
func (a *assembly) put(v telemetry.Value) {
	n := len(a.values)
	if n == a.first || a.values[n-1].Field.Index < v.Field.Index {
		a.push(v)
		return
	}
	i, found := a.find(v.Field)
	if found {
		a.values[i] = v
		return
	}
	a.push(v)
	i += len(a.values) - 1 - n // push may have moved the record to another chunk
	copy(a.values[i+1:], a.values[i:])
	a.values[i] = v
}

func (a *assembly) drop(f *devices.Field) {
	if i, found := a.find(f); found {
		a.values = slices.Delete(a.values, i, i+1)
	}
}

// find is the position in values where f's value is or belongs.
func (a *assembly) find(f *devices.Field) (int, bool) {
	i, found := slices.BinarySearchFunc(a.values[a.first:], f.Index,
		func(v telemetry.Value, index int) int { return v.Field.Index - index })
	return a.first + i, found
}

const (
	maxChunk   = 4096    // values
	markWindow = 1 << 16 // bytes
)

// push appends v. A full chunk of the arena is left to the readings that lie in
// it; the present record moves to a new one, sized by the marks that are ahead.
func (a *assembly) push(v telemetry.Value) {
	if len(a.values) == cap(a.values) {
		record := a.values[a.first:]
		ahead := bytes.Count(a.raw[:min(len(a.raw), markWindow)], []byte{a.mark})
		chunk := make([]telemetry.Value, len(record), max(min(ahead, maxChunk), 2*len(record), 1))
		copy(chunk, record)
		a.values, a.first = chunk, 0
	}
	a.values = append(a.values, v)
}

// end closes the record, whose bytes are the first size of what begin was
// given: it is a reading or a fault.
func (a *assembly) end(size int) {
	raw := a.raw[:size:size]
	ts := a.receivedMS
	if a.reason == "" && len(a.values) == a.first {
		a.refuse(ReasonEmpty, "no field has a value")
	}
	if a.reason == "" {
		ts = a.time()
		a.checkTime(ts)
	}
	if a.reason != "" {
		clear(a.values[a.first:])
		a.values = a.values[:a.first]
		a.out.Faults = append(a.out.Faults, Fault{a.reason, a.detail, raw})
		return
	}
	if len(a.out.Readings) == 1 { // a second one: guess the rest from its size
		a.out.Readings = slices.Grow(a.out.Readings, min(len(a.raw)/size+1, maxChunk))
	}
	end := len(a.values)
	a.out.Readings = append(a.out.Readings, telemetry.Reading{
		Kind: a.dev.Kind, Device: a.dev.ID, TS: ts, Values: a.values[a.first:end:end],
	})
}
