package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// numbers opens a file with a table of the numbers from 1 to 100 and their texts,
// whose readers are one connection.
func numbers(t *testing.T) (db *DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.db")
	db, err := Open(t.Context(), path, Options{Migrations: fstest.MapFS{"00001_numbers.sql": {Data: []byte(
		"-- +goose Up\nCREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT NOT NULL);\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.Read.SetMaxOpenConns(1)
	err = db.Update(t.Context(), func(tx *sql.Tx) error {
		for n := range 100 {
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO numbers (n, text) VALUES ($1, $2)`, n+1, fmt.Sprint(n+1)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, path
}

// kept are the statements that the pool's connection keeps.
func kept(t *testing.T, pool *sql.DB) (all []*fileStmt) {
	t.Helper()
	c, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Raw(func(under any) error { all = slices.Clone(under.(*fileConn).kept); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

const textOf = `SELECT text FROM numbers WHERE n = $1`

func wantText(ctx context.Context, t *testing.T, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, n int) {
	t.Helper()
	var got string
	if err := q.QueryRowContext(ctx, textOf, n).Scan(&got); err != nil || got != fmt.Sprint(n) {
		t.Errorf("got %q, %v, want %d", got, err, n)
	}
}

func TestStatementsAreKept(t *testing.T) {
	db, _ := numbers(t)
	ctx := t.Context()
	wantText(ctx, t, db.Read, 1)
	first := kept(t, db.Read)
	for n := range 10 {
		wantText(ctx, t, db.Read, n+1)
	}
	if err := db.View(ctx, func(tx *sql.Tx) error {
		s, err := tx.PrepareContext(ctx, textOf)
		if err != nil {
			return err
		}
		var got string
		if err := s.QueryRowContext(ctx, 7).Scan(&got); err != nil || got != "7" {
			t.Errorf("prepared: got %q, %v, want 7", got, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if again := kept(t, db.Read); len(first) != 1 || !slices.Equal(first, again) {
		t.Errorf("got %v after the first query and %v after others of its text, want the same statement alone", first, again)
	}
	inserts := 0
	for _, s := range kept(t, db.Write) {
		if strings.HasPrefix(s.query, "INSERT INTO numbers") {
			inserts++
		}
	}
	if inserts != 1 {
		t.Errorf("the writer keeps %d statements for 100 rows, want 1", inserts)
	}
}

// A text that is run again while its rows are read is a statement of its own.
func TestStatementsInUseAreNotShared(t *testing.T) {
	db, _ := numbers(t)
	const all = `SELECT n FROM numbers ORDER BY n`
	err := db.View(t.Context(), func(tx *sql.Tx) error {
		numbers := func(within func(n int)) (got []int) {
			rows, err := tx.QueryContext(t.Context(), all)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					t.Fatal(err)
				}
				got = append(got, n)
				within(n)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return got
		}
		within := 0
		outer := numbers(func(n int) {
			if n%10 == 0 {
				within += len(numbers(func(int) {}))
			}
			wantText(t.Context(), t, tx, n)
		})
		if len(outer) != 100 || outer[99] != 100 || within != 1000 {
			t.Errorf("got %d numbers and %d within, want 100 and 1000", len(outer), within)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeptStatementsAreBounded(t *testing.T) {
	db, _ := numbers(t)
	for n := range 6 * keptStatements {
		n %= 3 * keptStatements
		var got int
		query := fmt.Sprintf(`SELECT %d + count(*) FROM numbers WHERE n = $1`, n)
		if err := db.Read.QueryRowContext(t.Context(), query, 1).Scan(&got); err != nil || got != n+1 {
			t.Fatalf("got %d, %v, want %d", got, err, n+1)
		}
		wantText(t.Context(), t, db.Read, 1) // what is used is not the one to go
	}
	all := kept(t, db.Read)
	if len(all) != keptStatements || all[keptStatements-1].query != textOf {
		t.Errorf("got %d statements, want %d and the one used last", len(all), keptStatements)
	}
	long := `SELECT text FROM numbers WHERE n IN ($1` + strings.Repeat(`, 1`, keptText) + `)`
	for _, query := range []string{long, `PRAGMA query_only`, `EXPLAIN ` + textOf} {
		if _, err := db.Read.ExecContext(t.Context(), query, 1); err != nil {
			t.Fatal(err)
		}
	}
	if again := kept(t, db.Read); !slices.Equal(again, all) {
		t.Error("a text was kept that is long or not the same each time")
	}
}

// What is kept sees what was committed since, whatever it is, and keeps no state of
// the file for itself.
func TestKeptStatementsSeeWhatChanged(t *testing.T) {
	db, _ := numbers(t)
	ctx := t.Context()
	columns := func() int {
		rows, err := db.Read.QueryContext(ctx, `SELECT * FROM numbers WHERE n = $1`, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil || !rows.Next() {
			t.Fatalf("no row: %v, %v", err, rows.Err())
		}
		return len(names)
	}
	exec := func(statement string) {
		if _, err := db.Write.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		change  string
		columns int
		text    string
	}{
		{`UPDATE numbers SET text = 'one' WHERE n = 1`, 2, "one"},
		{`ALTER TABLE numbers ADD COLUMN more INTEGER`, 3, "one"},
		{`CREATE INDEX by_text ON numbers (text)`, 3, "one"},
	} {
		columns()
		exec(tt.change)
		var text string
		err := db.Read.QueryRowContext(ctx, textOf, 1).Scan(&text)
		if got := columns(); got != tt.columns || err != nil || text != tt.text {
			t.Errorf("after %s: got %d columns and %q, %v, want %d and %q", tt.change, got, text, err, tt.columns, tt.text)
		}
	}
	var busy, log, folded int
	if err := db.Write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &folded); err != nil || busy != 0 {
		t.Errorf("a kept statement holds on to an old state: busy %d, %v", busy, err)
	}
}

func TestFailedStatementsAreNotKept(t *testing.T) {
	db, _ := numbers(t)
	insert := func(n int) error {
		_, err := db.Write.ExecContext(t.Context(), `INSERT INTO numbers (n, text) SELECT $1, 'x'`, n)
		return err
	}
	keeps := func() bool {
		return slices.ContainsFunc(kept(t, db.Write), func(s *fileStmt) bool { return strings.HasSuffix(s.query, "'x'") })
	}
	for _, tt := range []struct {
		n    int
		want bool
	}{{101, true}, {1, false}, {102, true}} {
		if err := insert(tt.n); (err == nil) != tt.want || keeps() != tt.want {
			t.Errorf("%d: got %v, kept %t, want %t", tt.n, err, keeps(), tt.want)
		}
	}
}

// SQLite folds its log into the file and removes it when the last connection is
// closed, which it is not as long as it has statements.
func TestCloseEndsKeptStatements(t *testing.T) {
	db, path := numbers(t)
	wantText(t.Context(), t, db.Read, 1)
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Fatalf("no log while open: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log is still there: %v", err)
	}
}

// Readers of which some give up, beside a writer.
func TestKeptStatementsOfManyReaders(t *testing.T) {
	db, _ := numbers(t)
	db.Read.SetMaxOpenConns(fileReaders)
	var readers sync.WaitGroup
	for r := range 2 * fileReaders {
		readers.Go(func() {
			for k := range 200 {
				n := (r*31+k)%100 + 1
				if k%3 != 0 {
					wantText(t.Context(), t, db.Read, n)
					continue
				}
				ctx, cancel := context.WithCancel(t.Context())
				go cancel()
				var got string
				err := db.Read.QueryRowContext(ctx, textOf, n).Scan(&got)
				if err == nil && got != fmt.Sprint(n) || err != nil && ctx.Err() == nil {
					t.Errorf("got %q, %v, want %d", got, err, n)
				}
				cancel()
			}
		})
	}
	for n := range 50 {
		if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO numbers (n, text) VALUES ($1, 'new')`, 1000+n); err != nil {
			t.Error(err)
		}
	}
	readers.Wait()
}
