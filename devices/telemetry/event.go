package telemetry

import "github.com/fleetwatt/fleetwatt/devices"

// Event is something that happened to a device at one instant. Its identity is
// (Kind, Device, ID): the same event twice is one event.
type Event struct {
	Kind   devices.Kind
	Device string
	ID     string
	TS     int64  // Unix milliseconds, UTC
	Type   string // swap.completed, fault.opened, …
	Data   []byte // the whole event as it came, a JSON object
}

// Ref names the device.
func (e *Event) Ref() devices.Ref { return devices.Ref{Kind: e.Kind, ID: e.Device} }

// DeviceDay is one UTC day of one device: the unit in which late data makes
// results out of date.
type DeviceDay struct {
	Kind   devices.Kind
	Device string
	Day    int64 // since 1970-01-01
}

// Ref names the device.
func (d DeviceDay) Ref() devices.Ref { return devices.Ref{Kind: d.Kind, ID: d.Device} }
