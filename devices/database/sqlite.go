package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
)

const (
	// busyTimeoutMS is how long a statement waits for a lock of another
	// process, say a backup. Within a process nothing waits: there is one writer.
	busyTimeoutMS = 10_000
	// journalLimit is what the write-ahead log is cut back to, in bytes, after
	// a long read had kept it from being folded into the file.
	journalLimit = 64 << 20
	// fileReaders bounds the read pool of a file. Reads run on the CPU for the
	// most part.
	fileReaders = 4
)

// openSQLite opens the file at path, readable by its owner alone, which is made
// where there is none.
func openSQLite(ctx context.Context, path string, o Options) (*DB, error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	write, err := openFile(path, "_txlock=immediate", 1)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, goose.DialectSQLite3, write, o.Migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("bring %s up to date: %w (if the file is damaged, restore it from a backup or move it away)", path, err), write.Close())
	}
	read, err := openFile(path, "_query_only=1", fileReaders)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &DB{Write: write, Read: read}, nil
}

// create makes the file with the mode that SQLite will give to its journal
// too, and makes the name of the file survive a loss of power.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// openFile opens a pool of at most n connections. Settings are part of the
// name, so that a connection opened later has them as well.
//
// In WAL mode synchronous=FULL syncs the log at each commit; NORMAL would not,
// and a commit could be lost with the power.
func openFile(path, extra string, n int) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs
	}
	name := fmt.Sprintf("file://%s?_busy_timeout=%d&_foreign_keys=1&_journal_mode=WAL&_synchronous=FULL&_pragma=journal_size_limit(%d)&%s",
		(&url.URL{Path: abs}).EscapedPath(), busyTimeoutMS, journalLimit, extra)
	db := sql.OpenDB(fileConnector{name})
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, migrations fs.FS, opts ...goose.ProviderOption) error {
	provider, err := goose.NewProvider(dialect, db, migrations, opts...)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("the database has schema version %d, written by a newer release; this one knows up to %d", current, target)
	}
	_, err = provider.Up(ctx)
	return err
}
