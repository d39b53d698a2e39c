// Package wire is the wire contract, version 1: the grammar of MQTT topics and
// the codecs of what is published on them.
//
// It is pure: bytes in, readings and faults out. A payload is told apart by its
// first byte: { an object, [ an array, 0x1f gzip, anything else InfluxDB line
// protocol. What can't become a reading is returned as a Fault that carries the
// bytes and the reason; nothing is dropped. FORMAT.md specifies it all.
package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Channel is the last level of a topic.
type Channel string

// The channels of a device.
const (
	Telemetry Channel = "telemetry"
	Event     Channel = "event"
	Status    Channel = "status" // retained; last will
)

// ErrTopic says that a topic is not one of fleetwatt's.
var ErrTopic = errors.New("not a fleet/v1 topic")

// Prefix is what every topic of version 1 starts with.
const Prefix = "fleet/v1/"

// Topic is fleet/v1/{kind}/{id}/{channel}.
type Topic struct {
	Device  devices.Ref
	Channel Channel
}

// ParseTopic reads a topic; any other shape is ErrTopic.
func ParseTopic(s string) (Topic, error) {
	rest, ok := strings.CutPrefix(s, Prefix)
	if !ok {
		return Topic{}, fmt.Errorf("%w: want %s{kind}/{id}/{channel}", ErrTopic, Prefix)
	}
	k, rest, _ := strings.Cut(rest, "/")
	id, ch, ok := strings.Cut(rest, "/")
	if !ok {
		return Topic{}, fmt.Errorf("%w: want %s{kind}/{id}/{channel}", ErrTopic, Prefix)
	}
	kind, err := devices.ParseKind(k)
	if err != nil {
		return Topic{}, fmt.Errorf("%w: %w", ErrTopic, err)
	}
	if !devices.ValidID(id) {
		return Topic{}, fmt.Errorf("%w: the id must be 1–64 of A-Za-z0-9._:-", ErrTopic)
	}
	switch c := Channel(ch); c {
	case Telemetry, Event, Status:
		return Topic{Device: devices.Ref{Kind: kind, ID: id}, Channel: c}, nil
	}
	return Topic{}, fmt.Errorf("%w: the channel must be telemetry, event or status", ErrTopic)
}

// String is the topic as published.
func (t Topic) String() string {
	return Prefix + string(t.Device.Kind) + "/" + t.Device.ID + "/" + string(t.Channel)
}
