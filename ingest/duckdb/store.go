// Package duckdb is the embedded telemetry store: a log and tables in memory for
// what came of late, and Parquet files for each kind of device and day, into
// which they are sealed in the background; DuckDB writes and reads the files.
// See LAYOUT.md. It implements telemetry.Appender and telemetry.Reader, and
// promises that a reading is on disk when Append returns and that no identity
// is stored twice. It knows nothing of where readings come from or of what is
// computed from them, and it shares its directory with no other process.
package duckdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/dirlock"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Options are the settings of a store. The zero value of each is its default.
type Options struct {
	Logger      *slog.Logger // default: discard
	MemoryLimit string       // what DuckDB may hold in memory, a number with its unit; default "1GB". Reads have half of it

	// CacheBytes is how much is remembered, beside that, of what was read of
	// single devices from sealed files, so that the same days need not be read
	// again; default 32 MiB, below 0: nothing.
	CacheBytes int64

	// Retention is for how long readings are kept; 0: forever. UTC days that
	// end before it are removed whole. A reading that is older when it is
	// appended is stored all the same, and gone with the next compaction.
	Retention time.Duration
	// SegmentRows is from how many rows on a segment is sealed into Parquet
	// files; default 500,000. They are in memory until then, at some 100 bytes
	// for a row of ten fields, and up to three segments of a kind are. Less makes
	// more files to merge.
	SegmentRows int64
	// CompactEvery is how often the store looks for days to seal, merge and
	// remove; default one minute.
	CompactEvery time.Duration
	Now          func() time.Time // default time.Now

	tile  int64                   // rows of a part that a large set is divided into, about
	fault func(step string) error // called at each step of a compaction, by tests
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MemoryLimit == "" {
		o.MemoryLimit = "1GB"
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.SegmentRows <= 0 {
		o.SegmentRows = 500_000
	}
	if o.CompactEvery <= 0 {
		o.CompactEvery = time.Minute
	}
	if o.tile <= 0 {
		o.tile = tileRows
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Store is a telemetry store in a directory. It may be used by several
// goroutines: reads run beside each other and beside the one Append that runs
// at a time.
type Store struct {
	schema *devices.Schema
	log    *slog.Logger
	path   string // of the database file
	opts   Options
	lock   *dirlock.Lock
	page   int64 // rows of a page of a read

	// turn is held by the one Append that runs; a channel, so that waiting for
	// it ends with the context.
	turn chan struct{}

	// life ends when Close is called and takes the reads in progress with it.
	life context.Context
	end  context.CancelFunc

	// The halves of a compaction, and those of them that run by themselves.
	sealing, merging *half
	running          sync.WaitGroup
	counts           counts

	// gate is held for reading by every call that uses the engine, and for
	// writing by those that replace or close it.
	gate   sync.RWMutex
	engine *engine // nil once closed, and while a broken one could not be replaced
	closed bool
}

var (
	_ telemetry.Appender = (*Store)(nil)
	_ telemetry.Reader   = (*Store)(nil)
)

// Open opens the store in dir, which is made where it does not exist, and
// brings its tables up to schema: a new field becomes a column, a column that
// the schema does not have any more is left alone. It is an error if a field
// has changed between text and number, and dirlock.ErrInUse if the directory is open
// elsewhere, in this process or another.
func Open(ctx context.Context, dir string, schema *devices.Schema, opts Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open telemetry store: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open telemetry store: %w", err)
	}
	lock, err := dirlock.Take(dir, "telemetry.lock")
	if err != nil {
		return nil, fmt.Errorf("open telemetry store: %w", err)
	}
	opts = opts.withDefaults()
	s := &Store{
		schema: schema,
		log:    opts.Logger,
		path:   filepath.Join(dir, "telemetry.duckdb"),
		opts:   opts,
		lock:   lock,
		page:   pageRows,
		turn:   make(chan struct{}, 1),
	}
	s.sealing, s.merging = newHalf(sealingHalf, s.sealKind), newHalf(mergingHalf, s.mergeKind)
	if s.engine, err = openEngine(ctx, s.path, schema, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("open telemetry store: %w", err), lock.Release())
	}
	s.life, s.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, h := range []*half{s.sealing, s.merging} {
		s.running.Go(func() { s.repeat(h) })
	}
	return s, nil
}

// Close ends the reads and the compaction in progress, waits for an Append in
// progress, and closes what is open. Calls after it return
// telemetry.ErrClosed; a second Close does nothing.
func (s *Store) Close() error {
	s.end()
	s.running.Wait()
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.engine != nil {
		err = brief(s.engine.close())
		s.engine = nil
	}
	if err = errors.Join(err, s.lock.Release()); err != nil {
		return fmt.Errorf("close telemetry store: %w", err)
	}
	return nil
}

// use calls fn with the engine, which stays open until fn returns, and with a
// context that also ends when the store is closed. It is where errors of the
// engine become those of the contract, and where what a broken engine said is
// taken back.
func (s *Store) use(ctx context.Context, fn func(context.Context, *engine) error) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	switch {
	case s.closed || s.life.Err() != nil:
		return telemetry.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case s.engine == nil || !s.engine.sound():
		return fmt.Errorf("%w: the database is to be opened again by the next append", telemetry.ErrUnavailable)
	}
	callCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	err := fn(callCtx, s.engine)
	switch {
	case err == nil && s.engine.sound():
		return nil
	case err == nil:
		return fmt.Errorf("%w: the database broke during the call", telemetry.ErrUnavailable)
	case ctx.Err() != nil:
		return ctx.Err()
	case callCtx.Err() != nil:
		return telemetry.ErrClosed
	}
	return classify(err)
}

// replaceEngine opens the database anew where the engine is broken. The caller
// holds turn.
func (s *Store) replaceEngine(ctx context.Context) error {
	s.gate.RLock()
	closed, usable := s.closed, s.engine != nil && s.engine.sound()
	s.gate.RUnlock()
	if closed || usable {
		return nil
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.engine != nil {
		if err := s.engine.close(); err != nil {
			s.log.Warn("close broken telemetry database", "err", brief(err))
		}
		s.engine = nil
	}
	e, err := openEngine(ctx, s.path, s.schema, s.opts)
	if err != nil {
		return fmt.Errorf("%w: open the database again: %w", telemetry.ErrUnavailable, err)
	}
	s.engine = e
	s.log.Info("telemetry database opened again")
	return nil
}
