package ledger

import (
	"sync"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// maxMarked bounds the days that are remembered as marked. Forgetting them is
// always right and costs a marking each.
const maxMarked = 1 << 18

// dirtySet remembers the days that were marked since Dirty last handed any
// out, because marking those again would change nothing.
//
// A writer appends, then marks; a job calls Dirty, then reads. No append may be
// missed: a day may be skipped by MarkDirty only if a later call of Dirty is
// sure to return it. So a day enters the set after its marking was committed,
// and Dirty empties the set before it looks at the file. Both steps of each are
// under order: between the commit and the entry, a call of Dirty could hand
// the day out and empty the set, and the entry that follows would then
// suppress a marking that no call has seen.
type dirtySet struct {
	order sync.Mutex // held by a marking from its commit to its entry, and by Dirty

	mu     sync.RWMutex // held for the set alone, never during I/O
	marked map[telemetry.DeviceDay]struct{}
}

// mark has commit write the markings of those days that are not in the set, and
// enters them.
func (s *dirtySet) mark(days []telemetry.DeviceDay, commit func(missing []telemetry.DeviceDay) error) error {
	if len(s.missing(days)) == 0 {
		return nil
	}
	s.order.Lock()
	defer s.order.Unlock()
	missing := s.missing(days) // another call may have marked them meanwhile
	if len(missing) == 0 {
		return nil
	}
	if err := commit(missing); err != nil {
		return err
	}
	s.add(missing)
	return nil
}

// handOut empties the set and then has snapshot fix the state that is handed
// out.
func (s *dirtySet) handOut(snapshot func() error) error {
	s.order.Lock()
	defer s.order.Unlock()
	s.forget()
	return snapshot()
}

// missing returns the days that are not in the set.
func (s *dirtySet) missing(days []telemetry.DeviceDay) []telemetry.DeviceDay {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var missing []telemetry.DeviceDay
	for _, d := range days {
		if _, ok := s.marked[d]; !ok {
			missing = append(missing, d)
		}
	}
	return missing
}

func (s *dirtySet) add(days []telemetry.DeviceDay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marked == nil || len(s.marked)+len(days) > maxMarked {
		s.marked = make(map[telemetry.DeviceDay]struct{}, len(days))
	}
	for _, d := range days {
		s.marked[d] = struct{}{}
	}
}

func (s *dirtySet) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.marked)
}
