package sparkplug

import (
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

func intValue(v uint32) *tahu.Payload_Metric {
	return &tahu.Payload_Metric{Value: &tahu.Payload_Metric_IntValue{IntValue: v}}
}

func longValue(v uint64) *tahu.Payload_Metric {
	return &tahu.Payload_Metric{Value: &tahu.Payload_Metric_LongValue{LongValue: v}}
}

func floatValue(v float32) *tahu.Payload_Metric {
	return &tahu.Payload_Metric{Value: &tahu.Payload_Metric_FloatValue{FloatValue: v}}
}

func TestScalar(t *testing.T) {
	str := &tahu.Payload_Metric{Value: &tahu.Payload_Metric_StringValue{StringValue: "x"}}
	for _, tc := range []struct {
		name   string
		metric *tahu.Payload_Metric
		dt     tahu.DataType
		want   float64
		reason wire.Reason
	}{
		{"Int8 extended", intValue(0xFFFFFFFF), tahu.DataType_Int8, -1, ""},
		{"Int8 in eight bits", intValue(0xFF), tahu.DataType_Int8, -1, ""},
		{"Int8 least", intValue(0x80), tahu.DataType_Int8, -128, ""},
		{"Int8 most", intValue(127), tahu.DataType_Int8, 127, ""},
		{"Int8 beyond", intValue(256), tahu.DataType_Int8, 0, wire.ReasonOutOfBounds},
		{"Int8 below", intValue(0xFFFFFF7F), tahu.DataType_Int8, 0, wire.ReasonOutOfBounds},
		{"Int16 extended", intValue(0xFFFF8000), tahu.DataType_Int16, -32768, ""},
		{"Int16 in sixteen bits", intValue(0x8000), tahu.DataType_Int16, -32768, ""},
		{"Int16 beyond", intValue(65536), tahu.DataType_Int16, 0, wire.ReasonOutOfBounds},
		{"Int32", intValue(0x80000000), tahu.DataType_Int32, math.MinInt32, ""},
		{"Int32 long", longValue(0xFFFFFFFFFFFFFFFF), tahu.DataType_Int32, -1, ""},
		{"Int64", longValue(0xFFFFFFFFFFFFFFFE), tahu.DataType_Int64, -2, ""},
		{"Int64 least", longValue(1 << 63), tahu.DataType_Int64, math.MinInt64, ""},
		{"UInt8", intValue(255), tahu.DataType_UInt8, 255, ""},
		{"UInt8 beyond", intValue(256), tahu.DataType_UInt8, 0, wire.ReasonOutOfBounds},
		{"UInt16", intValue(65535), tahu.DataType_UInt16, 65535, ""},
		{"UInt32 int", intValue(math.MaxUint32), tahu.DataType_UInt32, math.MaxUint32, ""},
		{"UInt32 long", longValue(math.MaxUint32), tahu.DataType_UInt32, math.MaxUint32, ""},
		{"UInt32 beyond", longValue(1 << 32), tahu.DataType_UInt32, 0, wire.ReasonOutOfBounds},
		{"UInt64", longValue(1 << 63), tahu.DataType_UInt64, 1 << 63, ""},
		{"Float", floatValue(1.5), tahu.DataType_Float, 1.5, ""},
		{"Float NaN", floatValue(float32(math.NaN())), tahu.DataType_Float, 0, wire.ReasonNotFinite},
		{"Float infinite", floatValue(float32(math.Inf(-1))), tahu.DataType_Float, 0, wire.ReasonNotFinite},
		{"Double", double("", 2.25), tahu.DataType_Double, 2.25, ""},
		{"Double in a float", floatValue(2.25), tahu.DataType_Double, 2.25, ""},
		{"Double in an integer", intValue(2), tahu.DataType_Double, 0, wire.ReasonWrongType},
		{"Boolean", boolean("", true), tahu.DataType_Boolean, 1, ""},
		{"Boolean in an integer", intValue(1), tahu.DataType_Boolean, 0, wire.ReasonWrongType},
		{"DateTime", longValue(uint64(t0)), tahu.DataType_DateTime, float64(t0), ""},
		{"String for a number", str, tahu.DataType_Double, 0, wire.ReasonWrongType},
		{"no value", &tahu.Payload_Metric{}, tahu.DataType_Double, 0, wire.ReasonWrongType},
		{"no datatype", intValue(1), tahu.DataType_Unknown, 0, wire.ReasonWrongType},
		{"datatype 99", intValue(1), 99, 0, wire.ReasonWrongType},
		{"DataSet", &tahu.Payload_Metric{}, tahu.DataType_DataSet, 0, wire.ReasonWrongType},
		{"Template", &tahu.Payload_Metric{}, tahu.DataType_Template, 0, wire.ReasonWrongType},
		{"Int8Array", &tahu.Payload_Metric{}, tahu.DataType_Int8Array, 0, wire.ReasonWrongType},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, p := scalar(tc.metric, tc.dt)
			switch {
			case p != nil && p.reason != tc.reason:
				t.Errorf("got %s (%s) want %q", p.reason, p.detail, tc.reason)
			case p == nil && (tc.reason != "" || v.num != tc.want || !v.numeric):
				t.Errorf("got %+v want %v%s", v, tc.want, tc.reason)
			}
		})
	}
	for _, dt := range []tahu.DataType{tahu.DataType_String, tahu.DataType_Text, tahu.DataType_UUID} {
		if v, p := scalar(str, dt); p != nil || v.text != "x" || v.numeric {
			t.Errorf("%s: got %+v, %v want x", dt, v, p)
		}
	}
	bad := &tahu.Payload_Metric{Value: &tahu.Payload_Metric_StringValue{StringValue: "\xff"}}
	if _, p := scalar(bad, tahu.DataType_String); p == nil || p.reason != wire.ReasonInvalidUTF8 {
		t.Errorf("bytes that are not UTF-8: got %v want %s", p, wire.ReasonInvalidUTF8)
	}
}

func TestMappedValues(t *testing.T) {
	state := func(v *tahu.Payload_Metric, name string) *tahu.Payload_Metric { v.Name = proto.String(name); return v }
	for _, tc := range []struct {
		name   string
		metric *tahu.Payload_Metric
		field  string
		num    float64
		text   string
		reason wire.Reason
	}{
		{"renamed", double("Electrical/Voltage", 51), "voltage_v", 51, "", ""},
		{"scaled", long("deci", tahu.DataType_UInt32, 655), "temperature_c", 25.5, "", ""},
		{"scaled out of bounds", long("deci", tahu.DataType_UInt32, 100_000), "", 0, "", wire.ReasonOutOfBounds},
		{"number to text", long("mode", tahu.DataType_Int32, 1), "state", 0, "charging", ""},
		{"truth to text", boolean("mode", true), "state", 0, "on", ""},
		{"not among the values", long("mode", tahu.DataType_Int32, 7), "", 0, "", wire.ReasonOutOfBounds},
		{"text", text("state", "idle"), "state", 0, "idle", ""},
		{"text too long", text("state", string(make([]byte, 257))), "", 0, "", wire.ReasonOutOfBounds},
		{"text for a number", text("voltage_v", "51"), "", 0, "", wire.ReasonWrongType},
		{"number for text", double("state", 1), "", 0, "", wire.ReasonWrongType},
		{"fraction for an integer", double("slot", 1.5), "", 0, "", wire.ReasonWrongType},
		{"negative zero", double("current_a", math.Copysign(0, -1)), "current_a", 0, "", ""},
		{"no datatype", state(longValue(1), "cycles"), "", 0, "", wire.ReasonWrongType},
		{"DataSet where a field is", named("soc_pct", tahu.DataType_DataSet), "", 0, "", wire.ReasonWrongType},
		{"time without a clock", at(double("voltage_v", 1), math.MaxInt64), "", 0, "", wire.ReasonFuture},
		{"time beyond", at(double("voltage_v", 1), -1), "", 0, "", wire.ReasonBadTime},
		{"future", at(double("voltage_v", 1), t0+601_000), "", 0, "", wire.ReasonFuture},
		{"ancient", at(double("voltage_v", 1), 946684799999), "", 0, "", wire.ReasonAncient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			e := r.edge()
			e.nbirth()
			r.forget()
			e.send(DBirth, e.next(tc.metric), "b1")
			if tc.reason != "" {
				r.wantReasons(tc.reason)
				return
			}
			r.wantReasons()
			got := r.readings()
			if len(got) != 1 || len(got[0].Values) != 1 {
				t.Fatalf("readings: got %v want one value", got)
			}
			v := got[0].Values[0]
			if v.Field.Name != tc.field || v.Num != tc.num || v.Text != tc.text || math.Signbit(v.Num) != (tc.num < 0) {
				t.Errorf("got %s = %v %q want %s = %v %q", v.Field.Name, v.Num, v.Text, tc.field, tc.num, tc.text)
			}
		})
	}
}
