package wire

import (
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Limits bound what a payload may be.
type Limits struct {
	MaxPayload   int           // bytes as received; default 1 MiB
	MaxUnpacked  int           // bytes after gzip; default 16 MiB
	MaxRecords   int           // elements of an array or lines; 0 or less: the default, 262,144
	MaxAhead     time.Duration // how far a timestamp may lie ahead of the clock; default 10 min
	MinTS        int64         // the earliest timestamp, Unix ms; default 2000-01-01
	ClockOffsets time.Duration // with sent_at, a clock further off than this is corrected; default 1 min
}

// defaultMaxRecords keeps what one payload becomes in memory within a few
// dozen times its size, however short its records are.
const defaultMaxRecords = 1 << 18

// DefaultLimits are the limits of the contract.
func DefaultLimits() Limits {
	return Limits{
		MaxPayload:   1 << 20,
		MaxUnpacked:  16 << 20,
		MaxRecords:   defaultMaxRecords,
		MaxAhead:     10 * time.Minute,
		MinTS:        946684800000,
		ClockOffsets: time.Minute,
	}
}

// Decoder turns payloads into readings and events. It does not change once
// made, so goroutines may share it.
type Decoder struct {
	schema *devices.Schema
	limits Limits
	unzips sync.Pool // of *gzip.Reader, each some 40 kB of tables
}

// NewDecoder returns a decoder for the fields of schema.
func NewDecoder(schema *devices.Schema, limits Limits) *Decoder {
	if limits.MaxRecords <= 0 {
		limits.MaxRecords = defaultMaxRecords
	}
	return &Decoder{schema: schema, limits: limits}
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
