// Package measured finds, for tests, measurements by others and the numbers
// they published. The files are no part of the project: they are looked for in
// the folder that FLEETWATT_TESTDATA names, or in shared/data beside the
// project.
package measured

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
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
	var out []float64
	for _, row := range Table(t, "battery", "nasa", cell+"_capacity_per_cycle.csv")[1:] { // discharge,voltage,temperature,time,capacity,soh
		v, err := strconv.ParseFloat(row[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// Table reads one of the files as comma-separated values, header first; a name
// that ends in .gz is unpacked.
func Table(t testing.TB, path ...string) [][]string {
	t.Helper()
	f, err := os.Open(File(t, path...))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(f.Name(), ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// Values reads a table whose first column is a time in the layout and
// whose second is a number, in order of time. A number that is missing is NaN.
func Values(t testing.TB, layout string, path ...string) ([]time.Time, []float64) {
	t.Helper()
	var at []time.Time
	var values []float64
	for _, row := range Table(t, path...)[1:] {
		ts, err := time.Parse(layout, row[0])
		if err != nil {
			t.Fatal(err)
		}
		v := math.NaN()
		if row[1] != "" {
			if v, err = strconv.ParseFloat(row[1], 64); err != nil {
				t.Fatal(err)
			}
		}
		at, values = append(at, ts), append(values, v)
	}
	return at, values
}
