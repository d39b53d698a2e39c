package hot

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func schemaOf(t testing.TB, extra ...devices.KindField) *devices.Schema {
	t.Helper()
	s, err := devices.NewSchema(extra...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flat is a reading as tests compare it: field names to values.
type flat struct {
	Device string
	TS     int64
	Values map[string]any
}

func flatten(r *telemetry.Reading) flat {
	f := flat{r.Device, r.TS, map[string]any{}}
	for _, v := range r.Values {
		f.Values[v.Field.Name] = plain(v)
	}
	return f
}

func plain(v telemetry.Value) any {
	if v.Field.Numeric() {
		return v.Num
	}
	return v.Text
}

// all reads every column of the snapshots, newest first.
func all(t *Table, newestFirst ...*Snapshot) []flat {
	columns := slices.Clone(t.columns)
	c := NewCursor(columns, newestFirst...)
	var out []flat
	for run, ok := c.Next(); ok; run, ok = c.Next() {
		for i, ts := range run.TS {
			f := flat{run.Device, ts, map[string]any{}}
			for j, col := range columns {
				if n := run.Num(j, i); col.Text {
					if text, ok := run.Text(j, i); ok {
						f.Values[col.Name] = text
					}
				} else if !math.IsNaN(n) {
					f.Values[col.Name] = n
				}
			}
			out = append(out, f)
		}
	}
	return out
}

var everything = telemetry.Window{From: math.MinInt64, To: math.MaxInt64}

// drawReading draws a reading of few identities, so that they repeat.
func drawReading(rt *rapid.T, m *devices.Measurement) telemetry.Reading {
	r := telemetry.Reading{
		Kind:   m.Kind,
		Device: rapid.SampledFrom([]string{"a", "b", "long name of a device"}).Draw(rt, "device"),
		TS:     rapid.Int64Range(-40, 40).Draw(rt, "ts") * telemetry.Hour,
	}
	for range rapid.IntRange(1, 4).Draw(rt, "values") {
		f := rapid.SampledFrom(m.Fields).Draw(rt, "field")
		v := telemetry.Value{Field: f}
		if f.Numeric() {
			v.Num = rapid.OneOf(rapid.Float64Range(-1e6, 1e6),
				rapid.Map(rapid.IntRange(-5000, 5000), func(n int) float64 { return float64(n) / 100 })).Draw(rt, "num") + 0
		} else {
			v.Text = rapid.SampledFrom([]string{"", "idle", "charging", "\x00"}).Draw(rt, "text")
		}
		r.Set(v)
	}
	return r
}

type identity struct {
	device string
	ts     int64
}

// model is the table as a map.
type model map[identity]map[string]any

func (m model) put(r *telemetry.Reading) Outcome {
	id := identity{r.Device, r.TS}
	outcome := Unchanged
	if m[id] == nil {
		m[id], outcome = map[string]any{}, Added
	}
	for _, v := range r.Values {
		if old, ok := m[id][v.Field.Name]; (!ok || old != plain(v)) && outcome == Unchanged {
			outcome = Changed
		}
		m[id][v.Field.Name] = plain(v)
	}
	return outcome
}

func (m model) list(w telemetry.Window, names ...string) []flat {
	var out []flat
	for id, values := range m {
		if w.Contains(id.ts) && (len(names) == 0 || slices.Contains(names, id.device)) {
			out = append(out, flat{id.device, id.ts, maps.Clone(values)})
		}
	}
	slices.SortFunc(out, func(a, b flat) int {
		return telemetry.Compare(telemetry.Reading{Device: a.Device, TS: a.TS}, telemetry.Reading{Device: b.Device, TS: b.TS})
	})
	return out
}

// A table holds what a map of identities holds, whatever the order, and its
// snapshots stay as they were.
func TestTableIsAMap(t *testing.T) {
	m := schemaOf(t).Measurement(devices.KindBattery)
	rapid.Check(t, func(rt *rapid.T) {
		table, want := NewTable(m), model{}
		type taken struct {
			snap *Snapshot
			want []flat
		}
		var snaps []taken
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			r := drawReading(rt, m)
			held, same := table.Has(&r)
			outcome, err := table.Put(&r)
			if err != nil {
				rt.Fatal(err)
			}
			if held != (outcome != Added) || same != (outcome == Unchanged) {
				rt.Fatalf("Has(%v) = %v, %v, and then Put did %d", flatten(&r), held, same, outcome)
			}
			if wantOutcome := want.put(&r); outcome != wantOutcome {
				rt.Fatalf("Put(%v) = %d, want %d", flatten(&r), outcome, wantOutcome)
			}
			if rapid.IntRange(0, 9).Draw(rt, "snap") == 0 {
				w := telemetry.Window{From: rapid.Int64Range(-40, 40).Draw(rt, "from") * telemetry.Hour}
				w.To = w.From + rapid.Int64Range(0, 80).Draw(rt, "hours")*telemetry.Hour
				names := rapid.SampledFrom([][]string{nil, {"a"}, {"b", "a", "b", "nobody"}}).Draw(rt, "names")
				snaps = append(snaps, taken{table.Snapshot(names, w), want.list(w, names...)})
			}
		}
		snaps = append(snaps, taken{table.Snapshot(nil, everything), want.list(everything)})
		for _, s := range snaps {
			if diff := cmp.Diff(s.want, all(table, s.snap)); diff != "" {
				rt.Fatalf("snapshot (-want +got):\n%s", diff)
			}
			if got := s.snap.Rows(); got != len(s.want) {
				rt.Fatalf("Rows() = %d, want %d", got, len(s.want))
			}
		}
		if table.Rows() != len(want) {
			rt.Fatalf("table has %d rows, want %d", table.Rows(), len(want))
		}
		for id, values := range want {
			got, ok := table.Get(id.device, id.ts)
			r := telemetry.Reading{Device: id.device, TS: id.ts, Values: got}
			if diff := cmp.Diff(values, flatten(&r).Values); !ok || diff != "" {
				rt.Fatalf("Get(%v) = %v (-want +got):\n%s", id, ok, diff)
			}
		}
	})
}

// Over several tables the newest one's reading of an identity is shown, whole.
func TestCursorMerges(t *testing.T) {
	m := schemaOf(t).Measurement(devices.KindBattery)
	rapid.Check(t, func(rt *rapid.T) {
		want := map[identity]flat{}
		var snaps []*Snapshot
		var table *Table
		for range rapid.IntRange(1, 4).Draw(rt, "tables") {
			table = NewTable(m)
			own := model{}
			for range rapid.IntRange(0, 40).Draw(rt, "rows") {
				r := drawReading(rt, m)
				if _, err := table.Put(&r); err != nil {
					rt.Fatal(err)
				}
				own.put(&r)
			}
			for _, f := range own.list(everything) {
				want[identity{f.Device, f.TS}] = f
			}
			snaps = slices.Insert(snaps, 0, table.Snapshot(nil, everything))
		}
		merged := model{}
		for id, f := range want {
			merged[id] = f.Values
		}
		if diff := cmp.Diff(merged.list(everything), all(table, snaps...)); diff != "" {
			rt.Fatalf("merged (-want +got):\n%s", diff)
		}
	})
}

// Many rows of one device, in an order that splits blocks everywhere.
func TestBlocksSplit(t *testing.T) {
	m := schemaOf(t).Measurement(devices.KindStation)
	power := m.Field("power_w")
	table, want := NewTable(m), model{}
	const rows, stride = 5003, 1201 // coprime: every row once
	for i := range int64(rows) {
		r := telemetry.Reading{Kind: m.Kind, Device: "s", TS: i * stride % rows, Values: []telemetry.Value{{Field: power, Num: float64(i)}}}
		if _, err := table.Put(&r); err != nil {
			t.Fatal(err)
		}
		want.put(&r)
	}
	if diff := cmp.Diff(want.list(everything), all(table, table.Snapshot(nil, everything))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for _, b := range table.devices["s"].blocks {
		if len(b.ts) == 0 || len(b.ts) > blockRows {
			t.Errorf("a block of %d rows", len(b.ts))
		}
	}
}

func TestDaysAndNewest(t *testing.T) {
	m := schemaOf(t).Measurement(devices.KindStation)
	table := NewTable(m)
	for _, ts := range []int64{5 * telemetry.Day, 5*telemetry.Day + 1, -1, 2 * telemetry.Day} {
		r := telemetry.Reading{Kind: m.Kind, Device: "s", TS: ts, Values: []telemetry.Value{{Field: m.Fields[0], Num: 1}}}
		if _, err := table.Put(&r); err != nil {
			t.Fatal(err)
		}
	}
	days, rows := table.Days()
	if diff := cmp.Diff([]int64{-1, 2, 5}, days) + cmp.Diff([]int{1, 1, 2}, rows); diff != "" {
		t.Errorf("Days (-want +got):\n%s", diff)
	}
	table.Newest(func(device string, ts int64) {
		if device != "s" || ts != 5*telemetry.Day+1 {
			t.Errorf("newest %s at %d", device, ts)
		}
	})
}

// A field that has changed its type since is refused, and nothing is changed.
func TestTypeChange(t *testing.T) {
	field := func(typ devices.FieldType) *devices.Schema {
		return schemaOf(t, devices.KindField{Kind: devices.KindStation, Field: devices.Field{Name: "extra", Unit: "1", Type: typ, Min: 0, Max: 9}})
	}
	was, is := field(devices.Number).Measurement(devices.KindStation), field(devices.Text).Measurement(devices.KindStation)
	table := NewTable(is)
	r := telemetry.Reading{Kind: is.Kind, Device: "s", TS: 1, Values: []telemetry.Value{{Field: was.Field("extra"), Num: 1}}}
	if _, err := table.Put(&r); err == nil {
		t.Error("a number was put in a column of texts")
	}
	if table.Rows() != 0 {
		t.Error("a refused reading was kept")
	}
}

func drawBatch(rt *rapid.T, s *devices.Schema) []telemetry.Reading {
	var batch []telemetry.Reading
	for range rapid.IntRange(0, 60).Draw(rt, "rows") {
		kind := rapid.SampledFrom(devices.Kinds()).Draw(rt, "kind")
		batch = append(batch, drawReading(rt, s.Measurement(kind)))
	}
	return batch
}

// What is encoded is decoded, in order within each kind, and the encoder's
// memory does not leak from one frame into the next.
func TestCodecRoundTrip(t *testing.T) {
	s := schemaOf(t)
	e := NewEncoder()
	rapid.Check(t, func(rt *rapid.T) {
		batch := drawBatch(rt, s)
		frame := e.Append(nil, batch)
		got := map[devices.Kind][]flat{}
		if err := Decode(frame, s, func(r *telemetry.Reading) error {
			got[r.Kind] = append(got[r.Kind], flatten(r))
			return nil
		}); err != nil {
			rt.Fatal(err)
		}
		want := map[devices.Kind][]flat{}
		for i := range batch {
			want[batch[i].Kind] = append(want[batch[i].Kind], flatten(&batch[i]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("decoded (-want +got):\n%s", diff)
		}
	})
}

// Fields that the schema has lost keep their names, types and values.
func TestDecodeLostFields(t *testing.T) {
	lost := func(name string, typ devices.FieldType) devices.KindField {
		return devices.KindField{Kind: devices.KindStation, Field: devices.Field{Name: name, Type: typ, Max: 9}}
	}
	m := schemaOf(t, lost("extra", devices.Text), lost("more", devices.Number)).Measurement(devices.KindStation)
	r := telemetry.Reading{Kind: m.Kind, Device: "s", TS: 1, Values: []telemetry.Value{
		{Field: m.Field("queue"), Num: 3}, {Field: m.Field("extra"), Text: "kept"}, {Field: m.Field("more"), Num: 7}}}
	now := schemaOf(t)
	table := NewTable(now.Measurement(devices.KindStation))
	err := Decode(NewEncoder().Append(nil, []telemetry.Reading{r}), now, func(r *telemetry.Reading) error {
		_, err := table.Put(r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	values, _ := table.Get("s", 1)
	got := telemetry.Reading{Device: "s", TS: 1, Values: values}
	if diff := cmp.Diff(flatten(&r), flatten(&got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzDecode(f *testing.F) {
	s, err := devices.NewSchema()
	if err != nil {
		f.Fatal(err)
	}
	m := s.Measurement(devices.KindBattery)
	seed := []telemetry.Reading{
		{Kind: m.Kind, Device: "a", TS: 1, Values: []telemetry.Value{{Field: m.Fields[0], Num: 81.5}, {Field: m.Field("state"), Text: "idle"}}},
		{Kind: m.Kind, Device: "b", TS: 2, Values: []telemetry.Value{{Field: m.Fields[0], Num: math.Pi}}},
	}
	f.Add(NewEncoder().Append(nil, seed))
	f.Fuzz(func(_ *testing.T, frame []byte) {
		_ = Decode(frame, s, func(*telemetry.Reading) error { return nil }) // it may fail, not panic
	})
}

func benchBatch(m *devices.Measurement, devices, rows int) []telemetry.Reading {
	names := []string{"soc_pct", "voltage_v", "current_a", "power_w", "temperature_c", "cell_voltage_min_v", "cell_voltage_max_v", "cycles", "energy_in_wh", "energy_out_wh"}
	batch := make([]telemetry.Reading, rows)
	for i := range batch {
		r := telemetry.Reading{Kind: m.Kind, Device: fmt.Sprintf("bench-%05d", i%devices), TS: 1_700_000_000_000 + int64(i/devices)*1000}
		for j, name := range names {
			r.Set(telemetry.Value{Field: m.Field(name), Num: float64((i*7+j*13)%1000) / 10})
		}
		batch[i] = r
	}
	return batch
}

func BenchmarkEncode(b *testing.B) {
	m := schemaOf(b).Measurement(devices.KindBattery)
	for _, rows := range []int{1, 20, 10_000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			batch, e := benchBatch(m, 1000, rows), NewEncoder()
			var frame []byte
			for b.Loop() {
				frame = e.Append(frame[:0], batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/reading")
			b.ReportMetric(float64(len(frame))/float64(rows), "B/reading")
		})
	}
}

func BenchmarkPut(b *testing.B) {
	m := schemaOf(b).Measurement(devices.KindBattery)
	batch := benchBatch(m, 1000, 100_000)
	table := NewTable(m)
	for b.Loop() {
		for i := range batch {
			batch[i].TS += 100_000
			if _, err := table.Put(&batch[i]); err != nil {
				b.Fatal(err)
			}
		}
		if table.Rows() > 1_000_000 {
			table = NewTable(m)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/reading")
}
