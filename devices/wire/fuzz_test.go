package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// checkReading checks what every reading of a decoder promises.
func checkReading(t testing.TB, d *Decoder, r *telemetry.Reading, receivedMS int64) {
	t.Helper()
	if r.TS < d.limits.MinTS || r.TS > receivedMS+d.limits.MaxAhead.Milliseconds() {
		t.Errorf("ts %d is beyond the limits", r.TS)
	}
	if len(r.Values) == 0 {
		t.Error("a reading without values")
	}
	for i, v := range r.Values {
		f := v.Field
		if d.schema.Field(r.Kind, f.Name) != f {
			t.Errorf("%s is not in the schema of %s", f.Name, r.Kind)
		}
		if i > 0 && r.Values[i-1].Field.Index >= f.Index {
			t.Errorf("%s is out of order", f.Name)
		}
		switch {
		case f.Type == devices.Text:
			if v.Num != 0 || len(v.Text) > devices.MaxTextLength || !utf8.ValidString(v.Text) {
				t.Errorf("%s holds %v %q", f.Name, v.Num, v.Text)
			}
		case !(v.Num >= f.Min && v.Num <= f.Max) || v.Text != "" || v.Num == 0 && math.Signbit(v.Num):
			t.Errorf("%s holds %v %q", f.Name, v.Num, v.Text)
		case f.Type == devices.Integer && v.Num != math.Trunc(v.Num):
			t.Errorf("%s holds %v", f.Name, v.Num)
		}
	}
}

// checkFaults checks what every fault of a decoder promises.
func checkFaults(t testing.TB, faults []Fault) {
	t.Helper()
	for _, f := range faults {
		if !slices.Contains(Reasons(), f.Reason) || f.Detail == "" || !utf8.ValidString(f.Detail) || len(f.Detail) > 400 {
			t.Errorf("fault %s, detail %q", f.Reason, f.Detail)
		}
	}
}

// checkAgainstJSON holds the verdict on a payload that begins like JSON against
// encoding/json's: what that refuses is a fault, and what that takes is not
// called malformed.
func checkAgainstJSON(t testing.TB, d *Decoder, payload []byte, got Decoded) {
	t.Helper()
	begin := bytes.TrimLeft(payload, space)
	if len(payload) > d.limits.MaxPayload || len(begin) == 0 || begin[0] != '{' && begin[0] != '[' {
		return
	}
	if !json.Valid(payload) {
		if len(got.Faults) == 0 {
			t.Errorf("encoding/json calls it invalid: got no fault")
		}
		return
	}
	if depth(payload) < maxDepth {
		for _, f := range got.Faults {
			if f.Reason == ReasonMalformed {
				t.Errorf("encoding/json calls it valid: got %s: %s", f.Reason, f.Detail)
			}
		}
	}
}

// depth is how deep the valid JSON text b is nested.
func depth(b []byte) int {
	now, most := 0, 0
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := dec.Token()
		if err != nil {
			return most
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			most = max(most, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// checkFlat compares the reading of one flat object with what encoding/json
// makes of it.
func checkFlat(t testing.TB, d *Decoder, payload []byte, got Decoded) {
	t.Helper()
	var members map[string]any
	if len(got.Readings) != 1 || len(got.Faults) != 0 || json.Unmarshal(payload, &members) != nil || members["values"] != nil {
		return
	}
	r := got.Readings[0]
	want := 0
	for name, value := range members {
		if d.schema.Field(r.Kind, name) == nil || value == nil {
			continue
		}
		want++
		v, ok := r.Get(name)
		if num, isNum := value.(float64); !ok || isNum && v.Num != num || !isNum && v.Text != value {
			t.Errorf("%s: got %v %q, want %v", name, v.Num, v.Text, value)
		}
	}
	if len(r.Values) != want {
		t.Errorf("got %d values, want %d", len(r.Values), want)
	}
	if text, ok := members["ts"].(string); ok && members["sent_at"] == nil {
		if at, err := time.Parse(time.RFC3339, text); err != nil || at.UnixMilli() != r.TS {
			t.Errorf("ts: got %d, want %s", r.TS, text)
		}
	}
}

func addGoldens(f *testing.F, files ...string) {
	for _, file := range files {
		for _, g := range loadGoldens(f, file) {
			f.Add(slices.Index(devices.Kinds(), g.dev.Kind), g.payload, g.redelivered)
		}
	}
}

func drawnKind(n int) devices.Kind { return devices.Kinds()[uint(n)%uint(len(devices.Kinds()))] }

func FuzzTelemetry(f *testing.F) {
	addGoldens(f, "telemetry.golden", "lines.golden")
	schema, err := devices.NewSchema()
	if err != nil {
		f.Fatal(err)
	}
	limits := DefaultLimits()
	limits.MaxUnpacked, limits.MaxRecords = 1<<16, 1000 // a fuzzer finds bombs
	d := NewCorrectingDecoder(schema, limits, fixedClock(1000))
	f.Fuzz(func(t *testing.T, kind int, payload []byte, redelivered bool) {
		ref := devices.Ref{Kind: drawnKind(kind), ID: "B1"}
		before := bytes.Clone(payload)
		got := d.Telemetry(ref, payload, arrival, redelivered)
		if !bytes.Equal(payload, before) {
			t.Error("the payload was changed")
		}
		if got.Records() < 1 || len(got.Events) > 0 {
			t.Errorf("got %d records, %d of them events", got.Records(), len(got.Events))
		}
		for i := range got.Readings {
			checkReading(t, d, &got.Readings[i], arrival)
		}
		checkFaults(t, got.Faults)
		checkAgainstJSON(t, d, payload, got)
		checkFlat(t, d, payload, got)

		// What was read can be written and read again.
		if len(got.Readings) > 0 {
			again := d.Telemetry(ref, AppendReadings(nil, got.Readings), arrival, false)
			if len(again.Readings) != len(got.Readings) {
				t.Errorf("encoded and decoded again: got %d readings, want %d", len(again.Readings), len(got.Readings))
			}
		}
	})
}

func FuzzEvents(f *testing.F) {
	addGoldens(f, "events.golden", "status.golden")
	d := testDecoder(f)
	f.Fuzz(func(t *testing.T, kind int, payload []byte, _ bool) {
		ref := devices.Ref{Kind: drawnKind(kind), ID: "B1"}
		if isGzip(payload) {
			return // unpacked as telemetry is
		}
		got := d.Events(ref, payload, arrival)
		if got.Records() < 1 || len(got.Readings) > 0 {
			t.Errorf("got %d records, %d of them readings", got.Records(), len(got.Readings))
		}
		for _, e := range got.Events {
			if !ValidEventType(e.Type) || e.ID == "" || len(e.ID) > maxEventID || strings.ContainsFunc(e.ID, unicode.IsControl) {
				t.Errorf("type %q, id %q", e.Type, e.ID)
			}
			checkEvent(t, d, e)
		}
		checkFaults(t, got.Faults)
		checkAgainstJSON(t, d, payload, got)

		status := d.Status(ref, payload, arrival)
		if len(payload) > 0 && status.Records() != 1 || len(status.Readings) > 0 {
			t.Errorf("status: got %d records, want 1", status.Records())
		}
		for _, e := range status.Events {
			if e.Type != StatusOnline && e.Type != StatusOffline {
				t.Errorf("status: got type %q", e.Type)
			}
			checkEvent(t, d, e)
		}
		checkFaults(t, status.Faults)
	})
}

func checkEvent(t testing.TB, d *Decoder, e telemetry.Event) {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(e.Data, &object); err != nil {
		t.Errorf("data is no JSON object: %v", err)
	}
	if e.TS < d.limits.MinTS || e.TS > arrival+d.limits.MaxAhead.Milliseconds() {
		t.Errorf("ts %d is beyond the limits", e.TS)
	}
}

func FuzzTopic(f *testing.F) {
	for _, s := range []string{
		"fleet/v1/battery/B1/telemetry", "fleet/v1/station/S:1/event", "fleet/v1/building/b4/status",
		"fleet/v1/toaster/T/telemetry", "fleet/v1/battery//telemetry", "fleet/v1/battery/B1/telemetry/x",
		"fleet/v1/battery/B 1/telemetry", "fleet/v2/battery/B1/telemetry", "fleet/v1/battery/B1", "$SYS/x", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		topic, err := ParseTopic(s)
		if err != nil {
			return
		}
		if got := topic.String(); got != s {
			t.Errorf("got %q back, want %q", got, s)
		}
		if !devices.ValidID(topic.Device.ID) {
			t.Errorf("took the id %q", topic.Device.ID)
		}
	})
}
