package duckdb

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/chunks"
)

// page is a query whose rows come by device, then time, and the columns of what
// is asked that it has.
type page struct {
	from    string // from where the rows are selected, without conditions
	in      filter
	columns []int    // its column 2+i is this one of those asked for
	devices []string // ascending: of others it may have rows, which are not wanted; nil: all are

	// parts are those that it reads, where it has all their rows of one device,
	// to be remembered, also those outside the window that is asked for.
	parts  []*part
	window telemetry.Window

	// limit is how many rows it has at most, where what it selects may be many
	// more than expected: there may be a page after it then. 0: as many as
	// there are.
	limit int
}

// after is the page of the rows behind an identity.
func (p page) after(device string, ts int64) page {
	p.in.conditions = slices.Clone(p.in.conditions)
	p.in.and("device >= " + constant(device)) // lets row groups be passed over
	p.in.and(fmt.Sprintf("(device > %s OR ts_ms > %d)", constant(device), ts))
	return p
}

// inWindow is the condition that the window sets.
func (p page) inWindow() string {
	return fmt.Sprintf("ts_ms >= %d AND ts_ms < %d", p.window.From, p.window.To)
}

func (p page) statement() string {
	statement := p.from + p.in.String()
	if p.limit > 0 {
		statement += fmt.Sprintf(" LIMIT %d", p.limit)
	}
	return statement
}

// pageStream goes through pages. Each page has only greater identities than the
// one before it.
type pageStream struct {
	ctx    context.Context
	end    context.CancelFunc
	db     *chunks.DB
	asked  []column
	pages  []page // that are not read yet
	ahead  int    // so many pages are read while the one before them is used
	coming []chan fetched
	filled *filling // of a page that has parts

	page    page
	result  *chunks.Result
	rows    int    // of the page, so far
	device  string // its last identity, where it may go on
	time    int64
	chunk   *chunks.Chunk
	devices []chunks.Text
	ts      []int64
	row     int // of the chunk, behind the run
	values  []values
	heading
}

type fetched struct {
	page   page
	result *chunks.Result
	err    error
}

// newPageStream returns a stream that has begun to read its first pages. It must
// be opened before use, and closed.
func newPageStream(ctx context.Context, db *chunks.DB, asked []column, pages []page, ahead int) *pageStream {
	s := &pageStream{db: db, asked: asked, pages: pages, ahead: ahead}
	s.ctx, s.end = context.WithCancel(ctx)
	s.values = make([]values, len(asked))
	s.run.values = make([]values, len(asked))
	s.fetch(max(1, ahead))
	return s
}

// fetch begins to read more pages, until so many are coming.
func (s *pageStream) fetch(n int) {
	for len(s.coming) < n && len(s.pages) > 0 {
		s.coming = append(s.coming, s.begin(s.pages[0]))
		s.pages = s.pages[1:]
	}
}

// begin begins to read a page.
func (s *pageStream) begin(p page) chan fetched {
	coming := make(chan fetched, 1)
	kinds := s.kinds(p)
	go func() {
		result, err := s.db.Query(s.ctx, p.statement())
		if err == nil {
			if err = result.Check(kinds...); err != nil {
				result.Close()
			}
		}
		coming <- fetched{p, result, err}
	}()
	return coming
}

// kinds are those of the columns of a page. They are checked, since a file is
// whatever somebody may have put in its place.
func (s *pageStream) kinds(p page) []chunks.Kind {
	kinds := []chunks.Kind{chunks.String, chunks.Int64}
	for _, at := range p.columns {
		if s.asked[at].text() {
			kinds = append(kinds, chunks.String)
		} else {
			kinds = append(kinds, chunks.Float64)
		}
	}
	return kinds
}

// open waits for the first page.
func (s *pageStream) open() error { return s.next() }

func (s *pageStream) advance(n int) error {
	if n < len(s.run.ts) {
		s.run.skip(n)
		return nil
	}
	return s.next()
}

// next makes the next run that is wanted the present one.
func (s *pageStream) next() error {
	for {
		for s.chunk == nil || s.row == s.chunk.Len {
			more, err := s.nextChunk()
			if err != nil || !more {
				s.some = false
				return err
			}
		}
		first := s.row
		device := s.devices[first].Bytes()
		s.row = first + s.length(first, device)
		if s.page.devices != nil {
			at, wanted := slices.BinarySearchFunc(s.page.devices, device, compareText)
			s.page.devices = s.page.devices[at:]
			if !wanted {
				continue
			}
		}
		last := s.row
		if s.page.parts != nil {
			from, to := inside(s.ts[first:last], s.page.window)
			if first, last = first+from, first+to; first == last {
				continue
			}
		}
		if !s.some || s.run.device != string(device) {
			s.run.device = string(device)
		}
		s.some = true
		s.run.ts = s.ts[first:last]
		for i := range s.values {
			v := s.values[i]
			v.base, v.seen = first, s.run.values[i].seen
			s.run.values[i] = v
		}
		return nil
	}
}

func compareText(a string, b []byte) int {
	switch {
	case a < string(b):
		return -1
	case a > string(b):
		return 1
	}
	return 0
}

// length is how many rows from first on are of a device.
func (s *pageStream) length(first int, device []byte) int {
	same := func(row int) bool { return bytes.Equal(s.devices[row].Bytes(), device) }
	left := s.chunk.Len - first
	probe := 1
	for probe < left && same(first+probe) {
		probe *= 2
	}
	low := probe / 2 // is of the device, and probe is not
	return low + sort.Search(min(probe, left)-low, func(i int) bool { return !same(first + low + i) })
}

// nextChunk goes on in the result, and to the next page at its end.
func (s *pageStream) nextChunk() (bool, error) {
	for goesOn := false; ; {
		if s.result != nil {
			if s.chunk = s.result.Next(); s.chunk != nil {
				s.take()
				return true, nil
			}
			s.result.Close()
			s.result = nil
			if goesOn = s.page.limit > 0 && s.rows == s.page.limit; goesOn { // there may be more before the pages that are coming
				next := s.page.after(s.device, s.time)
				if next.parts != nil && len(s.filled.parts) == 0 { // it is not remembered: no more than is asked for
					next.parts = nil
					next.in.and(next.inWindow())
				}
				s.coming = slices.Insert(s.coming, 0, s.begin(next))
			} else if s.page.parts != nil {
				s.filled.end()
			}
		}
		s.fetch(1)
		if len(s.coming) == 0 {
			return false, nil
		}
		got := <-s.coming[0]
		s.coming = s.coming[1:]
		if got.err != nil {
			return false, got.err
		}
		s.page, s.result, s.rows = got.page, got.result, 0
		if s.page.parts != nil && !goesOn {
			s.filled.begin(s.page.parts)
		}
		s.fetch(s.ahead)
	}
}

// take looks up where the columns of the chunk are.
func (s *pageStream) take() {
	s.row, s.devices, s.ts = 0, s.chunk.Texts(0), s.chunk.Int64s(1)
	s.rows += s.chunk.Len
	if s.page.limit > 0 && s.rows == s.page.limit { // before the memory is gone
		s.device, s.time = string(s.devices[s.chunk.Len-1].Bytes()), s.ts[s.chunk.Len-1]
	}
	clear(s.values)
	for i, at := range s.page.columns {
		v := values{valid: s.chunk.Valid(2 + i), stride: 1}
		if s.asked[at].text() {
			v.texts = s.chunk.Texts(2 + i)
		} else {
			v.nums = s.chunk.Float64s(2 + i)
		}
		s.values[at] = v
	}
	if s.page.parts != nil {
		s.filled.add(s.ts, s.page.columns, s.values)
	}
}

// close ends the query that runs, and waits for it.
func (s *pageStream) close() {
	s.end()
	for _, coming := range s.coming {
		if got := <-coming; got.err == nil {
			got.result.Close()
		}
	}
	s.coming = nil
	if s.result != nil {
		s.result.Close()
		s.result = nil
	}
	s.chunk, s.some = nil, false
}
