package export

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	columnDevice = "device"
	columnTS     = "ts_ms"
)

// parquetEncoder makes a row of each reading.
type parquetEncoder struct {
	fields []*devices.Field
	spool  *Spool
	row    []driver.Value
	file   *os.File // once the rows are in it
}

func newParquet(ctx context.Context, dir string, fields []*devices.Field) (*parquetEncoder, error) {
	columns := []Column{{columnDevice, Text}, {columnTS, Integer}}
	for _, f := range fields {
		c := Column{f.Name, Number}
		if !f.Numeric() {
			c.Type = Text
		}
		columns = append(columns, c)
	}
	spool, err := NewSpool(ctx, dir, columns)
	if err != nil {
		return nil, err
	}
	return &parquetEncoder{fields: fields, spool: spool, row: make([]driver.Value, len(columns))}, nil
}

func (p *parquetEncoder) add(r telemetry.Reading) error {
	clear(p.row)
	p.row[0], p.row[1] = []byte(r.Device), r.TS
	values := r.Values // both ascend by index
	for i, f := range p.fields {
		if len(values) == 0 || values[0].Field.Index != f.Index {
			continue
		}
		if f.Numeric() {
			p.row[2+i] = values[0].Num
		} else {
			p.row[2+i] = []byte(values[0].Text)
		}
		values = values[1:]
	}
	return p.spool.Add(p.row...)
}

func (p *parquetEncoder) flush() error { return p.spool.Flush() }

func (p *parquetEncoder) end(ctx context.Context) (io.Reader, error) {
	path := filepath.Join(p.spool.dir, "readings.parquet")
	if err := p.spool.Save(ctx, path); err != nil {
		return nil, err
	}
	var err error
	p.file, err = os.Open(path)
	return p.file, err
}

func (p *parquetEncoder) close() error {
	var err error
	if p.file != nil {
		err = p.file.Close()
	}
	p.file = nil
	return errors.Join(err, p.spool.Close())
}
