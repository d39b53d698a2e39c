package export_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/export"
)

// asked runs a query in a DuckDB of its own and returns the rows by column name.
func asked(t testing.TB, query string) []map[string]any {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	ok(t, err)
	defer func() { ok(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), query)
	ok(t, err)
	defer func() { ok(t, rows.Close()) }()
	names, err := rows.Columns()
	ok(t, err)
	var all []map[string]any
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		ok(t, rows.Scan(into...))
		m := map[string]any{}
		for i, name := range names {
			if values[i] != nil {
				m[name] = values[i]
			}
		}
		all = append(all, m)
	}
	ok(t, rows.Err())
	return all
}

func written(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	ok(t, os.WriteFile(path, b, 0o600))
	return path
}

// readParquet reads the rows back in the order of the file.
func readParquet(t testing.TB, file []byte) []row {
	t.Helper()
	var rows []row
	for _, m := range asked(t, fmt.Sprintf("SELECT * FROM read_parquet('%s')", written(t, "x.parquet", file))) {
		r := row{Device: m["device"].(string), TS: m["ts_ms"].(int64), Values: m}
		delete(m, "device")
		delete(m, "ts_ms")
		rows = append(rows, r)
	}
	return rows
}

func TestRoundTripParquet(t *testing.T) {
	schema := newSchema(t)
	s := embedded(t, schema)
	fill(t, schema, s)
	for _, tt := range queries {
		t.Run(tt.name, func(t *testing.T) {
			want := stored(t, s, tt.query)
			file, rows := exported(t, s, schema, tt.query, export.Options{Format: export.Parquet, PageRows: 64})
			if int(rows) != len(want) {
				t.Errorf("got %d rows, want %d", rows, len(want))
			}
			if diff := cmp.Diff(want, readParquet(t, file)); diff != "" {
				t.Errorf("want − got +\n%s", diff)
			}
		})
	}
}

// The columns are those of a sealed file, also where nothing is in them.
func TestParquetLayout(t *testing.T) {
	schema := newSchema(t)
	s := embedded(t, schema)
	fill(t, schema, s)
	for _, kind := range devices.Kinds() {
		file, _ := exported(t, s, schema, telemetry.RangeQuery{Kind: kind, Window: window}, export.Options{Format: export.Parquet})
		path := written(t, "x.parquet", file)
		want := [][2]any{{"device", "VARCHAR"}, {"ts_ms", "BIGINT"}}
		for _, f := range schema.Measurement(kind).Fields {
			column := [2]any{f.Name, "DOUBLE"}
			if !f.Numeric() {
				column[1] = "VARCHAR"
			}
			want = append(want, column)
		}
		var got [][2]any
		for _, c := range asked(t, fmt.Sprintf("DESCRIBE SELECT * FROM read_parquet('%s')", path)) {
			got = append(got, [2]any{c["column_name"], c["column_type"]})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want − got +\n%s", kind, diff)
		}
		for _, c := range asked(t, fmt.Sprintf("SELECT DISTINCT compression FROM parquet_metadata('%s')", path)) {
			if c["compression"] != "ZSTD" {
				t.Errorf("%s: got %v, want ZSTD", kind, c["compression"])
			}
		}
	}
}

// Another reader of CSV than Go's sees the same as the store has, and tells an
// empty text from a missing one.
func TestCSVInDuckDB(t *testing.T) {
	schema := newSchema(t)
	s := embedded(t, schema)
	fill(t, schema, s)
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: window, Fields: []string{"state", "soc_pct", "capacity_ah"}}
	file, _ := exported(t, s, schema, q, export.Options{Format: export.CSV, Times: export.EpochMS})
	var got []row
	for _, m := range asked(t, fmt.Sprintf(`SELECT * FROM read_csv('%s', header = true, quote = '"', escape = '"', delim = ',',
		parallel = false, new_line = '\n', allow_quoted_nulls = false,
		columns = {device: 'VARCHAR', ts_ms: 'BIGINT', soc_pct: 'DOUBLE', capacity_ah: 'DOUBLE', state: 'VARCHAR'})`, written(t, "x.csv", file))) {
		r := row{Device: m["device"].(string), TS: m["ts_ms"].(int64), Values: m}
		delete(m, "device")
		delete(m, "ts_ms")
		got = append(got, r)
	}
	if diff := cmp.Diff(stored(t, s, q), got); diff != "" {
		t.Errorf("want − got +\n%s", diff)
	}
}

// What a killed process leaves goes; nothing else does.
func TestTidy(t *testing.T) {
	dir := t.TempDir()
	schema := newSchema(t)
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: []string{"b"}, Window: telemetry.Window{From: 0, To: 1}}
	killed, err := export.New(t.Context(), embedded(t, schema), schema, q, export.Options{Format: export.Parquet, TempDir: dir})
	ok(t, err)
	defer func() { _ = killed.Close() }()
	for _, name := range []string{"fleetwatt-export-notes.txt", "wal"} {
		ok(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	ok(t, os.Mkdir(filepath.Join(dir, "segments"), 0o700))
	if got := names(t, dir); len(got) != 4 {
		t.Fatalf("got %q: an export has no directory of its own, so what follows shows nothing", got)
	}
	ok(t, export.Tidy(dir))
	if diff := cmp.Diff([]string{"fleetwatt-export-notes.txt", "segments", "wal"}, names(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := export.Tidy(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such directory: got %v, want os.ErrNotExist", err)
	}
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	ok(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
