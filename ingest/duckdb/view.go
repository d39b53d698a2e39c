package duckdb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/chunks"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hotscan"
)

// view is what some devices of one kind have in a window, at one instant.
type view struct {
	conn   *duckdb.Conn // for what is asked in SQL
	query  *chunks.DB   // for what is read from parts
	table  *table
	layout *layout
	path   func(*part) string

	hot   []*hot.Snapshot // of the segments, the newest first
	over  map[int64]bool  // days of which hot readings override parts
	scans *hotscan.Scans
	opens []func() // ends of the scans that were opened
}

// view calls fn with a view of what q selects. What is frozen or sealed
// meanwhile does not change it: the version that it holds keeps the segments
// and files.
func (e *engine) view(ctx context.Context, q telemetry.RangeQuery, fn func(*view) error) error {
	select {
	case e.readers <- struct{}{}:
		defer func() { <-e.readers }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ver := e.versions.acquire()
	defer e.versions.release(ver)
	v := &view{query: e.query, table: e.tables[q.Kind], layout: ver.layouts[q.Kind], path: e.path, scans: e.scans, over: make(map[int64]bool)}
	defer v.close()
	v.take(q, v.layout.segments)
	return fn(v)
}

// viewSQL is view for what is asked in SQL.
func (e *engine) viewSQL(ctx context.Context, q telemetry.RangeQuery, fn func(*view) error) error {
	return e.view(ctx, q, func(v *view) error {
		return e.borrow(ctx, func(conn *duckdb.Conn) error {
			v.conn = conn
			return fn(v)
		})
	})
}

// take adds snapshots of segments. Marks of overrides come before what they
// mark, so they are read after it.
func (v *view) take(q telemetry.RangeQuery, segments []*segment) {
	for _, s := range slices.Backward(segments) {
		if snap := s.table.Snapshot(q.Devices, q.Window); snap.Rows() > 0 {
			v.hot = append(v.hot, snap)
		}
		for day := range s.overridesByDay() {
			v.over[day] = true
		}
	}
}

func (v *view) close() {
	for _, end := range v.opens {
		end()
	}
}

// each runs a query and calls fn for each row, which is valid during the call
// only.
func (v *view) each(ctx context.Context, statement string, args []any, fn func(row []driver.Value) error) error {
	return query(ctx, v.conn, statement, args, fn)
}

// source is some rows of a view: the hot ones, or those of parts that have the
// same of the asked columns, without those that a newer source has.
type source struct {
	hot    bool
	parts  []*part
	rivals []rival
}

// rival is a newer part with overrides, or the hot rows where they have some.
type rival struct{ part *part } // nil: the hot rows

// within are the parts that have readings in w.
func (v *view) within(w telemetry.Window) []*part {
	var out []*part
	for _, p := range v.layout.parts {
		if p.first < w.To && p.last >= w.From {
			out = append(out, p)
		}
	}
	return out
}

// sources cuts what is stored in w, but for parts that in has nothing of, such
// that each identity is in one of them.
// Where nothing is overridden, which is the rule, that is the hot rows and the
// parts taken together.
func (v *view) sources(w telemetry.Window, in filter, columns []column) []*source {
	parts := slices.DeleteFunc(v.within(w), in.excludes)
	var out []*source
	groups := make(map[string]*source)
	for _, p := range parts {
		against := v.rivals(p, parts)
		key := present(p, columns)
		if len(against) > 0 {
			// A newer source has the identity right whatever its day, so the
			// parts that came from one segment go together.
			key = fmt.Sprint(p.seq, " ", key)
		}
		g := groups[key]
		if g == nil {
			g = &source{}
			groups[key] = g
			out = append(out, g)
		}
		g.parts = append(g.parts, p)
		for _, r := range against {
			if !slices.Contains(g.rivals, r) {
				g.rivals = append(g.rivals, r)
			}
		}
	}
	if len(v.hot) > 0 {
		out = append(out, &source{hot: true})
	}
	return out
}

// rivals are what may override readings of p.
func (v *view) rivals(p *part, parts []*part) []rival {
	var out []rival
	for _, newer := range parts {
		if newer.day == p.day && newer.seq > p.seq && newer.overrides > 0 {
			out = append(out, rival{newer})
		}
	}
	if v.over[p.day] && len(v.hot) > 0 {
		out = append(out, rival{})
	}
	return out
}

// plain is all rows of w, those that are overridden too.
func (v *view) plain(w telemetry.Window) []*source {
	var out []*source
	if parts := v.within(w); len(parts) > 0 {
		out = append(out, &source{parts: parts})
	}
	if len(v.hot) > 0 {
		out = append(out, &source{hot: true})
	}
	return out
}

// present tells which of columns p has, the same text for the same ones.
func present(p *part, columns []column) string {
	var b strings.Builder
	for _, c := range columns {
		if p.fields[c.name] {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}

// from is a table expression of the rows in w that in selects, each identity
// once, with the columns device, ts_ms and the given ones; and its arguments.
// in may speak of device and ts_ms only.
func (v *view) from(w telemetry.Window, in filter, columns []column) (string, []any) {
	return v.union(v.sources(w, in, columns), in, columns)
}

func (v *view) union(sources []*source, in filter, columns []column) (string, []any) {
	if len(sources) == 0 {
		return nothing(columns), nil
	}
	var args []any
	legs := make([]string, len(sources))
	for i, s := range sources {
		legs[i] = v.scan(s.hot, s.parts, in, columns) + in.String()
		args = append(args, in.args...)
		if len(s.rivals) == 0 {
			continue
		}
		against := make([]string, len(s.rivals))
		for k, r := range s.rivals {
			against[k] = v.scan(r.part == nil, []*part{r.part}, in, nil) + in.String()
			args = append(args, in.args...)
		}
		legs[i] = "SELECT o.* FROM (" + legs[i] + ") o ANTI JOIN (" + strings.Join(against, " UNION ALL ") +
			") n ON o.device = n.device AND o.ts_ms = n.ts_ms"
	}
	return "(" + strings.Join(legs, " UNION ALL ") + ")", args
}

// scan selects device, ts_ms and columns of the hot rows, or of parts that have
// the same of them.
func (v *view) scan(hotRows bool, parts []*part, in filter, columns []column) string {
	if hotRows {
		return "SELECT * FROM (" + v.openScan(in, columns) + ")"
	}
	paths := make([]string, len(parts))
	for i, p := range parts {
		paths[i] = literal(v.path(p))
	}
	return "SELECT device, ts_ms" + listed(columns, parts[0].fields) + " FROM read_parquet([" + strings.Join(paths, ", ") + "])"
}

// listed continues a SELECT with columns: those that are there, and the others
// as NULL.
func listed(columns []column, there map[string]bool) string {
	var b strings.Builder
	for _, c := range columns {
		if there[c.name] {
			b.WriteString(", " + quote(c.name))
		} else {
			fmt.Fprintf(&b, ", NULL::%s AS %s", c.typ, quote(c.name))
		}
	}
	return b.String()
}

// openScan is the query of the hot rows, cut to what in may select.
func (v *view) openScan(in filter, columns []column) string {
	rows := hotscan.Rows{Snapshots: make([]*hot.Snapshot, len(v.hot))}
	for i, snap := range v.hot {
		if in.window != nil {
			snap = snap.Cut(*in.window, in.first, in.last)
		}
		rows.Snapshots[i] = snap
	}
	for _, c := range columns {
		rows.Columns = append(rows.Columns, hot.Column{Name: c.name, Text: c.text()})
	}
	q, end := v.scans.Open(rows)
	v.opens = append(v.opens, end)
	return q
}

// nothing is a table expression without rows.
func nothing(columns []column) string {
	return "(SELECT NULL::VARCHAR AS device, NULL::BIGINT AS ts_ms" + listed(columns, nil) + " WHERE false)"
}
