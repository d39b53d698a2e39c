// Package presence knows, of each device, when it was last heard, whether it is
// there, how old its newest reading is, and how far its clock is off. It learns
// all that from the messages themselves, keeps it in memory to answer within a
// message's time, and in an SQLite file of its own to know it after a restart.
//
// It knows nothing of brokers, of stores or of who owns a device. One process at
// a time may have its file open.
package presence

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options adjust a tracker. The zero value is ready to use.
type Options struct {
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nothing is logged

	// Silence is how long a device of a kind may be silent before it is offline.
	// Kinds that are absent, or have none, learn it from each device: three times
	// its usual pause, within a minute and a day.
	Silence map[devices.Kind]time.Duration
	// Preset is what is allowed to a device whose pace is not learned yet;
	// default 15 min.
	Preset time.Duration
	// StaleAfter is how old the newest reading of a device that is there may be;
	// default 1 h. It is never less than the silence that is allowed.
	StaleAfter time.Duration

	// Registered lists the registered devices, in any order; List and Counts call
	// it to know who was never heard. nil: they know those that were.
	Registered func(ctx context.Context) ([]devices.Ref, error)

	// Newest yields the devices of which readings are stored, each with the time of
	// the newest in Unix ms. Open calls it where the file holds no presence yet, as
	// after an upgrade from a release without, to take those for when the devices
	// were last heard. An error is logged, and the devices are never heard until
	// they are. nil: they all are.
	Newest func(ctx context.Context, yield func(ref devices.Ref, newestMS int64)) error

	MaxDevices int           // that are followed; default 200,000, some 500 bytes each
	SaveEvery  time.Duration // how often Run saves; default 1 min
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Preset <= 0 {
		o.Preset = 15 * time.Minute
	}
	if o.StaleAfter <= 0 {
		o.StaleAfter = time.Hour
	}
	if o.MaxDevices <= 0 {
		o.MaxDevices = 200_000
	}
	if o.SaveEvery <= 0 {
		o.SaveEvery = time.Minute
	}
	return o
}

// shards part the devices, so that the connections that decode at the same time
// seldom wait for each other.
const shards = 64

// Tracker follows devices. Goroutines may share it.
type Tracker struct {
	opts   Options
	preset int64 // milliseconds
	db     *database.DB
	parts  [shards]part

	devices   atomic.Int64
	untracked atomic.Uint64
	steps     atomic.Uint64 // changes of a correction
	corrected atomic.Uint64 // answers of Offset that are not 0

	changed    atomic.Bool // some clock differs from the file
	mu         sync.Mutex
	unsaved    map[devices.Ref]struct{} // which, but for those that are being written
	saving     sync.Mutex               // held over a write of presence
	persisting sync.Mutex               // held over a write of clocks
}

type part struct {
	mu      sync.Mutex
	devices map[devices.Ref]*device
	_       [48]byte // keeps the locks in cache lines of their own
}

// device is all that is known of one.
type device struct {
	seen  seen
	fresh bool   // seen differs from the file
	clock *clock // nil: no message carried a time of sending
}

// Open opens the tracker in the file at path, which is made where there is none,
// and reads what was saved, or else what is stored.
func Open(ctx context.Context, path string, opts Options) (*Tracker, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open presence: %w", err)
	}
	db, err := database.Open(ctx, path, database.Options{Migrations: files})
	if err != nil {
		return nil, fmt.Errorf("open presence: %w", err)
	}
	t := &Tracker{opts: opts.withDefaults(), db: db, unsaved: make(map[devices.Ref]struct{})}
	t.preset = t.opts.Preset.Milliseconds()
	for i := range t.parts {
		t.parts[i].devices = make(map[devices.Ref]*device)
	}
	saved, err := t.load(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load presence: %w", err), db.Close())
	}
	if saved == 0 && t.opts.Newest != nil {
		t.seed(ctx)
	}
	return t, nil
}

// Close releases the file; what was not saved is lost. It may be called twice.
func (t *Tracker) Close() error { return t.db.Close() }

// Observe notes a message of a device that was let in, after it was committed. d
// is what it held, receivedMS its arrival in Unix ms. Messages may come in any
// order. It answers from memory and keeps nothing of d.
func (t *Tracker) Observe(ref devices.Ref, receivedMS int64, d *wire.Decoded) {
	if d.Records() == 0 {
		return
	}
	p := t.part(ref)
	p.mu.Lock()
	defer p.mu.Unlock()
	if dev := t.device(p, ref); dev != nil {
		dev.seen.take(receivedMS, d, t.fixed(ref.Kind), t.preset)
		dev.fresh = true
	}
}

// Offset is what to add to the times in a message of ref, in milliseconds, given
// the device's clock when it sent it and the server's when it was received. It
// is the same for a message and its duplicates. A change of what it answers is on
// disk after the next Persist, which must come before the acknowledgement of
// whatever was corrected. It answers from memory.
func (t *Tracker) Offset(ref devices.Ref, sentMS, receivedMS int64, redelivered bool) int64 {
	p := t.part(ref)
	p.mu.Lock()
	defer p.mu.Unlock()
	dev := t.device(p, ref)
	if dev == nil {
		return 0
	}
	if dev.clock == nil {
		dev.clock = newClock()
	}
	offset, changed := dev.clock.offset(sentMS, receivedMS, redelivered)
	if changed {
		t.steps.Add(1)
		t.mu.Lock()
		t.unsaved[ref] = struct{}{}
		t.changed.Store(true)
		t.mu.Unlock()
	}
	if offset != 0 {
		t.corrected.Add(1)
	}
	return offset
}

// Run saves presence now and then until ctx ends, and once more then. A crash
// loses what was heard since the last save, until the devices are heard again,
// and never a clock. A save that fails is logged and done again the next time.
func (t *Tracker) Run(ctx context.Context) error {
	tick := time.NewTicker(t.opts.SaveEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return t.Save(last)
		}
		err := t.Save(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			t.opts.Logger.Error("presence can't be saved", "err", err)
		}
		failing = err != nil
	}
}

// device is the device of that name; nil where there is none and no room for
// another. p.mu is held.
func (t *Tracker) device(p *part, ref devices.Ref) *device {
	if dev := p.devices[ref]; dev != nil {
		return dev
	}
	if t.devices.Add(1) > int64(t.opts.MaxDevices) {
		t.devices.Add(-1)
		t.untracked.Add(1)
		return nil
	}
	dev := &device{}
	p.devices[ref] = dev
	return dev
}

// part is told by the end of the id, where ids differ most; a map that holds too
// much is only a lock that is waited for longer.
func (t *Tracker) part(ref devices.Ref) *part {
	n := len(ref.ID)
	if n < 2 {
		return &t.parts[0]
	}
	return &t.parts[(uint(ref.ID[n-1])+11*uint(ref.ID[n-2]))%shards]
}

// fixed is the silence allowed to a kind by configuration; 0: it is learned.
func (t *Tracker) fixed(k devices.Kind) int64 { return t.opts.Silence[k].Milliseconds() }
