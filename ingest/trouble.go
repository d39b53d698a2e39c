package ingest

import (
	"sync"
	"time"
)

// trouble remembers what a commit is stuck on.
type trouble struct {
	mu    sync.Mutex
	what  string
	since time.Time
}

// set notes a failed try and reports whether it is the first of its spell.
func (t *trouble) set(what string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.what == ""
	if first {
		t.since = now
	}
	t.what = what
	return first
}

// clear ends the spell and reports whether there was one.
func (t *trouble) clear() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.what != ""
	t.what = ""
	return was
}

func (t *trouble) get() (string, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.what, t.since
}
