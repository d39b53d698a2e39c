package sparkplug

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// fit makes of a metric's value the value of its field, held to the schema as
// package wire holds what devices send themselves.
func (t *target) fit(v value) (telemetry.Value, *problem) {
	f := t.field
	if t.values != nil {
		to, ok := t.values[v.key()]
		if !ok {
			return telemetry.Value{}, &problem{wire.ReasonOutOfBounds, fmt.Sprintf("%s: %.64q is not among the rule's values", f.Name, v.key())}
		}
		return telemetry.Value{Field: f, Num: to.num, Text: to.text}, nil
	}
	if f.Numeric() != v.numeric {
		if f.Numeric() {
			return telemetry.Value{}, wrongType("%s: want a number, found text", f.Name)
		}
		return telemetry.Value{}, wrongType("%s: want text, found a number", f.Name)
	}
	if !f.Numeric() {
		return fitText(f, v.text)
	}
	n := v.num
	if t.scale != 1 || t.offset != 0 {
		n = n*t.scale + t.offset
	}
	return fitNumber(f, n)
}

func fitNumber(f *devices.Field, n float64) (telemetry.Value, *problem) {
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0):
		return telemetry.Value{}, &problem{wire.ReasonNotFinite, f.Name + ": not a finite number"}
	case f.Type == devices.Integer && n != math.Trunc(n):
		return telemetry.Value{}, wrongType("%s: want a whole number, found %v", f.Name, n)
	case n < f.Min || n > f.Max:
		return telemetry.Value{}, &problem{wire.ReasonOutOfBounds, fmt.Sprintf("%s: %v is not within [%v, %v]", f.Name, n, f.Min, f.Max)}
	case n == 0:
		return telemetry.Value{Field: f}, nil // also for −0
	}
	return telemetry.Value{Field: f, Num: n}, nil
}

func fitText(f *devices.Field, s string) (telemetry.Value, *problem) {
	if len(s) > devices.MaxTextLength {
		return telemetry.Value{}, &problem{wire.ReasonOutOfBounds, fmt.Sprintf("%s: %d bytes of text: want at most %d", f.Name, len(s), devices.MaxTextLength)}
	}
	return telemetry.Value{Field: f, Text: s}, nil
}

// constant reads a field's value as the configuration writes it.
func constant(f *devices.Field, s string) (value, error) {
	var v telemetry.Value
	var p *problem
	if !f.Numeric() {
		if !utf8.ValidString(s) {
			return value{}, fmt.Errorf("%s: not UTF-8", f.Name)
		}
		v, p = fitText(f, s)
	} else {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return value{}, fmt.Errorf("%s: want a number, found %q", f.Name, s)
		}
		v, p = fitNumber(f, n)
	}
	if p != nil {
		return value{}, fmt.Errorf("%s", p.detail)
	}
	return value{num: v.Num, text: v.Text, numeric: f.Numeric()}, nil
}

// clock says which times can be stored.
type clock struct {
	maxAhead time.Duration
	minTS    int64
}

// check says why something of that time can't be stored; nil where it can.
func (c clock) check(ms, receivedMS int64) *problem {
	const layout = "2006-01-02T15:04:05.000Z"
	show := func(ms int64) string {
		const year10000 = 253402300800000
		if ms >= year10000 {
			return "a time after the year 9999"
		}
		return time.UnixMilli(ms).UTC().Format(layout)
	}
	switch {
	case ms > receivedMS+c.maxAhead.Milliseconds():
		return &problem{wire.ReasonFuture, fmt.Sprintf("%s is more than %s ahead of %s", show(ms), c.maxAhead, show(receivedMS))}
	case ms < c.minTS:
		return &problem{wire.ReasonAncient, fmt.Sprintf("%s is before %s", show(ms), show(c.minTS))}
	}
	return nil
}
