package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

// unit is what of a query is read at once.
type unit struct {
	window  telemetry.Window
	devices []string // ascending, each once; nil: all
	single  bool     // one device, of which the parts of many days are read together
}

// plan is how the readings that a query asks for are read.
type plan struct {
	view    *view
	columns []column
	units   []unit
	size    int64 // of a page, in rows, where there are few of them
	spread  int64 // how many devices there are from the first asked for to the last
	room    int64 // bytes that may be remembered of what is read yet
}

// Up to so many devices are read one after another: of each, a query goes
// through all days, in place of one for each day. Some more are where they are
// far apart, for a query of one day would then read much else.
const (
	fewAlone = 4
	farAlone = 64
	far      = 16
)

// plan cuts q into units. In order, each unit has all that is asked of some
// devices; else it has some days of all of them.
func (v *view) plan(q telemetry.RangeQuery, columns []column, size int64, inOrder bool) *plan {
	p := &plan{view: v, columns: columns, size: min(size, pageBytes/int64(8*(2+len(columns)))), room: v.blocks.limit / oneRead}
	asked := slices.Compact(slices.Sorted(slices.Values(q.Devices)))
	if len(asked) > fewAlone {
		p.spread = v.table.between(asked[0], asked[len(asked)-1])
	}
	n := int64(len(asked))
	switch {
	case n > 0 && (n <= fewAlone || n <= farAlone && p.spread > far*n):
		for _, d := range asked {
			p.units = append(p.units, unit{q.Window, []string{d}, true})
		}
	case inOrder:
		p.units = []unit{{window: q.Window, devices: asked}}
	default:
		for _, w := range v.days(q.Window) {
			p.units = append(p.units, unit{window: w, devices: asked})
		}
	}
	return p
}

// days cuts w where the days of parts begin.
func (v *view) days(w telemetry.Window) []telemetry.Window {
	var out []telemetry.Window
	for _, p := range v.within(w) {
		if start := startOf(p.day); start > w.From {
			out = append(out, telemetry.Window{From: w.From, To: start})
			w.From = start
		}
	}
	return append(out, w)
}

// each calls fn with the runs of all units. One unit is begun to be read while
// the one before it is used. A run is valid during the call only.
func (p *plan) each(ctx context.Context, fn func(*run) error) error {
	var next *merged
	defer func() {
		if next != nil {
			next.close()
		}
	}()
	for i, u := range p.units {
		m := next
		if m == nil {
			m = p.begin(ctx, u)
		}
		if next = nil; i+1 < len(p.units) {
			next = p.begin(ctx, p.units[i+1])
		}
		if err := m.each(ctx, fn); err != nil {
			return err
		}
	}
	return nil
}

// each calls fn with all runs of m, and closes it.
func (m *merged) each(ctx context.Context, fn func(*run) error) error {
	defer m.close()
	for _, s := range m.streams {
		if err := s.open(); err != nil {
			return err
		}
	}
	for rows, checked := 0, 0; ; {
		r, err := m.next()
		if err != nil || r == nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
		if rows += len(r.ts); rows-checked >= cancelCheckRows {
			if checked = rows; ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// begin begins to read a unit.
func (p *plan) begin(ctx context.Context, u unit) *merged {
	m := &merged{}
	if len(p.view.hot) > 0 {
		snaps := make([]*hot.Snapshot, len(p.view.hot))
		for i, snap := range p.view.hot {
			if u.single {
				snaps[i] = snap.Cut(u.window, u.devices[0], u.devices[0])
			} else {
				snaps[i] = snap.Cut(u.window, "", "")
			}
		}
		m.streams = append(m.streams, newHotStream(p.columns, snaps))
	}
	if u.single {
		m.streams = append(m.streams, p.alone(ctx, u)...)
		return m
	}
	lists := p.pages(u)
	for _, pages := range slices.Backward(lists) {
		m.streams = append(m.streams, newPageStream(ctx, p.view.query, p.columns, pages, ahead(len(lists))))
	}
	return m
}

// readAhead is how many pages are read at once while another is used, each by
// one thread.
const readAhead = 2

// ahead is how many pages of each of some lists are.
func ahead(lists int) int {
	if lists <= 2 {
		return readAhead
	}
	return 0
}

// leastPage is how many rows are read at once however many days are open.
const leastPage = 1024

// pages are the pages of a unit, in lists of ascending ones; of two lists with
// one identity the later has it right.
func (p *plan) pages(u unit) [][]page {
	sets := p.sets(u)
	// Of each list there is a page in memory.
	size := min(p.size, max(leastPage, 2*p.size/int64(max(1, len(sets)))))
	lists := make([][]page, len(sets))
	for i, set := range sets {
		for _, one := range set {
			lists[i] = append(lists[i], p.cut(u, one, size)...)
		}
	}
	return lists
}

// sets are those of the parts that a unit may need; older ones of a day come
// first.
func (p *plan) sets(u unit) [][]*part {
	return sets(slices.DeleteFunc(p.view.within(u.window), func(one *part) bool {
		return u.devices != nil && len(one.among(u.devices)) == 0 ||
			!slices.ContainsFunc(p.columns, func(c column) bool { return one.fields[c.name] })
	}))
}

// generation is sets of which each is the only one of its age in its day, as
// parts that one device may be in.
type generation struct {
	known []*block // what is remembered
	parts []*part  // what is to be read
}

// alone are the streams of one device in parts, the newer sets first.
func (p *plan) alone(ctx context.Context, u unit) (streams []stream) {
	sets := p.sets(u)
	var generations []generation
	unread, age := 0, 0
	for i, set := range sets {
		if age++; i == 0 || sets[i-1][0].day != set[0].day {
			age = 0
		}
		if age == len(generations) {
			generations = append(generations, generation{})
		}
		g := &generations[age]
		for _, one := range set {
			if b := p.view.blocks.of(one, u.devices[0], p.columns); b != nil {
				g.known = append(g.known, b)
			} else {
				g.parts = append(g.parts, one)
				unread++
			}
		}
	}
	files, remember := 0, false
	if unread > 0 {
		files, remember = p.reads(u, unread, int64(len(sets)))
	}
	for _, g := range slices.Backward(generations) {
		if len(g.known) > 0 {
			streams = append(streams, newBlockStream(u.devices[0], u.window, p.columns, g.known))
		}
		if len(g.parts) > 0 {
			s := newPageStream(ctx, p.view.query, p.columns, p.together(u, g.parts, files, remember), ahead(len(generations)))
			s.filled = &filling{into: p.view.blocks, device: u.devices[0], asked: p.columns, room: &p.room}
			streams = append(streams, s)
		}
	}
	return streams
}

// reads tells how one device is read from so many parts, of so many sets that it
// is in: how many of them in one query, and whether they are to be remembered,
// which needs all rows of the device: not where devices have more than a row group
// on average, which is read whole anyway, or than there is room for.
func (p *plan) reads(u unit, parts int, sets int64) (files int, remember bool) {
	perPart := max(1, p.view.perDevice(u.window)/sets)
	files = int(max(1, p.size/(2*perPart)))
	if parts >= 2*readAhead {
		files = min(files, (parts+readAhead-1)/readAhead)
	}
	return files, perPart <= partRows && perPart*int64(parts*8*(1+len(p.columns))) <= p.room
}

// together are the pages of one device in parts of ascending days, each of up to
// so many of them.
func (p *plan) together(u unit, parts []*part, files int, remember bool) (pages []page) {
	for len(parts) > 0 {
		n := 1
		for n < min(files, len(parts)) && parts[n].day != parts[n-1].day && present(parts[n], p.columns) == present(parts[0], p.columns) {
			n++
		}
		pages = append(pages, p.page(u, parts[:n], p.size, remember))
		parts = parts[n:]
	}
	return pages
}

// cut cuts a part into pages of about so many rows.
func (p *plan) cut(u unit, one *part, size int64) []page {
	whole := p.page(u, []*part{one}, 0, false)
	if one.rows <= size+size/2 {
		return []page{whole}
	}
	if u.devices != nil && 2*p.view.perDevice(during(one.day))*p.spread <= one.rows {
		whole.limit = int(size)
		return []page{whole}
	}
	var pages []page
	n := (one.rows + size - 1) / size
	for i := range n {
		next := whole
		next.from = strings.TrimSuffix(whole.from, ")") + ", file_row_number = true)"
		next.in.conditions = slices.Clone(whole.in.conditions)
		next.in.and(fmt.Sprintf("file_row_number >= %d AND file_row_number < %d", i*one.rows/n, (i+1)*one.rows/n))
		pages = append(pages, next)
	}
	return pages
}

// page selects what a unit asks of parts that have the same of the columns, with
// a limit, unless it is 0. To be remembered, the rows outside the window as well.
func (p *plan) page(u unit, parts []*part, limit int64, remember bool) page {
	out := page{limit: int(limit), window: u.window}
	if remember {
		out.parts = parts
	}
	var b strings.Builder
	b.WriteString("SELECT device, ts_ms")
	for i, c := range p.columns {
		if parts[0].fields[c.name] {
			b.WriteString(", " + quote(c.name))
			out.columns = append(out.columns, i)
		}
	}
	paths := make([]string, len(parts))
	inside := true
	for i, one := range parts {
		paths[i] = literal(p.view.path(one))
		inside = inside && one.first >= u.window.From && one.last < u.window.To
	}
	b.WriteString(" FROM read_parquet([" + strings.Join(paths, ", ") + "])")
	out.from = b.String()
	if !inside && !remember {
		out.in.and(out.inWindow())
	}
	if u.devices == nil {
		return out
	}
	asked := parts[0].among(u.devices)
	if len(asked) == 1 {
		out.in.and("device = " + constant(asked[0]))
		return out
	}
	// Bounds let the engine pass over row groups. A list would not, and where it
	// is made a join of, rows come out of order.
	out.in.and("device BETWEEN " + constant(asked[0]) + " AND " + constant(asked[len(asked)-1]))
	out.devices = asked
	return out
}

// perDevice is how many rows in w a device has on average.
func (v *view) perDevice(w telemetry.Window) int64 {
	rows := int64(0)
	for _, p := range v.within(w) {
		rows += p.rows
	}
	v.table.mu.RLock()
	defer v.table.mu.RUnlock()
	return rows / max(1, int64(len(v.table.newest)))
}
