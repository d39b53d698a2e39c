package api

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// maxFollowed is up to how many changed batteries what was worked out of the snapshot
// before is brought up to date. With more, as after a night, it is worked out anew.
const maxFollowed = 100

// change is a battery that is not as in the snapshot before; nil: it is not there.
type change struct{ was, now *known }

// follow brings an answer of the snapshot before up to date, without changing it, and
// says how many references it holds on to; false where that can't be done.
type follow[V any] func(before V, changes []change) (V, int, bool)

// followed is what the snapshot before answered, brought up to date.
func followed[V any](s *snapshot, question string, fn follow[V]) (value V, size int, ok bool) {
	s.mu.Lock()
	old, ok := s.before[question].(V)
	delete(s.before, question)
	s.mu.Unlock()
	if !ok { // as where fn is nil: nothing is handed on then
		return value, 0, false
	}
	return fn(old, s.changes)
}

// handOn gives next what was answered so far that can be followed.
func (s *snapshot) handOn(next *snapshot, changes []change) {
	if len(changes) > maxFollowed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next.changes, next.before = changes, make(map[string]any, len(s.answers))
	for question, a := range s.answers {
		if a.leads {
			next.before[question] = a.value
		}
	}
}

// inOrder follows a list in the order of compare, which tells batteries of two ids
// apart, of those that keep keeps.
func inOrder(keep func(*known) bool, compare func(a, b *known) int) follow[[]*known] {
	return func(before []*known, changes []change) ([]*known, int, bool) {
		out := slices.Clone(before)
		for _, c := range changes {
			if c.was != nil {
				if at, found := slices.BinarySearchFunc(out, c.was, compare); found {
					out = slices.Delete(out, at, at+1)
				}
			}
			if c.now != nil && keep(c.now) {
				at, _ := slices.BinarySearchFunc(out, c.now, compare)
				out = slices.Insert(out, at, c.now)
			}
		}
		return out, len(out), true
	}
}

func compareIDs(a, b *known) int { return strings.Compare(a.ID, b.ID) }

// keeps tells which batteries are in the part of a filter.
func keeps(f registry.Filter) func(*known) bool {
	return func(b *known) bool {
		return (f.OwnerID == "" || f.OwnerID == b.OwnerID) && (f.SiteID == "" || f.SiteID == b.SiteID) &&
			(f.Status == "" || f.Status == b.Status) && (f.Deleted || b.DeletedAt == nil)
	}
}

// unmoved follows what was worked out of the batteries that keep keeps, where all that
// has changed of them is what they are called.
func unmoved[V any](keep func(*known) bool) follow[V] {
	return func(before V, changes []change) (V, int, bool) {
		for _, c := range changes {
			in, stays := c.was != nil && keep(c.was), c.now != nil && keep(c.now)
			if in != stays || in && (c.was.standing != c.now.standing || !reflect.DeepEqual(nameless(c.was), nameless(c.now))) {
				return before, 0, false
			}
		}
		return before, 0, true
	}
}

// nameless is a battery without what nothing is worked out of.
func nameless(b *known) known {
	out := *b
	out.standing, out.Name, out.Serial, out.Gateway, out.UpdatedAt, out.Version = nil, "", "", "", time.Time{}, 0
	return out
}
