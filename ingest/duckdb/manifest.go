package duckdb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// manifestTables say of what the store consists beside the log: which parts
// there are, up to which of its files the log is in them, and which columns
// there have ever been. A step of a compaction changes them in one transaction,
// so a crash leaves the state before or after it and nothing between.
var manifestTables = []string{
	"CREATE TABLE IF NOT EXISTS store_log (kind VARCHAR, sealed BIGINT)",
	"CREATE TABLE IF NOT EXISTS store_reserved (id BIGINT)",
	"CREATE TABLE IF NOT EXISTS store_column (kind VARCHAR, position BIGINT, name VARCHAR, type VARCHAR)",
	`CREATE TABLE IF NOT EXISTS store_part (id BIGINT, kind VARCHAR, day BIGINT, seq BIGINT, n BIGINT, overrides BIGINT, bytes BIGINT,
		first_ms BIGINT, last_ms BIGINT, created_ms BIGINT, fields VARCHAR[], from_device VARCHAR, to_device VARCHAR)`,
	// Earlier releases did not have these two.
	"ALTER TABLE store_part ADD COLUMN IF NOT EXISTS from_device VARCHAR",
	"ALTER TABLE store_part ADD COLUMN IF NOT EXISTS to_device VARCHAR",
	"CREATE TABLE IF NOT EXISTS store_newest (kind VARCHAR, device VARCHAR, ts_ms BIGINT)",
}

// load reads the manifest, makes what is missing and removes what a crash left.
func (e *engine) load(ctx context.Context, schema *devices.Schema) error {
	err := atomically(ctx, e.writer, func() error {
		for _, statement := range manifestTables {
			if _, err := execute(ctx, e.writer, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("define manifest: %w", err)
	}
	legacy, err := e.tableNames(ctx)
	if err != nil {
		return err
	}
	if err := e.loadReserved(ctx); err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	v := &version{layouts: make(map[devices.Kind]*layout)}
	sealed := make(map[devices.Kind]uint64)
	for _, kind := range devices.Kinds() {
		t := newTable(schema.Measurement(kind))
		e.tables[kind] = t
		l := &layout{}
		if err := e.loadColumns(ctx, t, legacy[string(kind)]); err != nil {
			return fmt.Errorf("open %s: %w", kind, err)
		}
		if l.parts, err = e.loadParts(ctx, kind); err != nil {
			return fmt.Errorf("open %s: %w", kind, err)
		}
		if err := e.loadNewest(ctx, t); err != nil {
			return fmt.Errorf("read the newest reading of each %s: %w", kind, err)
		}
		if sealed[kind], err = e.loadSealed(ctx, kind); err != nil {
			return fmt.Errorf("open %s: %w", kind, err)
		}
		l.segments = []*segment{newSegment(t, lastSeq(l.parts)+1, e.opts.Now().UnixMilli(), sealed[kind]+1)}
		v.layouts[kind] = l
	}
	if err := e.replay(v, schema, sealed); err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	e.versions.publish(v, nil)
	for _, kind := range devices.Kinds() {
		if legacy[string(kind)] {
			if err := e.adopt(ctx, kind); err != nil {
				return fmt.Errorf("move the readings of %s, stored by an earlier version, to files: %w", kind, err)
			}
		}
	}
	var parts []*part
	for _, l := range e.versions.current().layouts {
		parts = append(parts, l.parts...)
	}
	return errors.Join(e.tidy(parts), e.trimLog())
}

// reserve gives n ids to parts that are to be written, and records that before
// any of them is: a file with a higher number is none that a crash of this store
// has left, but of a manifest that is not here.
func (s *Store) reserve(ctx context.Context, e *engine, n int) (first int64, err error) {
	err = s.exclusively(ctx, e, func() error {
		first, err = e.reserve(ctx, n)
		return err
	})
	return first, err
}

func (e *engine) reserve(ctx context.Context, n int) (first int64, err error) {
	last := e.parts.Load() + int64(n)
	err = e.restructure(ctx, func(*version) ([]garbage, error) {
		_, err := execute(ctx, e.writer, "DELETE FROM store_reserved")
		if err == nil {
			_, err = execute(ctx, e.writer, "INSERT INTO store_reserved VALUES (?)", last)
		}
		return nil, err
	})
	if err != nil {
		return 0, fmt.Errorf("reserve file numbers: %w", err)
	}
	return e.parts.Swap(last) + 1, nil
}

func (e *engine) loadReserved(ctx context.Context) error {
	return query(ctx, e.writer, "SELECT max(id) FROM store_reserved", nil, func(row []driver.Value) error {
		if n, ok := row[0].(int64); ok {
			e.parts.Store(n)
		}
		return nil
	})
}

func lastSeq(parts []*part) int64 {
	last := int64(0)
	for _, p := range parts {
		last = max(last, p.seq)
	}
	return last
}

// tableNames are the tables of the database, true for each.
func (e *engine) tableNames(ctx context.Context) (map[string]bool, error) {
	const names = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = current_schema()"
	tables := make(map[string]bool)
	err := query(ctx, e.writer, names, nil, func(row []driver.Value) error {
		tables[row[0].(string)] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return tables, nil
}

// loadColumns reads which columns a kind has had, and adds those that the
// schema brings.
func (e *engine) loadColumns(ctx context.Context, t *table, legacy bool) error {
	kind := string(t.measurement.Kind)
	var known []column
	err := query(ctx, e.writer, "SELECT name, type FROM store_column WHERE kind = ? ORDER BY position", []any{kind}, func(row []driver.Value) error {
		known = append(known, column{row[0].(string), row[1].(string)})
		return nil
	})
	if err != nil {
		return fmt.Errorf("read columns: %w", err)
	}
	recorded := len(known)
	if legacy {
		old, err := e.legacyColumns(ctx, kind)
		if err != nil {
			return err
		}
		for _, c := range old {
			if !slices.ContainsFunc(known, func(k column) bool { return k.name == c.name }) {
				known = append(known, c)
			}
		}
	}
	if err := t.shape(known); err != nil {
		return err
	}
	return atomically(ctx, e.writer, func() error {
		for i, c := range t.all[recorded:] {
			if _, err := execute(ctx, e.writer, "INSERT INTO store_column VALUES (?, ?, ?, ?)", kind, recorded+i, c.name, c.typ); err != nil {
				return fmt.Errorf("record columns: %w", err)
			}
		}
		return nil
	})
}

// loadSealed reads up to which file of the log the readings of a kind are in
// parts.
func (e *engine) loadSealed(ctx context.Context, kind devices.Kind) (last uint64, err error) {
	err = query(ctx, e.writer, "SELECT max(sealed) FROM store_log WHERE kind = ?", []any{string(kind)}, func(row []driver.Value) error {
		if n, ok := row[0].(int64); ok {
			last = uint64(n)
		}
		return nil
	})
	return last, err
}

// saveSealed records in the manifest what loadSealed reads.
func (e *engine) saveSealed(ctx context.Context, kind devices.Kind, last uint64) error {
	if _, err := execute(ctx, e.writer, "DELETE FROM store_log WHERE kind = ?", string(kind)); err != nil {
		return err
	}
	_, err := execute(ctx, e.writer, "INSERT INTO store_log VALUES (?, ?)", string(kind), int64(last))
	return err
}

func (e *engine) loadParts(ctx context.Context, kind devices.Kind) ([]*part, error) {
	var parts []*part
	const statement = `SELECT id, day, seq, n, overrides, bytes, first_ms, last_ms, created_ms, fields, from_device, to_device
		FROM store_part WHERE kind = ?`
	err := query(ctx, e.writer, statement, []any{string(kind)}, func(row []driver.Value) error {
		p := &part{kind: kind, fields: fieldsFrom(row[9])}
		for i, into := range []*int64{&p.id, &p.day, &p.seq, &p.rows, &p.overrides, &p.bytes, &p.first, &p.last, &p.created} {
			*into = row[i].(int64)
		}
		p.fromDevice, _ = row[10].(string)
		p.toDevice, _ = row[11].(string)
		parts = append(parts, p)
		return nil
	})
	slices.SortFunc(parts, comparePart)
	return parts, err
}

// loadNewest reads the newest reading that each device has in parts.
func (e *engine) loadNewest(ctx context.Context, t *table) error {
	kind := string(t.measurement.Kind)
	return query(ctx, e.writer, "SELECT device, max(ts_ms), count(*) FROM store_newest WHERE kind = ? GROUP BY device", []any{kind}, func(row []driver.Value) error {
		t.sealedRows += int(row[2].(int64))
		t.found(row[0].(string), row[1].(int64))
		return nil
	})
}

func (e *engine) insertPart(ctx context.Context, p *part) error {
	_, err := execute(ctx, e.writer, "INSERT INTO store_part VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::VARCHAR[], ?, ?)",
		p.id, string(p.kind), p.day, p.seq, p.rows, p.overrides, p.bytes, p.first, p.last, p.created, slices.Sorted(maps.Keys(p.fields)),
		p.fromDevice, p.toDevice)
	return err
}

func (e *engine) deletePart(ctx context.Context, p *part) error {
	_, err := execute(ctx, e.writer, "DELETE FROM store_part WHERE id = ?", p.id)
	return err
}

// saveNewest records in the manifest that devices have readings at times,
// where it does not know later ones. It keeps some outdated rows, since
// inserting is cheap, and removes them when they are most of all.
func (e *engine) saveNewest(ctx context.Context, t *table, times map[string]int64) (rows int, err error) {
	kind := string(t.measurement.Kind)
	const spare = 10_000
	rows = t.sealedRows
	if rows > 4*len(t.sealed)+spare {
		if _, err := execute(ctx, e.writer, "DELETE FROM store_newest WHERE kind = ?", kind); err != nil {
			return 0, err
		}
		all := maps.Clone(t.sealed)
		for device, ts := range times {
			all[device] = ts
		}
		times, rows = all, 0
	}
	appender, err := duckdb.NewAppender(e.writer, "", "", "store_newest")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, appender.Close()) }()
	for device, ts := range times {
		if err := appender.AppendRow(kind, []byte(device), ts); err != nil {
			return 0, err
		}
	}
	return rows + len(times), nil
}

func comparePart(a, b *part) int {
	return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.seq, b.seq), cmp.Compare(a.fromDevice, b.fromDevice))
}

// startOf is the first instant of a UTC day.
func startOf(day int64) int64 { return day * telemetry.Day }
