package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// cancelCheckRows is after how many rows an append looks at its context.
const cancelCheckRows = 4096

// Append commits readings in one transaction: all or none. It returns when
// DuckDB has synced its log to disk. One Append runs at a time, others wait.
//
// A reading newer than all that its device has is written as it is. The
// others, late or repeated, are looked up and merged; where merging changes
// nothing, nothing is written.
func (s *Store) Append(ctx context.Context, readings []telemetry.Reading) (telemetry.Appended, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return telemetry.Appended{}, fmt.Errorf("append batch: %w", ctx.Err())
	}
	if err := s.replaceEngine(ctx); err != nil {
		return telemetry.Appended{}, fmt.Errorf("append batch: %w", err)
	}
	var done telemetry.Appended
	err := s.use(ctx, func(ctx context.Context, e *engine) error {
		batches, rejected := fold(e, readings)
		fresh, err := e.write(ctx, batches)
		if err != nil {
			return err
		}
		done = telemetry.Appended{New: fresh, Merged: len(readings) - len(rejected) - fresh, Rejected: rejected}
		return nil
	})
	if err != nil {
		return telemetry.Appended{}, fmt.Errorf("append batch: %w", err)
	}
	return done, nil
}

// write carries out batches in one transaction and returns the number of
// identities that were not there before.
func (e *engine) write(ctx context.Context, batches []*batch) (fresh int, err error) {
	if len(batches) == 0 {
		return 0, nil
	}
	tx, err := begin(ctx, e.writer)
	if err != nil {
		return 0, e.doubt(err)
	}
	written := 0
	for _, b := range batches {
		n, w, err := b.write(ctx, e.writer)
		if err != nil {
			return 0, e.abandon(tx, err)
		}
		fresh += n
		written += w
	}
	if err := ctx.Err(); err != nil || written == 0 {
		return 0, e.abandon(tx, err)
	}
	if err := e.commit(tx); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	for _, b := range batches {
		b.advance()
	}
	return fresh, nil
}

// abandon rolls tx back because of err, which may be nil.
func (e *engine) abandon(tx driver.Tx, err error) error {
	if rollback := tx.Rollback(); rollback != nil {
		e.distrust()
		err = errors.Join(err, fmt.Errorf("roll back: %w", rollback))
	}
	return e.doubt(err)
}

// doubt marks the engine broken if err says that it will do no more.
func (e *engine) doubt(err error) error {
	var cause *duckdb.Error
	if errors.As(err, &cause) && (cause.Type == duckdb.ErrorTypeFatal || cause.Type == duckdb.ErrorTypeInternal) {
		e.distrust()
	}
	return err
}

// write looks up what may be stored already, removes the rows that change and
// appends these and the new ones. It returns the number of new identities and
// the number of rows written.
func (b *batch) write(ctx context.Context, conn *duckdb.Conn) (fresh, written int, err error) {
	found, err := b.find(ctx, conn)
	if err != nil {
		return 0, 0, fmt.Errorf("look up late readings: %w", err)
	}
	changed := b.merge(found)
	if err := b.remove(ctx, conn, changed); err != nil {
		return 0, 0, fmt.Errorf("remove merged readings: %w", err)
	}
	fresh = len(b.readings) - len(found)
	if fresh+len(changed) == 0 {
		return 0, 0, nil
	}
	if err := b.appendRows(ctx, conn, found, changed); err != nil {
		return 0, 0, err
	}
	return fresh, fresh + len(changed), nil
}

// appendRows writes the changed rows and the readings that were not found.
func (b *batch) appendRows(ctx context.Context, conn *duckdb.Conn, found map[int]stored, changed []int) (err error) {
	appender, err := duckdb.NewAppender(conn, "", "", string(b.table.measurement.Kind))
	if err != nil {
		return err
	}
	// Close sends the last rows to the transaction, so its error counts.
	defer func() { err = errors.Join(err, appender.Close()) }()
	for _, i := range changed {
		if err := appender.AppendRow(found[i].row...); err != nil {
			return err
		}
	}
	row := make([]driver.Value, b.table.width)
	for i := range b.readings {
		if i%cancelCheckRows == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, old := found[i]; old {
			continue
		}
		clear(row)
		b.fill(row, i)
		if err := appender.AppendRow(row...); err != nil {
			return err
		}
	}
	return nil
}

// fill writes reading i over row, in which other columns stay as they are.
func (b *batch) fill(row []driver.Value, i int) {
	r := &b.readings[i]
	if last, known := b.table.newest[r.Device]; known {
		row[columnDevice] = last.name
	} else {
		row[columnDevice] = []byte(r.Device)
	}
	row[columnTS] = r.TS
	for _, v := range r.Values {
		if column, ok := b.table.column(v.Field); ok {
			row[column] = valueOf(v)
		}
	}
}

// valueOf is v as the appender takes it: text as bytes, since a string would
// end at its first zero byte, and a negative zero as zero.
func valueOf(v telemetry.Value) driver.Value {
	switch {
	case !v.Field.Numeric():
		return []byte(v.Text)
	case v.Num == 0:
		return 0.0
	}
	return v.Num
}
