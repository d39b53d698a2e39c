package ingest

import (
	"context"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// Directory knows the registered devices.
type Directory interface {
	// Lookup returns the device that may publish for ref (zero: none but
	// itself) and whether ref is registered. It is called for every message
	// and must answer from memory.
	Lookup(ref devices.Ref) (gateway devices.Ref, known bool)
	// Enroll registers unknown devices as unclaimed. Known ones are left as
	// they are.
	Enroll(ctx context.Context, refs []devices.Ref) error
}

// Journal keeps events and the days whose results are out of date. Both calls
// may be repeated, and what they wrote is on disk when they return.
type Journal interface {
	// AppendEvents returns how many of the events were not there before.
	AppendEvents(ctx context.Context, events []telemetry.Event) (inserted int, err error)
	// MarkDirty is called before and after the readings and events of these days
	// are committed; marking what is marked must cost next to nothing.
	MarkDirty(ctx context.Context, days []telemetry.DeviceDay) error
}

// Clock is what corrects the clocks of devices while their messages are decoded.
type Clock interface {
	// Unpersisted reports whether a correction is in use that a restart would
	// lose. It is called for every batch and must answer from memory.
	Unpersisted() bool
	// Persist is on disk when it returns.
	Persist(ctx context.Context) error
}

// Observer follows which devices are there.
type Observer interface {
	// Observe is called for each message after its commit, with what it held,
	// which must not be kept; not for one whose sender may not speak for ref, nor
	// for one of an unknown device that held nothing good. It must not block.
	Observe(ref devices.Ref, receivedMS int64, d *wire.Decoded)
}

// Quarantine keeps what can't be stored.
type Quarantine interface {
	// Put is on disk when it returns.
	Put(ctx context.Context, rejected []Rejected) error
}

// Rejected is one record on its way to quarantine.
type Rejected struct {
	ReceivedAt time.Time
	Topic      string
	Device     string // "kind/id", empty where the topic names none
	Principal  Principal
	Reason     wire.Reason
	Detail     string
	Payload    []byte
}
