package sparkplug

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

type stateMessage struct {
	Online    *bool  `json:"online"`
	Timestamp *int64 `json:"timestamp"`
}

// state reads a STATE payload, which has two members and no more.
func state(t *testing.T, p Publication) (online bool, timestamp int64) {
	t.Helper()
	var m stateMessage
	dec := json.NewDecoder(bytes.NewReader(p.Payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil || m.Online == nil || m.Timestamp == nil {
		t.Fatalf("STATE payload %q: %v", p.Payload, err)
	}
	return *m.Online, *m.Timestamp
}

// certificates are the will, the birth and the death of a connection.
func certificates(t *testing.T) (will, birth, death Publication) {
	t.Helper()
	r := newRig(t)
	will = r.host.Connecting()
	r.now = r.now.Add(time.Second)
	if err := r.host.Connected(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(time.Second)
	if err := r.host.Disconnecting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.published) != 2 {
		t.Fatalf("published: got %d messages want birth and death", len(r.published))
	}
	return will, r.published[0], r.published[1]
}

func stateBirthAndDeath(t *testing.T) {
	will, birth, death := certificates(t)
	for _, tc := range []struct {
		name   string
		p      Publication
		online bool
	}{{"will", will, false}, {"birth", birth, true}, {"death", death, false}} {
		if got, _ := state(t, tc.p); got != tc.online {
			t.Errorf("%s: got online %v want %v", tc.name, got, tc.online)
		}
	}
}

func stateBirthAtQoS1(t *testing.T) {
	if _, birth, _ := certificates(t); birth.QoS != 1 {
		t.Errorf("got QoS %d want 1", birth.QoS)
	}
}

func stateBirthRetained(t *testing.T) {
	if _, birth, _ := certificates(t); !birth.Retain || birth.QoS != 1 {
		t.Errorf("got retain %v and QoS %d want true and 1", birth.Retain, birth.QoS)
	}
}

func stateTopics(t *testing.T) {
	will, birth, death := certificates(t)
	for _, p := range []Publication{will, birth, death} {
		if p.Topic != "spBv1.0/STATE/fleetwatt" {
			t.Errorf("got %q want spBv1.0/STATE/fleetwatt", p.Topic)
		}
	}
}

func stateBirthPayload(t *testing.T) {
	_, birth, _ := certificates(t)
	if online, ts := state(t, birth); !online || ts != t0 {
		t.Errorf("got %s want online at %d", birth.Payload, t0)
	}
}

func stateTimestampOfTheWill(t *testing.T) {
	r := newRig(t)
	for range 3 { // each connection anew
		r.forget()
		will := r.host.Connecting()
		r.now = r.now.Add(time.Minute)
		if err := r.host.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, want := state(t, will)
		if _, got := state(t, r.published[0]); got != want {
			t.Errorf("birth: got timestamp %d want %d of the will", got, want)
		}
	}
}

func stateTimestampPerServer(t *testing.T) {
	a, b := newRig(t), newRig(t)
	a.host.Connecting()
	b.now = b.now.Add(time.Hour)
	b.host.Connecting()
	for _, tc := range []struct {
		r    *rig
		want int64
	}{{a, t0}, {b, t0 + 3_600_000}} {
		if err := tc.r.host.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, got := state(t, tc.r.published[0]); got != tc.want {
			t.Errorf("got timestamp %d want %d", got, tc.want)
		}
	}
}

func stateOfflineIsAnswered(t *testing.T) {
	own, other := "spBv1.0/STATE/fleetwatt", "spBv1.0/STATE/other"
	for _, tc := range []struct {
		name, topic, payload string
		born                 bool
		answered             bool
	}{
		{"offline", own, `{"online":false,"timestamp":1767225700000}`, true, true},
		{"offline, older", own, `{"online":false,"timestamp":1}`, true, true},
		{"online", own, `{"online":true,"timestamp":1767225600000}`, true, false},
		{"another host", other, `{"online":false,"timestamp":1767225700000}`, true, false},
		{"before the birth", own, `{"online":false,"timestamp":1767225500000}`, false, false},
		{"no JSON", own, `OFFLINE`, true, false},
		{"cleared", own, ``, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.host.Connecting()
			r.now = r.now.Add(time.Second)
			if tc.born {
				if err := r.host.Connected(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			r.forget()
			r.raw(tc.topic, []byte(tc.payload))
			if len(r.done) != 1 || len(r.faults()) != 0 {
				t.Errorf("got %d acknowledged and %d faults want 1 and 0", len(r.done), len(r.faults()))
			}
			if !tc.answered {
				if len(r.published) != 0 {
					t.Errorf("got %d answers want none", len(r.published))
				}
				return
			}
			if len(r.published) != 1 {
				t.Fatalf("got %d answers want one", len(r.published))
			}
			p := r.published[0]
			if online, ts := state(t, p); !online || ts != t0 || p.QoS != 1 || !p.Retain || p.Topic != own {
				t.Errorf("got %s on %s want the birth with the timestamp of the will", p.Payload, p.Topic)
			}
		})
	}
	t.Run("one's own death", func(t *testing.T) {
		r := newRig(t)
		r.host.Connecting()
		if err := r.host.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.host.Disconnecting(t.Context()); err != nil {
			t.Fatal(err)
		}
		death := r.published[1]
		r.forget()
		r.raw(death.Topic, death.Payload)
		if len(r.published) != 0 {
			t.Errorf("got %d answers want none", len(r.published))
		}
	})
}

// That no other host has the id can't be known; that it is one can.
func hostIDIsChecked(t *testing.T) {
	for _, id := range []string{"", "a/b", "a+", "#", "\xff"} {
		r := newRig(t)
		o := r.host.opts
		o.HostID = id
		if _, err := New(o); err == nil {
			t.Errorf("host id %q: got no error", id)
		}
	}
}

func stateDeathAtQoS1(t *testing.T) {
	will, _, death := certificates(t)
	if will.QoS != 1 || death.QoS != 1 {
		t.Errorf("got QoS %d and %d want 1", will.QoS, death.QoS)
	}
}

func stateDeathRetained(t *testing.T) {
	will, _, death := certificates(t)
	if !will.Retain || !death.Retain {
		t.Errorf("got retain %v and %v want true", will.Retain, death.Retain)
	}
}

func stateDeathPayload(t *testing.T) {
	will, _, death := certificates(t)
	for _, p := range []Publication{will, death} {
		if online, _ := state(t, p); online {
			t.Errorf("got %s want offline", p.Payload)
		}
	}
}

func stateWillHasThePresentTime(t *testing.T) {
	r := newRig(t)
	for i := range int64(3) {
		if _, got := state(t, r.host.Connecting()); got != t0+i*1000 {
			t.Errorf("got %d want %d", got, t0+i*1000)
		}
		r.now = r.now.Add(time.Second)
	}
}

func stateDeathHasThePresentTime(t *testing.T) {
	_, _, death := certificates(t)
	if _, got := state(t, death); got != t0+2000 {
		t.Errorf("got %d want %d", got, t0+2000)
	}
}
