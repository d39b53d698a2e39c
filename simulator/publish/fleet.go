// Package publish is a fleet of real MQTT clients: it takes the readings and
// events of devices and brings each of them to a broker at QoS 1, however often
// the connection breaks. It counts what was acknowledged and can write it down,
// to be compared with what a server has.
//
// It knows the wire contract and nothing of where readings come from.
package publish

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// ErrClosed says that the fleet was closed.
var ErrClosed = errors.New("fleet closed")

// Stats counts since the fleet was made. What is published and not
// acknowledged is on its way.
type Stats struct {
	Published     int64 // messages of telemetry and events given to a connection
	Acked         int64 // of those, acknowledged
	Readings      int64 // in the published messages
	ReadingsAcked int64
	Events        int64
	EventsAcked   int64
	Resent        int64 // messages sent again after a lost connection
	Lost          int64 // connections lost
	SignInRefused int64 // of Do's attempts with a wrong password
	SignInLetIn   int64 // likewise
}

type counters struct {
	published, acked, readings, readingsAcked, events, eventsAcked, resent, lost, refused, letIn atomic.Int64
}

// Fleet publishes for any number of devices. Its methods may be called by
// several goroutines; the messages of one device arrive in the order of the
// calls, but for those sent again.
type Fleet struct {
	opts    Options
	ctx     context.Context
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	dialing chan struct{}       // holds a token for each handshake under way
	room    *semaphore.Weighted // bytes of payload
	counts  counters
	ledger  *ledger
	telling sync.Mutex // held while Progress runs

	mu          sync.Mutex
	closed      bool
	connections map[devices.Ref]*connection // by device
	shared      []*connection
	outstanding int           // messages accepted and not acknowledged
	idle        chan struct{} // closed when outstanding comes down to 0
}

// maxDialing bounds the handshakes under way at once.
const maxDialing = 64

// New checks opts and returns a fleet without any connection: one is opened
// when it is first needed. Close must be called.
func New(opts Options) (*Fleet, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	f := &Fleet{
		opts:        opts,
		dialing:     make(chan struct{}, maxDialing),
		room:        semaphore.NewWeighted(opts.MaxBytes),
		ledger:      newLedger(opts.Ledger),
		connections: make(map[devices.Ref]*connection),
		idle:        make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	for i := range opts.Connections {
		f.shared = append(f.shared, newConnection(f, devices.Ref{}, fmt.Sprintf("%s-gateway-%d", opts.ClientPrefix, i+1)))
	}
	return f, nil
}

// Connect opens the connections of devices, or all shared ones, and waits for
// the first attempt of each. Its error joins those that failed, which go on
// trying all the same: it is for callers who would rather give up.
func (f *Fleet) Connect(ctx context.Context, refs ...devices.Ref) error {
	open := f.shared
	if f.opts.Connections == 0 {
		open = nil
		for _, ref := range refs {
			c, err := f.connection(ref)
			if err != nil {
				return err
			}
			open = append(open, c)
		}
	}
	for _, c := range open {
		if err := f.start(c); err != nil {
			return err
		}
	}
	var errs []error
	for _, c := range open {
		select {
		case <-c.tried:
			errs = append(errs, c.firstErr)
		case <-ctx.Done():
			return ctx.Err()
		case <-f.ctx.Done():
			return ErrClosed
		}
	}
	return errors.Join(errs...)
}

// Publish sends readings of one device: a single one as an object, more in
// arrays of at most 500 readings and 512 KiB. It returns when the messages are
// with the connection, not when they are acknowledged (see Flush), and blocks
// while too much is on its way. The readings are not kept.
func (f *Fleet) Publish(ctx context.Context, ref devices.Ref, readings []telemetry.Reading) error {
	p := newPile(ref, wire.Telemetry, f.ledger != nil)
	for i := range readings {
		if p.reading(&readings[i]) {
			continue
		}
		if err := f.send(ctx, p.seal()); err != nil {
			return err
		}
		p = newPile(ref, wire.Telemetry, f.ledger != nil)
		p.reading(&readings[i])
	}
	if p.records == 0 {
		return nil
	}
	return f.send(ctx, p.seal())
}

// PublishEvent sends one event, under the terms of Publish.
func (f *Fleet) PublishEvent(ctx context.Context, e telemetry.Event) error {
	p := newPile(e.Ref(), wire.Event, f.ledger != nil)
	p.event(&e)
	return f.send(ctx, p.seal())
}

// Flush waits until everything published so far is acknowledged. It returns
// the context's error, ErrClosed, or what went wrong with the ledger.
func (f *Fleet) Flush(ctx context.Context) error {
	for {
		f.mu.Lock()
		left, idle := f.outstanding, f.idle
		f.mu.Unlock()
		if left == 0 {
			return f.ledger.flush()
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("%d messages not acknowledged: %w", left, ctx.Err())
		case <-f.ctx.Done():
			return fmt.Errorf("%d messages not acknowledged: %w", left, ErrClosed)
		}
	}
}

// Stats returns the counts so far.
func (f *Fleet) Stats() Stats {
	c := &f.counts
	// Acknowledgements first, so that none is counted before its message.
	s := Stats{
		Acked: c.acked.Load(), ReadingsAcked: c.readingsAcked.Load(), EventsAcked: c.eventsAcked.Load(),
		Resent: c.resent.Load(), Lost: c.lost.Load(), SignInRefused: c.refused.Load(), SignInLetIn: c.letIn.Load(),
	}
	s.Published, s.Readings, s.Events = c.published.Load(), c.readings.Load(), c.events.Load()
	return s
}

// Close says goodbye on every connection and waits for them to end. What is
// not acknowledged by then is given up, and an error says how much: call Flush
// before. Closing again does nothing.
func (f *Fleet) Close() error {
	f.mu.Lock()
	again := f.closed
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.wait.Wait()
	if again {
		return nil
	}
	f.mu.Lock()
	left := f.outstanding
	f.mu.Unlock()
	if left > 0 {
		return errors.Join(fmt.Errorf("publish: %d messages not acknowledged", left), f.ledger.flush())
	}
	return f.ledger.flush()
}

// connection returns the one that a device publishes on.
func (f *Fleet) connection(ref devices.Ref) (*connection, error) {
	if f.opts.Connections > 0 {
		h := fnv.New32a()
		h.Write([]byte(ref.String()))
		return f.shared[h.Sum32()%uint32(len(f.shared))], nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	c := f.connections[ref]
	if c == nil {
		c = newConnection(f, ref, fmt.Sprintf("%s-%s-%s", f.opts.ClientPrefix, ref.Kind, ref.ID))
		f.connections[ref] = c
	}
	return c, nil
}

// start runs a connection, once.
func (f *Fleet) start(c *connection) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	if !c.running {
		c.running = true
		f.wait.Go(func() { c.run(f.ctx) })
	}
	return nil
}

func (f *Fleet) send(ctx context.Context, m *message) error {
	c, err := f.connection(m.ref)
	if err != nil {
		return err
	}
	if err := f.start(c); err != nil {
		return err
	}
	ctx, stop := f.untilClosed(ctx)
	defer stop()
	m.size = min(int64(len(m.payload)), f.opts.MaxBytes)
	if err := f.room.Acquire(ctx, m.size); err != nil {
		return f.reason(err)
	}
	f.counts.published.Add(1)
	records := &f.counts.readings
	if m.channel == wire.Event {
		records = &f.counts.events
	}
	records.Add(int64(m.records))
	f.mu.Lock()
	f.outstanding++
	f.mu.Unlock()
	select {
	case c.queue <- m:
		return nil
	case <-ctx.Done():
		f.counts.published.Add(-1)
		records.Add(-int64(m.records))
		f.release(m)
		return f.reason(ctx.Err())
	}
}

// untilClosed is ctx, ended also by Close.
func (f *Fleet) untilClosed(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(f.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (f *Fleet) reason(err error) error {
	if f.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// acknowledged books a message that the broker has taken.
func (f *Fleet) acknowledged(m *message) {
	f.ledger.write(m)
	if m.channel == wire.Event {
		f.counts.eventsAcked.Add(int64(m.records))
	} else {
		f.counts.readingsAcked.Add(int64(m.records))
	}
	f.counts.acked.Add(1)
	f.release(m)
	if f.opts.Progress != nil && f.telling.TryLock() {
		f.opts.Progress(f.Stats())
		f.telling.Unlock()
	}
}

// release gives back what a message held.
func (f *Fleet) release(m *message) {
	f.room.Release(m.size)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outstanding--
	if f.outstanding == 0 {
		close(f.idle)
		f.idle = make(chan struct{})
	}
}
