package sparkplug

import (
	"container/list"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// node is an edge node, and its session where it has one.
type node struct {
	key       nodeKey
	place     *list.Element    // in Host.recent
	principal ingest.Principal // of its last message

	born     bool // between NBIRTH and NDEATH, as far as the host has heard
	since    time.Time
	bdSeq    uint64
	hasBdSeq bool
	next     uint8  // the sequence number that is to come
	last     uint64 // fingerprint of the message taken last
	scopes   map[string]*scope
	metrics  int // defined by the births of all scopes

	waiting      []waiting
	waitingBytes int64
	gap          time.Time // when the first message after a missing one came; zero: none is missing
	orphans      time.Time // when devices that were not born again are given up; zero: there are none

	wantsBirth bool
	asked      int       // requests since it was wanted
	askAfter   time.Time // no request before

	due   time.Time // when something times out
	index int       // in Host.due; −1: nothing does
}

// scope is what one birth is about: a device, or, with an empty name, the edge
// node itself.
type scope struct {
	device string
	born   bool  // within the node's present session; otherwise its values are stale
	since  int64 // of born, Unix ms
	told   bool  // an online event was handed on, and no offline event after it

	rule     *rule       // nil: none matches
	ref      devices.Ref // where a rule matches and refuses it not
	unfit    *problem    // why it can't be a device of fleetwatt though a rule matches
	targets  map[string]*target
	byName   map[string]*metric
	byAlias  map[uint64]*metric
	defined  int
	memBytes int64
}

// metric is a metric as its birth defines it.
type metric struct {
	name      string
	datatype  tahu.DataType
	to        *target // nil: not mapped
	ignored   bool    // not mapped, and not to be listed
	ambiguous bool    // its alias was given to another metric too
}

// claimant is which device speaks as a device of fleetwatt.
type claimant struct {
	node   nodeKey
	device string
}

// claim is a claimant, with who sent its last message.
type claim struct {
	claimant
	sender ingest.Principal
}

// lookup returns the node, heard just now, and makes room for a new one.
func (h *Host) lookup(o *outbox, k nodeKey, now time.Time) *node {
	if n := h.nodes[k]; n != nil {
		h.recent.MoveToFront(n.place)
		return n
	}
	for len(h.nodes) >= h.opts.Bounds.Nodes {
		h.forget(o, h.recent.Back().Value.(*node), now)
	}
	n := &node{key: k, index: -1, since: now, scopes: make(map[string]*scope)}
	n.place = h.recent.PushFront(n)
	h.nodes[k] = n
	return n
}

// forget drops a node. It is born again to the host when it is heard again.
func (h *Host) forget(o *outbox, n *node, now time.Time) {
	if n.born {
		h.settle(o, n, now)
		h.end(n, now)
	}
	h.dismiss(o, n, func(*waiting) bool { return true }, "more edge nodes than are kept")
	for _, s := range n.scopes {
		h.sessionBytes -= s.ownBytes()
	}
	h.unschedule(n)
	h.recent.Remove(n.place)
	delete(h.nodes, n.key)
	h.counts.Forgotten++
}

// ownBytes is what a scope takes beside its metrics.
func (s *scope) ownBytes() int64 { return 512 + int64(len(s.device)) }

// makeRoom forgets the nodes heard least recently, but for n, until there is
// room for what a birth leaves; false where that is not enough.
func (h *Host) makeRoom(o *outbox, n *node, size int64, now time.Time) bool {
	for h.sessionBytes+size > h.opts.Bounds.SessionBytes {
		oldest := h.recent.Back().Value.(*node)
		if oldest == n {
			return false
		}
		h.forget(o, oldest, now)
	}
	return true
}

// end makes everything of the node's session stale, and tells nobody.
func (h *Host) end(n *node, now time.Time) {
	n.born, n.since, n.gap, n.orphans = false, now, time.Time{}, time.Time{}
	for _, s := range n.scopes {
		h.unclaim(n, s)
		h.undefine(n, s)
		s.born, s.told, s.since = false, false, now.UnixMilli()
	}
}

// undefine drops what the scope's birth defined.
func (h *Host) undefine(n *node, s *scope) {
	n.metrics -= s.defined
	h.sessionBytes -= s.memBytes
	s.defined, s.memBytes = 0, 0
	s.byName, s.byAlias = nil, nil
}

// claim makes the scope the one that speaks for its device, for a sender who may.
// It is refused while another does: two sources of one id would mix their
// measurements. Whose right to speak has ended claims nothing any more.
func (h *Host) claim(n *node, s *scope, sender ingest.Principal) bool {
	me := claimant{n.key, s.device}
	c, taken := h.claims[s.ref]
	if taken && c.claimant != me && h.opts.MaySpeak(c.sender, s.ref) {
		return false
	}
	h.claims[s.ref] = claim{me, sender}
	return true
}

func (h *Host) unclaim(n *node, s *scope) {
	if h.claims[s.ref].claimant == (claimant{n.key, s.device}) {
		delete(h.claims, s.ref)
	}
}
