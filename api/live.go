package api

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

const (
	// liveBuffer is how many events wait for one listener: who is further behind
	// is dropped.
	liveBuffer = 256
	// liveKept is how many events are kept for listeners that come back.
	liveKept = 1024
	// maxListeners bounds the listeners at once.
	maxListeners = 256
)

// Live passes on what happens as it happens: readings and events once they are
// on disk, and runs of jobs. Nobody waits for a listener. Its methods may be
// called from any goroutine.
type Live struct {
	epoch   string // tells the events of this process from those of another
	present atomic.Int32

	mu        sync.Mutex
	next      uint64
	kept      []happening // the newest, ascending
	listeners map[*listener]bool
	closed    bool
}

// happening is one event of the stream.
type happening struct {
	seq    uint64
	topic  string      // telemetry, event or job
	device devices.Ref // zero: of none
	ts     int64       // of the device's clock, Unix milliseconds; 0 without one
	data   []byte      // JSON
}

// listener is one client.
type listener struct {
	wants   func(*happening) bool
	waiting chan happening // closed where the listener is dropped or the server stops
	behind  atomic.Bool    // dropped because it was too slow
}

// NewLive passes nothing on yet. started tells processes apart.
func NewLive(started time.Time) *Live {
	return &Live{epoch: strconv.FormatInt(started.UnixMilli(), 36), listeners: map[*listener]bool{}}
}

// liveReading is a reading as the stream has it.
type liveReading struct {
	Kind   string         `json:"kind"`
	ID     string         `json:"id"`
	TS     Time           `json:"ts"`
	Values map[string]any `json:"values"`
}

// liveEvent is an event as the stream has it.
type liveEvent struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Event
}

// Observe takes a message that was committed: its newest reading and its events.
// It is an ingest.Observer's, keeps nothing of d and does not block.
func (l *Live) Observe(ref devices.Ref, _ int64, d *wire.Decoded) {
	if l.present.Load() == 0 {
		return
	}
	var newest *telemetry.Reading
	for k := range d.Readings {
		if r := &d.Readings[k]; newest == nil || r.TS >= newest.TS {
			newest = r
		}
	}
	if newest != nil {
		values := make(map[string]any, len(newest.Values))
		for _, v := range newest.Values {
			if v.Field.Numeric() {
				values[v.Field.Name] = v.Num
			} else {
				values[v.Field.Name] = v.Text
			}
		}
		l.publish("telemetry", ref, newest.TS, liveReading{string(ref.Kind), ref.ID, Time(newest.TS), values})
	}
	for _, e := range d.Events {
		l.publish("event", ref, e.TS, liveEvent{string(ref.Kind), ref.ID, viewEvent(e)})
	}
}

// Run takes a run of a job that has begun or ended.
func (l *Live) Run(r ledger.Run) {
	if l.present.Load() > 0 {
		l.publish("job", devices.Ref{}, 0, viewRun(r))
	}
}

func (l *Live) publish(topic string, ref devices.Ref, ts int64, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // impossible: readings are finite, and events are valid JSON or null
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	h := happening{l.next, topic, ref, ts, data}
	if len(l.kept) == liveKept {
		l.kept = append(l.kept[:0], l.kept[liveKept/2:]...)
	}
	l.kept = append(l.kept, h)
	for who := range l.listeners {
		if !who.wants(&h) {
			continue
		}
		select {
		case who.waiting <- h:
		default:
			who.behind.Store(true)
			l.remove(who)
		}
	}
}

// listen adds a listener. lastID is the id of the last event that it has seen,
// empty where it is new: what came since is waiting for it then, and missed says
// that not all of that is kept. There is no room where it returns nil.
func (l *Live) listen(wants func(*happening) bool, lastID string) (who *listener, missed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.listeners) >= maxListeners {
		return nil, false
	}
	who = &listener{wants: wants, waiting: make(chan happening, liveBuffer)}
	l.listeners[who] = true
	l.present.Add(1)
	if lastID == "" {
		return who, false
	}
	seq, known := l.sequence(lastID)
	missed = !known || len(l.kept) > 0 && seq+1 < l.kept[0].seq || len(l.kept) == 0 && seq < l.next
	for k := range l.kept {
		if h := l.kept[k]; known && h.seq > seq && wants(&h) {
			if len(who.waiting) == liveBuffer {
				return who, true
			}
			who.waiting <- h
		}
	}
	return who, missed
}

// id is what a client sends back as Last-Event-ID.
func (l *Live) id(h *happening) string { return l.epoch + "-" + strconv.FormatUint(h.seq, 10) }

// sequence is the way back; false for an id of another process.
func (l *Live) sequence(id string) (uint64, bool) {
	if len(id) <= len(l.epoch)+1 || id[:len(l.epoch)+1] != l.epoch+"-" {
		return 0, false
	}
	seq, err := strconv.ParseUint(id[len(l.epoch)+1:], 10, 64)
	return seq, err == nil && seq <= l.next
}

// leave removes a listener; it may be called for one that was removed.
func (l *Live) leave(who *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(who)
}

func (l *Live) remove(who *listener) {
	if l.listeners[who] {
		delete(l.listeners, who)
		l.present.Add(-1)
		close(who.waiting)
	}
}

// Close ends every listener's stream, and lets none in any more. It may be called
// twice.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for who := range l.listeners {
		l.remove(who)
	}
}
