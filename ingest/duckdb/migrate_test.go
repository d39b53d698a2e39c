package duckdb

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// TestAdopt opens a directory as the releases before the log have left it: one
// table of the database for each kind, with a column that has left the schema.
func TestAdopt(t *testing.T) {
	schema, dir := standard(t), t.TempDir()
	db, err := sql.Open("duckdb", filepath.Join(dir, "telemetry.duckdb"))
	if err != nil {
		t.Fatal(err)
	}
	const rows = 200 // over three days, before and after one another
	for _, statement := range []string{
		`CREATE TABLE "battery" (device VARCHAR NOT NULL, ts_ms BIGINT NOT NULL, soc_pct DOUBLE, state VARCHAR, was_there DOUBLE)`,
		`CREATE TABLE "station" (device VARCHAR NOT NULL, ts_ms BIGINT NOT NULL, power_w DOUBLE)`,
		`CREATE TABLE "building" (device VARCHAR NOT NULL, ts_ms BIGINT NOT NULL)`,
		fmt.Sprintf(`INSERT INTO battery SELECT 'd' || (i %% 3), %d + (i * 7919 %% %d) * 1000000, i, CASE WHEN i %% 2 = 0 THEN 'idle' END, i FROM range(%d) r(i)`, t0, rows, rows),
		fmt.Sprintf(`INSERT INTO station VALUES ('s', %d, 5)`, t0-telemetry.Day),
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	want := map[string]map[int64]map[string]any{}
	for i := range int64(rows) {
		device := fmt.Sprint("d", i%3)
		if want[device] == nil {
			want[device] = map[int64]map[string]any{}
		}
		values := map[string]any{"soc_pct": float64(i)}
		if i%2 == 0 {
			values["state"] = "idle"
		}
		want[device][t0+i*7919%rows*1_000_000] = values
	}
	read := func(s *Store) map[string]map[int64]map[string]any {
		t.Helper()
		got := map[string]map[int64]map[string]any{}
		for id, values := range contentOf(t, s) {
			if got[id.device] == nil {
				got[id.device] = map[int64]map[string]any{}
			}
			got[id.device][id.ts] = values
		}
		return got
	}
	for range 2 { // and opened again
		s := openWith(t, dir, schema, Options{})
		if d := cmp.Diff(want, read(s)); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		stats, err := s.Stats(t.Context())
		if err != nil || stats.Rows[devices.KindStation] != 1 || stats.Rows[devices.KindBattery] != rows {
			t.Errorf("got %+v, %v", stats, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// What was adopted merges with what comes, and is not new.
	s := openWith(t, dir, schema, Options{})
	done := mustAppend(t, s, reading(schema, "d0", t0, map[string]any{"voltage_v": 50.0}), reading(schema, "d0", t0+1, map[string]any{"soc_pct": 1.0}))
	if done.New != 1 || done.Merged != 1 {
		t.Errorf("got %+v, want one new and one merged", done)
	}
	want["d0"][t0]["voltage_v"] = 50.0
	want["d0"][t0+1] = map[string]any{"soc_pct": 1.0}
	mustCompact(t, s)
	if d := cmp.Diff(want, read(s)); d != "" {
		t.Errorf("merged (-want +got):\n%s", d)
	}
}
