package replay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator/replay"
)

func schema(t *testing.T) *devices.Schema {
	t.Helper()
	s, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mapping(t *testing.T, text string) *replay.Mapping {
	t.Helper()
	m, err := replay.ReadMapping(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func example(t *testing.T, name string) *replay.Mapping {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "deploy", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := replay.ReadMapping(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// realData opens a file of the shared real data.
func realData(t *testing.T, path ...string) io.Reader {
	t.Helper()
	b, err := os.ReadFile(measured.File(t, path...))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b)
}

func readAll(t *testing.T, m *replay.Mapping, name string, r io.Reader) ([]telemetry.Reading, int) {
	t.Helper()
	var out []telemetry.Reading
	rows, err := replay.Read(m, schema(t), name, r, func(r telemetry.Reading) error {
		out = append(out, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, rows
}

// brief writes readings as "ts field=value …".
func brief(readings []telemetry.Reading) []string {
	var out []string
	for _, r := range readings {
		s := time.UnixMilli(r.TS).UTC().Format("2006-01-02T15:04:05.999Z")
		for _, v := range r.Values {
			s += " " + v.Field.Name + "="
			if v.Field.Numeric() {
				s += strconv.FormatFloat(v.Num, 'f', -1, 64)
			} else {
				s += v.Text
			}
		}
		out = append(out, s)
	}
	return out
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name    string
		mapping string
		file    string
		want    []string
		rows    int
	}{
		{
			name: "epoch milliseconds, a semicolon, scale and offset, text",
			mapping: `{kind: battery, id: B1, csv: {delimiter: ";"}, timestamp: {column: t, unit: ms},
				columns: [{column: f, field: temperature_c, scale: 0.5, offset: -10}, {column: s, field: state}]}`,
			file: "t;f;s;x\n1500;40;idle;\n2500;60;\"ri;de\";9\n",
			want: []string{"1970-01-01T00:00:01.5Z temperature_c=10 state=idle", "1970-01-01T00:00:02.5Z temperature_c=20 state=ri;de"},
			rows: 2,
		},
		{
			name:    "a byte order mark, a comment, epoch seconds, values to skip",
			mapping: `{kind: battery, id: B1, csv: {comment: "#"}, timestamp: {column: t}, columns: [{column: v, field: voltage_v, skip_if: ["", "-999"]}]}`,
			file:    "\ufefft,v\n# a remark\n1,3.5\n2,\n3,-999\n4,3.25\n",
			want:    []string{"1970-01-01T00:00:01Z voltage_v=3.5", "1970-01-01T00:00:04Z voltage_v=3.25"},
			rows:    4,
		},
		{
			name:    "rfc 3339",
			mapping: `{kind: battery, id: B1, timestamp: {column: t, layout: rfc3339}, columns: [{column: v, field: voltage_v}]}`,
			file:    "t,v\n2026-01-01T02:00:00.25+02:00,1\n",
			want:    []string{"2026-01-01T00:00:00.25Z voltage_v=1"},
			rows:    1,
		},
		{
			name: "a layout in a time zone, in summer and in winter",
			mapping: `{kind: battery, id: B1, timestamp: {column: t, layout: "02.01.2006 15:04", time_zone: Europe/Berlin},
				columns: [{column: v, field: voltage_v}]}`,
			file: "t,v\n01.07.2026 12:00,1\n01.12.2026 12:00,2\n",
			want: []string{"2026-07-01T10:00:00Z voltage_v=1", "2026-12-01T11:00:00Z voltage_v=2"},
			rows: 2,
		},
		{
			name: "groups by step and by offset, without a header line",
			mapping: `{kind: battery, id: B1, csv: {header: [c, t, v]},
				timestamp: {column: t, start: 2026-01-01T00:00:00Z, group: c, group_step: 6h, group_offsets: {"7": 1h}},
				columns: [{column: v, field: voltage_v}]}`,
			file: "3,0,1\n3,1.5,2\n5,0,3\n7,2,4\n",
			want: []string{
				"2026-01-01T00:00:00Z voltage_v=1", "2026-01-01T00:00:01.5Z voltage_v=2",
				"2026-01-01T12:00:00Z voltage_v=3", "2026-01-01T01:00:02Z voltage_v=4",
			},
			rows: 4,
		},
		{
			name: "a register beside a gauge: its zero at the start, then the end of each interval",
			mapping: `{kind: building, id: b, timestamp: {column: t, interval: 1h},
				columns: [{column: e, field: energy_wh, scale: 1000, cumulative: true, skip_if: [""]}, {column: o, field: outdoor_c}]}`,
			file: "t,e,o\n0,0.1,5\n3600,0.2,6\n7200,,7\n10800,0.3,8\n",
			want: []string{
				"1970-01-01T00:00:00Z energy_wh=0 outdoor_c=5", "1970-01-01T01:00:00Z energy_wh=100",
				"1970-01-01T01:00:00Z outdoor_c=6", "1970-01-01T02:00:00Z energy_wh=300",
				"1970-01-01T02:00:00Z outdoor_c=7",
				"1970-01-01T03:00:00Z outdoor_c=8", "1970-01-01T04:00:00Z energy_wh=600",
			},
			rows: 4,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var zipped bytes.Buffer
			z := gzip.NewWriter(&zipped)
			io.WriteString(z, c.file)
			z.Close()
			for name, r := range map[string]io.Reader{"plain": strings.NewReader(c.file), "gzip": &zipped} {
				got, rows := readAll(t, mapping(t, c.mapping), name, r)
				if diff := cmp.Diff(c.want, brief(got)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				if rows != c.rows {
					t.Errorf("%s: got %d rows want %d", name, rows, c.rows)
				}
			}
		})
	}
}

func TestReadNamesWhatItCannotMap(t *testing.T) {
	const bench = `{kind: battery, id: B1, timestamp: {column: t}, columns: [{column: v, field: voltage_v}]}`
	const meter = `{kind: building, id: b, timestamp: {column: t, interval: 1h}, columns: [{column: v, field: energy_wh, cumulative: true}]}`
	const groups = `{kind: battery, id: B1, timestamp: {column: t, start: 2026-01-01T00:00:00Z, group: g, group_offsets: {"1": 0s}}, columns: [{column: v, field: voltage_v}]}`
	for _, c := range []struct{ name, mapping, file, want string }{
		{"not a number", bench, "t,v\n1,2\n2,abc\n", `f.csv:3: column "v": "abc": not a number`},
		{"not finite", bench, "t,v\n1,NaN\n", `f.csv:2: column "v": "NaN": not a number`},
		{"empty", bench, "t,v\n1,\n", `f.csv:2: column "v": "": not a number`},
		{"no time", bench, "t,v\nnow,1\n", `f.csv:2: column "t": "now": not a number`},
		{"a unit that is wrong", bench, "t,v\n1767225600000000,1\n", `f.csv:2: column "t": "1767225600000000": a time beyond`},
		{"after a quoted line break", bench, "t,v,x\n1,2,\"a\nb\"\n2,z,\n", `f.csv:4: column "v": "z"`},
		{"a falling register", meter, "t,v\n0,-1\n", `f.csv:2: column "v": "-1": a register can't fall`},
		{"an unknown group", groups, "g,t,v\n1,0,1\n2,0,1\n", `f.csv:3: column "g": "2": not among group_offsets`},
		{"too few cells", bench, "t,v\n1\n", "f.csv: record on line 2: wrong number of fields"},
		{"no such column", bench, "t,u\n1,2\n", `f.csv: no column ["v"]; there are ["t" "u"]`},
		{"an empty file", bench, "", "f.csv: header: EOF"},
		{"a broken gzip stream", bench, "\x1f\x8bxx", "f.csv: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := replay.Read(mapping(t, c.mapping), schema(t), "f.csv", strings.NewReader(c.file), func(telemetry.Reading) error { return nil })
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v want %s", err, c.want)
			}
		})
	}
	_, err := replay.Read(mapping(t, bench), schema(t), "f.csv", strings.NewReader("t,v\n1,x\n"), func(telemetry.Reading) error { return nil })
	var row *replay.RowError
	if !errors.As(err, &row) || row.Line != 2 || row.Column != "v" || row.Value != "x" {
		t.Errorf("got %#v", err)
	}
}

func TestMappingIsChecked(t *testing.T) {
	m := mapping(t, `{kind: car, id: "a/b", csv: {delimiter: ";;"},
		timestamp: {unit: h, group: g, time_zone: Mars/Olympus},
		columns: [{column: v, field: speed}, {field: voltage_v, cumulative: true}]}`)
	err := m.Validate(schema(t))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"kind", "id", "csv.delimiter", "timestamp.column", "timestamp.unit", "timestamp.group", "timestamp.time_zone", "columns[0].field", "columns[1].column"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to name %s", err, want)
		}
	}
	if _, err := replay.ReadMapping(strings.NewReader("kind: battery\ncolums: []\n")); err == nil || !strings.Contains(err.Error(), "colums") {
		t.Errorf("a misspelt key: got %v", err)
	}
}

func TestExamplesAreValid(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "..", "deploy", "examples", "*.yaml"))
	if err != nil || len(names) < 4 {
		t.Fatalf("examples: %v, %v", names, err)
	}
	for _, n := range names {
		if err := example(t, filepath.Base(n)).Validate(schema(t)); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
}

// NASA's B0005: every sample arrives once, in order, and the charge of each
// discharge, by the published recipe, is the published capacity.
func TestRealDischarges(t *testing.T) {
	readings, rows := readAll(t, example(t, "nasa-b0005.yaml"), "B0005", realData(t, "battery", "nasa", "B0005_discharge_raw.csv.gz"))
	if rows != 50285 || len(readings) != rows {
		t.Fatalf("got %d rows and %d readings want 50285", rows, len(readings))
	}
	var cycles [][]telemetry.Reading
	for i, r := range readings {
		if i > 0 && r.TS <= readings[i-1].TS {
			t.Fatalf("reading %d at %d is not after %d", i, r.TS, readings[i-1].TS)
		}
		if i == 0 || r.TS-readings[i-1].TS > int64(time.Hour/time.Millisecond) {
			cycles = append(cycles, nil)
		}
		cycles[len(cycles)-1] = append(cycles[len(cycles)-1], r)
	}
	if len(cycles) != 168 {
		t.Fatalf("got %d cycles want 168", len(cycles))
	}
	for cycle, want := range map[int]float64{1: 1.856487, 100: 1.485868, 168: 1.325079} {
		if got := capacity(cycles[cycle-1]); math.Abs(got/want-1) > 2e-5 {
			t.Errorf("cycle %d: got %.6f Ah want %.6f", cycle, got, want)
		}
	}
}

// capacity is the trapezoid of the current up to the first sample at or below
// 2.7 V, from the third on.
func capacity(s []telemetry.Reading) float64 {
	var ah float64
	for i := 1; i < len(s); i++ {
		a, _ := s[i-1].Num("current_a")
		b, _ := s[i].Num("current_a")
		ah -= (a + b) / 2 * float64(s[i].TS-s[i-1].TS) / 3600e3
		if v, _ := s[i].Num("voltage_v"); i >= 2 && v <= 2.7 {
			break
		}
	}
	return ah
}

func TestRealCharge(t *testing.T) {
	readings, rows := readAll(t, example(t, "nasa-charge.yaml"), "charge", realData(t, "battery", "nasa", "B0005_charge_cycle1.csv.gz"))
	last := readings[len(readings)-1]
	if rows != 789 || last.TS != time.Date(2008, 4, 2, 13, 8, 17, 0, time.UTC).UnixMilli()+7597875 {
		t.Errorf("got %d rows, the last at %d", rows, last.TS)
	}
}

func TestRealBuilding(t *testing.T) {
	readings, rows := readAll(t, example(t, "cambridge-b4.yaml"), "b4", realData(t, "building", "cambridge", "b4_electricity_2018.csv"))
	if rows != 8760 || len(readings) != 8761 {
		t.Fatalf("got %d rows and %d readings want 8760 and 8761", rows, len(readings))
	}
	var sum, before float64
	for i, r := range readings {
		if want := time.Date(2018, 1, 1, i, 0, 0, 0, time.UTC).UnixMilli(); r.TS != want {
			t.Fatalf("reading %d at %d want %d", i, r.TS, want)
		}
		now, _ := r.Num("energy_wh")
		sum += now - before
		before = now
	}
	if first, _ := readings[0].Num("energy_wh"); first != 0 || math.Abs(sum-143718600) > 1e-3 {
		t.Errorf("got a start of %v and %v Wh in all, want 0 and 143718600", first, sum)
	}
	weather, rows := readAll(t, example(t, "cambridge-weather.yaml"), "weather", realData(t, "building", "cambridge", "bedford_weather_2018.csv"))
	if got := brief(weather[:1]); rows != 8760 || got[0] != "2018-01-01T00:00:00Z outdoor_c=5.8 humidity_pct=83.2" {
		t.Errorf("got %d rows, the first %v", rows, got)
	}
}

// fake keeps what is published.
type fake struct {
	readings []int64
	batches  []int
	flushed  int
	failAt   int // the call of Publish that goes wrong; 0: none
}

func (f *fake) Publish(_ context.Context, _ devices.Ref, readings []telemetry.Reading) error {
	f.batches = append(f.batches, len(readings))
	if len(f.batches) == f.failAt {
		return errors.New("no network")
	}
	for _, r := range readings {
		f.readings = append(f.readings, r.TS)
	}
	return nil
}

func (f *fake) Flush(context.Context) error {
	f.flushed++
	return nil
}

func TestRun(t *testing.T) {
	const text = `{kind: battery, id: B1, timestamp: {column: t}, columns: [{column: v, field: voltage_v}]}`
	file := func(n int, end string) io.Reader {
		return strings.NewReader("t,v\n" + strings.Repeat("1,2\n", n) + end)
	}
	for _, c := range []struct {
		name     string
		file     io.Reader
		failAt   int
		want     replay.Stats
		batches  []int
		flushed  int
		err      string
		progress int
	}{
		{"two batches", file(700, ""), 0, replay.Stats{Rows: 700, Readings: 700}, []int{500, 200}, 1, "", 2},
		{"nothing", file(0, ""), 0, replay.Stats{}, nil, 1, "", 0},
		{"a bad row after good ones", file(3, "x,y\n"), 0, replay.Stats{Rows: 3, Readings: 3}, []int{3}, 1, `f:5: column "t"`, 1},
		{"no network", file(1200, ""), 2, replay.Stats{Rows: 1000, Readings: 500}, []int{500, 500}, 0, "publish: no network", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &fake{failAt: c.failAt}
			told := 0
			got, err := replay.Run(t.Context(), mapping(t, text), schema(t), "f", c.file, p, func(replay.Stats) { told++ })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.batches, p.batches); diff != "" {
				t.Error(diff)
			}
			if p.flushed != c.flushed || told != c.progress {
				t.Errorf("flushed %d want %d, progress %d want %d", p.flushed, c.flushed, told, c.progress)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("got error %v want %q", err, c.err)
			}
		})
	}
}
