package wire

import (
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Limits bound what a payload may be.
type Limits struct {
	MaxPayload  int           // bytes as received; default 1 MiB
	MaxUnpacked int           // bytes after gzip; default 16 MiB
	MaxRecords  int           // elements of an array or lines; 0 or less: the default, 262,144
	MaxAhead    time.Duration // how far a timestamp may lie ahead of the clock; default 10 min
	MinTS       int64         // the earliest timestamp, Unix ms; default 2000-01-01
}

// defaultMaxRecords keeps what one payload becomes in memory within a few
// dozen times its size, however short its records are.
const defaultMaxRecords = 1 << 18

// DefaultLimits are the limits of the contract.
func DefaultLimits() Limits {
	return Limits{
		MaxPayload:  1 << 20,
		MaxUnpacked: 16 << 20,
		MaxRecords:  defaultMaxRecords,
		MaxAhead:    10 * time.Minute,
		MinTS:       946684800000,
	}
}

// Clock knows how far the clocks of devices are off.
type Clock interface {
	// Offset is the milliseconds to add to the times in a message of ref, given
	// the device's clock when it sent the message and the server's when it was
	// received, both Unix ms. sentMS is within ±2^53; it may be any nonsense.
	// redelivered says that the message was sent to the server before.
	//
	// It is called for each record that carries sent_at and is otherwise sound,
	// from any goroutine, and must answer from memory. The answer must be the same
	// for a message and its duplicates: the time of a reading is its identity.
	Offset(ref devices.Ref, sentMS, receivedMS int64, redelivered bool) int64
}

// Decoder turns payloads into readings and events. Goroutines may share it.
type Decoder struct {
	schema *devices.Schema
	limits Limits
	clock  Clock                       // nil: every clock is taken as right
	unzips sync.Pool                   // of *gzip.Reader, each some 40 kB of tables
	orders map[devices.Kind]*sync.Pool // of *order
}

// NewDecoder returns a decoder for the fields of schema that takes every
// device's clock as right: sent_at must be a time and changes nothing.
func NewDecoder(schema *devices.Schema, limits Limits) *Decoder {
	return NewCorrectingDecoder(schema, limits, nil)
}

// NewCorrectingDecoder returns a decoder that moves readings with sent_at by
// what clock says; nil: by nothing.
func NewCorrectingDecoder(schema *devices.Schema, limits Limits, clock Clock) *Decoder {
	if limits.MaxRecords <= 0 {
		limits.MaxRecords = defaultMaxRecords
	}
	d := &Decoder{schema: schema, limits: limits, clock: clock, orders: make(map[devices.Kind]*sync.Pool)}
	for _, kind := range devices.Kinds() {
		d.orders[kind] = &sync.Pool{New: func() any { return newOrder(schema.Measurement(kind)) }}
	}
	return d
}

// Decoded is what one payload held. Readings, events and faults are each in the
// order of the payload.
// Readings, Events and Faults together are the records of the payload: a
// payload that can't be taken apart is one fault.
type Decoded struct {
	Readings []telemetry.Reading
	Events   []telemetry.Event
	Faults   []Fault
}

// Records is how many records the payload held.
func (d *Decoded) Records() int { return len(d.Readings) + len(d.Events) + len(d.Faults) }

func refused(f Fault) Decoded { return Decoded{Faults: []Fault{f}} }
