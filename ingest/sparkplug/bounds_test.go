package sparkplug

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices/wire"
)

func TestNodesAreBounded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Bounds.Nodes = 3 })
	first := r.edge()
	first.online()
	for i := range 50 {
		e := r.edge()
		e.node = fmt.Sprintf("other%d", i)
		e.online()
		first.ddata("b1", float64(i)) // heard all the time, so never forgotten
	}
	if s := r.host.Status(); s.NodesTotal != 3 || s.Counts.Forgotten != 48 {
		t.Errorf("got %d nodes and %d forgotten want 3 and 48", s.NodesTotal, s.Counts.Forgotten)
	}
	if got := len(r.volts("b1")); got != 51 {
		t.Errorf("voltages of the node that was kept: got %d want 51", got)
	}
	r.wantRebirths(first, 0)
}

func TestForgottenNodeIsAskedForItsBirth(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Bounds.Nodes = 1 })
	a, b := r.edge(), r.edge()
	b.node = "station2"
	a.online()
	b.nbirth()
	a.ddata("b1", 51)
	r.wantRebirths(a, 1)
	if got := len(r.host.claims); got != 0 {
		t.Errorf("claims: got %d want those of a forgotten node to be free", got)
	}
}

func TestMemoryOfSessions(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Bounds.SessionBytes = 20_000 })
	for i := range 200 {
		e := r.edge()
		e.node = fmt.Sprintf("n%d", i)
		e.online()
		if got := r.host.Status().SessionBytes; got > 20_000 {
			t.Fatalf("session memory: got %d want at most 20,000", got)
		}
	}
	for len(r.host.nodes) > 0 { // what is given back adds up
		var o outbox
		r.host.forget(&o, r.host.recent.Back().Value.(*node), r.now)
	}
	if s := r.host.Status(); s.SessionBytes != 0 || s.WaitingBytes != 0 || len(r.host.claims) != 0 || len(r.host.due) != 0 {
		t.Errorf("empty host: got %d session bytes, %d waiting, %d claims, %d due want none", s.SessionBytes, s.WaitingBytes, len(r.host.claims), len(r.host.due))
	}
}

func TestDevicesAndMetricsAreBounded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Bounds.DevicesPerNode, o.Bounds.MetricsPerNode = 2, 8 })
	e := r.edge()
	e.online()
	e.dbirth("b3")
	r.wantReasons(wire.ReasonTooLarge)
	e.send(DDeath, e.next(), "b2")
	e.dbirth("b3") // in the place of the one that is offline
	r.wantReasons(wire.ReasonTooLarge)
	r.wantVolts("b3", 50)
	r.forget()
	e.send(DBirth, e.next(double("a", 1), double("b", 1), double("c", 1), double("d", 1), double("e", 1)), "b1")
	r.wantReasons(wire.ReasonTooLarge)
}

func TestWaitingIsBoundedOverNodes(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Bounds.WaitingBytes = 5000 })
	for i := range 100 {
		e := r.edge()
		e.node = fmt.Sprintf("n%d", i)
		e.seq = 5
		e.ddata("b1", 1)
		if got := r.host.Status().WaitingBytes; got > 5000 {
			t.Fatalf("waiting: got %d bytes want at most 5,000", got)
		}
	}
	if len(r.faults()) == 0 {
		t.Error("nothing went to quarantine for want of room")
	}
	r.pass(time.Hour)
	if got, want := len(r.faults()), 100; got != want {
		t.Errorf("faults: got %d want %d", got, want)
	}
	if got := r.host.Status().WaitingBytes; got != 0 {
		t.Errorf("waiting: got %d bytes want 0", got)
	}
}

func TestUnmappedListIsBounded(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth()
	for i := range 60 {
		p := e.next()
		for j := range 50 {
			p.Metrics = append(p.Metrics, double(fmt.Sprintf("m%d.%d", i, j), 1))
		}
		e.send(DBirth, p, "b1")
	}
	s := r.host.Status()
	if len(s.Unmapped) > maxListed || len(s.Unmapped)+int(s.UnmappedOther) != 3000 || s.Counts.Unmapped != 3000 {
		t.Errorf("got %d listed, %d others and %d counted want 3000 in all, at most %d listed", len(s.Unmapped), s.UnmappedOther, s.Counts.Unmapped, maxListed)
	}
}

// An alias that two metrics share says nothing.
func TestAmbiguousAlias(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth()
	v, s := double("voltage_v", 50), double("soc_pct", 80)
	v.Alias, s.Alias = proto.Uint64(1), proto.Uint64(1)
	e.send(DBirth, e.next(v, s), "b1")
	r.forget()
	e.ddata("b1", 51)
	r.wantReasons(wire.ReasonUnknownField)
	r.wantVolts("b1")
}
