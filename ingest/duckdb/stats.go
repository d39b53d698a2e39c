package duckdb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Stats is the size of a store and the work of its compaction.
type Stats struct {
	Rows  map[devices.Kind]int64 // readings of each kind
	Bytes int64                  // on disk: the log and the sealed files

	Hot, Sealed Size
	Segments    int // in memory, the active ones included
	Parts       int // sealed files

	Cache      Cache
	Compaction Compaction
}

// Size is how much of a store is hot or sealed. An overridden row counts until
// it is merged away.
type Size struct{ Rows, Bytes int64 }

// Cache is what is remembered of parts, of devices that are read one by one.
type Cache struct {
	Bytes  int64 // of memory
	Blocks int   // of one part and device each

	// How many blocks were there when they were asked for, and how many were
	// not, since the database was opened.
	Hits, Misses int64
}

// Compaction counts what was done since the store was opened.
type Compaction struct {
	Seals   int64   // segments written to parts
	Merges  int64   // runs of parts made into one
	Expired int64   // parts removed because of retention
	Failed  int64   // passes that did not finish
	Seconds float64 // spent

	// Why the last pass of each half did not finish; empty if it did. While
	// readings can't be sealed they stay in memory, until there is no more room;
	// while files can't be merged, reads get slower.
	SealTrouble, MergeTrouble string
}

// counts is Compaction as it is written.
type counts struct {
	merges, expired atomic.Int64

	mu      sync.Mutex
	seals   int64
	next    chan struct{} // closed with the next seal; nil: nobody waits
	failed  int64
	spent   time.Duration
	trouble map[string]string // by half
}

func (c *counts) pass(h *half, spent time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent += spent
	delete(c.trouble, h.name)
	if err != nil {
		c.failed++
		if c.trouble == nil {
			c.trouble = make(map[string]string)
		}
		c.trouble[h.name] = err.Error()
	}
}

// seal counts a segment that was sealed.
func (c *counts) seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seals++
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// sealed is closed when the next segment is sealed.
func (c *counts) sealed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

func (c *counts) read() Compaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Compaction{
		Seals: c.seals, Merges: c.merges.Load(), Expired: c.expired.Load(),
		Failed: c.failed, Seconds: c.spent.Seconds(), SealTrouble: c.trouble[sealingHalf], MergeTrouble: c.trouble[mergingHalf],
	}
}

// Stats tells what is stored, from memory and the sizes of the log's files. Readings
// that are past retention and not sealed yet may make Rows inexact.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Rows: make(map[devices.Kind]int64)}
	err := s.use(ctx, func(_ context.Context, e *engine) (err error) {
		for kind, l := range e.versions.current().layouts {
			st.Rows[kind] = st.add(l)
		}
		st.Cache = e.blocks.read()
		st.Hot.Bytes, err = e.wal.Size()
		return err
	})
	if err != nil {
		return Stats{}, fmt.Errorf("telemetry store stats: %w", err)
	}
	st.Bytes = st.Hot.Bytes + st.Sealed.Bytes
	st.Compaction = s.counts.read()
	return st, nil
}

// add counts l in and returns the number of its readings.
func (st *Stats) add(l *layout) (readings int64) {
	for _, seg := range l.segments {
		rows, overrides := seg.size()
		st.Segments++
		st.Hot.Rows += rows
		readings += rows - overrides
	}
	for _, p := range l.parts {
		st.Parts++
		st.Sealed.Rows += p.rows
		st.Sealed.Bytes += p.bytes
		readings += p.rows - p.overrides
	}
	return readings
}
