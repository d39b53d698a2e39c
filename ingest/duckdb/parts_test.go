package duckdb

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// TestAnyReaderReads opens the files of a compacted store with a database that
// knows nothing of it.
func TestAnyReaderReads(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	s := openWith(t, dir, schema, Options{})
	for i := range 100 {
		mustAppend(t, s, reading(schema, fmt.Sprint("d", i%3), t0+int64(i%50)*telemetry.Hour, map[string]any{"soc_pct": float64(i), "state": "x"}))
	}
	mustCompact(t, s)
	want := int64(len(contentOf(t, s)))
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, identities int64
	var soc, from, to float64
	var sorted bool
	const statement = `SELECT count(*), count(DISTINCT (device, ts_ms)), max(soc_pct), min(ts_ms), max(ts_ms), bool_and(sorted) FROM (
		SELECT *, coalesce((device, ts_ms) > lag((device, ts_ms)) OVER (PARTITION BY filename ORDER BY file_row_number), true) AS sorted
		FROM read_parquet(?, filename = true, file_row_number = true))`
	err = db.QueryRow(statement, filepath.Join(dir, "sealed/battery/*/*.parquet")).Scan(&rows, &identities, &soc, &from, &to, &sorted)
	if err != nil {
		t.Fatal(err)
	}
	if rows != want || identities != want || soc != 99 || int64(from) != t0 || int64(to) != t0+49*telemetry.Hour || !sorted {
		t.Errorf("got %d rows of %d identities, soc to %v, from %v to %v, sorted %v; want %d", rows, identities, soc, from, to, sorted, want)
	}
}

// TestMissingFile refuses to open a store of which a file is gone.
func TestMissingFile(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	s := openWith(t, dir, schema, Options{})
	mustAppend(t, s, reading(schema, "a", t0, map[string]any{"soc_pct": 1.0}))
	mustCompact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range partFiles(t, dir) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := Open(t.Context(), dir, schema, Options{}); err == nil {
		s.Close()
		t.Error("got no error for a store of which a file is missing")
	}
}

// TestStoreFromBeforeSegments opens a database of the first releases, which had
// one table for each kind.
func TestStoreFromBeforeSegments(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	db, err := sql.Open("duckdb", filepath.Join(dir, "telemetry.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE TABLE battery (device VARCHAR NOT NULL, ts_ms BIGINT NOT NULL, soc_pct DOUBLE, gone_v DOUBLE)",
		fmt.Sprintf("INSERT INTO battery VALUES ('a', %d, 1, 2), ('a', %d, 3, NULL)", t0, t0+1),
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := openWith(t, dir, schema, Options{})
	got := mustAppend(t, s, reading(schema, "a", t0, map[string]any{"soc_pct": 4.0}), reading(schema, "a", t0+2, map[string]any{"soc_pct": 5.0}))
	if want := (telemetry.Appended{New: 1, Merged: 1}); !cmp.Equal(got, want) {
		t.Errorf("append: got %+v, want %+v", got, want)
	}
	want := content{{"a", t0}: {"soc_pct": 4.0}, {"a", t0 + 1}: {"soc_pct": 3.0}, {"a", t0 + 2}: {"soc_pct": 5.0}}
	for range 2 {
		if d := cmp.Diff(want, contentOf(t, s)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		mustCompact(t, s)
	}
}

// TestLostManifest refuses to open a store whose manifest is gone or of an
// earlier backup, and leaves the files as they are.
func TestLostManifest(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	manifest := filepath.Join(dir, "telemetry.duckdb")
	s := openWith(t, dir, schema, Options{})
	mustAppend(t, s, reading(schema, "a", t0, map[string]any{"soc_pct": 1.0}))
	mustCompact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	backup, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	s = openWith(t, dir, schema, Options{})
	mustAppend(t, s, reading(schema, "a", t0+telemetry.Day, map[string]any{"soc_pct": 1.0}))
	mustCompact(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files := partFiles(t, dir)
	for name, restore := range map[string]func() error{
		"gone":    func() error { return os.Remove(manifest) },
		"earlier": func() error { return os.WriteFile(manifest, backup, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := restore(); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(t.Context(), dir, schema, Options{}); err == nil {
				_ = s.Close()
				t.Error("got no error")
			}
			if d := cmp.Diff(files, partFiles(t, dir)); d != "" {
				t.Errorf("files (-before +after):\n%s", d)
			}
		})
	}
}
