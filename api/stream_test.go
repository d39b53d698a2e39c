package api

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// startLive serves with a stream and a battery to hear of.
func startLive(t *testing.T) (*server, *Live) {
	live := NewLive(clock)
	s := start(t, func(o *Options) { o.Live = live })
	s.must("battery", `{"id":"B1"}`)
	s.must("battery", `{"id":"B2"}`)
	return s, live
}

// heard is one event of a stream.
type heard struct{ id, event, data string }

// open connects to the stream; the function returns the next event, comments and
// pauses left out, and an empty one at the end.
func (s *server) open(query, lastID string) func() heard {
	s.t.Helper()
	return s.openAs(testKey, query, lastID)
}

// openAs is open with a key.
func (s *server) openAs(key, query, lastID string) func() heard {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+prefix+"/stream"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		s.t.Fatalf("got %d %s", res.StatusCode, got)
	}
	lines := bufio.NewScanner(res.Body)
	return func() (h heard) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				h.id = value
			case "event":
				h.event = value
			case "data":
				h.data = value
			case "":
				if h.event != "" {
					return h
				}
			}
		}
		return heard{}
	}
}

// observe tells of two readings of the battery in one message.
func (s *server) observe(live *Live, id string, soc float64) {
	f := s.readings.schema.Field(devices.KindBattery, "soc_pct")
	reading := func(ts int64, v float64) telemetry.Reading {
		r := telemetry.Reading{Kind: devices.KindBattery, Device: id, TS: ts}
		r.Set(telemetry.Value{Field: f, Num: v})
		return r
	}
	live.Observe(devices.Ref{Kind: devices.KindBattery, ID: id}, 0, &wire.Decoded{Readings: []telemetry.Reading{reading(2000, soc), reading(1000, 1)}})
}

func TestStream(t *testing.T) {
	s, live := startLive(t)
	s.observe(live, "B1", 10) // nobody listens
	all, one := s.open("", ""), s.open("?devices=B2&topics=telemetry", "")
	s.observe(live, "B1", 81.5)
	s.observe(live, "nobody", 1) // not registered, so nobody may know of it
	live.Run(ledger.Run{ID: 3, Job: "rollup", Trigger: "schedule", Start: clock})
	s.observe(live, "B2", 20)
	live.Observe(devices.Ref{Kind: devices.KindBattery, ID: "B1"}, 0, &wire.Decoded{Events: []telemetry.Event{{
		Kind: devices.KindBattery, Device: "B1", ID: "e1", TS: 3000, Type: "fault.opened", Data: []byte(`{"code":7}`),
	}}})
	first := all()
	if want := `{"kind":"battery","id":"B1","ts":"1970-01-01T00:00:02.000Z","values":{"soc_pct":81.5}}`; first.event != "telemetry" || first.data != want {
		t.Errorf("got %+v, want %s", first, want)
	}
	for _, want := range []struct{ event, part string }{
		{"job", `"job":"rollup","trigger":"schedule","status":"running"`}, {"telemetry", `"id":"B2"`}, {"event", `"code":7`},
	} {
		if got := all(); got.event != want.event || !strings.Contains(got.data, want.part) {
			t.Errorf("got %+v, want %v", got, want)
		}
	}
	if got := one(); !strings.Contains(got.data, `"id":"B2"`) {
		t.Errorf("got %+v, want B2", got)
	}

	again := s.open("?topics=job,event", first.id)
	if got := again(); got.event != "job" {
		t.Errorf("after %s: got %+v, want the job", first.id, got)
	}
	if got := again(); got.event != "event" {
		t.Errorf("got %+v, want the event", got)
	}
	if got := s.open("", "another-7")(); got.event != "gap" {
		t.Errorf("after an unknown id: got %+v, want a gap", got)
	}
	refused(t, s.get(prefix+"/stream?topics=weather"), http.StatusUnprocessableEntity)
	live.Close()
	if got := one(); got.event != "closing" {
		t.Errorf("got %+v, want the end", got)
	}
	if got := one(); got != (heard{}) {
		t.Errorf("after the end: got %+v", got)
	}
	refused(t, s.get(prefix+"/stream"), http.StatusServiceUnavailable)
}

// Whoever does not read is dropped, and told so; the others hear everything.
func TestSlowListenerIsDropped(t *testing.T) {
	live := NewLive(clock)
	any := func(*happening) bool { return true }
	slow, _ := live.listen(any, "")
	quick, _ := live.listen(any, "")
	for range 2 * liveBuffer {
		live.Run(ledger.Run{ID: 1, Job: "rollup", Start: clock})
		<-quick.waiting
	}
	n := 0
	for range slow.waiting { // closed
		n++
	}
	if n != liveBuffer || !slow.behind.Load() || quick.behind.Load() {
		t.Errorf("got %d events, dropped %v and %v; want %d, and the slow one dropped", n, slow.behind.Load(), quick.behind.Load(), liveBuffer)
	}
	live.leave(slow) // a second time
	live.leave(quick)
	if got := live.present.Load(); got != 0 {
		t.Errorf("got %d listeners, want none", got)
	}
}

// What is kept is bounded, and what is no longer kept is told of.
func TestStreamGoesOn(t *testing.T) {
	live := NewLive(clock)
	any := func(*happening) bool { return true }
	who, _ := live.listen(any, "")
	var ids []string
	for range liveKept + 10 {
		live.Run(ledger.Run{ID: 1, Job: "rollup", Start: clock})
		h := <-who.waiting
		ids = append(ids, live.id(&h))
	}
	for _, test := range []struct {
		name   string
		after  int
		missed bool
		want   int
	}{
		{"the newest", len(ids) - 1, false, 0},
		{"ten since", len(ids) - 11, false, 10},
		{"the first", 0, true, liveBuffer},
	} {
		back, missed := live.listen(any, ids[test.after])
		if missed != test.missed || len(back.waiting) != test.want {
			t.Errorf("%s: got %d, missed %v; want %d, %v", test.name, len(back.waiting), missed, test.want, test.missed)
		}
	}
	if got := len(live.kept); got > liveKept {
		t.Errorf("got %d kept, want %d at most", got, liveKept)
	}
	for range maxListeners {
		live.listen(any, "")
	}
	if one, _ := live.listen(any, ""); one != nil {
		t.Error("there was room for more than there may be")
	}
	live.Close()
	live.Close()
}

// A stream does not outlast the key that it was opened with.
func TestStreamEndsWithItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := NewLive(clock)
		ref, good := devices.Ref{Kind: devices.KindBattery, ID: "B1"}, true
		who, _ := live.listen(func(*happening) bool { return true }, "")
		s := &stream{live: live, who: who, visible: &visible{
			begins:   func(context.Context, devices.Ref) (int64, error) { return always, nil },
			admitted: func(context.Context) bool { return good },
			ctx:      t.Context(), timeout: time.Second, known: map[devices.Ref]int64{}, asked: time.Now(),
		}}
		begin, beats := time.Now(), 0
		for ; !s.ended && beats < 100; beats++ {
			s.part = nil
			if beats == 10 {
				good = false
			}
			s.next()
		}
		if took := time.Since(begin); !s.ended || !strings.Contains(string(s.part), "event: closing") || took < 150*time.Second || took > 4*time.Minute {
			t.Errorf("ended %v after %s with %q, want it at most 75 s after the key, which was at 150 s", s.ended, took, s.part)
		}
		live.publish("telemetry", ref, 0, map[string]string{"id": "B1"})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
