package ingest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// ErrClosed says that the pipeline takes no more messages.
var ErrClosed = errors.New("ingest is closed")

// Options configure a pipeline. Decoder, Store, Directory, Journal, Quarantine
// and Now are required.
type Options struct {
	Decoder    *wire.Decoder
	Store      telemetry.Appender
	Directory  Directory
	Journal    Journal
	Quarantine Quarantine
	Clock      Clock    // nil: the decoder corrects no clocks
	Observer   Observer // nil: nobody follows
	Now        func() time.Time
	Logger     *slog.Logger
	Metrics    *Metrics // nil: not measured

	AdmitUnknown    bool  // register unknown devices as unclaimed; otherwise quarantine what they send
	MaxPendingBytes int64 // memory that uncommitted messages may hold; default 64 MiB
	MaxBatch        int   // records committed at once; default 50,000
}

// Pipeline decodes messages where they arrive, commits them in groups, and
// acknowledges each after its commit.
//
// The size of a group adapts by itself: while one is being committed, the next
// gathers. An idle pipeline commits a single message at once.
type Pipeline struct {
	opts    Options
	decode  chan struct{}       // slots for decoding: bounds memory that is not yet in the budget
	budget  *semaphore.Weighted // bytes of pending messages
	books   books
	trouble trouble
	waiting atomic.Int64 // messages
	held    atomic.Int64 // bytes of the budget

	mu     sync.Mutex
	queue  []item
	closed bool
	wake   chan struct{}
}

// item is a decoded message that waits for its commit.
type item struct {
	msg     Message
	device  devices.Ref // zero where the topic names none
	decoded wire.Decoded
	known   bool // the device, when the message came
	enroll  bool
	refused wire.Reason
	cost    int64

	refusals int // readings that the store would not take
}

// New returns a pipeline. Run must be called for anything to be committed.
func New(opts Options) *Pipeline {
	if opts.MaxPendingBytes <= 0 {
		opts.MaxPendingBytes = 64 << 20
	}
	if opts.MaxBatch <= 0 {
		opts.MaxBatch = 50_000
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Pipeline{
		opts:   opts,
		decode: make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		budget: semaphore.NewWeighted(opts.MaxPendingBytes),
		wake:   make(chan struct{}, 1),
	}
}

// Submit decodes m and queues it for the next commit. It blocks while the
// pending messages fill their memory: that is the back-pressure a source passes
// on to its senders. It returns ErrClosed or the context's error where m was not
// taken; Done is then never called.
//
// Messages submitted one after the other by one goroutine are committed and
// acknowledged in that order.
func (p *Pipeline) Submit(ctx context.Context, m Message) error {
	select {
	case p.decode <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.decode }()
	return p.queueUp(ctx, p.open(m))
}

// SubmitDecoded is Submit for a message of another protocol, whose host has
// taken it apart. The host answers for readings and events being of t.Device
// and within the schema; whether the sender may speak for the device, and
// whether the device is taken in, is decided here.
func (p *Pipeline) SubmitDecoded(ctx context.Context, m Message, t Translated) error {
	it := item{msg: m, device: t.Device, decoded: t.Decoded}
	if t.Device != (devices.Ref{}) {
		it.decoded = wire.Decoded{}
		if p.admit(&it) {
			it.decoded = t.Decoded
			it.enroll = it.enroll && substantial(&t.Decoded)
		}
	}
	return p.queueUp(ctx, it)
}

func (p *Pipeline) queueUp(ctx context.Context, it item) error {
	it.cost = min(cost(&it), p.opts.MaxPendingBytes)
	if err := p.budget.Acquire(ctx, it.cost); err != nil {
		return err
	}
	if !p.enqueue(it) {
		p.budget.Release(it.cost)
		return ErrClosed
	}
	return nil
}

func (p *Pipeline) enqueue(it item) bool {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return false
	}
	// Counted under the same lock as queued, so that the committer can't settle
	// what was not yet received.
	p.books.receive(it.decoded.Records())
	p.queue = append(p.queue, it)
	p.mu.Unlock()
	p.waiting.Add(1)
	p.held.Add(it.cost)
	p.signal()
	return true
}

func (p *Pipeline) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// open takes the message apart. Whatever is wrong with it becomes a fault.
func (p *Pipeline) open(m Message) item {
	it := item{msg: m}
	topic, err := wire.ParseTopic(m.Topic)
	if err != nil {
		it.fault(wire.ReasonUnknownTopic, err.Error())
		return it
	}
	it.device = topic.Device
	if !p.admit(&it) {
		return it
	}
	switch topic.Channel {
	case wire.Telemetry:
		it.decoded = p.opts.Decoder.Telemetry(topic.Device, m.Payload, m.ReceivedMS, m.Redelivered)
	case wire.Event:
		it.decoded = p.opts.Decoder.Events(topic.Device, m.Payload, m.ReceivedMS)
	case wire.Status:
		it.decoded = p.opts.Decoder.Status(topic.Device, m.Payload, m.ReceivedMS)
	}
	detach(&it.decoded, m.Payload)
	it.enroll = it.enroll && substantial(&it.decoded)
	return it
}

// MaySpeak reports whether the sender may publish for the device, by the registry
// of this moment. Every message is judged by it when it is submitted; it is for a
// host that has to know before that.
func (p *Pipeline) MaySpeak(sender Principal, ref devices.Ref) bool {
	gateway, _ := p.opts.Directory.Lookup(ref)
	return sender.maySpeak(ref, gateway)
}

// admit decides whether the sender may speak for the item's device, and whether
// the device is taken in. If not, the item is a fault.
func (p *Pipeline) admit(it *item) bool {
	gateway, known := p.opts.Directory.Lookup(it.device)
	switch {
	case !it.msg.Principal.maySpeak(it.device, gateway):
		it.refused = wire.ReasonForeign
		it.fault(wire.ReasonForeign, it.msg.Principal.Name+" may not publish for "+it.device.String())
		return false
	case !known && !p.opts.AdmitUnknown:
		it.fault(wire.ReasonUnknownDevice, it.device.String()+" is not registered, and unknown devices are not admitted")
		return false
	}
	it.known, it.enroll = known, !known
	return true
}

// substantial reports whether there is more than faults: a device that has only
// sent nonsense so far is no device yet.
func substantial(d *wire.Decoded) bool { return len(d.Readings)+len(d.Events) > 0 }

// detach frees the faults from the memory that a compressed payload unpacked to:
// it may be a thousand times what was sent, and would be kept for a few bytes of
// it. A fault as large as that is kept as it came.
func detach(d *wire.Decoded, payload []byte) {
	if len(payload) == 0 || payload[0] != 0x1f {
		return
	}
	for i := range d.Faults {
		if len(d.Faults[i].Raw) > len(payload) {
			d.Faults[i].Raw = payload
		} else {
			d.Faults[i].Raw = bytes.Clone(d.Faults[i].Raw)
		}
	}
}

func (it *item) fault(reason wire.Reason, detail string) {
	it.decoded.Faults = append(it.decoded.Faults, wire.Fault{Reason: reason, Detail: detail, Raw: it.msg.Payload})
}

// cost estimates the memory that an item holds until it is committed.
func cost(it *item) int64 {
	const perItem, perReading, perValue, perOther = 256, 64, 32, 256
	n := int64(perItem + len(it.msg.Payload) + len(it.msg.Topic))
	for i := range it.decoded.Readings {
		n += perReading + perValue*int64(len(it.decoded.Readings[i].Values))
	}
	for i := range it.decoded.Events {
		n += perOther + int64(len(it.decoded.Events[i].Data))
	}
	for i := range it.decoded.Faults {
		n += perOther + int64(len(it.decoded.Faults[i].Raw))
	}
	return n
}

// Depth is how much waits for its commit, what is being committed included.
func (p *Pipeline) Depth() Depth {
	return Depth{Messages: int(p.waiting.Load()), Bytes: p.held.Load(), Limit: p.opts.MaxPendingBytes}
}

// Accounting returns the counts of this moment.
func (p *Pipeline) Accounting() Accounting { return p.books.snapshot() }

// Trouble says what keeps the pipeline from committing, and since when; an
// empty string where nothing does.
func (p *Pipeline) Trouble() (what string, since time.Time) { return p.trouble.get() }

// Close ends the intake: Submit returns ErrClosed from now on, and Run returns
// once everything submitted before is committed. It may be called twice.
func (p *Pipeline) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.signal()
}

// Run commits until the pipeline is closed and empty, and returns nil; or until
// ctx ends, and returns its error. Messages left over then stay unacknowledged.
func (p *Pipeline) Run(ctx context.Context) error {
	for {
		batch, closed := p.take()
		if len(batch) == 0 {
			if closed {
				return nil
			}
			select {
			case <-p.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		if err := p.commit(ctx, batch); err != nil {
			return err
		}
	}
}

// take removes the next group from the queue: as many whole messages as fit in
// MaxBatch records, at least one.
func (p *Pipeline) take() (batch []item, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, records := 0, 0
	for n < len(p.queue) {
		r := p.queue[n].decoded.Records()
		if n > 0 && records+r > p.opts.MaxBatch {
			break
		}
		records += r
		n++
	}
	batch = p.queue[:n:n]
	if n == len(p.queue) {
		p.queue = nil
	} else {
		p.queue = p.queue[n:]
	}
	return batch, p.closed
}
