package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Publisher brings readings to a server; a *publish.Fleet is one.
type Publisher interface {
	// Publish takes readings of one device and does not keep them. It may
	// return before they are acknowledged.
	Publish(ctx context.Context, ref devices.Ref, readings []telemetry.Reading) error
	// Flush returns when everything published is acknowledged.
	Flush(ctx context.Context) error
}

// Stats says how far a replay is.
type Stats struct {
	Rows     int // mapped; known at the end
	Readings int // given to the publisher
	// Beyond is how many readings hold a value beyond the schema's bounds. A
	// server puts those in quarantine.
	Beyond int
}

// batch is how many readings are published at once, which is what fits in one
// message.
const batch = 500

// Run publishes the file r, called name in errors, and waits until everything
// is acknowledged. The rows before a bad one are published all the same; see
// Read for the errors. progress may be nil; it is called after each batch.
func Run(ctx context.Context, m *Mapping, schema *devices.Schema, name string, r io.Reader, p Publisher, progress func(Stats)) (Stats, error) {
	s := sender{mapping: m, publisher: p, progress: progress, pending: make([]telemetry.Reading, 0, batch)}
	rows, err := Read(m, schema, name, r, func(r telemetry.Reading) error {
		if s.pending = append(s.pending, r); len(s.pending) < batch {
			return nil
		}
		return s.send(ctx)
	})
	s.stats.Rows = rows
	if s.broken {
		return s.stats, err
	}
	return s.stats, errors.Join(err, s.finish(ctx))
}

type sender struct {
	mapping   *Mapping
	publisher Publisher
	progress  func(Stats)
	pending   []telemetry.Reading
	stats     Stats
	broken    bool // whether publishing has gone wrong
}

func (s *sender) send(ctx context.Context) error {
	if err := s.publisher.Publish(ctx, s.mapping.Ref(), s.pending); err != nil {
		s.broken = true
		return fmt.Errorf("publish: %w", err)
	}
	s.stats.Readings += len(s.pending)
	for i := range s.pending {
		if beyond(&s.pending[i]) {
			s.stats.Beyond++
		}
	}
	s.pending = s.pending[:0]
	if s.progress != nil {
		s.progress(s.stats)
	}
	return nil
}

// finish publishes what is pending and waits for all acknowledgements.
func (s *sender) finish(ctx context.Context) error {
	if len(s.pending) > 0 {
		if err := s.send(ctx); err != nil {
			return err
		}
	}
	if err := s.publisher.Flush(ctx); err != nil {
		return fmt.Errorf("wait for acknowledgements: %w", err)
	}
	return nil
}

func beyond(r *telemetry.Reading) bool {
	return slices.ContainsFunc(r.Values, func(v telemetry.Value) bool {
		return v.Field.Numeric() && (v.Num < v.Field.Min || v.Num > v.Field.Max)
	})
}
