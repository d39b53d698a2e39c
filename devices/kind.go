// Package devices is the vocabulary of fleetwatt: what stations, batteries and
// buildings are, who owns them, how they are named, and which measurements
// they may report in which units and bounds.
//
// It is pure. It knows nothing of MQTT, of databases or of HTTP, and every
// other package may import it.
package devices

import (
	"fmt"
	"strings"
)

// Kind is a class of device. It is the second level of an MQTT topic, the name
// of the measurement in a store and part of a device's identity.
type Kind string

// The kinds of device.
const (
	KindStation  Kind = "station"  // a battery-swap station (IEC 62840)
	KindBattery  Kind = "battery"  // a swappable battery system
	KindBuilding Kind = "building" // a building controller or meter
)

// Kinds lists every kind in a fixed order.
func Kinds() []Kind { return []Kind{KindBattery, KindBuilding, KindStation} }

// ParseKind returns the kind named s.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case KindStation, KindBattery, KindBuilding:
		return k, nil
	}
	return "", fmt.Errorf("unknown kind %q: want station, battery or building", s)
}

// Plural is the name of the kind's collection in the API.
func (k Kind) Plural() string {
	switch k {
	case KindBattery:
		return "batteries"
	case KindStation:
		return "stations"
	case KindBuilding:
		return "buildings"
	}
	return string(k) + "s"
}

// MaxIDLength is the greatest length of a device id in bytes.
const MaxIDLength = 64

// ValidID reports whether id is 1–64 of A-Z a-z 0-9 . _ : -
func ValidID(id string) bool {
	if len(id) == 0 || len(id) > MaxIDLength {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

// Ref names one device. Ids are unique within a kind.
type Ref struct {
	Kind Kind
	ID   string
}

// String is "kind/id", the form ParseRef reads.
func (r Ref) String() string { return string(r.Kind) + "/" + r.ID }

// ParseRef reads "kind/id".
func ParseRef(s string) (Ref, error) {
	k, id, ok := strings.Cut(s, "/")
	if !ok {
		return Ref{}, fmt.Errorf("device %q: want kind/id", s)
	}
	kind, err := ParseKind(k)
	if err != nil {
		return Ref{}, fmt.Errorf("device %q: %w", s, err)
	}
	if !ValidID(id) {
		return Ref{}, fmt.Errorf("device %q: the id must be 1–64 of A-Za-z0-9._:-", s)
	}
	return Ref{Kind: kind, ID: id}, nil
}
