package ingest

import "sync"

// Accounting counts records since the process started. A record is one reading,
// event or status, or one piece that could not be taken apart. At every instant
//
//	Received = Stored + Duplicate + Quarantined + Pending
type Accounting struct {
	Received    uint64 `json:"received"`
	Stored      uint64 `json:"stored"`      // readings and events that are new
	Duplicate   uint64 `json:"duplicate"`   // readings merged into one that was there, events seen before
	Quarantined uint64 `json:"quarantined"` // kept with the reason why they can't be stored
	Pending     uint64 `json:"pending"`     // accepted, not yet committed, not yet acknowledged
}

// Balanced reports whether nothing is unaccounted for.
func (a Accounting) Balanced() bool {
	return a.Received == a.Stored+a.Duplicate+a.Quarantined+a.Pending
}

// books keeps the accounting; every change is one step, so that no reader sees
// it unbalanced.
type books struct {
	mu sync.Mutex
	a  Accounting
}

func (b *books) receive(n int) {
	b.mu.Lock()
	b.a.Received += uint64(n)
	b.a.Pending += uint64(n)
	b.mu.Unlock()
}

func (b *books) settle(stored, duplicate, quarantined int) {
	b.mu.Lock()
	b.a.Pending -= uint64(stored + duplicate + quarantined)
	b.a.Stored += uint64(stored)
	b.a.Duplicate += uint64(duplicate)
	b.a.Quarantined += uint64(quarantined)
	b.mu.Unlock()
}

func (b *books) snapshot() Accounting {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.a
}
