package broker

import "sync/atomic"

// cause is why something was refused.
type cause int

const noCause cause = -1

const (
	refusedFull cause = iota
	refusedAddress
	refusedDevice
	refusedTLS
	refusedCredential
	refusedWill
	refusedTopic
	refusedSlow
	refusedPanic
	refusedSilent
	lostWill
	causes
)

// label is the cause in metrics; line is what the log says.
func (c cause) label() string { return causeTexts[c].label }
func (c cause) line() string  { return causeTexts[c].line }

var causeTexts = [causes]struct{ label, line string }{
	refusedFull:       {"full", "MQTT client refused: there are as many connections as may be"},
	refusedAddress:    {"address", "MQTT client refused: its address has as many connections as it may"},
	refusedDevice:     {"device", "MQTT client refused: its device has as many connections as it may"},
	refusedTLS:        {"tls", "MQTT client refused: no TLS with it"},
	refusedCredential: {"credential", "MQTT client refused: unknown user name, wrong password, or a certificate of no device"},
	refusedWill:       {"will", "MQTT client refused: its last will is not on a topic of its own that it may have one on"},
	refusedTopic:      {"topic", "MQTT client disconnected: it published to a topic that no client may"},
	refusedSlow:       {"stalled", "MQTT client disconnected: the server could not take a message within a minute"},
	refusedPanic:      {"panic", "MQTT connection ended by a panic"},
	refusedSilent:     {"silent", "MQTT connection refused: too many that have not signed in are open"},
	lostWill:          {"will_lost", "last will of an MQTT client lost: too many wait for the pipeline"},
}

// Counters are what the broker has counted since its start, and the connections
// of this moment.
type Counters struct {
	Connections int               // signed in now
	Connects    uint64            // signed in ever
	Refused     map[string]uint64 // by cause: a fixed set of words

	Publishes        uint64 // received from clients
	PublishBytes     uint64 // of them, without the fixed headers
	PublishesRefused uint64 // of them, on topics that their sender may not publish to
	Acknowledged     uint64 // answers to QoS 1 and 2 publishes, written
	Throttled        uint64 // publishes that waited because their device is over its limit
	Dropped          uint64 // messages that did not reach slow subscribers; they are stored
}

// counts are the counters while they run.
type counts struct {
	connects         atomic.Uint64
	refused          [causes]atomic.Uint64
	publishes        atomic.Uint64
	publishBytes     atomic.Uint64
	publishesRefused atomic.Uint64
	acknowledged     atomic.Uint64
	throttled        atomic.Uint64
	dropped          atomic.Uint64
}

// Counters returns the counts of this moment.
func (b *Broker) Counters() Counters {
	c := b.hook.counts
	out := Counters{
		Connections: b.Connected(), Connects: c.connects.Load(), Refused: make(map[string]uint64, causes),
		Publishes: c.publishes.Load(), PublishBytes: c.publishBytes.Load(), PublishesRefused: c.publishesRefused.Load(),
		Acknowledged: c.acknowledged.Load(), Throttled: c.throttled.Load(), Dropped: c.dropped.Load(),
	}
	for i := range c.refused {
		out.Refused[cause(i).label()] = c.refused[i].Load()
	}
	return out
}

// Connected is the number of clients connected now.
func (b *Broker) Connected() int { return b.hook.sessions.len() }

// Dropped is how many messages did not reach subscribers because these were too
// slow. It says nothing of what is stored.
func (b *Broker) Dropped() uint64 { return b.hook.counts.dropped.Load() }
