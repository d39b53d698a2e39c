package duckdb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// stored is a row of the table, all its columns as the driver gave them: also
// those of fields that the schema no longer has, which a merge must keep.
type stored struct{ row []driver.Value }

// keys are identities as two arrays, as a statement takes them, and the bounds
// of their times, by which the engine skips the blocks that hold none of them.
type keys struct {
	devices     []string
	times       []int64
	first, last int64
}

func (b *batch) keys(indexes []int) keys {
	k := keys{devices: make([]string, len(indexes)), times: make([]int64, len(indexes))}
	for n, i := range indexes {
		k.devices[n], k.times[n] = b.readings[i].Device, b.readings[i].TS
	}
	k.first, k.last = slices.Min(k.times), slices.Max(k.times)
	return k
}

func (k keys) args() []any { return []any{k.devices, k.times, k.first, k.last} }

const (
	withKeys  = "WITH k AS (SELECT unnest(?::VARCHAR[]) AS device, unnest(?::BIGINT[]) AS ts_ms) "
	matchKeys = "t.device = k.device AND t.ts_ms = k.ts_ms AND t.ts_ms BETWEEN ? AND ?"
)

// find returns the stored rows of the readings that are not newer than all
// that their device has, by the reading's index.
func (b *batch) find(ctx context.Context, conn *duckdb.Conn) (map[int]stored, error) {
	var late []int
	for i := range b.readings {
		if last, known := b.table.newest[b.readings[i].Device]; known && b.readings[i].TS <= last.ts {
			late = append(late, i)
		}
	}
	found := make(map[int]stored, len(late))
	if len(late) == 0 {
		return found, nil
	}
	statement := withKeys + "SELECT t.* FROM " + b.table.name + " t JOIN k ON " + matchKeys
	err := query(ctx, conn, statement, b.keys(late).args(), func(row []driver.Value) error {
		i, ok := b.index[identity{row[columnDevice].(string), row[columnTS].(int64)}]
		if _, twice := found[i]; twice || !ok {
			return fmt.Errorf("%v at %v is stored twice or was not asked for", row[columnDevice], row[columnTS])
		}
		found[i] = stored{slices.Clone(row)}
		return nil
	})
	return found, err
}

// merge writes the readings over the rows found and returns, ascending, the
// indexes of those that this changed. These rows are then as the appender
// takes them.
func (b *batch) merge(found map[int]stored) []int {
	var changed []int
	for i, s := range found {
		if b.sameAs(s.row, i) {
			continue
		}
		for c, v := range s.row {
			if text, ok := v.(string); ok {
				s.row[c] = []byte(text)
			}
		}
		b.fill(s.row, i)
		changed = append(changed, i)
	}
	slices.Sort(changed)
	return changed
}

// sameAs reports whether row holds all values of reading i.
func (b *batch) sameAs(row []driver.Value, i int) bool {
	return !slices.ContainsFunc(b.readings[i].Values, func(v telemetry.Value) bool {
		column, _ := b.table.column(v.Field)
		if v.Field.Numeric() {
			return row[column] != driver.Value(v.Num)
		}
		return row[column] != driver.Value(v.Text)
	})
}

// remove deletes the stored rows of the readings at indexes.
func (b *batch) remove(ctx context.Context, conn *duckdb.Conn, indexes []int) error {
	if len(indexes) == 0 {
		return nil
	}
	statement := withKeys + "DELETE FROM " + b.table.name + " t USING k WHERE " + matchKeys
	n, err := execute(ctx, conn, statement, b.keys(indexes).args()...)
	if err != nil {
		return err
	}
	if n != int64(len(indexes)) {
		return fmt.Errorf("removed %d rows of %d", n, len(indexes))
	}
	return nil
}
