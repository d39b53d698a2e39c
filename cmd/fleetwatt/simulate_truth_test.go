package main

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The truth as Parquet says what it says as CSV.
func TestTruthAsParquet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if _, stderr, code := program(t, "simulate", "--scenario", "faulty", "--days", "8", "--dry-run", "--truth", path); code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		return path
	}
	text, err := os.ReadFile(write("truth.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.QueryContext(t.Context(), fmt.Sprintf(`SELECT strftime("time", '%%Y-%%m-%%dT%%H:%%M:%%S.%%gZ'),
		coalesce(strftime(until, '%%Y-%%m-%%dT%%H:%%M:%%S.%%gZ'), ''), kind, id, quantity, "value", coalesce(detail, '')
		FROM read_parquet('%s')`, write("truth.parquet")))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	n := 1 // behind the headings
	for ; found.Next(); n++ {
		var got [7]string
		var value float64
		if err := found.Scan(&got[0], &got[1], &got[2], &got[3], &got[4], &value, &got[6]); err != nil {
			t.Fatal(err)
		}
		want := [7]string(rows[n])
		rounded, err := strconv.ParseFloat(want[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		if want[5] = ""; got != want || math.Abs(value-rounded) > 1e-9*math.Abs(value) {
			t.Fatalf("row %d: got %v %v, want %v %v", n, got, value, want, rounded)
		}
	}
	if err := found.Err(); err != nil || n != len(rows) || n < 1000 {
		t.Errorf("got %d rows, %v, want %d", n-1, err, len(rows)-1)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
