package duckdb

import (
	"maps"
	"sync"

	"github.com/fleetwatt/fleetwatt/devices"
)

// layout says where the readings of one kind are: in segments, of which the last
// is the active one, and in parts. It does not change once published. All
// parts are older than all segments.
type layout struct {
	segments []*segment // ascending by seq
	parts    []*part    // ascending by day, then seq
}

func (l *layout) active() *segment   { return l.segments[len(l.segments)-1] }
func (l *layout) frozen() []*segment { return l.segments[:len(l.segments)-1] }

// version is the layouts of all kinds at one time.
type version struct {
	layouts map[devices.Kind]*layout

	// Guarded by versions.
	readers int
	dead    []garbage // what the version after it has no more
}

func (v *version) clone() *version { return &version{layouts: maps.Clone(v.layouts)} }

// garbage is a file that no version has any more.
type garbage struct {
	file string
	part int64 // its id
}

// versions hands out the current version and keeps what older ones need for as
// long as a read uses them.
type versions struct {
	mu    sync.Mutex
	live  []*version // oldest first; the last is the current one
	trash []garbage
}

func (v *versions) current() *version {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.live[len(v.live)-1]
}

// acquire returns the current version, to be released.
func (v *versions) acquire() *version {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := v.live[len(v.live)-1]
	last.readers++
	return last
}

func (v *versions) release(ver *version) {
	v.mu.Lock()
	defer v.mu.Unlock()
	ver.readers--
	v.retire()
}

// publish makes next the current version, which no longer has dead.
func (v *versions) publish(next *version, dead []garbage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := len(v.live); n > 0 {
		v.live[n-1].dead = dead
	}
	v.live = append(v.live, next)
	v.retire()
}

// retire gives up the versions that nobody reads, oldest first: what one of
// them lost, all before it may still have.
func (v *versions) retire() {
	for len(v.live) > 1 && v.live[0].readers == 0 {
		v.trash = append(v.trash, v.live[0].dead...)
		v.live = v.live[1:]
	}
}

// sweep returns what can be removed, once.
func (v *versions) sweep() []garbage {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.trash
	v.trash = nil
	return out
}

// unswept takes back what could not be removed.
func (v *versions) unswept(left []garbage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trash = append(v.trash, left...)
}
