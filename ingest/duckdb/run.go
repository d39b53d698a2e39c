package duckdb

import (
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/chunks"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

// run is some readings of one device, ascending by time, as their stream has
// them in memory: valid until the stream goes on.
type run struct {
	device string
	ts     []int64
	values []values // by the columns that were asked for
}

// values is one column of a run.
type values struct {
	nums   []float64 // empty: absent, or text
	stride int       // from one row to the next
	valid  chunks.Valid
	texts  []chunks.Text
	words  *words   // of a block
	hot    *hot.Run // of which it is the column at
	at     int
	base   int // the row of a chunk or block at which the run begins
	seen   *string
}

// num is the number in a row; false where there is none.
func (v *values) num(row int) (float64, bool) {
	if len(v.nums) == 0 {
		return 0, false
	}
	n := v.nums[(v.base+row)*v.stride]
	return n, n == n && v.valid.At(v.base+row) // not NaN
}

// text is the text in a row; false where there is none.
func (v *values) text(row int) (string, bool) {
	if v.hot != nil {
		return v.hot.Text(v.at, v.base+row)
	}
	if v.words != nil {
		return v.words.at(v.base + row)
	}
	if len(v.texts) == 0 || !v.valid.At(v.base+row) {
		return "", false
	}
	// Texts are mostly states: the same one many times.
	if b := v.texts[v.base+row].Bytes(); v.seen == nil || *v.seen != string(b) {
		s := string(b)
		v.seen = &s
	}
	return *v.seen, true
}

// value is what a row has of f; false where there is nothing.
func (v *values) value(f *devices.Field, row int) (telemetry.Value, bool) {
	if f.Numeric() {
		n, ok := v.num(row)
		return telemetry.Value{Field: f, Num: n}, ok
	}
	text, ok := v.text(row)
	return telemetry.Value{Field: f, Text: text}, ok
}

// skip makes r begin n rows later.
func (r *run) skip(n int) {
	r.ts = r.ts[n:]
	for i := range r.values {
		r.values[i].base += n
	}
}

// stream goes through readings by device, then time, each identity once.
type stream interface {
	// open waits until there is a head.
	open() error
	// head is the present run; nil at the end.
	head() *run
	// advance goes on behind the first n rows of the head.
	advance(n int) error
	close()
}

// heading is where a stream is.
type heading struct {
	run  run
	some bool // it is not at its end
}

func (h *heading) head() *run {
	if !h.some {
		return nil
	}
	return &h.run
}

// hotStream goes through snapshots of segments.
type hotStream struct {
	cursor  *hot.Cursor
	columns []column
	hot     hot.Run
	heading
}

func newHotStream(columns []column, newestFirst []*hot.Snapshot) *hotStream {
	asked := make([]hot.Column, len(columns))
	for i, c := range columns {
		asked[i] = hot.Column{Name: c.name, Text: c.text()}
	}
	s := &hotStream{cursor: hot.NewCursor(asked, newestFirst...), columns: columns}
	s.run.values = make([]values, len(columns))
	return s
}

func (s *hotStream) open() error {
	s.next()
	return nil
}

func (s *hotStream) next() {
	if s.hot, s.some = s.cursor.Next(); !s.some {
		return
	}
	s.run.device, s.run.ts = s.hot.Device, s.hot.TS
	for i, c := range s.columns {
		v := values{at: i, stride: 1}
		if c.text() {
			v.hot = &s.hot
		} else {
			v.nums, v.stride = s.hot.Nums(i)
		}
		s.run.values[i] = v
	}
}

func (s *hotStream) advance(n int) error {
	if n < len(s.run.ts) {
		s.run.skip(n)
		return nil
	}
	s.next()
	return nil
}

func (s *hotStream) close() {}

// blockStream goes through blocks of one device.
type blockStream struct {
	blocks  []*block // that are not gone through yet, ascending by time
	columns []column
	window  telemetry.Window
	heading
}

func newBlockStream(device string, w telemetry.Window, columns []column, blocks []*block) *blockStream {
	return &blockStream{blocks: blocks, columns: columns, window: w, heading: heading{run: run{device: device, values: make([]values, len(columns))}}}
}

func (s *blockStream) open() error {
	s.next()
	return nil
}

func (s *blockStream) next() {
	for s.some = false; len(s.blocks) > 0 && !s.some; s.blocks = s.blocks[1:] {
		b := s.blocks[0]
		from, to := inside(b.ts, s.window)
		s.some = from < to
		s.run.ts = b.ts[from:to]
		for i, column := range s.columns {
			v := values{stride: 1, base: from}
			if c := b.column(column.name); c != nil {
				v.nums, v.words = c.nums, c.words
			}
			s.run.values[i] = v
		}
	}
}

func (s *blockStream) advance(n int) error {
	if n < len(s.run.ts) {
		s.run.skip(n)
		return nil
	}
	s.next()
	return nil
}

func (s *blockStream) close() {}

// inside are the first of the times in w and the one behind the last of them.
func inside(ts []int64, w telemetry.Window) (from, to int) {
	from, _ = slices.BinarySearch(ts, w.From)
	to, _ = slices.BinarySearch(ts, w.To)
	return from, to
}

// merged goes through several streams as one. Where more than one has an
// identity, the first of them has it right.
type merged struct {
	streams []stream // the newest first
	present stream   // of which the last n rows were returned
	n       int
	cut     run
}

// next is the next run; nil at the end. It is valid until the next call.
func (m *merged) next() (*run, error) {
	if m.present != nil {
		if err := m.present.advance(m.n); err != nil {
			return nil, err
		}
		m.present = nil
	}
	if len(m.streams) == 1 {
		m.present = m.streams[0]
		return m.whole()
	}
	for _, s := range m.streams {
		if r := s.head(); r != nil && (m.present == nil || before(r, m.present.head())) {
			m.present = s
		}
	}
	if m.present == nil {
		return nil, nil
	}
	first := m.present.head()
	n := len(first.ts)
	for _, s := range m.streams {
		if s == m.present {
			continue
		}
		// Behind the present stream all are older, before it none has its first row.
		if err := passed(s, first.device, first.ts[0]); err != nil {
			return nil, err
		}
		if r := s.head(); r != nil && r.device == first.device {
			at, _ := slices.BinarySearch(first.ts[:n], r.ts[0])
			n = at
		}
	}
	m.n = n
	m.cut = run{device: first.device, ts: first.ts[:n], values: first.values}
	return &m.cut, nil
}

func (m *merged) whole() (*run, error) {
	r := m.present.head()
	if r == nil {
		m.present = nil
		return nil, nil
	}
	m.n = len(r.ts)
	return r, nil
}

func (m *merged) close() {
	for _, s := range m.streams {
		s.close()
	}
}

// before tells whether a begins before b.
func before(a, b *run) bool {
	return a.device < b.device || a.device == b.device && a.ts[0] < b.ts[0]
}

// passed moves s behind an identity at which its head begins.
func passed(s stream, device string, ts int64) error {
	if r := s.head(); r != nil && r.device == device && r.ts[0] == ts {
		return s.advance(1)
	}
	return nil
}
