package presence

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

const preset = 15 * minute

func reading(ts int64) *wire.Decoded {
	return &wire.Decoded{Readings: []telemetry.Reading{{TS: ts}}}
}

func status(kind string, ts int64) *wire.Decoded {
	return &wire.Decoded{Events: []telemetry.Event{{Type: kind, TS: ts}}}
}

// delivery is one message as it is received.
type delivery struct {
	at int64
	d  *wire.Decoded
}

func heard(in ...delivery) *seen {
	s := &seen{}
	for _, m := range in {
		s.take(m.at, m.d, 0, preset)
	}
	return s
}

func TestState(t *testing.T) {
	const now = epoch
	at := func(before time.Duration) int64 { return now - before.Milliseconds() }
	fresh := delivery{at(time.Minute), reading(at(time.Minute))}
	tests := []struct {
		name  string
		in    []delivery
		fixed int64
		want  State
	}{
		{"nothing", nil, 0, Never},
		{"a reading just now", []delivery{fresh}, 0, Online},
		{"silent for an hour", []delivery{{at(time.Hour), reading(at(time.Hour))}}, 0, Offline},
		{"silent for longer than is configured", []delivery{fresh}, 30 * second, Offline},
		{"silent for an hour, as is configured", []delivery{{at(time.Hour), reading(at(time.Hour))}}, 2 * hour, Online},
		{"old readings, after an hour of them", []delivery{
			{at(70 * time.Minute), reading(at(24 * time.Hour))}, {at(61 * time.Minute), reading(at(24 * time.Hour))},
			{at(50 * time.Minute), reading(at(24 * time.Hour))}, {at(40 * time.Minute), reading(at(24 * time.Hour))},
			{at(28 * time.Minute), reading(at(24 * time.Hour))}, {at(14 * time.Minute), reading(at(24 * time.Hour))}, {at(time.Minute), reading(at(24 * time.Hour))}}, 0, Stale},
		{"old readings, from one that just came", []delivery{{at(time.Minute), reading(at(24 * time.Hour))}}, 0, Online},
		{"nonsense is a sign of life", []delivery{{at(time.Minute), &wire.Decoded{Faults: []wire.Fault{{}}}}}, 0, Online},
		{"an event is one", []delivery{{at(time.Minute), status("swap.completed", at(time.Minute))}}, 0, Online},
		{"online alone", []delivery{{at(time.Minute), status(wire.StatusOnline, at(time.Minute))}}, 0, Online},
		{"offline alone", []delivery{{at(time.Minute), status(wire.StatusOffline, at(time.Minute))}}, 0, Offline},
		{"offline after a reading", []delivery{fresh, {at(0), status(wire.StatusOffline, at(0))}}, 0, Offline},
		{"a reading after offline", []delivery{{at(time.Hour), status(wire.StatusOffline, at(time.Hour))}, fresh}, 0, Online},
		{"online and offline at once", []delivery{{at(0), status(wire.StatusOffline, at(0))}, {at(0), status(wire.StatusOnline, at(0))}}, 0, Offline},
		{"an offline of before, late", []delivery{fresh, {at(0), status(wire.StatusOffline, at(time.Hour))}}, 0, Online},
		{"a retained online of yesterday", []delivery{{at(0), status(wire.StatusOnline, at(24*time.Hour))}}, 0, Offline},
		{"an offline from the future counts now", []delivery{{at(time.Minute), status(wire.StatusOffline, at(-5*time.Minute))}, {at(0), reading(at(0))}}, 0, Online},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := heard(tt.in...).state(now, tt.fixed, hour); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What is known after any messages does not depend on their order.
func TestOrderOfPresence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instant := rapid.Int64Range(epoch, epoch+2*hour)
		in := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) delivery {
			m := delivery{at: instant.Draw(t, "at")}
			switch ts := instant.Draw(t, "ts"); rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				m.d = reading(ts)
			case 1:
				m.d = status(wire.StatusOnline, ts)
			case 2:
				m.d = status(wire.StatusOffline, ts)
			}
			return m
		}), 1, 30).Draw(t, "messages")
		a := heard(in...)
		b := heard(rapid.Permutation(in).Draw(t, "shuffled")...)
		if a.first != b.first || a.last != b.last || a.newest != b.newest || a.offline != b.offline {
			t.Fatalf("got %+v, want %+v", *b, *a)
		}
		// With a silence that is configured the state is the same at every time.
		now := rapid.Int64Range(epoch, epoch+4*hour).Draw(t, "now")
		if got, want := b.state(now, minute, hour) == Offline, a.state(now, minute, hour) == Offline; got != want {
			t.Fatalf("offline: got %v, want %v", got, want)
		}
	})
}

// A device is given three times the pause that it makes.
func TestPace(t *testing.T) {
	steady := func(step int64, n int) (in []delivery) {
		for i := range n {
			in = append(in, delivery{epoch + int64(i)*step, reading(epoch)})
		}
		return in
	}
	bursts := func(pause int64, n int) (in []delivery) {
		for i := range n {
			for j := range 20 {
				in = append(in, delivery{epoch + int64(i)*pause + int64(j)*100, reading(epoch)})
			}
		}
		return in
	}
	tests := []struct {
		name     string
		in       []delivery
		min, max time.Duration
	}{
		{"before anything is known", steady(second, 1), 15 * time.Minute, 15 * time.Minute},
		{"every second", steady(second, 7200), time.Minute, time.Minute},
		{"every ten minutes", steady(10*minute, 10), 30 * time.Minute, 30 * time.Minute},
		{"every hour", steady(hour, 5), 3 * time.Hour, 3 * time.Hour},
		{"every week", steady(7*day, 5), 24 * time.Hour, 24 * time.Hour},
		{"twenty at once each quarter of an hour", bursts(15*minute, 200), 40 * time.Minute, 50 * time.Minute},
		{"twenty at once each hour", bursts(hour, 200), 160 * time.Minute, 190 * time.Minute},
		{"an outage of a day is no pace", append(steady(minute, 600), delivery{epoch + day + 600*minute, reading(epoch)}), 3 * time.Minute, 4 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := time.Duration(heard(tt.in...).allowed(0)) * time.Millisecond
			if got < tt.min || got > tt.max {
				t.Errorf("got %s, want %s to %s", got, tt.min, tt.max)
			}
		})
	}
}

func TestSince(t *testing.T) {
	s := heard(slices.Concat(
		[]delivery{{epoch, reading(epoch)}, {epoch + minute, reading(epoch)}, {epoch + 2*minute, status(wire.StatusOffline, epoch+2*minute)}},
		[]delivery{{epoch + 5*minute, reading(epoch)}, {epoch + 6*minute, reading(epoch)}})...)
	if want := epoch + 5*minute; s.since != want || s.first != epoch {
		t.Errorf("after offline: got since %d, first %d, want %d and %d", s.since, s.first, want, epoch)
	}
	s.take(epoch+day, reading(epoch), 0, preset)
	if want := epoch + day; s.since != want {
		t.Errorf("after a silence: got %d, want %d", s.since, want)
	}
	s.take(epoch+hour, reading(epoch), 0, preset)
	if want := epoch + day; s.since != want || s.last != want {
		t.Errorf("after a late one: got since %d, last %d, want %d", s.since, s.last, want)
	}
}
