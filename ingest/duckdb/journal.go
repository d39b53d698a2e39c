package duckdb

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

// A frame of the log is what one Append writes: the length of the first frame
// of readings, that frame, and a second one of those that override a reading of
// an older segment or part, which are whole. Either may be of no readings.

// record encodes what an Append writes.
func (e *engine) record(plain, overriding []telemetry.Reading) []byte {
	e.scratch = e.encoder.Append(e.scratch[:0], plain)
	e.frame = binary.AppendUvarint(e.frame[:0], uint64(len(e.scratch)))
	e.frame = append(e.frame, e.scratch...)
	if len(overriding) > 0 {
		e.frame = e.encoder.Append(e.frame, overriding)
	}
	return e.frame
}

var errFrame = errors.New("malformed frame in the log")

// playback calls yield with each reading of a frame.
func playback(frame []byte, schema *devices.Schema, yield func(r *telemetry.Reading, overrides bool) error) error {
	n, size := binary.Uvarint(frame)
	if size <= 0 || n > uint64(len(frame)-size) {
		return errFrame
	}
	plain, overriding := frame[size:size+int(n)], frame[size+int(n):]
	if err := hot.Decode(plain, schema, func(r *telemetry.Reading) error { return yield(r, false) }); err != nil {
		return err
	}
	if len(overriding) == 0 {
		return nil
	}
	return hot.Decode(overriding, schema, func(r *telemetry.Reading) error { return yield(r, true) })
}

// replay reads what is in the log and in no part yet into the active segments.
// sealed is, by kind, the last file whose readings of that kind are in parts.
func (e *engine) replay(v *version, schema *devices.Schema, sealed map[devices.Kind]uint64) error {
	for _, last := range sealed {
		e.wal.Advance(last)
	}
	files, err := e.wal.Files()
	if err != nil {
		return fmt.Errorf("list the log: %w", err)
	}
	for _, seq := range files {
		err := e.wal.Replay(seq, func(frame []byte) error {
			return playback(frame, schema, func(r *telemetry.Reading, overrides bool) error {
				if seq <= sealed[r.Kind] {
					return nil
				}
				s := v.layouts[r.Kind].active()
				o, err := s.table.Put(r)
				if err != nil {
					return err
				}
				if overrides && o == hot.Added {
					s.override(r.TS)
				}
				e.tables[r.Kind].advance(r.Device, r.TS)
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// trimLog removes the files of the log whose readings are all in parts. The
// caller holds the store's turn.
func (e *engine) trimLog() error {
	last := e.wal.Last()
	for _, l := range e.versions.current().layouts {
		for _, s := range l.segments {
			if rows, _ := s.size(); rows > 0 {
				last = min(last, s.log-1)
			}
		}
	}
	return e.wal.Remove(last)
}
