package sparkplug

import (
	"errors"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// gateways are a registry: which device may speak for which.
type gateways map[devices.Ref]devices.Ref

func (g gateways) maySpeak(p ingest.Principal, ref devices.Ref) bool {
	return p.Device == ref || p.Device == g[ref]
}

func station(id string) devices.Ref { return devices.Ref{Kind: devices.KindStation, ID: id} }
func battery(id string) devices.Ref { return devices.Ref{Kind: devices.KindBattery, ID: id} }

// sign makes what the edge publishes its own, of that station.
func (e *edge) sign(id string) *edge {
	e.node, e.sender = id, ingest.Principal{Name: id, Device: station(id)}
	return e
}

// Who may not speak for a device neither keeps its gateway from it nor says when
// it is online.
func TestWhoMayNotSpeakClaimsNothing(t *testing.T) {
	g := gateways{battery("b1"): station("station2"), battery("b2"): station("station2")}
	r := newRig(t, func(o *Options) { o.MaySpeak = g.maySpeak })
	thief, owner := r.edge().sign("station1"), r.edge().sign("station2")
	thief.online()
	r.wantReasons(wire.ReasonForeign, wire.ReasonForeign)
	for _, s := range r.submitted {
		if len(s.d.Faults) > 0 && s.ref.Kind != devices.KindBattery {
			t.Errorf("handed on for %v: the pipeline is not asked about the battery", s.ref)
		}
	}
	r.forget()
	owner.online()
	owner.ddata("b1", 51)
	r.wantReasons()
	r.wantVolts("b1", 50, 51)
	r.forget()
	thief.ddata("b1", 99)
	thief.send(DDeath, thief.next(), "b1")
	r.wantReasons(wire.ReasonForeign)
	r.wantVolts("b1")
	r.wantStatuses()
}

// A battery that is moved to another gateway is its from the first message on,
// though the former one still speaks.
func TestClaimEndsWithTheRight(t *testing.T) {
	g := gateways{battery("b1"): station("station1"), battery("b2"): station("station1")}
	r := newRig(t, func(o *Options) { o.MaySpeak = g.maySpeak })
	before, after := r.edge().sign("station1"), r.edge().sign("station2")
	before.online()
	g[battery("b1")] = station("station2")
	r.forget()
	after.nbirth()
	after.dbirth("b1")
	r.wantReasons()
	r.wantVolts("b1", 50)
	r.forget()
	before.ddata("b1", 99)
	after.ddata("b1", 52)
	r.wantReasons(wire.ReasonForeign)
	r.wantVolts("b1", 52)
}

// What another node said of a device is kept such that it can be taken in, by
// names in place of aliases.
func TestSpokenForCanBeReplayed(t *testing.T) {
	r := newRig(t)
	a, b := r.edge(), r.edge()
	b.node = "station2"
	a.online()
	b.nbirth()
	b.dbirth("b1")
	r.forget()
	b.ddata("b1", 51)
	r.wantReasons(wire.ReasonSpokenFor)
	m := ingest.Message{Topic: b.topic(DData, "b1"), Payload: r.faults()[0].Raw, ReceivedMS: t0}
	other := newRig(t)
	if err := other.host.Replay(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	other.wantReasons()
	other.wantVolts("b1", 51)
}

// Only what edge nodes publish holds values.
func TestCommandsAreNotReplayed(t *testing.T) {
	for _, topic := range []string{"spBv1.0/STATE/fleetwatt", "spBv1.0/plant/NCMD/station1", "spBv1.0/plant/DCMD/station1/b1"} {
		r := newRig(t)
		p := r.edge().next(double("voltage_v", 51))
		if err := r.host.Replay(t.Context(), ingest.Message{Topic: topic, Payload: encode(t, p)}); err != nil {
			t.Fatal(err)
		}
		r.wantReasons(wire.ReasonUnknownTopic)
		r.wantVolts("b1")
	}
}

func TestReceiveTellsOfSubmit(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	e.seq++
	e.ddata("b1", 1)
	r.refuse = errors.New("full")
	if err := r.host.Drain(t.Context()); !errors.Is(err, r.refuse) {
		t.Errorf("drain: got %v want %v", err, r.refuse)
	}
}
