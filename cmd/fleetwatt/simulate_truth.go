package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/ingest/export"
	"github.com/fleetwatt/fleetwatt/simulator/truth"
)

// openTruth creates the file of the truth: Parquet where its name ends so, CSV
// otherwise. end completes the file.
func openTruth(ctx context.Context, path string) (sink truth.Sink, end func() error, err error) {
	if strings.HasSuffix(path, ".parquet") {
		p, err := newTruthParquet(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		return p, p.end, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, err
	}
	buffer := bufio.NewWriter(f)
	c, err := truth.NewCSV(buffer)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return c, func() error { return errors.Join(c.Flush(), buffer.Flush(), f.Close()) }, nil
}

// truthParquet is a truth.Sink with the columns of the CSV file. The file appears
// under its name when it is whole.
type truthParquet struct {
	ctx   context.Context // of the program: a Sink has none
	path  string
	spool *export.Spool
}

func newTruthParquet(ctx context.Context, path string) (*truthParquet, error) {
	spool, err := export.NewSpool(ctx, filepath.Dir(path), []export.Column{
		{Name: "time", Type: export.Instant}, {Name: "until", Type: export.Instant},
		{Name: "kind", Type: export.Text}, {Name: "id", Type: export.Text},
		{Name: "quantity", Type: export.Text}, {Name: "value", Type: export.Number}, {Name: "detail", Type: export.Text},
	})
	if err != nil {
		return nil, fmt.Errorf("write truth: %w", err)
	}
	return &truthParquet{ctx: context.WithoutCancel(ctx), path: path, spool: spool}, nil
}

// Write is a Sink's.
func (t *truthParquet) Write(r truth.Record) error {
	var until any
	if r.Until != 0 {
		until = time.UnixMilli(r.Until).UTC()
	}
	var detail any
	if r.Detail != "" {
		detail = []byte(r.Detail)
	}
	err := t.spool.Add(time.UnixMilli(r.TS).UTC(), until, []byte(r.Device.Kind), []byte(r.Device.ID),
		[]byte(r.Quantity), r.Value, detail)
	if err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

// Flush is a Sink's.
func (t *truthParquet) Flush() error { return t.spool.Flush() }

func (t *truthParquet) end() error {
	partial := t.path + ".partial"
	err := t.spool.Save(t.ctx, partial)
	if err == nil {
		err = os.Rename(partial, t.path)
	} else {
		_ = os.Remove(partial) // there may be none
	}
	if err := errors.Join(err, t.spool.Close()); err != nil {
		return fmt.Errorf("write truth to %s: %w", t.path, err)
	}
	return nil
}
