package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
)

const schema = "letters"

func openAt(t *testing.T, where string, migrations fstest.MapFS) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), where, database.Options{Schema: schema, Migrations: migrations})
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

// every kind of column that a migration may have.
func columns() fstest.MapFS {
	return migration("00001_columns.sql", `
CREATE TABLE kinds (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	name    TEXT   NOT NULL UNIQUE, -- TEXT in a comment stays
	payload BLOB   NOT NULL,
	at      BIGINT,
	n       INTEGER NOT NULL DEFAULT 0,
	share   DOUBLE PRECISION,
	weight  REAL
);
CREATE TABLE pairs (a TEXT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
`)
}

// What is written reads back as the same on both, whatever the column's type.
func TestOneTextForBoth(t *testing.T) {
	server := pgtest.Start(t)
	for name, where := range map[string]string{"sqlite": t.TempDir() + "/x.db", "postgres": server.Database()} {
		t.Run(name, func(t *testing.T) {
			db, ctx := openAt(t, where, columns()), t.Context()
			type row struct {
				ID            int64
				Name          string
				Payload       []byte
				At            sql.Null[int64]
				N             int64
				Share, Weight *float64
			}
			weight := 0.1
			want := []row{
				{1, "B", []byte{0, 255}, sql.Null[int64]{}, 1 << 40, nil, &weight},
				{2, "a", []byte("z"), sql.Null[int64]{V: -1 << 62, Valid: true}, 0, &weight, nil},
			}
			err := db.Update(ctx, func(tx *sql.Tx) error {
				insert, err := tx.PrepareContext(ctx, `INSERT INTO kinds (name, payload, at, n, share, weight)
					VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`)
				if err != nil {
					return err
				}
				for _, w := range want {
					var id int64
					if err := insert.QueryRowContext(ctx, w.Name, w.Payload, w.At, w.N, w.Share, w.Weight).Scan(&id); err != nil || id != w.ID {
						return fmt.Errorf("insert: got id %d, %w, want %d", id, err, w.ID)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			scan := func(r database.Scanner) (v row, err error) {
				err = r.Scan(&v.ID, &v.Name, &v.Payload, &v.At, &v.N, &v.Share, &v.Weight)
				return v, err
			}
			// Bytewise order: capitals first, whatever the server's language.
			got, err := database.Collect(ctx, db.Read, scan, `SELECT id, name, payload, at, n, share, weight FROM kinds ORDER BY name`)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want − got +\n%s", diff)
			}
			var sum, count int64
			if err := db.Read.QueryRowContext(ctx, `SELECT sum(n), count(*) FROM kinds WHERE name >= $1`, "A").Scan(&sum, &count); err != nil || sum != 1<<40 || count != 2 {
				t.Errorf("sum and count: got %d, %d, %v, want %d, 2", sum, count, err, int64(1)<<40)
			}
		})
	}
}

// Several processes that start at once leave one schema, up to date.
func TestReplicasStartAtOnce(t *testing.T) {
	where := pgtest.Start(t).Database()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			db, err := database.Open(t.Context(), where, database.Options{Schema: schema, Migrations: letters()})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			if err := db.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	wg.Wait()
	newer := letters()
	newer["00002_more.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nALTER TABLE letters ADD COLUMN sound TEXT;\n")}
	openAt(t, where, newer)
	_, err := database.Open(t.Context(), where, database.Options{Schema: schema, Migrations: letters()})
	if err == nil || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("a schema of a newer release: got %v, want an error that says so", err)
	}
}

// Transactions that read what others write, and write what others read, come
// out as if each had run alone.
func TestUpdatesAreSerial(t *testing.T) {
	const writers, rounds = 8, 25
	server := pgtest.Start(t)
	for name, where := range map[string]string{"sqlite": t.TempDir() + "/x.db", "postgres": server.Database()} {
		t.Run(name, func(t *testing.T) {
			db, ctx := openAt(t, where, migration("00001_n.sql", `CREATE TABLE n (id BIGINT PRIMARY KEY, v BIGINT NOT NULL);
				INSERT INTO n VALUES (1, 0);`)), t.Context()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for range rounds {
						err := db.Update(ctx, func(tx *sql.Tx) error {
							var v int64
							if err := tx.QueryRowContext(ctx, `SELECT v FROM n WHERE id = 1`).Scan(&v); err != nil {
								return err
							}
							_, err := tx.ExecContext(ctx, `UPDATE n SET v = $1 WHERE id = 1`, v+1)
							return err
						})
						if err != nil {
							t.Errorf("Update: %v", err)
							return
						}
					}
				})
			}
			wg.Wait()
			var v int64
			if err := db.Read.QueryRowContext(ctx, `SELECT v FROM n`).Scan(&v); err != nil || v != writers*rounds {
				t.Errorf("after %d increments: got %d, %v", writers*rounds, v, err)
			}
		})
	}
}

func TestViewOfServerIsOneStateAndCannotWrite(t *testing.T) {
	db, ctx := openAt(t, pgtest.Start(t).Database(), letters()), t.Context()
	count := func(tx *sql.Tx) (n int) {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM letters`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	err := db.View(ctx, func(tx *sql.Tx) error {
		before := count(tx)
		if _, err := db.Write.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ('a')`); err != nil {
			return err
		}
		if got := count(tx); got != before {
			t.Errorf("in a read transaction: got %d rows, want the %d of its beginning", got, before)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ('b')`)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a read transaction that writes: got %v, want it refused", err)
	}
}

func TestLocks(t *testing.T) {
	server := pgtest.Start(t)
	where := server.Database()
	one, other := openAt(t, where, letters()), openAt(t, where, letters())
	ctx := t.Context()
	held, release, err := one.Lock(ctx, "job")
	if err != nil {
		t.Fatal(err)
	}
	for _, db := range []*database.DB{one, other} {
		if _, _, err := db.Lock(ctx, "job"); !errors.Is(err, database.ErrLocked) {
			t.Errorf("a lock that is held: got %v, want %v", err, database.ErrLocked)
		}
	}
	_, otherRelease, err := other.Lock(ctx, "another job")
	if err != nil {
		t.Fatal(err)
	}
	defer otherRelease()
	release()
	release()
	if held.Err() == nil {
		t.Error("released: got a context that goes on")
	}
	held, release, err = other.Lock(ctx, "job")
	if err != nil {
		t.Fatalf("a lock that was released: %v", err)
	}
	defer release()
	server.Kill()
	select {
	case <-held.Done():
	case <-time.After(30 * time.Second):
		t.Error("the server is gone: got a context that goes on")
	}
}

// A server that is not there is waited for; one that goes away is an
// ErrUnavailable until it is back, on every path; and nothing has to be opened
// again.
func TestServerGoesAndComes(t *testing.T) {
	server := pgtest.Start(t)
	where, ctx := server.Database(), t.Context()
	server.Kill()
	short, cancel := context.WithTimeout(ctx, 700*time.Millisecond)
	defer cancel()
	if _, err := database.Open(short, where, database.Options{Schema: schema, Migrations: letters()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open without a server: got %v, want it to wait", err)
	}
	opened := make(chan *database.DB)
	go func() {
		defer close(opened)
		db, err := database.Open(ctx, where, database.Options{Schema: schema, Migrations: letters()})
		if err != nil {
			t.Errorf("Open: %v", err)
			return
		}
		opened <- db
	}()
	server.Restart()
	db, ok := <-opened
	if !ok {
		return
	}
	defer db.Close()

	insert := func(letter string) error {
		return db.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ($1)`, letter)
			return err
		})
	}
	if err := insert("a"); err != nil {
		t.Fatal(err)
	}
	during := db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ('lost')`); err != nil {
			return err
		}
		server.Kill()
		_, err := tx.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ('lost too')`)
		return err
	})
	var n int
	for what, err := range map[string]error{
		"the transaction under way": during, "update": insert("b"), "ping": db.Ping(ctx),
		"view":  db.View(ctx, func(*sql.Tx) error { return nil }),
		"query": db.Read.QueryRowContext(ctx, `SELECT count(*) FROM letters`).Scan(&n),
	} {
		if !errors.Is(err, database.ErrUnavailable) {
			t.Errorf("%s without a server: got %v, want %v", what, err, database.ErrUnavailable)
		}
	}
	server.Restart()
	if err := insert("c"); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if err := db.Read.QueryRowContext(ctx, `SELECT count(*) FROM letters`).Scan(&n); err != nil || n != 2 {
		t.Errorf("after the restart: got %d rows, %v, want 2", n, err)
	}
}

func TestRefusalsAreNotWaitedFor(t *testing.T) {
	where := pgtest.Start(t).Database()
	for name, url := range map[string]string{
		"no such database": strings.Replace(where, "/d1", "/none", 1),
		"no such user":     strings.Replace(where, "fleetwatt@", "stranger@", 1),
		"no URL":           "postgres://%zz",
	} {
		if _, err := database.Open(t.Context(), url, database.Options{Schema: schema, Migrations: letters()}); err == nil || errors.Is(err, database.ErrUnavailable) {
			t.Errorf("%s: got %v, want an error at once", name, err)
		}
	}
	_, err := database.Open(t.Context(), "postgres://u:sesame@127.0.0.1:1x/d", database.Options{Schema: schema, Migrations: letters()})
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("a URL that can't be read: got %v, want an error without the password", err)
	}
}

// A server whose connections stay open and that answers nobody holds no Update
// for ever, whatever the caller's context is, also in the middle of one.
func TestFrozenServer(t *testing.T) {
	server := pgtest.Start(t)
	db, err := database.Open(t.Context(), server.Database(), database.Options{Schema: schema, Migrations: letters(), TryTime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	insert := func(letter string, before func()) error {
		return db.Update(t.Context(), func(tx *sql.Tx) error {
			before()
			_, err := tx.ExecContext(t.Context(), `INSERT INTO letters (letter) VALUES ($1)`, letter)
			return err
		})
	}
	for name, before := range map[string]func(){"in the middle": server.Freeze, "from the beginning": func() {}} {
		if name == "from the beginning" {
			server.Freeze()
		}
		ended := make(chan error, 1)
		go func() { ended <- insert("a", before) }()
		select {
		case err := <-ended:
			if !errors.Is(err, database.ErrUnavailable) {
				t.Errorf("%s: got %v, want %v", name, err, database.ErrUnavailable)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s: it did not end", name)
		}
		server.Thaw()
	}
	if err := insert("b", func() {}); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

func TestValuesThatCannotBeStored(t *testing.T) {
	db, ctx := openAt(t, pgtest.Start(t).Database(), letters()), t.Context()
	for _, text := range []string{"\x00", "\xff"} {
		err := db.Update(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO letters (letter) VALUES ($1)`, text)
			return err
		})
		if !errors.Is(err, database.ErrRefused) || errors.Is(err, database.ErrUnavailable) {
			t.Errorf("%q: got %v, want %v", text, err, database.ErrRefused)
		}
	}
}
