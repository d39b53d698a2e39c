package duckdb

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// pageRows bounds the rows of one page of a range. The driver holds the whole
// result of a query in memory, so a range of any length is read in pages.
const pageRows = 1 << 17

// Range streams readings; see telemetry.Reader. All of it is read from one
// snapshot, so what is appended meanwhile is not in it. Memory is bounded by
// a page of the result, however wide the window is.
func (s *Store) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return fmt.Errorf("range: %w", err)
	}
	var stopped error // what yield returned, which is passed on as it is
	err = s.use(ctx, func(ctx context.Context, e *engine) error {
		if q.Window.Empty() || len(fields) == 0 {
			return nil
		}
		return e.view(ctx, q, func(v *view) error {
			p := newPager(v, s.page, q, fields, func(r telemetry.Reading) error {
				stopped = yield(r)
				return stopped
			})
			return p.run(ctx)
		})
	})
	switch {
	case stopped != nil:
		return stopped
	case err != nil:
		return fmt.Errorf("range: %w", err)
	}
	return nil
}

// pager reads a range page by page. A page is either all rows of some
// neighbouring devices, or some of the rows of one device.
type pager struct {
	view    *view
	size    int64 // of a page, in rows
	q       telemetry.RangeQuery
	fields  []*devices.Field
	columns []column
	yield   func(telemetry.Reading) error
	reading telemetry.Reading
}

func newPager(v *view, size int64, q telemetry.RangeQuery, fields []*devices.Field, yield func(telemetry.Reading) error) *pager {
	return &pager{
		view:    v,
		size:    size,
		q:       q,
		fields:  fields,
		columns: v.table.fieldColumns(fields),
		yield:   yield,
		reading: telemetry.Reading{Kind: q.Kind, Values: make([]telemetry.Value, 0, len(fields))},
	}
}

// rows emits the rows in w that in selects and that have one of the fields, in
// the given order, and returns how many it emitted.
func (p *pager) rows(ctx context.Context, w telemetry.Window, in filter, order string) (int64, error) {
	from, args := p.view.from(w, in, p.columns)
	n := int64(0)
	err := p.view.each(ctx, "SELECT * FROM "+from+holding(p.fields)+" ORDER BY "+order, args, func(row []driver.Value) error {
		n++
		return p.emit(row)
	})
	return n, err
}

func (p *pager) run(ctx context.Context) error {
	if len(p.q.Devices) == 1 {
		return p.device(ctx, p.q.Devices[0])
	}
	spans, err := p.spans(ctx)
	if err != nil {
		return err
	}
	for _, s := range spans {
		if s.rows > p.size {
			err = p.device(ctx, s.first)
		} else {
			err = p.neighbours(ctx, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// span is the devices from first to last and how many rows they have at most.
// Where these are more than a page, it is one device.
type span struct {
	first, last string
	rows        int64
}

func (p *pager) spans(ctx context.Context) ([]span, error) {
	var spans []span
	// Overridden rows count double here, which only makes a page smaller.
	from, args := p.view.union(p.view.plain(p.q.Window), where(p.q), nil)
	err := p.view.each(ctx, "SELECT device, count(*) FROM "+from+" GROUP BY device ORDER BY device", args, func(row []driver.Value) error {
		device, rows := row[0].(string), row[1].(int64)
		if n := len(spans); n > 0 && spans[n-1].rows+rows <= p.size {
			spans[n-1].last = device
			spans[n-1].rows += rows
			return nil
		}
		spans = append(spans, span{device, device, rows})
		return nil
	})
	return spans, err
}

func (p *pager) neighbours(ctx context.Context, s span) error {
	_, err := p.rows(ctx, p.q.Window, where(p.q).between(s.first, s.last), "device, ts_ms")
	return err
}

// device reads the readings of one device in pages.
func (p *pager) device(ctx context.Context, device string) error {
	if p.view.perDevice(p.q.Window) < p.size/8 {
		return p.within(ctx, device, p.q.Window) // most likely one page
	}
	windows, err := p.windows(ctx, device)
	if err != nil {
		return err
	}
	for _, w := range windows {
		if err := p.within(ctx, device, w); err != nil {
			return err
		}
	}
	return nil
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

// windows cuts the window such that each piece has about a page of a device,
// and reading it touches nothing of the others.
func (p *pager) windows(ctx context.Context, device string) ([]telemetry.Window, error) {
	in := where(telemetry.RangeQuery{Devices: []string{device}, Window: p.q.Window})
	from, args := p.view.union(p.view.plain(p.q.Window), in, nil)
	var rows, first, last int64
	err := p.view.each(ctx, "SELECT count(*), min(ts_ms), max(ts_ms) FROM "+from, args, func(row []driver.Value) error {
		if rows = row[0].(int64); rows > 0 {
			first, last = row[1].(int64), row[2].(int64)
		}
		return nil
	})
	if err != nil || rows <= p.size {
		return []telemetry.Window{p.q.Window}, err
	}
	// Half a page in each piece, if the readings are spread evenly.
	every := max(1, int64(float64(last-first)/float64(rows)*float64(p.size)/2))
	var windows []telemetry.Window
	pending := telemetry.Window{From: p.q.Window.From}
	held := int64(0)
	from, args = p.view.union(p.view.plain(p.q.Window), in, nil)
	statement := "SELECT (ts_ms - ?::BIGINT) // ?::BIGINT AS piece, count(*) FROM " + from + " GROUP BY piece ORDER BY piece"
	err = p.view.each(ctx, statement, append([]any{first, every}, args...), func(row []driver.Value) error {
		start, n := first+row[0].(int64)*every, row[1].(int64)
		if held > 0 && held+n > p.size {
			pending.To = start
			windows = append(windows, pending)
			pending, held = telemetry.Window{From: start}, 0
		}
		held += n
		return nil
	})
	pending.To = p.q.Window.To
	return append(windows, pending), err
}

// within reads what a device has in w, which may be more than a page where
// readings are close together.
func (p *pager) within(ctx context.Context, device string, w telemetry.Window) error {
	for ; ; w.From = p.reading.TS + 1 {
		in := where(telemetry.RangeQuery{Devices: []string{device}, Window: w})
		n, err := p.rows(ctx, w, in, fmt.Sprintf("ts_ms LIMIT %d", p.size))
		if err != nil || n < p.size {
			return err
		}
	}
}

func (p *pager) emit(row []driver.Value) error {
	r := &p.reading
	r.Device, r.TS, r.Values = row[columnDevice].(string), row[columnTS].(int64), r.Values[:0]
	for i, f := range p.fields {
		if v, ok := valueFrom(f, row[2+i]); ok {
			r.Values = append(r.Values, v)
		}
	}
	return p.yield(*r)
}
