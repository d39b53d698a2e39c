package chunks

import (
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

// Chunk is up to some thousand rows of a result, column by column. Asking for a
// column as what it is not reads memory that is not its own; see Result.Check.
type Chunk struct {
	Len  int
	data mapping.DataChunk
}

// Valid tells which rows of a column are not NULL; nil: all of them.
type Valid []uint64

// At reports whether a row has a value.
func (v Valid) At(row int) bool {
	return v == nil || v[row>>6]>>(row&63)&1 == 1
}

// Int64s is a column of type BIGINT; of no meaning where a value is NULL.
func (c *Chunk) Int64s(column int) []int64 { return values[int64](c, column) }

// Float64s is a column of type DOUBLE; of no meaning where a value is NULL.
func (c *Chunk) Float64s(column int) []float64 { return values[float64](c, column) }

// Texts is a column of type VARCHAR; of no meaning where a value is NULL.
func (c *Chunk) Texts(column int) []Text { return values[Text](c, column) }

// Valid tells which rows of a column have a value.
func (c *Chunk) Valid(column int) Valid {
	mask := mapping.VectorGetValidity(mapping.DataChunkGetVector(c.data, mapping.IdxT(column)))
	if mask == nil {
		return nil
	}
	return unsafe.Slice((*uint64)(mask), (c.Len+63)/64)
}

func values[T any](c *Chunk, column int) []T {
	data := mapping.VectorGetData(mapping.DataChunkGetVector(c.data, mapping.IdxT(column)))
	return unsafe.Slice((*T)(data), c.Len)
}

// Text is a string as the engine has it (duckdb_string_t): its length, and then
// either up to twelve bytes, or four of them and where all of them are.
type Text struct {
	length uint32
	_      [4]byte
	_      [8]byte
}

const inlined = 12

// Bytes is the text itself, not a copy: valid as long as the chunk is.
func (t *Text) Bytes() []byte {
	if t.length <= inlined {
		return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(t), 4)), t.length)
	}
	return unsafe.Slice(*(**byte)(unsafe.Add(unsafe.Pointer(t), 8)), t.length)
}
