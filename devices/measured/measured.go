// Package measured finds, for tests, measurements by others and the numbers
// they published. The files are no part of the project: they are looked for in
// the folder that FLEETWATT_TESTDATA names, or in shared/data beside the
// project.
package measured

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// File is the path of one of the files. Where it is missing the test skips, or
// fails if FLEETWATT_REQUIRE_ALL is 1.
func File(t testing.TB, path ...string) string {
	t.Helper()
	file := filepath.Join(append([]string{root(t)}, path...)...)
	if _, err := os.Stat(file); err != nil {
		missing(t, err)
	}
	return file
}

// Files are the files that match a pattern, under the terms of File.
func Files(t testing.TB, pattern ...string) []string {
	t.Helper()
	glob := filepath.Join(append([]string{root(t)}, pattern...)...)
	files, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		missing(t, &os.PathError{Op: "glob", Path: glob, Err: os.ErrNotExist})
	}
	return files
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("FLEETWATT_REQUIRE_ALL") == "1" {
		t.Fatalf("the measurements are not there: %v", err)
	}
	t.Skipf("the measurements are not there: %v", err)
}

func root(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("FLEETWATT_TESTDATA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared", "data")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("the test does not run inside the project")
		}
		dir = up
	}
}

// NASACapacities are the published capacities in Ah of every discharge of a
// cell of the NASA Ames battery data set, B0005 or B0006 (Saha & Goebel 2007).
func NASACapacities(t testing.TB, cell string) []float64 {
	t.Helper()
	f, err := os.Open(File(t, "battery", "nasa", cell+"_capacity_per_cycle.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	for _, row := range rows[1:] { // discharge,voltage,temperature,time,capacity,soh
		v, err := strconv.ParseFloat(row[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}
