package publish

import (
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// message is one payload on its way. It does not change once sent.
type message struct {
	ref     devices.Ref
	channel wire.Channel
	payload []byte
	records int
	stamps  []int64  // of its readings, for the ledger
	events  []string // ids of its events, for the ledger
	refused int      // records that a server has to refuse
	size    int64    // of what it holds of the fleet's bytes
}

// pile collects records of one device and channel for one payload: a lone
// record as an object, more of them as an array.
type pile struct {
	message
	ledger bool
}

func newPile(ref devices.Ref, channel wire.Channel, ledger bool) *pile {
	return &pile{message: message{ref: ref, channel: channel, payload: []byte{'['}}, ledger: ledger}
}

// add appends a record to the pile and reports whether it still fits; if not,
// the pile is unchanged. One record alone always fits.
func (p *pile) add(encode func(dst []byte) []byte) bool {
	before := len(p.payload)
	if p.records > 0 {
		p.payload = append(p.payload, ',')
	}
	p.payload = encode(p.payload)
	if p.records > 0 && (p.records >= maxMessageReadings || len(p.payload) >= maxMessageBytes) {
		p.payload = p.payload[:before]
		return false
	}
	p.records++
	return true
}

func (p *pile) reading(r *telemetry.Reading) bool {
	if !p.add(func(dst []byte) []byte { return wire.AppendReading(dst, r) }) {
		return false
	}
	if p.ledger {
		p.stamps = append(p.stamps, r.TS)
	}
	return true
}

func (p *pile) event(e *telemetry.Event) bool {
	if !p.add(func(dst []byte) []byte { return wire.AppendEvent(dst, e) }) {
		return false
	}
	if p.ledger {
		p.events = append(p.events, e.ID)
	}
	return true
}

// seal ends the payload; nothing may be added afterwards.
func (p *pile) seal() *message {
	if p.records == 1 {
		p.payload = p.payload[1:]
	} else {
		p.payload = append(p.payload, ']')
	}
	return &p.message
}
