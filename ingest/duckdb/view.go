package duckdb

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/chunks"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

// view is what some devices of one kind have in a window, at one instant.
type view struct {
	query  *chunks.DB
	blocks *blocks
	table  *table
	layout *layout
	path   func(*part) string

	hot []*hot.Snapshot // of the segments, the newest first
}

// view calls fn with a view of what q selects. What is frozen or sealed
// meanwhile does not change it: the version that it holds keeps the segments
// and files.
func (e *engine) view(ctx context.Context, q telemetry.RangeQuery, fn func(*view) error) error {
	return e.admitted(ctx, func() error {
		ver := e.versions.acquire()
		defer e.versions.release(ver)
		v := e.viewOf(e.tables[q.Kind], ver.layouts[q.Kind])
		for _, s := range slices.Backward(v.layout.segments) {
			if snap := s.table.Snapshot(q.Devices, q.Window); snap.Rows() > 0 {
				v.hot = append(v.hot, snap)
			}
		}
		return fn(v)
	})
}

// viewOf is a view of parts.
func (e *engine) viewOf(t *table, l *layout) *view {
	return &view{query: e.query, blocks: e.blocks, table: t, layout: l, path: e.path}
}

// admitted calls fn when it is its turn to read parts.
func (e *engine) admitted(ctx context.Context, fn func() error) error {
	select {
	case e.readers <- struct{}{}:
		defer func() { <-e.readers }()
		return fn()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// within are the parts that have readings in w.
func (v *view) within(w telemetry.Window) []*part {
	parts := v.layout.parts
	from := sort.Search(len(parts), func(i int) bool { return startOf(parts[i].day+1) > w.From })
	to := sort.Search(len(parts), func(i int) bool { return startOf(parts[i].day) >= w.To })
	var out []*part
	for _, p := range parts[min(from, to):to] {
		if p.first < w.To && p.last >= w.From {
			out = append(out, p)
		}
	}
	return out
}

// source is the rows of parts that have the same of the asked columns, without
// those that rivals, which are newer, have too.
type source struct{ parts, rivals []*part }

// sources cuts what is sealed in w, but for parts that in has nothing of, such
// that each identity is in one of them.
// Where nothing is overridden, which is the rule, that is the parts taken
// together.
func (v *view) sources(w telemetry.Window, in filter, columns []column) []*source {
	parts := slices.DeleteFunc(v.within(w), in.excludes)
	var out []*source
	groups := make(map[string]*source)
	for _, p := range parts {
		against := rivals(p, parts)
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
	return out
}

// rivals are those of parts that may override readings of p.
func rivals(p *part, parts []*part) []*part {
	var out []*part
	for _, newer := range parts {
		if newer.day == p.day && newer.seq > p.seq && newer.overrides > 0 {
			out = append(out, newer)
		}
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
	var args []any
	legs := make([]string, len(sources))
	for i, s := range sources {
		legs[i] = v.scan(s.parts, columns) + in.String()
		args = append(args, in.args...)
		if len(s.rivals) == 0 {
			continue
		}
		against := make([]string, len(s.rivals))
		for k, r := range s.rivals {
			against[k] = v.scan([]*part{r}, nil) + in.String()
			args = append(args, in.args...)
		}
		legs[i] = "SELECT o.* FROM (" + legs[i] + ") o ANTI JOIN (" + strings.Join(against, " UNION ALL ") +
			") n ON o.device = n.device AND o.ts_ms = n.ts_ms"
	}
	return "(" + strings.Join(legs, " UNION ALL ") + ")", args
}

// scan selects device, ts_ms and columns of parts that have the same of them.
func (v *view) scan(parts []*part, columns []column) string {
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
