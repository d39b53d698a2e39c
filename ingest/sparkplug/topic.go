package sparkplug

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Verb is the message type of a topic.
type Verb string

// The verbs.
const (
	NBirth Verb = "NBIRTH"
	NDeath Verb = "NDEATH"
	NData  Verb = "NDATA"
	NCmd   Verb = "NCMD"
	DBirth Verb = "DBIRTH"
	DDeath Verb = "DDEATH"
	DData  Verb = "DDATA"
	DCmd   Verb = "DCMD"
	State  Verb = "STATE"
)

// ofDevice reports whether topics of the verb name a device; known is false for
// a verb that there isn't.
func (v Verb) ofDevice() (yes, known bool) {
	switch v {
	case DBirth, DDeath, DData, DCmd:
		return true, true
	case NBirth, NDeath, NData, NCmd:
		return false, true
	}
	return false, false
}

// fromNode reports whether edge nodes publish it, and the host reads it.
func (v Verb) fromNode() bool {
	switch v {
	case NBirth, NDeath, NData, DBirth, DDeath, DData:
		return true
	}
	return false
}

// ErrTopic says that a topic is not one of Sparkplug B 3.0.
var ErrTopic = errors.New("not a Sparkplug topic")

// maxIDBytes bounds the ids in a topic: they are kept for each node and device.
const maxIDBytes = 1024

// Topic is spBv1.0/{group}/{verb}/{node}, with /{device} for the verbs of
// devices, or spBv1.0/STATE/{host}.
type Topic struct {
	Verb   Verb
	Group  string
	Node   string
	Device string
	Host   string // of STATE, and of nothing else
}

// ParseTopic reads a topic; any other shape is ErrTopic. Ids are told apart by
// case, and may be any UTF-8 without + / and #.
func ParseTopic(s string) (Topic, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Topic{}, fmt.Errorf("%w: the namespace must be %s", ErrTopic, Namespace)
	}
	parts := strings.SplitN(rest, "/", 5)
	for _, p := range parts {
		if err := checkID(p); err != nil {
			return Topic{}, err
		}
	}
	if parts[0] == string(State) {
		if len(parts) != 2 {
			return Topic{}, fmt.Errorf("%w: want %sSTATE/{host}", ErrTopic, prefix)
		}
		return Topic{Verb: State, Host: parts[1]}, nil
	}
	if len(parts) < 3 || len(parts) > 4 {
		return Topic{}, fmt.Errorf("%w: want %s{group}/{verb}/{node} and, for a device, /{device}", ErrTopic, prefix)
	}
	t := Topic{Group: parts[0], Verb: Verb(parts[1]), Node: parts[2]}
	device, known := t.Verb.ofDevice()
	switch {
	case !known:
		return Topic{}, fmt.Errorf("%w: unknown message type", ErrTopic)
	case device != (len(parts) == 4):
		return Topic{}, fmt.Errorf("%w: only the messages of devices, and each of these, name a device", ErrTopic)
	case device:
		t.Device = parts[3]
	}
	return t, nil
}

func checkID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: an empty level", ErrTopic)
	case len(id) > maxIDBytes:
		return fmt.Errorf("%w: a level of %d bytes, want at most %d", ErrTopic, len(id), maxIDBytes)
	case strings.ContainsAny(id, "+#\x00"):
		return fmt.Errorf("%w: + # and NUL are reserved", ErrTopic)
	case !utf8.ValidString(id):
		return fmt.Errorf("%w: not UTF-8", ErrTopic)
	}
	return nil
}

// String is the topic as published.
func (t Topic) String() string {
	switch {
	case t.Verb == State:
		return stateTopic(t.Host)
	case t.Device != "":
		return prefix + t.Group + "/" + string(t.Verb) + "/" + t.Node + "/" + t.Device
	}
	return prefix + t.Group + "/" + string(t.Verb) + "/" + t.Node
}

func (t Topic) node() nodeKey { return nodeKey{t.Group, t.Node} }

// nodeKey is what the specification calls an edge node descriptor: unique in
// the whole infrastructure.
type nodeKey struct{ group, node string }

func (k nodeKey) String() string { return k.group + "/" + k.node }
