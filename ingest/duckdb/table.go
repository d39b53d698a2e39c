package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
)

// The columns in front of the fields, in every table. No field may have these
// names; the schema sees to it.
const (
	columnDevice = 0
	columnTS     = 1
)

// table is the table of one kind:
//
//	device VARCHAR, ts_ms BIGINT, one DOUBLE or VARCHAR for each field
//
// It has no index: Append itself keeps (device, ts_ms) unique, and DuckDB
// can't delete and insert one key of an index in one transaction.
type table struct {
	name        string // quoted
	measurement *devices.Measurement
	width       int   // number of columns
	columns     []int // by Field.Index, the position of its column

	// newest is by device its newest reading: a later one is new for certain.
	// Used by the one Append that runs.
	newest map[string]newest
}

type newest struct {
	ts   int64
	name driver.Value // the device as the appender takes it, kept so that rows need not build it
}

// openTable finds the table of m, or makes it, with a column for each field.
func openTable(ctx context.Context, conn *duckdb.Conn, m *devices.Measurement) (*table, error) {
	t := &table{name: quote(string(m.Kind)), measurement: m, newest: make(map[string]newest)}
	missing, err := t.locate(ctx, conn)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		if err := t.define(ctx, conn, missing); err != nil {
			return nil, fmt.Errorf("define table %s: %w", t.name, err)
		}
		if _, err := t.locate(ctx, conn); err != nil {
			return nil, err
		}
	}
	err = query(ctx, conn, "SELECT device, max(ts_ms) FROM "+t.name+" GROUP BY device", nil, func(row []driver.Value) error {
		t.advance(row[0].(string), row[1].(int64))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the newest reading of each %s: %w", m.Kind, err)
	}
	return t, nil
}

// locate finds the column of each field and returns the fields that have none.
// The order of columns is that in which fields came to the schema over time.
func (t *table) locate(ctx context.Context, conn *duckdb.Conn) (missing []*devices.Field, err error) {
	const columns = `SELECT column_name, data_type FROM duckdb_columns()
		WHERE database_name = current_database() AND schema_name = current_schema() AND table_name = ? ORDER BY column_index`
	found := make(map[string]bool)
	t.width, t.columns = 0, make([]int, len(t.measurement.Fields))
	err = query(ctx, conn, columns, []any{string(t.measurement.Kind)}, func(row []driver.Value) error {
		name, typ := row[0].(string), row[1].(string)
		if f := t.measurement.Field(name); f != nil {
			if typ != columnType(f) {
				return fmt.Errorf("field %s of %s is stored as %s, but the schema says %s: give the field another name, or use another data directory",
					f.Name, t.measurement.Kind, typ, f.Type)
			}
			t.columns[f.Index] = t.width
			found[name] = true
		}
		t.width++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read columns of table %s: %w", t.name, err)
	}
	for _, f := range t.measurement.Fields {
		if !found[f.Name] {
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// define makes the table, or adds the columns that it lacks, in one
// transaction.
func (t *table) define(ctx context.Context, conn *duckdb.Conn, missing []*devices.Field) error {
	var statements []string
	if t.width == 0 {
		statements = append(statements, "CREATE TABLE "+t.name+" (device VARCHAR NOT NULL, ts_ms BIGINT NOT NULL)")
	}
	for _, f := range missing {
		statements = append(statements, "ALTER TABLE "+t.name+" ADD COLUMN "+quote(f.Name)+" "+columnType(f))
	}
	tx, err := begin(ctx, conn)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := execute(ctx, conn, statement); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// column returns the position of the column of f, which may come from another
// schema of the same fields; false where the table has none.
func (t *table) column(f *devices.Field) (int, bool) {
	own := t.measurement.Fields
	if f.Index < len(own) && own[f.Index] == f {
		return t.columns[f.Index], true
	}
	if g := t.measurement.Field(f.Name); g != nil && g.Numeric() == f.Numeric() {
		return t.columns[g.Index], true
	}
	return 0, false
}

// advance records that device has a reading at ts.
func (t *table) advance(device string, ts int64) {
	last, known := t.newest[device]
	switch {
	case !known:
		device = strings.Clone(device)
		t.newest[device] = newest{ts, driver.Value([]byte(device))}
	case ts > last.ts:
		t.newest[device] = newest{ts, last.name}
	}
}

func columnType(f *devices.Field) string {
	if f.Numeric() {
		return "DOUBLE"
	}
	return "VARCHAR"
}

// quote makes an identifier of a name of the schema.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
