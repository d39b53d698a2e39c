package chunks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T) *DB {
	t.Helper()
	d, err := Open(map[string]string{"threads": "2"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// TestColumns reads values of each type, with and without NULL, over more than
// one chunk.
func TestColumns(t *testing.T) {
	const rows = 5000
	r, err := open(t).Query(t.Context(), `SELECT i, i / 2, CASE WHEN i % 3 > 0 THEN repeat('x', i % 30) END, CASE WHEN i % 5 > 0 THEN i * 1.5::DOUBLE END
		FROM (SELECT unnest(range(5000)) AS i) ORDER BY i`)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Check(Int64, Float64, String, Float64); err != nil {
		t.Error(err)
	}
	if err := r.Check(Int64, Int64); err == nil {
		t.Error("got no error for another type")
	}
	n := 0
	for c := r.Next(); c != nil; c = r.Next() {
		texts, some := c.Texts(2), c.Valid(2)
		numbers, all := c.Float64s(1), c.Valid(1)
		sparse, valid := c.Float64s(3), c.Valid(3)
		for i, v := range c.Int64s(0) {
			switch {
			case v != int64(n), !all.At(i), numbers[i] != float64(n)/2:
				t.Fatalf("row %d: got %d, %v", n, v, numbers[i])
			case some.At(i) != (n%3 > 0), some.At(i) && string(texts[i].Bytes()) != strings.Repeat("x", n%30):
				t.Fatalf("row %d: got text %q, %v", n, texts[i].Bytes(), some.At(i))
			case valid.At(i) != (n%5 > 0), valid.At(i) && sparse[i] != float64(n)*1.5:
				t.Fatalf("row %d: got %v, %v", n, sparse[i], valid.At(i))
			}
			n++
		}
	}
	if n != rows {
		t.Errorf("got %d rows, want %d", n, rows)
	}
}

func TestErrors(t *testing.T) {
	d := open(t)
	for statement, want := range map[string]string{
		"SELEC":                       "Parser Error",
		"SELECT * FROM nowhere":       "Catalog Error",
		"SELECT 'x'::BIGINT":          "Conversion Error",
		"FROM read_parquet('/no/pe')": "IO Error",
	} {
		if err := d.Execute(t.Context(), statement); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", statement, err, want)
		}
	}
	if err := d.Execute(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("after errors: %v", err)
	}
}

// TestCancel ends a query that would run for hours, and goes on with others.
func TestCancel(t *testing.T) {
	d := open(t)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := d.Execute(ctx, "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want %v", err, context.DeadlineExceeded)
		}
		for i := range 10 {
			if err := d.Execute(t.Context(), fmt.Sprint("SELECT ", i)); err != nil {
				t.Fatalf("after it: %v", err)
			}
		}
	}
}

func TestClosed(t *testing.T) {
	d := open(t)
	d.Close()
	d.Close()
	if err := d.Execute(t.Context(), "SELECT 1"); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want %v", err, ErrClosed)
	}
	if _, err := Open(map[string]string{"no such": "option"}, 1); err == nil {
		t.Error("got no error for an unknown option")
	}
}
