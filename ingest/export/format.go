package export

import (
	"bytes"
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Format is the format of a file.
type Format string

// The formats.
const (
	CSV     Format = "csv"     // RFC 4180, UTF-8, with a header line
	Parquet Format = "parquet" // as the store's sealed files
)

// MediaType is how HTTP names the format.
func (f Format) MediaType() string {
	if f == CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/vnd.apache.parquet"
}

// Times is how CSV writes the time of a reading. Parquet always has the column
// ts_ms in Unix milliseconds.
type Times string

// The ways to write a time.
const (
	RFC3339 Times = "rfc3339"  // column ts: 2026-01-01T00:00:00.000Z
	EpochMS Times = "epoch_ms" // column ts_ms: Unix milliseconds
)

func newEncoder(ctx context.Context, to *bytes.Buffer, o Options, fields []*devices.Field) (encoder, error) {
	switch o.Format {
	case CSV:
		return newCSV(to, o.Times, fields)
	case Parquet:
		return newParquet(ctx, o.TempDir, fields)
	}
	return nil, fmt.Errorf("unknown format %q: want csv or parquet", o.Format)
}
