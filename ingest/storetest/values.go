package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func valueCases() []testCase {
	return []testCase{
		{"every field of every kind", everyField},
		{"numbers to the bit", numbers},
		{"negative zero arrives as zero", negativeZero},
		{"texts", texts},
		{"device ids", deviceIDs},
		{"kinds are apart", kindsApart},
		{"first and last admissible times", extremeTimes},
	}
}

func everyField(t *testing.T, f *fixture) {
	for _, kind := range devices.Kinds() {
		vs := make(values)
		for _, field := range f.schema.Measurement(kind).Fields {
			switch field.Type {
			case devices.Text:
				vs[field.Name] = "text of " + field.Name
			default:
				vs[field.Name] = float64(field.Index + 1)
			}
		}
		f.append(t, f.reading(kind, "d1", t0, vs))
		got := f.rows(t, telemetry.RangeQuery{Kind: kind, Window: always})
		want := []row{{kind, "d1", t0, vs}}
		if d := diff(got, want); d != "" {
			t.Errorf("%s (-want +got):\n%s", kind, d)
		}
	}
}

// awkwardNumbers are values of f within its bounds that lose digits in an
// engine that is not careful.
func awkwardNumbers(f *devices.Field) []float64 {
	if f.Type == devices.Integer {
		return []float64{f.Min, f.Max, f.Min + 1, f.Max - 1, 7}
	}
	all := []float64{
		f.Min, f.Max, math.Nextafter(f.Min, f.Max), math.Nextafter(f.Max, f.Min),
		0, 0.1, -0.1, 1.0 / 3, -2.0 / 3, math.Pi, 1e-300, -1e-300,
		math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 2.2250738585072011e-308,
		1e15 - 0.125, 123456789012345.6, 4503599627370497.5, 9007199254740993, 1e-7, 1e6 + 1e-9,
	}
	return slices.DeleteFunc(all, func(v float64) bool { return v < f.Min || v > f.Max })
}

func numbers(t *testing.T, f *fixture) {
	for _, kind := range devices.Kinds() {
		var readings []telemetry.Reading
		for _, field := range f.schema.Measurement(kind).Fields {
			if !field.Numeric() {
				continue
			}
			for i, n := range awkwardNumbers(field) {
				readings = append(readings, f.reading(kind, field.Name, t0+int64(i), values{field.Name: n}))
			}
		}
		f.append(t, readings...)
		slices.SortFunc(readings, telemetry.Compare)
		i := 0
		err := f.store.Range(t.Context(), telemetry.RangeQuery{Kind: kind, Window: always}, func(got telemetry.Reading) error {
			if i >= len(readings) {
				return fmt.Errorf("more readings than were appended: %+v", got)
			}
			want := readings[i]
			i++
			if got.Device != want.Device || got.TS != want.TS || len(got.Values) != 1 {
				return fmt.Errorf("got %+v, want %+v", got, want)
			}
			g, w := got.Values[0].Num, want.Values[0].Num
			if math.Float64bits(g) != math.Float64bits(w) {
				t.Errorf("%s: got %v, want %v to the bit", want.Device, g, w)
			}
			return nil
		})
		if err != nil || i != len(readings) {
			t.Errorf("%s: got %d of %d readings, error %v", kind, i, len(readings), err)
		}
	}
}

func negativeZero(t *testing.T, f *fixture) {
	f.append(t, f.battery("b", t0, values{"power_w": math.Copysign(0, -1), "current_a": -1.5}))
	q := batteries("power_w")
	check := func(from string, n float64) {
		if n != 0 || math.Signbit(n) {
			t.Errorf("%s: got %v (sign bit %v), want 0", from, n, math.Signbit(n))
		}
	}
	found := 0
	if err := f.store.Range(t.Context(), q, func(r telemetry.Reading) error {
		found++
		check("range", r.Values[0].Num)
		return nil
	}); err != nil || found != 1 {
		t.Fatalf("range: got %d readings, error %v, want 1", found, err)
	}
	latest, err := f.store.Latest(t.Context(), q)
	if err != nil || len(latest) != 1 {
		t.Fatalf("latest: got %v, error %v, want one sample", latest, err)
	}
	check("latest", latest[0].Value.Num)
}

func awkwardTexts() []string {
	return []string{
		"", " ", "  two  ", "a b", ",", "=", "a,b=c d", `"`, `""`, `'`, `''`, "it's", "`",
		`\`, `\\`, `\\\`, `ends with \`, `ends with "`, `\"`, `a\"b`, `\n is two characters`, `\,`, `\ `, `\=`,
		"line\nbreak", "\n", "ends with newline\n", "crlf\r\n", "\r", "tab\there", "\x00", "nul\x00inside", "\x01\x1b\x7f",
		"null", "NULL", "true", "f", "0", "1i", "1.5", "-1e9", "NaN", "#comment", "battery,device=x soc_pct=1 1",
		"%s %d %%", "$1 :name ?", `'; DROP TABLE battery; --`, `{"json": ["x", 1]}`, "<a href=\"&amp;\">",
		"straße", "漢字", "🔋", "👩‍🔧", "e\u0301", "\u00e9", "\u2028\u2029", "\ufeffbom", "\u202ertl", "\uffff", "\U0010ffff",
		strings.Repeat("x", devices.MaxTextLength),
		strings.Repeat("🔋", devices.MaxTextLength/4),
		strings.Repeat(`\"`, devices.MaxTextLength/2),
		strings.Repeat("\n", devices.MaxTextLength),
	}
}

// texts gives each text a neighbour after it in the same batch, so that one
// that breaks the framing shows in the next.
func texts(t *testing.T, f *fixture) {
	var readings []telemetry.Reading
	var want []row
	for i, text := range awkwardTexts() {
		device, vs := fmt.Sprintf("d%03d", i), values{"state": text, "station": "after", "soc_pct": float64(i)}
		readings = append(readings, f.battery(device, t0, vs), f.battery(device, t0+1, values{"slot": i}))
		want = append(want,
			row{devices.KindBattery, device, t0, vs},
			row{devices.KindBattery, device, t0 + 1, values{"slot": float64(i)}})
	}
	f.append(t, readings...)
	if d := diff(f.rows(t, batteries()), want); d != "" {
		t.Errorf("range (-want +got):\n%s", d)
	}
	var newest []sample
	for _, w := range want {
		if s, ok := w.Values["state"]; ok {
			newest = append(newest, sample{w.Device, t0, "state", s})
		}
	}
	if d := diff(f.latest(t, batteries("state")), newest); d != "" {
		t.Errorf("latest (-want +got):\n%s", d)
	}
}

func deviceIDs(t *testing.T, f *fixture) {
	ids := []string{
		"a.b:c_d-e", "-", ".", "..", ":", "_", "0", "00", "-1", "1e5", "a", "A", "aa", "aA", "Aa", "a-b", "a.b", "a:b", "a_b", "a0", "ab",
		"null", "nan", "true", "t", "device", "time", strings.Repeat("z", devices.MaxIDLength), strings.Repeat("z", devices.MaxIDLength-1),
		strings.Repeat(":", devices.MaxIDLength), "B0005", "b0005",
	}
	var readings []telemetry.Reading
	for i, id := range ids {
		readings = append(readings, f.battery(id, t0, values{"soc_pct": float64(i)}))
	}
	f.append(t, readings...)
	for i, id := range ids {
		want := []row{{devices.KindBattery, id, t0, values{"soc_pct": float64(i)}}}
		q := batteries()
		q.Devices = []string{id}
		if d := diff(f.rows(t, q), want); d != "" {
			t.Errorf("range of device %q (-want +got):\n%s", id, d)
		}
	}
	sorted := slices.Sorted(slices.Values(ids))
	got := f.rows(t, batteries())
	if len(got) != len(sorted) {
		t.Fatalf("got %d devices, want %d", len(got), len(sorted))
	}
	for i, r := range got {
		if r.Device != sorted[i] {
			t.Fatalf("device %d: got %q, want %q", i, r.Device, sorted[i])
		}
	}
	if n := len(f.aggregate(t, aggregateOf(batteries(), telemetry.Last, hour))); n != len(ids) {
		t.Errorf("aggregate: got %d devices, want %d", n, len(ids))
	}
	if n := len(f.latest(t, batteries())); n != len(ids) {
		t.Errorf("latest: got %d devices, want %d", n, len(ids))
	}
}

func kindsApart(t *testing.T, f *fixture) {
	f.append(t,
		f.reading(devices.KindStation, "x", t0, values{"power_w": 1.0, "state": "open"}),
		f.reading(devices.KindBattery, "x", t0, values{"power_w": 2.0, "state": "idle"}),
		f.reading(devices.KindBuilding, "x", t0, values{"power_w": 3.0}))
	want := map[devices.Kind]values{
		devices.KindStation:  {"power_w": 1.0, "state": "open"},
		devices.KindBattery:  {"power_w": 2.0, "state": "idle"},
		devices.KindBuilding: {"power_w": 3.0},
	}
	for kind, vs := range want {
		got := f.rows(t, telemetry.RangeQuery{Kind: kind, Window: always})
		if d := diff(got, []row{{kind, "x", t0, vs}}); d != "" {
			t.Errorf("%s (-want +got):\n%s", kind, d)
		}
	}
}

func extremeTimes(t *testing.T, f *fixture) {
	far := int64(4102444799999) // 2099-12-31T23:59:59.999Z
	times := []int64{oldest, oldest + 1, t0 - 1, t0, t0 + 1, far}
	var readings []telemetry.Reading
	var want []row
	for i, ts := range times {
		readings = append(readings, f.battery("b", ts, values{"soc_pct": float64(i)}))
		want = append(want, row{devices.KindBattery, "b", ts, values{"soc_pct": float64(i)}})
	}
	f.append(t, readings...)
	windows := map[string]telemetry.Window{
		"just so":         {From: oldest, To: far + 1},
		"since 1970":      {From: 0, To: far + 1},
		"as wide as ever": {From: math.MinInt64, To: math.MaxInt64},
	}
	for name, w := range windows {
		q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: w}
		if d := diff(f.rows(t, q), want); d != "" {
			t.Errorf("%s: range (-want +got):\n%s", name, d)
		}
		if d := diff(f.latest(t, q), []sample{{"b", far, "soc_pct", 5.0}}); d != "" {
			t.Errorf("%s: latest (-want +got):\n%s", name, d)
		}
		got := f.aggregate(t, aggregateOf(q, telemetry.Count, day))
		if d := diff(got, []bucket{
			{"b", oldest, values{"soc_pct": 2.0}},
			{"b", t0 - telemetry.Day, values{"soc_pct": 1.0}},
			{"b", t0, values{"soc_pct": 2.0}},
			{"b", telemetry.Floor(far, telemetry.Day), values{"soc_pct": 1.0}},
		}); d != "" {
			t.Errorf("%s: aggregate (-want +got):\n%s", name, d)
		}
	}
}
