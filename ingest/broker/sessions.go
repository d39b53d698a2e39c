package broker

import (
	"errors"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
)

// maxStall is how long a publish may wait to be taken before its connection is
// closed. The client keeps it and comes again.
const maxStall = time.Minute

var errStalled = errors.New("the server could not take a message within a minute")

// maxThrottled is how long a connection may wait for its device's quota and keep
// its place from a new one. Nobody reads it meanwhile: its client may be gone.
const maxThrottled = 5 * time.Second

// sessions are those that are signed in, and the clients by their device: these
// from their CONNECT on, so that no rush of them slips past a limit.
type sessions struct {
	mu       sync.Mutex
	all      map[*session]*stall
	byID     map[string]*session
	byDevice map[devices.Ref]map[*mqtt.Client]*conn
}

// stall is what the janitor saw of a session.
type stall struct {
	step  uint64
	since time.Time
}

func newSessions() *sessions {
	return &sessions{
		all: make(map[*session]*stall), byID: make(map[string]*session),
		byDevice: make(map[devices.Ref]map[*mqtt.Client]*conn),
	}
}

func (ss *sessions) len() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.all)
}

// find returns the session with a client id; nil where there is none.
func (ss *sessions) find(id string) *session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.byID[id]
}

// admit gives a client one of the places of its device. One that has its id, and
// whose place it will take, does not count. Where all are taken, it takes that of
// the connection that has waited longest for the quota, if that is long enough.
func (ss *sessions) admit(cl *mqtt.Client, c *conn, ref devices.Ref, limit int, now time.Time) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	others := 0
	var oldest *mqtt.Client
	longest := now.Add(-maxThrottled).UnixNano()
	for other, oc := range ss.byDevice[ref] {
		if other.ID == cl.ID {
			continue
		}
		others++
		if since := oc.throttledSince.Load(); since != 0 && since <= longest {
			oldest, longest = other, since
		}
	}
	if others >= limit {
		if oldest == nil {
			return false
		}
		delete(ss.byDevice[ref], oldest)
		oldest.Stop(packets.ErrQuotaExceeded)
	}
	if ss.byDevice[ref] == nil {
		ss.byDevice[ref] = make(map[*mqtt.Client]*conn)
	}
	ss.byDevice[ref][cl] = c
	return true
}

// leave gives the place back.
func (ss *sessions) leave(cl *mqtt.Client, ref devices.Ref) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.byDevice[ref], cl)
	if len(ss.byDevice[ref]) == 0 {
		delete(ss.byDevice, ref)
	}
}

func (ss *sessions) add(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.all[s] = &stall{}
	ss.byID[s.client.ID] = s
}

// remove reports whether the session was there.
func (ss *sessions) remove(s *session) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	_, ok := ss.all[s]
	delete(ss.all, s)
	if ss.byID[s.client.ID] == s {
		delete(ss.byID, s.client.ID)
	}
	return ok
}

// kick ends the connections of a device.
func (ss *sessions) kick(ref devices.Ref) {
	ss.mu.Lock()
	ending := make([]*mqtt.Client, 0, len(ss.byDevice[ref]))
	for cl := range ss.byDevice[ref] {
		ending = append(ending, cl)
	}
	ss.mu.Unlock()
	for _, cl := range ending {
		cl.Stop(packets.ErrNotAuthorized)
	}
}

// endAll has every session send what is due, ends it, and waits for that.
func (ss *sessions) endAll() {
	ss.mu.Lock()
	all := make([]*session, 0, len(ss.all))
	for s := range ss.all {
		all = append(all, s)
	}
	ss.mu.Unlock()
	for _, s := range all {
		s.end()
	}
	for _, s := range all {
		s.written()
	}
}

// closeStalled closes the connections whose publish has waited too long to be
// taken. It is called every few seconds.
func (ss *sessions) closeStalled(now time.Time, closed func(*session)) {
	ss.mu.Lock()
	var ending []*session
	for s, seen := range ss.all {
		step := s.intake.step.Load()
		switch {
		case step%2 == 0 || step != seen.step:
			seen.step, seen.since = step, now
		case now.Sub(seen.since) >= maxStall:
			ending = append(ending, s)
		}
	}
	ss.mu.Unlock()
	for _, s := range ending {
		s.client.Stop(errStalled)
		closed(s)
	}
}
