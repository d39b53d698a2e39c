// Package hotscan lets DuckDB read what package hot holds: a table function
// whose argument says which cursor to go through. It copies values and decides
// nothing.
package hotscan

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

// Name of the table function.
const function = "hot_scan"

// Scans hands cursors to one database.
type Scans struct {
	double, bigint, varchar duckdb.TypeInfo

	mu   sync.Mutex
	next int64
	open map[int64]Rows
}

// Rows is what a scan reads: these columns of a snapshot.
type Rows struct {
	Columns  []hot.Column
	Snapshot *hot.Snapshot
}

// Register makes the table function known to the database of conn.
func Register(conn *sql.Conn) (*Scans, error) {
	s := &Scans{open: make(map[int64]Rows)}
	var errs [3]error
	s.double, errs[0] = duckdb.NewTypeInfo(duckdb.TYPE_DOUBLE)
	s.bigint, errs[1] = duckdb.NewTypeInfo(duckdb.TYPE_BIGINT)
	s.varchar, errs[2] = duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("register %s: %w", function, err)
	}
	f := duckdb.ChunkTableFunction{
		Config: duckdb.TableFunctionConfig{Arguments: []duckdb.TypeInfo{s.bigint}},
		BindArgumentsContext: func(_ context.Context, _ map[string]any, args ...any) (duckdb.ChunkTableSource, error) {
			return s.bind(args)
		},
	}
	if err := duckdb.RegisterTableUDF(conn, function, f); err != nil {
		return nil, fmt.Errorf("register %s: %w", function, err)
	}
	return s, nil
}

// Open makes rows readable and returns the query that reads them, ordered by
// device, then time: device VARCHAR, ts_ms BIGINT, and the columns, NULL where
// a reading does not carry them. done must be called after the last use of the
// query.
func (s *Scans) Open(rows Rows) (query string, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	id := s.next
	s.open[id] = rows
	var q strings.Builder
	q.WriteString("SELECT device, ts_ms")
	for i, c := range rows.Columns {
		name := `"` + strings.ReplaceAll(c.Name, `"`, `""`) + `"`
		if c.Text {
			fmt.Fprintf(&q, ", c%d AS %s", i, name)
		} else {
			// A NULL costs a call out of Go for each, a NaN nothing.
			fmt.Fprintf(&q, ", CASE WHEN isnan(c%d) THEN NULL ELSE c%d END AS %s", i, i, name)
		}
	}
	q.WriteString(" FROM " + function + "(" + strconv.FormatInt(id, 10) + ")")
	return q.String(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, id)
	}
}

func (s *Scans) bind(args []any) (duckdb.ChunkTableSource, error) {
	id, ok := args[0].(int64)
	s.mu.Lock()
	rows, open := s.open[id]
	s.mu.Unlock()
	if !ok || !open {
		return nil, fmt.Errorf("%s(%v) is not open", function, args[0])
	}
	return &scan{scans: s, rows: rows}, nil
}

// scan is one execution of a query.
type scan struct {
	scans  *Scans
	rows   Rows
	cursor *hot.Cursor
	run    hot.Run
	at     int // in the run
	read   []bool
}

// ColumnInfos names the columns: c0, c1, … behind the identity.
func (s *scan) ColumnInfos() []duckdb.ColumnInfo {
	infos := []duckdb.ColumnInfo{{Name: "device", T: s.scans.varchar}, {Name: "ts_ms", T: s.scans.bigint}}
	for i, c := range s.rows.Columns {
		t := s.scans.double
		if c.Text {
			t = s.scans.varchar
		}
		infos = append(infos, duckdb.ColumnInfo{Name: "c" + strconv.Itoa(i), T: t})
	}
	return infos
}

// Cardinality is exact.
func (s *scan) Cardinality() *duckdb.CardinalityInfo {
	return &duckdb.CardinalityInfo{Cardinality: uint(s.rows.Snapshot.Rows()), Exact: true}
}

// Init begins from the start.
func (s *scan) Init() {
	s.cursor = hot.NewCursor(s.rows.Columns, s.rows.Snapshot)
	s.run, s.at = hot.Run{}, 0
}

// FillChunk fills a chunk of up to 2,048 rows; an empty one ends the scan.
func (s *scan) FillChunk(chunk duckdb.DataChunk) error {
	filled, capacity := 0, duckdb.GetDataChunkCapacity()
	if s.read == nil {
		s.read = readColumns(chunk, 2+len(s.rows.Columns))
	}
	for filled < capacity {
		if s.at == len(s.run.TS) {
			run, ok := s.cursor.Next()
			if !ok {
				break
			}
			s.run, s.at = run, 0
		}
		n := min(capacity-filled, len(s.run.TS)-s.at)
		if err := s.fill(chunk, filled, n); err != nil {
			return err
		}
		s.at += n
		filled += n
	}
	return chunk.SetSize(filled)
}

// readColumns finds out which columns the query reads, for writing to others is
// ignored, but at the price of an error for each value. A value that no column
// takes is refused by those that are read.
func readColumns(chunk duckdb.DataChunk, n int) []bool {
	read := make([]bool, n)
	for c := range read {
		read[c] = chunk.SetValue(c, 0, struct{}{}) != nil
	}
	return read
}

// fill copies n rows of the run to the chunk from row first on.
func (s *scan) fill(chunk duckdb.DataChunk, first, n int) error {
	var errs error
	set := func(err error) {
		if err != nil {
			errs = err
		}
	}
	if s.read[0] {
		// As bytes: a string would end at its first zero.
		device := []byte(s.run.Device)
		for i := range n {
			set(duckdb.SetChunkValue(chunk, 0, first+i, device))
		}
	}
	if s.read[1] {
		for i := range n {
			set(duckdb.SetChunkValue(chunk, 1, first+i, s.run.TS[s.at+i]))
		}
	}
	for c, column := range s.rows.Columns {
		switch {
		case !s.read[2+c]:
		case column.Text:
			for i := range n {
				if text, ok := s.run.Text(c, s.at+i); ok {
					set(duckdb.SetChunkValue(chunk, 2+c, first+i, []byte(text)))
				} else {
					set(chunk.SetValue(2+c, first+i, nil))
				}
			}
		default:
			for i := range n {
				set(duckdb.SetChunkValue(chunk, 2+c, first+i, s.run.Num(c, s.at+i)))
			}
		}
	}
	return errs
}
