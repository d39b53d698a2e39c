package duckdb

import (
	"maps"
	"sync"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb/hot"
)

// segment is readings that are in the log and in memory, each identity once.
// The active one of a kind is written, the others are frozen.
type segment struct {
	seq   int64 // later ones are greater
	begun int64 // Unix milliseconds of the store's clock
	table *hot.Table

	// log is the first file of the log that may hold readings of the segment.
	log uint64

	mu sync.Mutex
	// overrides counts by UTC day the rows whose identity is in an older
	// segment or part too. Of a day that is not in it, there is none.
	overrides map[int64]int64
}

func newSegment(t *table, seq, begun int64, log uint64) *segment {
	return &segment{seq: seq, begun: begun, table: hot.NewTable(t.measurement), log: log, overrides: make(map[int64]int64)}
}

// override counts a row that overrides another.
func (s *segment) override(ts int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.overrides[telemetry.DayOf(ts)]++
}

// size returns the number of rows and how many of them are overrides.
func (s *segment) size() (rows, overrides int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.overrides {
		overrides += n
	}
	return int64(s.table.Rows()), overrides
}

func (s *segment) overridesByDay() map[int64]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.overrides)
}
