package sparkplug

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// value is a metric's value: a number, a text, or a truth, which is also the
// number 0 or 1.
type value struct {
	text    string
	num     float64
	numeric bool
	truth   bool
}

// key is the value as the configuration names it in a rule's values.
func (v value) key() string {
	switch {
	case v.truth:
		return strconv.FormatBool(v.num != 0)
	case v.numeric:
		return strconv.FormatFloat(v.num, 'g', -1, 64)
	}
	return v.text
}

// problem is why something can't be stored.
type problem struct {
	reason wire.Reason
	detail string
}

func wrongType(format string, args ...any) *problem {
	return &problem{wire.ReasonWrongType, fmt.Sprintf(format, args...)}
}

// scalar reads the value of a metric of datatype dt. Integers are taken from
// int_value and long_value alike: the specification gives UInt32 the one,
// Tahu's encoders the other.
func scalar(m *tahu.Payload_Metric, dt tahu.DataType) (value, *problem) {
	switch dt {
	case tahu.DataType_Int8, tahu.DataType_Int16, tahu.DataType_Int32, tahu.DataType_Int64:
		return signed(m, dt, 8<<(dt-tahu.DataType_Int8))
	case tahu.DataType_UInt8, tahu.DataType_UInt16, tahu.DataType_UInt32, tahu.DataType_UInt64:
		return unsigned(m, dt, 8<<(dt-tahu.DataType_UInt8))
	case tahu.DataType_DateTime:
		return unsigned(m, dt, 64)
	case tahu.DataType_Float, tahu.DataType_Double:
		return floating(m, dt)
	case tahu.DataType_Boolean:
		v, ok := m.GetValue().(*tahu.Payload_Metric_BooleanValue)
		if !ok {
			return value{}, mismatch(m, dt)
		}
		n := 0.0
		if v.BooleanValue {
			n = 1
		}
		return value{num: n, numeric: true, truth: true}, nil
	case tahu.DataType_String, tahu.DataType_Text, tahu.DataType_UUID:
		v, ok := m.GetValue().(*tahu.Payload_Metric_StringValue)
		if !ok {
			return value{}, mismatch(m, dt)
		}
		if !utf8.ValidString(v.StringValue) {
			return value{}, &problem{wire.ReasonInvalidUTF8, "a string that is not UTF-8"}
		}
		return value{text: v.StringValue}, nil
	case tahu.DataType_Unknown:
		return value{}, wrongType("no datatype, neither here nor in the birth")
	}
	if _, ok := tahu.DataType_name[int32(dt)]; !ok {
		return value{}, wrongType("%d is no Sparkplug datatype", dt)
	}
	return value{}, wrongType("a %s can't be mapped to a field", dt)
}

func mismatch(m *tahu.Payload_Metric, dt tahu.DataType) *problem {
	if m.GetValue() == nil {
		return wrongType("a %s without a value, and not marked as null", dt)
	}
	return wrongType("a %s with a value of another type", dt)
}

// whole is an integer as it came, and the bits of the protobuf field.
func whole(m *tahu.Payload_Metric) (raw uint64, bits int, ok bool) {
	switch v := m.GetValue().(type) {
	case *tahu.Payload_Metric_IntValue:
		return uint64(v.IntValue), 32, true
	case *tahu.Payload_Metric_LongValue:
		return v.LongValue, 64, true
	}
	return 0, 0, false
}

// signed reads two's complement: in the bits of the datatype, or extended to
// those of the protobuf field, which has no sign.
func signed(m *tahu.Payload_Metric, dt tahu.DataType, bits int) (value, *problem) {
	raw, width, ok := whole(m)
	if !ok {
		return value{}, mismatch(m, dt)
	}
	n := int64(raw)
	if width == 32 {
		n = int64(int32(uint32(raw)))
	}
	lowest := int64(-1) << (bits - 1)
	switch {
	case bits < 64 && raw < 1<<bits: // not extended
		n = int64(raw<<(64-bits)) >> (64 - bits)
	case n < lowest || n > -(lowest+1):
		return value{}, &problem{wire.ReasonOutOfBounds, fmt.Sprintf("%d is no %s", n, dt)}
	}
	return value{num: float64(n), numeric: true}, nil
}

func unsigned(m *tahu.Payload_Metric, dt tahu.DataType, bits int) (value, *problem) {
	raw, _, ok := whole(m)
	if !ok {
		return value{}, mismatch(m, dt)
	}
	if bits < 64 && raw >= 1<<bits {
		return value{}, &problem{wire.ReasonOutOfBounds, fmt.Sprintf("%d is no %s", raw, dt)}
	}
	return value{num: float64(raw), numeric: true}, nil
}

func floating(m *tahu.Payload_Metric, dt tahu.DataType) (value, *problem) {
	var n float64
	switch v := m.GetValue().(type) {
	case *tahu.Payload_Metric_FloatValue:
		n = float64(v.FloatValue)
	case *tahu.Payload_Metric_DoubleValue:
		n = v.DoubleValue
	default:
		return value{}, mismatch(m, dt)
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return value{}, &problem{wire.ReasonNotFinite, "not a finite number"}
	}
	return value{num: n, numeric: true}, nil
}

// The quality codes of a metric's Quality property.
const (
	qualityProperty = "Quality"
	qualityGood     = 192
)

// good reports whether the metric's quality, where it states one, is good. A
// bad or stale value is the last one that was known: it was not measured now.
func good(m *tahu.Payload_Metric) bool {
	if q := property(m, qualityProperty); q != nil && !q.GetIsNull() {
		switch v := q.GetValue().(type) {
		case *tahu.Payload_PropertyValue_IntValue:
			return v.IntValue == qualityGood
		case *tahu.Payload_PropertyValue_LongValue:
			return v.LongValue == qualityGood
		}
	}
	return true
}

// property is the metric's property of that name, or nil.
func property(m *tahu.Payload_Metric, name string) *tahu.Payload_PropertyValue {
	set := m.GetProperties()
	for i, key := range set.GetKeys() {
		if key == name && i < len(set.GetValues()) {
			return set.Values[i]
		}
	}
	return nil
}
