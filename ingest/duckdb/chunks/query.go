package chunks

import (
	"context"
	"errors"
	"fmt"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Query runs a statement and returns its whole result, which the engine holds
// in its own memory until it is closed. An error that the
// engine gives has its text; one of ctx is ctx's.
func (d *DB) Query(ctx context.Context, statement string) (*Result, error) {
	r := &Result{}
	err := d.borrow(ctx, func(conn mapping.Connection) error {
		// Not prepared: the engine would plan reads of files twice.
		if mapping.Query(conn, statement, &r.result) == mapping.StateError {
			return errors.New(mapping.ResultError(&r.result))
		}
		return nil
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Each runs a statement and calls fn with the chunks of its result, which are
// valid during the call only.
func (d *DB) Each(ctx context.Context, statement string, fn func(*Chunk)) error {
	r, err := d.Query(ctx, statement)
	if err != nil {
		return err
	}
	defer r.Close()
	for c := r.Next(); c != nil; c = r.Next() {
		fn(c)
	}
	return nil
}

// Execute runs a statement that has no result to look at.
func (d *DB) Execute(ctx context.Context, statement string) error {
	r, err := d.Query(ctx, statement)
	if err != nil {
		return err
	}
	r.Close()
	return nil
}

// Result is what a query found. It must be closed, and is used by one goroutine
// at a time.
type Result struct {
	result mapping.Result
	chunk  Chunk
}

// Kind is what a column is.
type Kind = mapping.Type

// The kinds of columns that a Chunk can be asked for.
const (
	Int64   Kind = mapping.TypeBigInt
	Float64 Kind = mapping.TypeDouble
	String  Kind = mapping.TypeVarchar
)

// Check returns an error unless the columns are of these kinds.
func (r *Result) Check(kinds ...Kind) error {
	for i, want := range kinds {
		if got := mapping.ColumnType(&r.result, mapping.IdxT(i)); got != want {
			return fmt.Errorf("column %s has type %d, want %d", mapping.ColumnName(&r.result, mapping.IdxT(i)), got, want)
		}
	}
	return nil
}

// Next returns the next rows, which are valid until the next call and no longer
// than the result; nil at the end.
func (r *Result) Next() *Chunk {
	mapping.DestroyDataChunk(&r.chunk.data)
	r.chunk.data = mapping.FetchChunk(r.result)
	if r.chunk.data.Ptr == nil {
		return nil
	}
	r.chunk.Len = int(mapping.DataChunkGetSize(r.chunk.data))
	return &r.chunk
}

// Close gives the memory of the result back. A second Close does nothing.
func (r *Result) Close() {
	mapping.DestroyDataChunk(&r.chunk.data)
	mapping.DestroyResult(&r.result)
}
