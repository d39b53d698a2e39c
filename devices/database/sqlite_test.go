package database_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

func migration(name, statement string) fstest.MapFS {
	return fstest.MapFS{name: {Data: []byte("-- +goose Up\n" + statement + "\n")}}
}

func letters() fstest.MapFS {
	return migration("00001_letters.sql", `CREATE TABLE letters (
		letter TEXT PRIMARY KEY, after_letter TEXT REFERENCES letters (letter));`)
}

func open(t *testing.T, path string, migrations fs.FS) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), path, database.Options{Schema: schema, Migrations: migrations})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

func TestOpenSettings(t *testing.T) {
	// Characters that mean something in a URI name the same file as elsewhere.
	path := filepath.Join(t.TempDir(), "a b?c#d%41&e=é.db")
	db := open(t, path, letters())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("the file is not where it was asked for: %v", err)
	}
	if got, want := info.Mode().Perm(), fs.FileMode(0o600); got != want {
		t.Errorf("mode: got %v, want %v", got, want)
	}
	for _, tt := range []struct {
		name   string
		pool   *sql.DB
		pragma string
		want   string
	}{
		{"writer journal", db.Write, "journal_mode", "wal"},
		{"writer sync", db.Write, "synchronous", "2"},
		{"writer foreign keys", db.Write, "foreign_keys", "1"},
		{"writer busy timeout", db.Write, "busy_timeout", "10000"},
		{"writer writes", db.Write, "query_only", "0"},
		{"reader journal", db.Read, "journal_mode", "wal"},
		{"reader busy timeout", db.Read, "busy_timeout", "10000"},
		{"reader does not write", db.Read, "query_only", "1"},
	} {
		var got string
		if err := tt.pool.QueryRowContext(t.Context(), "PRAGMA "+tt.pragma).Scan(&got); err != nil || got != tt.want {
			t.Errorf("%s: got %s = %q, %v, want %q", tt.name, tt.pragma, got, err, tt.want)
		}
	}
	if _, err := db.Read.ExecContext(t.Context(), `INSERT INTO letters (letter) VALUES ('x')`); err == nil {
		t.Error("the read pool wrote")
	}
	if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO letters VALUES ('b', 'a')`); err == nil {
		t.Error("a foreign key was not checked")
	}
}

func TestUpdateIsAtomicAndViewIsOneState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, path, letters())
	ctx := t.Context()
	insert := func(letter string, result error) error {
		return db.Update(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ($1)`, letter); err != nil {
				return err
			}
			return result
		})
	}
	sentinel := errors.New("no")
	if err := insert("a", sentinel); !errors.Is(err, sentinel) {
		t.Errorf("Update: got %v, want the error of the function", err)
	}
	count := func(tx *sql.Tx) (n int) {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM letters`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	err := db.View(ctx, func(tx *sql.Tx) error {
		if got := count(tx); got != 0 {
			t.Errorf("after a rollback: got %d rows, want 0", got)
		}
		if err := insert("b", nil); err != nil {
			return err
		}
		if got := count(tx); got != 0 {
			t.Errorf("in a read transaction: got %d rows, want the 0 of its beginning", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, path, letters())
	if err := again.View(ctx, func(tx *sql.Tx) error {
		if got := count(tx); got != 1 {
			t.Errorf("opened again: got %d rows, want 1", got)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCancelledUpdateLeavesTheWriterUsable(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), letters())
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ('a')`); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, want %v", err, context.Canceled)
	}
	// The same row again: it is there now, and was not there before.
	if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO letters (letter) VALUES ('a')`); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	both := letters()
	both["00002_more.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE letters ADD COLUMN sound TEXT;\n")}
	if err := open(t, path, letters()).Close(); err != nil {
		t.Fatal(err)
	}
	db := open(t, path, both)
	if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO letters (letter, sound) VALUES ('a', 'ah')`); err != nil {
		t.Errorf("the second migration was not applied: %v", err)
	}
	if _, err := database.Open(t.Context(), path, database.Options{Schema: schema, Migrations: letters()}); err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("a file of a newer release: got %v, want an error that says so", err)
	}
	broken := migration("00001_broken.sql", "CREATE TABLE;")
	if _, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "y.db"), database.Options{Schema: schema, Migrations: broken}); err == nil {
		t.Error("a broken migration: got no error")
	}
	if _, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "no", "such", "dir.db"), database.Options{Schema: schema, Migrations: letters()}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: got %v, want %v", err, fs.ErrNotExist)
	}
}

func TestCloseTwice(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), letters())
	for range 2 {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := db.Update(t.Context(), func(*sql.Tx) error { return nil }); err == nil {
		t.Error("a closed file took an update")
	}
}

func TestQuery(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), letters())
	for _, l := range []string{"a", "b", "c", "d", "e"} {
		if _, err := db.Write.ExecContext(t.Context(), `INSERT INTO letters (letter) VALUES ($1)`, l); err != nil {
			t.Fatal(err)
		}
	}
	scan := func(row database.Scanner) (s string, err error) {
		err = row.Scan(&s)
		return s, err
	}
	for _, tt := range []struct {
		name  string
		build func(q *database.Query)
		want  []string
	}{
		{"everything", func(q *database.Query) { q.Page("letter", 0, 0) }, []string{"a", "b", "c", "d", "e"}},
		{"page", func(q *database.Query) { q.Page("letter DESC", 2, 1) }, []string{"d", "c"}},
		{"negative offset", func(q *database.Query) { q.Page("letter", -1, -1) }, []string{"a", "b", "c", "d", "e"}},
		{"conditions", func(q *database.Query) {
			q.Where("letter > ?", "a").WhereIn("letter", []string{"a", "c", "e"}).Page("letter", 10, 0)
		}, []string{"c", "e"}},
		{"in nothing", func(q *database.Query) { q.WhereIn("letter", nil).Page("letter", 10, 0) }, []string{}},
		{"not text of the statement", func(q *database.Query) { q.Where("letter = ?", "a' OR '1'='1") }, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := database.NewQuery("SELECT letter FROM letters")
			tt.build(q)
			got, err := database.Collect(t.Context(), db.Read, scan, q.Text(), q.Args()...)
			if err != nil {
				t.Fatalf("%s: %v", q.Text(), err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s: want − got +\n%s", q.Text(), diff)
			}
		})
	}
}
