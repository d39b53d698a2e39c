package storetest

import (
	"context"
	"sync"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// TestModel holds the model to the suite: what the suite asks can be kept, and
// the oracle of the random cases keeps it too.
func TestModel(t *testing.T) {
	Run(t, func(t *testing.T) Store { return &shared{model: newModel(Schema(t))} })
}

// shared is a model that goroutines may use and that can be closed.
type shared struct {
	mu     sync.RWMutex
	closed bool
	model  *model
}

func (s *shared) Append(ctx context.Context, readings []telemetry.Reading) (telemetry.Appended, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return telemetry.Appended{}, telemetry.ErrClosed
	}
	return s.model.Append(ctx, readings)
}

func (s *shared) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return telemetry.ErrClosed
	}
	return s.model.Range(ctx, q, yield)
}

func (s *shared) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, telemetry.ErrClosed
	}
	return s.model.Latest(ctx, q)
}

func (s *shared) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, telemetry.ErrClosed
	}
	return s.model.Aggregate(ctx, q)
}

func (s *shared) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
