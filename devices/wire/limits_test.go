package wire

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
)

var batteryB1 = devices.Ref{Kind: devices.KindBattery, ID: "B1"}

func TestLimits(t *testing.T) {
	limits := DefaultLimits()
	reading := []byte(`{"soc_pct":81.5}`)
	pad := func(n int) []byte { return append(bytes.Clone(reading), bytes.Repeat([]byte(" "), n-len(reading))...) }
	array := func(n int, element string) []byte {
		return []byte("[" + strings.Repeat(element+",", n-1) + element + "]")
	}
	flipped := zipped(t, reading)
	flipped[len(flipped)-5] ^= 1

	tests := []struct {
		name    string
		payload []byte
		want    Reason // empty: readings
		records int
		raw     []byte // of the fault; nil: the payload
	}{
		{name: "as large as it may be", payload: pad(limits.MaxPayload), records: 1},
		{name: "a byte more", payload: pad(limits.MaxPayload + 1), want: ReasonTooLarge, records: 1},
		{name: "2 MiB of rubbish", payload: make([]byte, 2<<20), want: ReasonTooLarge, records: 1},
		{name: "unpacks to what is allowed", payload: zipped(t, pad(limits.MaxUnpacked)), records: 1},
		{name: "unpacks to a byte more", payload: zipped(t, pad(limits.MaxUnpacked+1)), want: ReasonGzipTooLarge, records: 1},
		{name: "gzip bomb", payload: zipped(t, make([]byte, 32<<20)), want: ReasonGzipTooLarge, records: 1},
		{name: "gzip of gzip", payload: zipped(t, zipped(t, reading)), want: ReasonBadGzip, records: 1},
		{name: "gzip of two members", payload: append(zipped(t, reading[:5]), zipped(t, reading[5:])...), records: 1},
		{name: "gzip with a tail", payload: append(zipped(t, reading), 'x'), want: ReasonBadGzip, records: 1},
		{name: "gzip with a wrong checksum", payload: flipped, want: ReasonBadGzip, records: 1},
		{name: "gzip cut off", payload: zipped(t, reading)[:20], want: ReasonBadGzip, records: 1},
		{name: "gzip of nothing", payload: zipped(t, nil), want: ReasonEmpty, records: 1, raw: []byte{}},
		{name: "gzip of broken JSON", payload: zipped(t, reading[:5]), want: ReasonMalformed, records: 1, raw: reading[:5]},
		{name: "as many records as there may be", payload: zipped(t, array(limits.MaxRecords, `{"slot":1}`)), records: limits.MaxRecords},
		{name: "a record more", payload: array(limits.MaxRecords+1, `{}`), want: ReasonTooLarge, records: 1},
		{name: "a line more", payload: zipped(t, bytes.Repeat([]byte("battery slot=1\n"), limits.MaxRecords+1)), want: ReasonTooLarge, records: 1,
			raw: bytes.Repeat([]byte("battery slot=1\n"), limits.MaxRecords+1)},
	}
	d := testDecoder(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := d.Telemetry(batteryB1, tt.payload, arrival, false)
			if n := got.Records(); n != tt.records {
				t.Fatalf("got %d records, want %d", n, tt.records)
			}
			if tt.want == "" {
				if len(got.Readings) != tt.records {
					t.Fatalf("got faults, want readings only; the first is %s: %s", got.Faults[0].Reason, got.Faults[0].Detail)
				}
				return
			}
			if len(got.Faults) != 1 || got.Faults[0].Reason != tt.want {
				t.Fatalf("got %d faults, want one of %s", len(got.Faults), tt.want)
			}
			raw := tt.raw
			if raw == nil {
				raw = tt.payload
			}
			if !bytes.Equal(got.Faults[0].Raw, raw) {
				t.Errorf("got a raw of %d bytes, want the %d of the record", len(got.Faults[0].Raw), len(raw))
			}
		})
	}
}

// TestBombStopsEarly checks that a bomb costs the limit and not what it would
// unpack to.
func TestBombStopsEarly(t *testing.T) {
	bomb := zipped(t, make([]byte, 64<<20))
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	limits := DefaultLimits()
	limits.MaxUnpacked = 1 << 20
	d := NewDecoder(schema, limits)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got := d.Telemetry(batteryB1, bomb, arrival, false); got.Faults[0].Reason != ReasonGzipTooLarge {
				b.Fatalf("got %s, want %s", got.Faults[0].Reason, ReasonGzipTooLarge)
			}
		}
	})
	if got, most := result.AllocedBytesPerOp(), int64(4<<20); got > most {
		t.Errorf("allocated %d bytes for a limit of %d, want at most %d", got, limits.MaxUnpacked, most)
	}
}

// TestReadingsDoNotAlias overwrites the payload after it was decoded.
func TestReadingsDoNotAlias(t *testing.T) {
	d := testDecoder(t)
	for _, text := range []string{
		`[{"state":"charging","station":"S\u00fc"},{"state":"idle","soc_pct":1}]`,
		"battery,station=S1 state=\"charging\"\nbattery state=\"a\\\"b\"",
	} {
		payload := []byte(text)
		got := d.Telemetry(batteryB1, payload, arrival, false)
		before := outcome(got)
		for i := range payload {
			payload[i] = 'X'
		}
		if after := outcome(got); strings.Join(before, "\n") != strings.Join(after, "\n") {
			t.Errorf("overwriting the payload turned %q into %q", before, after)
		}
	}

	payload := []byte(`{"id":"1","type":"swap.failed","why":"jam"}`)
	got := d.Events(batteryB1, payload, arrival)
	before := outcome(got)
	for i := range payload {
		payload[i] = 'X'
	}
	if after := outcome(got); before[0] != after[0] {
		t.Errorf("overwriting the payload turned %q into %q", before, after)
	}
}

// TestReadingsAreApart appends to the values of a reading, which must not reach
// into the next one: they share an arena.
func TestReadingsAreApart(t *testing.T) {
	d := testDecoder(t)
	got := d.Telemetry(batteryB1, []byte(`[{"soc_pct":1},{"soc_pct":2}]`), arrival, false)
	first := got.Readings[0]
	_ = append(first.Values, first.Values[0])
	if v, _ := got.Readings[1].Num("soc_pct"); v != 2 {
		t.Errorf("got %v in the second reading, want 2", v)
	}
}

// TestManyFields has a record with more fields than one guess of the arena.
func TestManyFields(t *testing.T) {
	var extra []devices.KindField
	for i := range 300 {
		name := "x" + strings.Repeat("y", i%7) + string(rune('a'+i%26)) + strings.Repeat("z", i/26)
		extra = append(extra, devices.KindField{Kind: devices.KindBattery, Field: devices.Field{Name: name, Max: 1e6}})
	}
	d := testDecoder(t, extra...)
	var b bytes.Buffer
	b.WriteString(`[{"soc_pct":1,`) // backwards, behind some white space that hides the fields from the guess
	b.WriteString(strings.Repeat(" ", 2*markWindow))
	for i := len(extra) - 1; i >= 0; i-- {
		b.WriteString(`"` + extra[i].Field.Name + `":` + string(rune('0'+i%10)) + ",")
	}
	b.WriteString(`"slot":1},{"soc_pct":2}]`)
	got := d.Telemetry(batteryB1, b.Bytes(), arrival, false)
	if len(got.Readings) != 2 {
		t.Fatalf("got %q, want two readings", outcome(got))
	}
	r := got.Readings[0]
	if len(r.Values) != len(extra)+2 {
		t.Fatalf("got %d values, want %d", len(r.Values), len(extra)+2)
	}
	for i, kf := range extra {
		if v, ok := r.Num(kf.Field.Name); !ok || v != float64(i%10) {
			t.Errorf("%s: got %v, %v, want %v", kf.Field.Name, v, ok, i%10)
		}
	}
	checkReading(t, d, &r, arrival)
}

// TestConcurrentUse shares one decoder, and its pool, between goroutines.
func TestConcurrentUse(t *testing.T) {
	d := testDecoder(t)
	goldens := loadGoldens(t, "telemetry.golden")
	for i, g := range goldens {
		if !isGzip(g.payload) {
			goldens[i].payload = zipped(t, g.payload)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, g := range goldens {
				if got := d.Telemetry(g.dev, g.payload, arrival, g.redelivered); got.Records() == 0 {
					t.Errorf("%s: got no record", g.name)
				}
			}
		})
	}
	wg.Wait()
}
