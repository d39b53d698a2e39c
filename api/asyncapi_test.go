package api

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// published is a document with its schemas at hand.
func published(t *testing.T) (doc object, all schemas, schema *devices.Schema) {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := asyncAPI(schema, "test")
	if err != nil {
		t.Fatal(err)
	}
	// References of AsyncAPI and OpenAPI lead to the same place.
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc, schemas{doc["components"].(object)["schemas"].(object)}, schema
}

func TestAsyncAPIIsComplete(t *testing.T) {
	doc, _, schema := published(t)
	channels, operations := doc["channels"].(object), doc["operations"].(object)
	messages := doc["components"].(object)["messages"].(object)
	for _, kind := range devices.Kinds() {
		for _, part := range []string{"telemetry", "event", "status"} {
			id := string(kind) + "_" + part
			if channels[id] == nil || operations["receive_"+id] == nil || messages[id] == nil {
				t.Errorf("%s is not described", id)
				continue
			}
			topic := strings.Replace(channels[id].(object)["address"].(string), "{id}", "x-1", 1)
			parsed, err := wire.ParseTopic(topic)
			if err != nil || parsed.Device != (devices.Ref{Kind: kind, ID: "x-1"}) || string(parsed.Channel) != part {
				t.Errorf("the topic %s is %+v, %v", topic, parsed, err)
			}
		}
		properties := doc["components"].(object)["schemas"].(object)[string(kind)+"Fields"].(object)["properties"].(object)
		if len(properties) != len(schema.Measurement(kind).Fields) {
			t.Errorf("%s: got %d fields, want %d", kind, len(properties), len(schema.Measurement(kind).Fields))
		}
	}
	for from := range references(doc) {
		at := any(doc)
		for part := range strings.SplitSeq(strings.TrimPrefix(from, "#/"), "/") {
			at = at.(object)[part]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", from)
		}
	}
}

func references(v any) map[string]bool {
	found := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			for k, x := range v {
				if s, ok := x.(string); ok && k == "$ref" {
					found[s] = true
				}
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(v)
	return found
}

// What the schema takes the decoder takes, and what it refuses the decoder
// refuses, but for what the document says that a schema can't.
func TestAsyncAPIAgreesWithTheDecoder(t *testing.T) {
	_, all, schema := published(t)
	decoder := wire.NewDecoder(schema, wire.DefaultLimits())
	const now = 1767268800000
	beyond := map[wire.Reason]bool{wire.ReasonEmpty: true, wire.ReasonFuture: true, wire.ReasonAncient: true, wire.ReasonForeign: true}
	seen := map[bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom(devices.Kinds()).Draw(rt, "kind")
		reading := drawReading(rt, schema.Measurement(kind))
		text, err := json.Marshal(reading)
		if err != nil {
			rt.Fatal(err)
		}
		got := decoder.Telemetry(devices.Ref{Kind: kind, ID: "x-1"}, text, now, false)
		fits := len(all.check(oneOrMore(ref(string(kind)+"Reading")), decode(t, string(text)), "payload", false)) == 0
		taken := len(got.Faults) == 0
		if !taken && beyond[got.Faults[0].Reason] {
			return
		}
		seen[fits]++
		if fits != taken {
			rt.Fatalf("%s: the schema says %v, the decoder %v (%+v)", text, fits, taken, got.Faults)
		}
	})
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("of what was drawn %d fit and %d did not", seen[true], seen[false])
	}
}

// drawReading is a reading that may be wrong in one way.
func drawReading(t *rapid.T, m *devices.Measurement) object {
	into := func(values object) {
		for range rapid.IntRange(1, 4).Draw(t, "fields") {
			f := rapid.SampledFrom(m.Fields).Draw(t, "field")
			values[f.Name] = drawValue(t, f)
		}
	}
	reading := object{}
	if rapid.Bool().Draw(t, "nested") {
		values := object{}
		into(values)
		reading["values"] = values
	} else {
		into(reading)
	}
	switch rapid.IntRange(0, 9).Draw(t, "how") {
	case 0:
		reading["unheard_of"] = 1.0
	case 1:
		reading["ts"] = "yesterday"
	case 2:
		reading["ts"] = true
	case 3, 4:
		reading["ts"] = 1767225600000
	case 5:
		reading["ts"] = "2026-01-01T00:00:00Z"
	case 6:
		reading["values"] = 7
	}
	return reading
}

func drawValue(t *rapid.T, f *devices.Field) any {
	switch rapid.IntRange(0, 9).Draw(t, "value") {
	case 0:
		return nil
	case 1:
		return true
	case 2:
		return f.Max + math.Max(1, math.Abs(f.Max)/8)
	case 3:
		return "text"
	}
	switch f.Type {
	case devices.Text:
		return rapid.StringMatching(`[a-z]{1,20}`).Draw(t, "text")
	case devices.Integer:
		return math.Floor(rapid.Float64Range(math.Ceil(f.Min), math.Min(f.Max, 1e9)).Draw(t, "integer"))
	}
	return rapid.Float64Range(f.Min, f.Max).Draw(t, "number")
}

func TestAsyncAPIEvents(t *testing.T) {
	_, all, schema := published(t)
	decoder := wire.NewDecoder(schema, wire.DefaultLimits())
	for _, text := range []string{
		`{"id": "1", "type": "swap.completed"}`, `{"id": "1", "type": "payment.made", "ts": 1767225600000, "x": [1]}`,
		`[{"id": "1", "type": "fault.opened"}, {"id": "2", "type": "fault.closed"}]`,
		`{"id": "", "type": "swap.completed"}`, `{"type": "swap.completed"}`, `{"id": "1"}`, `{"id": "1", "type": "swap.exploded"}`,
		`{"id": "1", "type": "payment."}`, `{"id": 1, "type": "swap.completed"}`, `{"id": "1", "type": "swap.completed", "ts": false}`,
		`{"id": "1", "type": "Swap.completed"}`,
	} {
		taken := len(decoder.Events(devices.Ref{Kind: devices.KindStation, ID: "x"}, []byte(text), 1767268800000).Faults) == 0
		wrong := all.check(oneOrMore(ref("event")), decode(t, text), "event", false)
		if taken != (len(wrong) == 0) {
			t.Errorf("%s: the decoder says %v, the schema %v", text, taken, wrong)
		}
	}
}
