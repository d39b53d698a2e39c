package ledger

import (
	"maps"
	"sync"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// maxMarked bounds the days that are remembered as marked. Forgetting them is
// always right and costs a marking each.
const maxMarked = 1 << 18

// dirtySet remembers the days that this process has marked since days were last
// handed out, by whichever process, because marking those again would change
// nothing.
//
// A writer appends, then marks; a job calls Dirty, then reads. No append may be
// missed: a day may be skipped by MarkDirty only if a later call of Dirty is
// sure to return it. Markings have numbers in the order of their commits, and
// Dirty commits the number up to which it hands out before it returns. A day
// whose number is greater than that at a moment after the append will be handed
// out by a call of Dirty that returns after the append, so that the job reads
// it. It does not matter in which process either is.
type dirtySet struct {
	marking sync.Mutex // held by a marking, so that no two mark the same days

	mu     sync.RWMutex // held for what follows alone, never during I/O
	handed int64        // the greatest number that is known to be handed out
	marked map[telemetry.DeviceDay]int64
}

// mark has commit write the markings of those days that need one, under a
// number that it returns, and remembers them.
func (s *dirtySet) mark(days []telemetry.DeviceDay, commit func(missing []telemetry.DeviceDay) (seq int64, err error)) error {
	if len(s.missing(days)) == 0 {
		return nil
	}
	s.marking.Lock()
	defer s.marking.Unlock()
	missing := s.missing(days) // another call may have marked them meanwhile
	if len(missing) == 0 {
		return nil
	}
	seq, err := commit(missing)
	if err != nil {
		return err
	}
	s.add(missing, seq)
	return nil
}

// missing returns the days that need a marking.
func (s *dirtySet) missing(days []telemetry.DeviceDay) []telemetry.DeviceDay {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var missing []telemetry.DeviceDay
	for _, d := range days {
		if seq, ok := s.marked[d]; !ok || seq <= s.handed {
			missing = append(missing, d)
		}
	}
	return missing
}

func (s *dirtySet) add(days []telemetry.DeviceDay, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marked == nil || len(s.marked)+len(days) > maxMarked {
		s.marked = make(map[telemetry.DeviceDay]int64, len(days))
	}
	for _, d := range days {
		s.marked[d] = max(s.marked[d], seq)
	}
}

// handOut takes note that the markings up to a number were handed out.
func (s *dirtySet) handOut(upTo int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if upTo <= s.handed {
		return
	}
	s.handed = upTo
	maps.DeleteFunc(s.marked, func(_ telemetry.DeviceDay, seq int64) bool { return seq <= upTo })
}
