// Package export writes stored readings as files that other programs read: CSV,
// and Parquet in the layout of the store's own sealed files (device, ts_ms, and
// a column for each field, sorted by device and time, compressed with zstd), but
// with row groups of 122,880 rows where those have 16,384: who reads an export
// reads most of it, while the store looks for single devices.
//
// It reads any telemetry store, a page at a time, so that memory is bounded and
// nobody who takes a file slowly holds up the store. It does not know which store
// it is, nor where the file goes: that is for whoever takes its parts.
package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	partBytes = 1 << 20 // of a part that is ready
	// defaultPageRows is the rows of a page and of a Parquet row group, which
	// is the size that DuckDB gives its own.
	defaultPageRows = 122_880
	// groupDevices bounds the devices that are asked for in one query.
	groupDevices = 1024
)

// Reader is the part of telemetry.Reader that an export needs.
type Reader interface {
	Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error
	Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error)
}

// Options say what the file looks like.
type Options struct {
	Format   Format
	Times    Times // of CSV; default RFC3339
	PageRows int   // read at a time; default 122,880
	// TempDir is where Parquet is put together: twice the size of the file, and
	// more where the file is small. Default: as os.TempDir says.
	TempDir string
}

// encoder turns readings into the bytes of a file. What is known of them at once
// it appends to the buffer that it was made with.
type encoder interface {
	add(telemetry.Reading) error
	// flush ends a page.
	flush() error
	// end ends the file and returns what is not in the buffer; nil: nothing.
	end(ctx context.Context) (io.Reader, error)
	close() error
}

// Export is one file in the making. It is used by one goroutine at a time.
type Export struct {
	reader   Reader
	query    telemetry.RangeQuery // its devices are those still to be read
	resume   int64                // where the first of them goes on; the window's start for the others
	pageRows int

	encoder encoder
	part    bytes.Buffer
	page    int // rows of the page so far
	rows    int64
	taken   bool // part was returned to the caller
	ended   bool
	rest    io.Reader // what follows part, once ended
}

// New prepares the export of the readings that q selects. Without devices it
// asks the store which ones have any. What arrives during an export may be in it
// or not; each page is read at one instant. The export is to be closed. Errors:
// those of a store, and an unknown format.
func New(ctx context.Context, r Reader, schema *devices.Schema, q telemetry.RangeQuery, o Options) (*Export, error) {
	fields, err := q.Resolve(schema)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if q.Devices, err = devicesOf(ctx, r, q); err != nil {
		return nil, fmt.Errorf("export: list devices: %w", err)
	}
	if o.PageRows <= 0 {
		o.PageRows = defaultPageRows
	}
	e := &Export{reader: r, query: q, resume: q.Window.From, pageRows: o.PageRows}
	if e.encoder, err = newEncoder(ctx, &e.part, o, fields); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return e, nil
}

// devicesOf are the devices of q, ascending, each once.
func devicesOf(ctx context.Context, r Reader, q telemetry.RangeQuery) ([]string, error) {
	if len(q.Devices) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(q.Devices))), nil
	}
	samples, err := r.Latest(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, s := range samples { // ordered by device
		if n := len(all); n == 0 || all[n-1] != s.Device {
			all = append(all, s.Device)
		}
	}
	return all, nil
}

// Rows is how many readings are in the parts so far.
func (e *Export) Rows() int64 { return e.rows }

// Next returns the next part of the file, which is never empty and is valid until
// the next call; after the last one the error is io.EOF. After any other error,
// one of a store or ctx's, the file is useless. Parquet has its first part when
// everything is read, since its rows are compressed together.
func (e *Export) Next(ctx context.Context) ([]byte, error) {
	if e.taken {
		e.part.Reset()
		e.taken = false
	}
	for !e.ended && (e.part.Len() == 0 || e.rows == 0) {
		if err := e.readOn(ctx); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	if e.part.Len() == 0 && e.rest != nil {
		if _, err := io.CopyN(&e.part, e.rest, partBytes); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("export: read the finished file: %w", err)
		}
	}
	if e.part.Len() == 0 {
		return nil, io.EOF
	}
	e.taken = true
	return e.part.Bytes(), nil
}

// readOn reads and encodes a page, and ends the file after the last.
func (e *Export) readOn(ctx context.Context) (err error) {
	if err := e.readPage(ctx); err != nil {
		return err
	}
	if err := e.encoder.flush(); err != nil {
		return fmt.Errorf("encode page: %w", err)
	}
	e.rows += int64(e.page)
	e.page = 0
	if len(e.query.Devices) > 0 {
		return nil
	}
	e.ended = true
	if e.rest, err = e.encoder.end(ctx); err != nil {
		return fmt.Errorf("end file: %w", err)
	}
	return nil
}

// Close frees what the export holds on disk. It may be called twice.
func (e *Export) Close() error { return e.encoder.close() }

// Copy writes the whole file to w and returns how many readings are in it.
func (e *Export) Copy(ctx context.Context, w io.Writer) (rows int64, err error) {
	for {
		part, err := e.Next(ctx)
		if errors.Is(err, io.EOF) {
			return e.rows, nil
		}
		if err == nil {
			_, err = w.Write(part)
		}
		if err != nil {
			return e.rows, err
		}
	}
}

var errPageFull = errors.New("page full")

// readPage reads on from where the last page ended until a page is full or
// nothing is left.
func (e *Export) readPage(ctx context.Context) error {
	for len(e.query.Devices) > 0 {
		q, n := e.query, 1
		if e.resume > q.Window.From {
			q.Window.From = e.resume // in the midst of one device
		} else {
			n = min(groupDevices, len(q.Devices))
		}
		q.Devices = e.query.Devices[:n:n]
		device, ts := "", int64(0)
		err := e.reader.Range(ctx, q, func(r telemetry.Reading) error {
			if e.page == e.pageRows {
				return errPageFull
			}
			e.page++
			device, ts = r.Device, r.TS
			return e.encoder.add(r)
		})
		switch {
		case err == nil:
			e.query.Devices, e.resume = e.query.Devices[n:], e.query.Window.From
			continue
		case !errors.Is(err, errPageFull):
			return err
		case device != "": // otherwise the page was full before the call
			i, _ := slices.BinarySearch(e.query.Devices, device)
			e.query.Devices, e.resume = e.query.Devices[i:], ts+1
		}
		return nil
	}
	return nil
}
