package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb"
	"github.com/fleetwatt/fleetwatt/ingest/export"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

const t0 int64 = 1767225600000 // 2026-01-01T00:00:00Z

var window = telemetry.Window{From: t0, To: t0 + telemetry.Day}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
}

func newSchema(t testing.TB) *devices.Schema {
	t.Helper()
	schema, err := devices.NewSchema()
	ok(t, err)
	return schema
}

type store interface {
	telemetry.Appender
	telemetry.Reader
	Close() error
}

func embedded(t testing.TB, schema *devices.Schema) store {
	t.Helper()
	s, err := duckdb.Open(t.Context(), t.TempDir(), schema, duckdb.Options{MemoryLimit: "256MB"})
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	return s
}

// fill appends readings of batteries: one with many, some with few, all with
// fields that come and go, and texts that are hard to write.
func fill(t testing.TB, schema *devices.Schema, s store) []telemetry.Reading {
	t.Helper()
	texts := []string{"idle", "", "a,b", `say "so"`, "two\nlines", "\r", " led by a space", "zero\x00byte", "Ω", "\t"}
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []telemetry.Reading
	fields := schema.Measurement(devices.KindBattery).Fields
	for d, n := range []int{0: 40, 1: 1, 2: 700, 3: 7, 4: 256} {
		for i := range n {
			r := telemetry.Reading{Kind: devices.KindBattery, Device: fmt.Sprintf("b:%d", d), TS: t0 + int64(i)*777}
			for _, f := range fields {
				switch {
				case rnd.IntN(3) == 0:
				case f.Numeric():
					r.Set(telemetry.Value{Field: f, Num: []float64{0, 1, -17.25, 1e-7, 0.1 + 0.2, 1e15}[rnd.IntN(6)]})
				default:
					r.Set(telemetry.Value{Field: f, Text: texts[rnd.IntN(len(texts))]})
				}
			}
			if len(r.Values) > 0 {
				all = append(all, r)
			}
		}
	}
	shuffled := slices.Clone(all)
	rnd.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	done, err := s.Append(t.Context(), shuffled)
	if err != nil || len(done.Rejected) > 0 {
		t.Fatalf("append: %+v, %v", done, err)
	}
	return all
}

// row is a reading in a form that prints and compares well.
type row struct {
	Device string
	TS     int64
	Values map[string]any
}

func rowOf(r telemetry.Reading) row {
	out := row{r.Device, r.TS, map[string]any{}}
	for _, v := range r.Values {
		if v.Field.Numeric() {
			out.Values[v.Field.Name] = v.Num
		} else {
			out.Values[v.Field.Name] = v.Text
		}
	}
	return out
}

// stored is what the store says that it has.
func stored(t testing.TB, s telemetry.Reader, q telemetry.RangeQuery) []row {
	t.Helper()
	var rows []row
	ok(t, s.Range(t.Context(), q, func(r telemetry.Reading) error {
		rows = append(rows, rowOf(r))
		return nil
	}))
	return rows
}

func exported(t testing.TB, s export.Reader, schema *devices.Schema, q telemetry.RangeQuery, o export.Options) ([]byte, int64) {
	t.Helper()
	o.TempDir = t.TempDir()
	e, err := export.New(t.Context(), s, schema, q, o)
	ok(t, err)
	var b bytes.Buffer
	rows, err := e.Copy(t.Context(), &b)
	ok(t, err)
	for range 2 {
		ok(t, e.Close())
	}
	left, err := os.ReadDir(o.TempDir)
	ok(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return b.Bytes(), rows
}

// parsed reads a CSV file back with a reader that is not ours. It can't tell an
// empty text from a missing one, for which the raw bytes are looked at.
func parsed(t testing.TB, schema *devices.Schema, file []byte) []row {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	ok(t, err)
	var rows []row
	for _, line := range lines[1:] {
		r := row{Device: line[0], Values: map[string]any{}}
		if lines[0][1] == "ts" {
			at, err := time.Parse(time.RFC3339, line[1])
			ok(t, err)
			r.TS = at.UnixMilli()
		} else if r.TS, err = strconv.ParseInt(line[1], 10, 64); err != nil {
			t.Fatal(err)
		}
		for i, name := range lines[0][2:] {
			switch s := line[2+i]; {
			case s == "":
			case schema.Field(devices.KindBattery, name).Numeric():
				v, err := strconv.ParseFloat(s, 64)
				ok(t, err)
				r.Values[name] = v
			default:
				r.Values[name] = s
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// withoutEmpty is rows as encoding/csv tells them: no empty texts, and \r\n as \n.
func withoutEmpty(rows []row) []row {
	var out []row
	for _, r := range rows {
		kept := row{r.Device, r.TS, map[string]any{}}
		for name, v := range r.Values {
			if v != "" {
				kept.Values[name] = v
			}
		}
		out = append(out, kept)
	}
	return out
}

var queries = []struct {
	name  string
	query telemetry.RangeQuery
}{
	{"all", telemetry.RangeQuery{Kind: devices.KindBattery, Window: window}},
	{"some devices, twice and unknown", telemetry.RangeQuery{Kind: devices.KindBattery, Window: window, Devices: []string{"b:4", "b:2", "b:4", "none"}}},
	{"some fields", telemetry.RangeQuery{Kind: devices.KindBattery, Window: window, Fields: []string{"state", "soc_pct"}}},
	{"some time", telemetry.RangeQuery{Kind: devices.KindBattery, Window: telemetry.Window{From: t0 + 777, To: t0 + 30*777}}},
	{"nothing", telemetry.RangeQuery{Kind: devices.KindBattery, Window: telemetry.Window{From: 0, To: t0}}},
	{"no devices of the kind", telemetry.RangeQuery{Kind: devices.KindStation, Window: window}},
}

func TestRoundTripCSV(t *testing.T) {
	schema := newSchema(t)
	s := embedded(t, schema)
	fill(t, schema, s)
	for _, tt := range queries {
		for _, page := range []int{1, 16, 0} {
			for _, times := range []export.Times{"", export.EpochMS} {
				t.Run(fmt.Sprintf("%s/page=%d/times=%s", tt.name, page, times), func(t *testing.T) {
					if page == 1 && tt.name != "some time" {
						t.Skip("a query for each row takes long")
					}
					want := stored(t, s, tt.query)
					file, rows := exported(t, s, schema, tt.query, export.Options{Format: export.CSV, Times: times, PageRows: page})
					if int(rows) != len(want) {
						t.Errorf("got %d rows, want %d", rows, len(want))
					}
					if tt.query.Kind == devices.KindBattery {
						if diff := cmp.Diff(withoutEmpty(want), parsed(t, schema, file)); diff != "" {
							t.Errorf("want − got +\n%s", diff)
						}
					}
				})
			}
		}
	}
}

func TestCSVBytes(t *testing.T) {
	schema := newSchema(t)
	s := embedded(t, schema)
	field := func(name string) *devices.Field { return schema.Field(devices.KindBattery, name) }
	_, err := s.Append(t.Context(), []telemetry.Reading{
		{Kind: devices.KindBattery, Device: "b", TS: t0 + 5, Values: []telemetry.Value{{Field: field("soc_pct"), Num: 81.5}, {Field: field("state"), Text: `a "b", c`}}},
		{Kind: devices.KindBattery, Device: "a", TS: t0, Values: []telemetry.Value{{Field: field("soc_pct"), Num: 1e-9}}},
		{Kind: devices.KindBattery, Device: "a", TS: t0 + 1, Values: []telemetry.Value{{Field: field("state"), Text: ""}}},
	})
	ok(t, err)
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: window, Fields: []string{"state", "soc_pct"}}
	for times, want := range map[export.Times]string{
		export.RFC3339: "device,ts,soc_pct,state\na,2026-01-01T00:00:00.000Z,1e-09,\na,2026-01-01T00:00:00.001Z,,\"\"\nb,2026-01-01T00:00:00.005Z,81.5,\"a \"\"b\"\", c\"\n",
		export.EpochMS: "device,ts_ms,soc_pct,state\na,1767225600000,1e-09,\na,1767225600001,,\"\"\nb,1767225600005,81.5,\"a \"\"b\"\", c\"\n",
	} {
		got, _ := exported(t, s, schema, q, export.Options{Format: export.CSV, Times: times})
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: want − got +\n%s", times, diff)
		}
	}
}

func TestInflux(t *testing.T) {
	schema := newSchema(t)
	db := servertest.StartInfluxd(t)
	s, err := influx.Open(t.Context(), influx.Options{URL: db.URL, Bucket: "fleetwatt", Timeout: 10 * time.Second, Schema: schema})
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	fill(t, schema, s)
	for _, tt := range queries[:3] {
		want := stored(t, s, tt.query)
		if len(want) == 0 {
			t.Fatalf("%s: nothing is stored", tt.name)
		}
		file, rows := exported(t, s, schema, tt.query, export.Options{Format: export.CSV, PageRows: 100})
		if int(rows) != len(want) {
			t.Errorf("%s: got %d rows, want %d", tt.name, rows, len(want))
		}
		if diff := cmp.Diff(withoutEmpty(want), parsed(t, schema, file)); diff != "" {
			t.Errorf("%s: want − got +\n%s", tt.name, diff)
		}
		file, _ = exported(t, s, schema, tt.query, export.Options{Format: export.Parquet, PageRows: 100})
		if diff := cmp.Diff(want, readParquet(t, file)); diff != "" {
			t.Errorf("%s: Parquet: want − got +\n%s", tt.name, diff)
		}
	}
}

func TestRefusals(t *testing.T) {
	schema := newSchema(t)
	s := embedded(t, schema)
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: window}
	tests := []struct {
		name   string
		change func(*telemetry.RangeQuery, *export.Options)
		want   error
		words  string
	}{
		{"unknown field", func(q *telemetry.RangeQuery, _ *export.Options) { q.Fields = []string{"colour"} }, telemetry.ErrUnknownField, "colour"},
		{"unknown kind", func(q *telemetry.RangeQuery, _ *export.Options) { q.Kind = "rocket" }, telemetry.ErrBadQuery, "rocket"},
		{"unknown format", func(_ *telemetry.RangeQuery, o *export.Options) { o.Format = "xls" }, nil, "xls"},
		{"unknown form of time", func(_ *telemetry.RangeQuery, o *export.Options) { o.Times = "sundial" }, nil, "sundial"},
		{"nowhere to put it", func(_ *telemetry.RangeQuery, o *export.Options) { o.Format, o.TempDir = export.Parquet, "/nowhere" }, os.ErrNotExist, "/nowhere"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, o := q, export.Options{Format: export.CSV}
			tt.change(&q, &o)
			_, err := export.New(t.Context(), s, schema, q, o)
			if err == nil || !strings.Contains(err.Error(), tt.words) || (tt.want != nil && !errors.Is(err, tt.want)) {
				t.Errorf("got %v, want %v about %q", err, tt.want, tt.words)
			}
		})
	}
}

// failing is a store that goes away after some readings.
type failing struct {
	telemetry.Reader
	after int
	err   error
}

func (f *failing) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	return f.Reader.Range(ctx, q, func(r telemetry.Reading) error {
		if f.after == 0 {
			return f.err
		}
		f.after--
		return yield(r)
	})
}

func TestErrorsEndAnExport(t *testing.T) {
	schema := newSchema(t)
	s := embedded(t, schema)
	fill(t, schema, s)
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: window}
	for _, format := range []export.Format{export.CSV, export.Parquet} {
		t.Run(string(format), func(t *testing.T) {
			dir := t.TempDir()
			run := func(r export.Reader, ctx context.Context, w io.Writer) error {
				e, err := export.New(t.Context(), r, schema, q, export.Options{Format: format, PageRows: 100, TempDir: dir})
				ok(t, err)
				defer func() { ok(t, e.Close()) }()
				_, err = e.Copy(ctx, w)
				return err
			}
			err := run(&failing{s, 250, telemetry.ErrUnavailable}, t.Context(), io.Discard)
			if !errors.Is(err, telemetry.ErrUnavailable) {
				t.Errorf("store gone: got %v, want %v", err, telemetry.ErrUnavailable)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if err := run(s, ended, io.Discard); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: got %v, want %v", err, context.Canceled)
			}
			full := errors.New("disk full")
			if err := run(s, t.Context(), writerFunc(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
				t.Errorf("nobody takes it: got %v, want %v", err, full)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
