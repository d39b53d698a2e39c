// Package ingest takes messages apart, checks them, and commits what they hold
// before it acknowledges them. What can't be stored goes to quarantine with its
// reason; every record is accounted for.
//
// It knows no network and no engine: sources (ingest/broker, ingest/mqtt) hand
// it messages, stores and journals stand behind the interfaces in ports.go.
package ingest

import (
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// Principal is who sent a message.
type Principal struct {
	Name    string      // user name or client id, for the quarantine
	Device  devices.Ref // the authenticated device; zero where there is none
	Trusted bool        // may speak for every device: the source has done the checking, or does without
}

// maySpeak reports whether p may publish for ref, which is behind gateway (zero:
// behind none).
func (p Principal) maySpeak(ref, gateway devices.Ref) bool {
	return p.Trusted || (p.Device != devices.Ref{} && (p.Device == ref || p.Device == gateway))
}

// Message is one publish.
type Message struct {
	Topic       string
	Payload     []byte // not changed by the sender until Done is called
	ReceivedMS  int64  // Unix milliseconds by the server's clock
	Redelivered bool   // the DUP flag
	Principal   Principal

	// Done is called exactly once, after all of the message is on disk, in the
	// order in which messages were submitted. It must not block. It is never
	// called for a message that could not be committed before the end: such a
	// message must stay unacknowledged, so that its sender keeps it.
	Done func(Outcome)
}

// Translated is what a host of another protocol made of a message.
type Translated struct {
	// Device is whom the message concerns; zero where it concerns none that is
	// known here, and then there are only faults.
	Device  devices.Ref
	Decoded wire.Decoded
}

// Outcome is what became of a committed message.
type Outcome struct {
	// Refused is ReasonForeign where the sender may not speak for the device,
	// otherwise empty. Everything else that is in quarantine counts as taken.
	Refused wire.Reason
	// Records is how many the message held, and Quarantined how many of them are
	// in quarantine.
	Records, Quarantined int
}
