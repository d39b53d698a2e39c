package duckdb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Before there were segments and parts, the readings of a kind were in a table
// of the database that has the kind's name.

func (e *engine) legacyColumns(ctx context.Context, kind string) ([]column, error) {
	const columns = `SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()
		AND schema_name = current_schema() AND table_name = ? AND column_name NOT IN ('device', 'ts_ms') ORDER BY column_index`
	var all []column
	err := query(ctx, e.writer, columns, []any{kind}, func(row []driver.Value) error {
		all = append(all, column{row[0].(string), row[1].(string)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read columns of table %s: %w", kind, err)
	}
	return all, nil
}

// adopt writes such a table to parts and drops it, in one transaction. It is
// called while the store is being opened.
func (e *engine) adopt(ctx context.Context, kind devices.Kind) error {
	t := e.tables[kind]
	parts, err := e.legacyParts(ctx, t)
	if err != nil {
		return err
	}
	first, err := e.reserve(ctx, len(parts))
	if err != nil {
		return err
	}
	began := e.opts.Now()
	e.log.Info("moving readings that an earlier release has stored to sealed files; this may take minutes, and can be stopped and started again", "kind", kind, "days", len(parts))
	for i, p := range parts {
		p.id = first + int64(i)
		if i > 0 && i%adoptedAtOnce == 0 {
			e.log.Info("still moving readings to sealed files", "kind", kind, "days", i, "of", len(parts))
		}
		statement := fmt.Sprintf("SELECT device, ts_ms%s FROM %s WHERE ts_ms >= %d AND ts_ms < %d ORDER BY device, ts_ms",
			listed(t.all, p.fields), quote(string(kind)), startOf(p.day), startOf(p.day+1))
		if err := e.writePart(ctx, e.writer, p, statement, nil); err != nil {
			return err
		}
	}
	times := make(map[string]int64)
	err = query(ctx, e.writer, "SELECT device, max(ts_ms) FROM "+quote(string(kind))+" GROUP BY device", nil, func(row []driver.Value) error {
		times[row[0].(string)] = row[1].(int64)
		return nil
	})
	if err != nil {
		return err
	}
	rows := 0
	err = e.restructure(ctx, func(next *version) ([]garbage, error) {
		if err := e.replaceParts(ctx, next, kind, nil, parts...); err != nil {
			return nil, err
		}
		if rows, err = e.saveNewest(ctx, t, times); err != nil {
			return nil, err
		}
		_, err := execute(ctx, e.writer, "DROP TABLE "+quote(string(kind)))
		return nil, err
	})
	if err != nil {
		return err
	}
	t.sealedRows = rows
	for device, ts := range times {
		t.found(device, ts)
	}
	e.log.Info("moved readings to sealed files", "kind", kind, "days", len(parts), "took", e.opts.Now().Sub(began))
	return nil
}

// adoptedAtOnce is after how many days a word is said about the progress.
const adoptedAtOnce = 10

// legacyParts finds out of which days the table has readings and what they
// hold. They are older than every segment.
func (e *engine) legacyParts(ctx context.Context, t *table) ([]*part, error) {
	old, err := e.legacyColumns(ctx, string(t.measurement.Kind))
	if err != nil {
		return nil, err
	}
	var holds strings.Builder
	for _, c := range old {
		holds.WriteString(", count(" + quote(c.name) + ")")
	}
	// As telemetry.DayOf, also before 1970.
	const day = "(ts_ms - ((ts_ms % 86400000) + 86400000) % 86400000) // 86400000"
	statement := "SELECT " + day + " AS day, count(*), min(ts_ms), max(ts_ms)" + holds.String() + " FROM " + quote(string(t.measurement.Kind)) + " GROUP BY day ORDER BY day"
	var parts []*part
	err = query(ctx, e.writer, statement, nil, func(row []driver.Value) error {
		p := &part{
			kind: t.measurement.Kind, day: row[0].(int64),
			rows: row[1].(int64), first: row[2].(int64), last: row[3].(int64),
			created: e.opts.Now().UnixMilli(), fields: make(map[string]bool),
		}
		for i, c := range old {
			if row[4+i].(int64) > 0 {
				p.fields[c.name] = true
			}
		}
		parts = append(parts, p)
		return nil
	})
	return parts, err
}

// during is a UTC day.
func during(day int64) telemetry.Window {
	return telemetry.Window{From: startOf(day), To: startOf(day + 1)}
}
