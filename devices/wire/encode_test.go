package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sameField compares fields by identity: a schema has one of each.
var sameField = cmp.Comparer(func(a, b *devices.Field) bool { return a == b })

func drawText(t *rapid.T, label string) string {
	s := rapid.String().Draw(t, label)
	for len(s) > devices.MaxTextLength {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

func drawRef(t *rapid.T) devices.Ref {
	return devices.Ref{Kind: rapid.SampledFrom(devices.Kinds()).Draw(t, "kind"), ID: rapid.StringMatching(`[A-Za-z0-9._:-]{1,64}`).Draw(t, "id")}
}

func drawTS(t *rapid.T) int64 {
	l := DefaultLimits()
	return rapid.Int64Range(l.MinTS, arrival+l.MaxAhead.Milliseconds()).Draw(t, "ts")
}

func drawReading(t *rapid.T, d *Decoder, ref devices.Ref) telemetry.Reading {
	r := telemetry.Reading{Kind: ref.Kind, Device: ref.ID, TS: drawTS(t)}
	fields := d.schema.Measurement(ref.Kind).Fields
	chosen := rapid.SliceOfNDistinct(rapid.SampledFrom(fields), 1, -1, func(f *devices.Field) int { return f.Index }).Draw(t, "fields")
	for _, f := range chosen {
		v := telemetry.Value{Field: f}
		switch f.Type {
		case devices.Text:
			v.Text = drawText(t, f.Name)
		case devices.Integer:
			v.Num = float64(rapid.Int64Range(int64(f.Min), int64(f.Max)).Draw(t, f.Name))
		default:
			v.Num = rapid.Float64Range(f.Min, f.Max).Draw(t, f.Name) + 0 // −0 becomes 0
		}
		r.Set(v)
	}
	return r
}

// TestReadingRoundTrip is the law Decode(Encode(x)) = x, in JSON and, with an
// encoder of the test's own, in line protocol.
func TestReadingRoundTrip(t *testing.T) {
	d := testDecoder(t)
	rapid.Check(t, func(t *rapid.T) {
		ref := drawRef(t)
		want := make([]telemetry.Reading, rapid.IntRange(1, 5).Draw(t, "readings"))
		for i := range want {
			want[i] = drawReading(t, d, ref)
		}
		payload := AppendReadings(nil, want)
		if !json.Valid(payload) {
			t.Fatalf("%s is not JSON", payload)
		}
		got := d.Telemetry(ref, payload, arrival, false)
		if diff := cmp.Diff(Decoded{Readings: want}, got, sameField); diff != "" {
			t.Fatalf("array %s (-want +got):\n%s", payload, diff)
		}
		got = d.Telemetry(ref, AppendReading(nil, &want[0]), arrival, false)
		if diff := cmp.Diff(Decoded{Readings: want[:1]}, got, sameField); diff != "" {
			t.Fatalf("object (-want +got):\n%s", diff)
		}
		lines, whole := appendLines(want)
		got = d.Telemetry(ref, lines, arrival, false)
		if diff := cmp.Diff(Decoded{Readings: want}, got, sameField); whole && diff != "" {
			t.Fatalf("lines %s (-want +got):\n%s", lines, diff)
		}
	})
}

// appendLines writes readings as line protocol, which can't hold a line feed:
// whole is false where one was met.
func appendLines(readings []telemetry.Reading) (lines []byte, whole bool) {
	var b bytes.Buffer
	whole = true
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for _, r := range readings {
		fmt.Fprintf(&b, "%s,device=%s ", r.Kind, r.Device)
		for i, v := range r.Values {
			if i > 0 {
				b.WriteByte(',')
			}
			switch {
			case v.Field.Type == devices.Text:
				fmt.Fprintf(&b, `%s="%s"`, v.Field.Name, escape.Replace(v.Text))
				whole = whole && !strings.Contains(v.Text, "\n")
			case v.Num == math.Trunc(v.Num):
				fmt.Fprintf(&b, "%s=%di", v.Field.Name, int64(v.Num))
			default:
				fmt.Fprintf(&b, "%s=%v", v.Field.Name, v.Num)
			}
		}
		fmt.Fprintf(&b, " %d000000\n", r.TS)
	}
	return b.Bytes(), whole
}

// TestOrderOfMembers is the law that the order of an object's members does not
// matter, ts and sent_at among them.
func TestOrderOfMembers(t *testing.T) {
	d := testDecoder(t)
	rapid.Check(t, func(t *rapid.T) {
		ref := drawRef(t)
		r := drawReading(t, d, ref)
		members := strings.Split(strings.Trim(memberLines(&r), "\n"), "\n")
		members = append(members, fmt.Sprintf(`"sent_at":%d`, drawTS(t)))
		object := func(m []string) []byte { return []byte("{" + strings.Join(m, ",") + "}") }
		want := d.Telemetry(ref, object(members), arrival, false)
		shuffled := rapid.Permutation(members).Draw(t, "order")
		got := d.Telemetry(ref, object(shuffled), arrival, false)
		// A time out of range is refused either way, but the bytes differ.
		for _, f := range []*Decoded{&want, &got} {
			for i := range f.Faults {
				f.Faults[i].Raw = nil
			}
		}
		if diff := cmp.Diff(want, got, sameField); diff != "" {
			t.Fatalf("%s (-in order +shuffled):\n%s", object(shuffled), diff)
		}
	})
}

// memberLines is the object of r with one member a line.
func memberLines(r *telemetry.Reading) string {
	out := fmt.Sprintf("\"ts\":%d\n", r.TS)
	for _, v := range r.Values {
		one := telemetry.Reading{Values: []telemetry.Value{v}}
		out += strings.TrimSuffix(strings.TrimPrefix(string(AppendReading(nil, &one)), `{"ts":0,`), "}") + "\n"
	}
	return out
}

func TestEventRoundTrip(t *testing.T) {
	d := testDecoder(t)
	types := rapid.OneOf(
		rapid.SampledFrom([]string{"swap.completed", "swap.failed", "swap.timeout", "charge.completed", "fault.opened", "fault.closed", "maintenance.done"}),
		rapid.StringMatching(`(subscription|payment|survey|ticket)\.[a-z0-9_.]{1,40}`),
	)
	extra := rapid.MapOf(rapid.String(), rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Int32(), func(n int32) any { return n }),
		rapid.Just[any](nil),
		rapid.Just[any](map[string]any{"id": []any{1, true, "x"}}),
	))
	rapid.Check(t, func(t *rapid.T) {
		ref := drawRef(t)
		id := rapid.StringN(1, -1, maxEventID).Filter(func(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }).Draw(t, "id")
		e := telemetry.Event{Kind: ref.Kind, Device: ref.ID, ID: id, TS: drawTS(t), Type: types.Draw(t, "type")}
		if rapid.Bool().Draw(t, "has data") {
			data, err := json.Marshal(extra.Draw(t, "data"))
			if err != nil {
				t.Fatal(err)
			}
			e.Data = data
		}
		want := e
		want.Data = AppendEvent(nil, &e)
		got := d.Events(ref, want.Data, arrival)
		if diff := cmp.Diff(Decoded{Events: []telemetry.Event{want}}, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", want.Data, diff)
		}
		if again := AppendEvent(nil, &got.Events[0]); !bytes.Equal(again, want.Data) {
			t.Fatalf("got %s the second time, want %s", again, want.Data)
		}
		checkMembers(t, &e, want.Data)
	})
}

// checkMembers checks that every member of e.Data is in the encoded event.
func checkMembers(t *rapid.T, e *telemetry.Event, encoded []byte) {
	want, got := map[string]any{}, map[string]any{}
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if e.Data != nil {
		if err := json.Unmarshal(e.Data, &want); err != nil {
			t.Fatal(err)
		}
	}
	want["id"], want["ts"], want["type"] = e.ID, float64(e.TS), e.Type
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", encoded, diff)
	}
}

func TestAppendEvent(t *testing.T) {
	tests := []struct {
		name, data, want string
	}{
		{name: "no data", want: `{"id":"1","ts":5,"type":"swap.failed"}`},
		{name: "more members", data: ` { "why" : "jam" , "slots" : [1, 2] } `, want: `{"id":"1","ts":5,"type":"swap.failed","why":"jam","slots":[1, 2]}`},
		{name: "the event's own members win", data: `{"ts":9,"why":"jam","id":"2","type":"x"}`, want: `{"id":"1","ts":5,"type":"swap.failed","why":"jam"}`},
		{name: "no object", data: `[1]`, want: `{"id":"1","ts":5,"type":"swap.failed"}`},
		{name: "cut off", data: `{"why":"jam"`, want: `{"id":"1","ts":5,"type":"swap.failed"}`},
		{name: "no JSON number", data: `{"why":NaN}`, want: `{"id":"1","ts":5,"type":"swap.failed"}`},
		{name: "no UTF-8", data: "{\"why\":\"\xff\"}", want: `{"id":"1","ts":5,"type":"swap.failed"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := telemetry.Event{ID: "1", TS: 5, Type: "swap.failed", Data: []byte(tt.data)}
			if got := string(AppendEvent(nil, &e)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestNotFiniteIsRefused is what AppendReading promises of such numbers.
func TestNotFiniteIsRefused(t *testing.T) {
	d := testDecoder(t)
	for _, num := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		r := telemetry.Reading{TS: arrival, Values: []telemetry.Value{{Field: d.schema.Field(devices.KindBattery, "soc_pct"), Num: num}}}
		payload := AppendReading(nil, &r)
		got := d.Telemetry(batteryB1, payload, arrival, false)
		if len(got.Faults) != 1 || got.Faults[0].Reason != ReasonNotFinite {
			t.Errorf("%s: got %q, want one fault of %s", payload, outcome(got), ReasonNotFinite)
		}
	}
}

// TestNumbers compares the decoder's numbers with strconv's, which rounds
// rightly.
func TestNumbers(t *testing.T) {
	d := testDecoder(t, devices.KindField{Kind: devices.KindBattery, Field: devices.Field{Name: "x", Min: -math.MaxFloat64, Max: math.MaxFloat64}})
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number")
		var want float64
		err := json.Unmarshal([]byte(token), &want)
		got := d.Telemetry(batteryB1, []byte(`{"x":`+token+`}`), arrival, false)
		if err != nil { // beyond float64
			if len(got.Faults) != 1 || got.Faults[0].Reason != ReasonNotFinite {
				t.Fatalf("%s: got %q, want one fault of %s", token, outcome(got), ReasonNotFinite)
			}
			return
		}
		if len(got.Readings) != 1 || got.Readings[0].Values[0].Num != want {
			t.Fatalf("%s: got %q, want %v", token, outcome(got), want)
		}
	})
}
