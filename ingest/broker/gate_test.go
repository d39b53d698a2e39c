package broker

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// silentConn is a connection from an address that has not signed in.
func silentConn(t *testing.T, from string) *conn {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	c := newConn(near, nil, 0)
	c.origin = netip.MustParsePrefix(from)
	return c
}

// One host that opens connections and says nothing keeps out neither who comes
// from elsewhere nor, for long, who comes from the same address.
func TestSilentConnectionsGiveWay(t *testing.T) {
	o := Options{MaxClients: 400}
	o.setDefaults()
	g := newGate(&o, nil)
	now := time.Unix(1_800_000_000, 0)
	const flooder, other = "192.0.2.1/32", "198.51.100.1/32"
	enter := func(from string) (c, victim *conn, why cause, ok bool) {
		c = silentConn(t, from)
		victim, why, ok = g.place(c, now)
		return c, victim, why, ok
	}
	first, _, _, _ := enter(flooder)
	if !first.signedIn() {
		t.Fatal("a connection with a place could not sign in")
	}
	oldest, _, _, _ := enter(flooder)
	for i := 1; i < minSilent; i++ {
		if _, _, _, ok := enter(flooder); !ok {
			t.Fatalf("silent connection %d was refused", i)
		}
	}
	if _, _, why, ok := enter(flooder); ok || why != refusedSilent {
		t.Errorf("one too many: got in %v, cause %v", ok, why)
	}
	if _, victim, _, ok := enter(other); !ok || victim != nil {
		t.Errorf("from elsewhere: got in %v, in place of another %v", ok, victim != nil)
	}
	now = now.Add(silentGrace)
	c, victim, _, ok := enter(flooder)
	if !ok || victim != oldest {
		t.Fatalf("after the grace: got in %v, in place of the oldest %v", ok, victim == oldest)
	}
	if !c.signedIn() || oldest.signedIn() {
		t.Error("the place was not handed over")
	}
	if _, _, _, ok := enter(flooder); !ok {
		t.Error("who has signed in still counts as silent")
	}
	for c := range g.open {
		g.leave(c)
	}
	if g.served.Done(); len(g.open)+len(g.from)+g.silent.Len() != 0 { // the oldest, whose place was taken
		t.Errorf("got %d open, %d addresses, %d silent; want none", len(g.open), len(g.from), g.silent.Len())
	}
}

// Where every place is taken by the silent, one of them gives way.
func TestSilentConnectionsDoNotFill(t *testing.T) {
	o := Options{MaxClients: 2}
	o.setDefaults()
	g := newGate(&o, nil)
	now := time.Unix(1_800_000_000, 0)
	for range 2 {
		if _, _, ok := g.place(silentConn(t, "192.0.2.1/32"), now); !ok {
			t.Fatal("refused")
		}
	}
	if _, why, ok := g.place(silentConn(t, "198.51.100.1/32"), now); ok || why != refusedFull {
		t.Errorf("got in %v, cause %v", ok, why)
	}
	if _, _, ok := g.place(silentConn(t, "198.51.100.1/32"), now.Add(silentGrace)); !ok {
		t.Error("the silent keep everybody out")
	}
}
