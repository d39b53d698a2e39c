package export

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	columnDevice = "device"
	columnTS     = "ts_ms"
	// spoolPrefix begins the names of the directories that files are put together in.
	spoolPrefix = "fleetwatt-export-"
	// spoolMemory is what the engine that writes the file may hold.
	spoolMemory = "256MB"
)

// parquetEncoder lets DuckDB write the file, as it writes the store's own. Its
// COPY writes to a named file and wants all rows at hand, so the pages go to a
// database on disk first; both are in a directory that close removes.
type parquetEncoder struct {
	fields   []*devices.Field
	dir      string
	conn     *duckdb.Conn
	closeDB  func() error
	appender *duckdb.Appender // nil between pages
	row      []driver.Value
	file     *os.File // once the rows are in it
}

func newParquet(ctx context.Context, dir string, fields []*devices.Field) (p *parquetEncoder, err error) {
	p = &parquetEncoder{fields: fields, row: make([]driver.Value, 2+len(fields))}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open spool: %w", err), p.close())
		}
	}()
	if p.dir, err = os.MkdirTemp(dir, spoolPrefix); err != nil {
		return p, err
	}
	path := filepath.Join(p.dir, "spool.duckdb")
	if strings.ContainsAny(path, "?#%") {
		return p, fmt.Errorf("%s: the path may not contain ?, # or %%", path)
	}
	settings := url.Values{
		"memory_limit":                 {spoolMemory},
		"threads":                      {"1"},
		"autoinstall_known_extensions": {"false"}, // the engine shall not fetch code
		"autoload_known_extensions":    {"false"},
	}
	connector, err := duckdb.NewConnector(path+"?"+settings.Encode(), nil)
	if err != nil {
		return p, err
	}
	p.closeDB = connector.Close
	conn, err := connector.Connect(ctx)
	if err != nil {
		return p, err
	}
	p.conn = conn.(*duckdb.Conn)
	if err := p.execute(ctx, "PRAGMA disable_checkpoint_on_shutdown"); err != nil {
		return p, err
	}
	return p, p.execute(ctx, p.createTable())
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

func (p *parquetEncoder) createTable() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE readings (" + columnDevice + " VARCHAR, " + columnTS + " BIGINT")
	for _, f := range p.fields {
		kind := "DOUBLE"
		if !f.Numeric() {
			kind = "VARCHAR"
		}
		fmt.Fprintf(&b, `, "%s" %s`, f.Name, kind)
	}
	b.WriteString(")")
	return b.String()
}

func (p *parquetEncoder) execute(ctx context.Context, statement string) error {
	_, err := p.conn.ExecContext(ctx, statement, nil)
	return err
}

func (p *parquetEncoder) add(r telemetry.Reading) (err error) {
	if p.appender == nil {
		if p.appender, err = duckdb.NewAppender(p.conn, "", "", "readings"); err != nil {
			return err
		}
	}
	clear(p.row)
	// As bytes, since a string would end at its first zero byte.
	p.row[0], p.row[1] = []byte(r.Device), r.TS
	values := r.Values // both ascend by index
	for i, f := range p.fields {
		if len(values) == 0 || values[0].Field.Index != f.Index {
			continue
		}
		if f.Numeric() {
			p.row[2+i] = values[0].Num
		} else {
			p.row[2+i] = []byte(values[0].Text)
		}
		values = values[1:]
	}
	return p.appender.AppendRow(p.row...)
}

func (p *parquetEncoder) flush() error {
	if p.appender == nil {
		return nil
	}
	err := p.appender.Close()
	p.appender = nil
	return err
}

// end copies the rows, in the order in which they came.
func (p *parquetEncoder) end(ctx context.Context) (io.Reader, error) {
	path := filepath.Join(p.dir, "readings.parquet")
	statement := fmt.Sprintf("COPY readings TO '%s' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)",
		strings.ReplaceAll(path, "'", "''"), defaultPageRows)
	if err := p.execute(ctx, statement); err != nil {
		return nil, err
	}
	var err error
	p.file, err = os.Open(path)
	return p.file, err
}

func (p *parquetEncoder) close() error {
	var errs []error
	if p.file != nil {
		errs = append(errs, p.file.Close())
	}
	errs = append(errs, p.flush())
	if p.conn != nil {
		errs = append(errs, p.conn.Close())
	}
	if p.closeDB != nil {
		errs = append(errs, p.closeDB())
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	p.file, p.conn, p.closeDB, p.dir = nil, nil, nil, ""
	return errors.Join(errs...)
}
