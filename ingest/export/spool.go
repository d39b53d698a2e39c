package export

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

const (
	// spoolPrefix begins the names of the directories that files are put together in.
	spoolPrefix = "fleetwatt-export-"
	// spoolMemory is what the engine that writes the file may hold.
	spoolMemory = "256MB"
)

// Column is a column of a Parquet file.
type Column struct {
	Name string // without quotation marks
	Type ColumnType
}

// ColumnType is what a column holds.
type ColumnType string

// The types of columns, and what Add takes for them; nil is no value.
const (
	Text    ColumnType = "VARCHAR"   // []byte: a string would end at its first zero byte
	Integer ColumnType = "BIGINT"    // int64
	Number  ColumnType = "DOUBLE"    // float64
	Instant ColumnType = "TIMESTAMP" // time.Time, UTC, to the microsecond
)

// Spool puts a Parquet file together. DuckDB writes it, as it writes the store's
// own: its COPY writes to a named file and wants all rows at hand, so the rows go
// to a database on disk first. Close must be called.
type Spool struct {
	dir      string
	conn     *duckdb.Conn
	closeDB  func() error
	appender *duckdb.Appender // nil between flushes
}

// NewSpool starts a file with the columns; it is put together in a directory of
// its own in dir, which Close removes.
func NewSpool(ctx context.Context, dir string, columns []Column) (s *Spool, err error) {
	s = &Spool{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open spool: %w", err), s.Close())
		}
	}()
	if s.dir, err = os.MkdirTemp(dir, spoolPrefix); err != nil {
		return s, err
	}
	path := filepath.Join(s.dir, "spool.duckdb")
	if strings.ContainsAny(path, "?#%") {
		return s, fmt.Errorf("%s: the path may not contain ?, # or %%", path)
	}
	settings := url.Values{
		"memory_limit":                 {spoolMemory},
		"threads":                      {"1"},
		"autoinstall_known_extensions": {"false"}, // the engine shall not fetch code
		"autoload_known_extensions":    {"false"},
	}
	connector, err := duckdb.NewConnector(path+"?"+settings.Encode(), nil)
	if err != nil {
		return s, err
	}
	s.closeDB = connector.Close
	conn, err := connector.Connect(ctx)
	if err != nil {
		return s, err
	}
	s.conn = conn.(*duckdb.Conn)
	if err := s.execute(ctx, "PRAGMA disable_checkpoint_on_shutdown"); err != nil {
		return s, err
	}
	return s, s.execute(ctx, createTable(columns))
}

func createTable(columns []Column) string {
	defs := make([]string, len(columns))
	for i, c := range columns {
		defs[i] = fmt.Sprintf(`"%s" %s`, c.Name, c.Type)
	}
	return "CREATE TABLE spooled (" + strings.Join(defs, ", ") + ")"
}

func (s *Spool) execute(ctx context.Context, statement string) error {
	_, err := s.conn.ExecContext(ctx, statement, nil)
	return err
}

// Add appends a row, a value for each column.
func (s *Spool) Add(row ...driver.Value) (err error) {
	if s.appender == nil {
		if s.appender, err = duckdb.NewAppender(s.conn, "", "", "spooled"); err != nil {
			return err
		}
	}
	return s.appender.AppendRow(row...)
}

// Flush brings out of memory what was added.
func (s *Spool) Flush() error {
	if s.appender == nil {
		return nil
	}
	err := s.appender.Close()
	s.appender = nil
	return err
}

// Save writes the rows, in the order in which they came, to a file at path.
func (s *Spool) Save(ctx context.Context, path string) error {
	if err := s.Flush(); err != nil {
		return err
	}
	return s.execute(ctx, fmt.Sprintf("COPY spooled TO '%s' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)",
		strings.ReplaceAll(path, "'", "''"), defaultPageRows))
}

// Close removes what the spool has on disk. It may be called twice.
func (s *Spool) Close() error {
	errs := []error{s.Flush()}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.closeDB != nil {
		errs = append(errs, s.closeDB())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	s.conn, s.closeDB, s.dir = nil, nil, ""
	return errors.Join(errs...)
}

// Tidy removes from dir what exports left that were not closed, as when the
// process was killed. It removes those that are running too: call it before the
// first, where no other process has exports in dir. Whatever can't be removed is
// in the error, and the rest is gone all the same.
func Tidy(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("tidy exports: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), spoolPrefix) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("tidy exports: %w", err)
	}
	return nil
}
