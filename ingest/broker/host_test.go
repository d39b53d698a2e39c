package broker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// sparkBroker hands fleet and Sparkplug messages to a pipe each.
func sparkBroker(t *testing.T, auto bool) (b *Broker, fleet, spark *pipe) {
	t.Helper()
	fleet, spark = newPipe(auto), newPipe(auto)
	o := newPolicy(t).options("127.0.0.1:0")
	o.Submit, o.SubmitSparkplug, o.Anonymous = fleet.submit, spark.submit, true
	return serve(t, o), fleet, spark
}

func edgeNode(t *testing.T, b *Broker) *raw {
	t.Helper()
	c := dialRaw(t, b.Addr(), nil, 5)
	if code := c.connect("edge", "station/edge", "secret of station/edge"); code != 0 {
		t.Fatalf("got CONNACK %#x, want 0", code)
	}
	return c
}

// Sparkplug messages go to their host, and are acknowledged when it has them;
// those on topics of others go the way of what is refused.
func TestSubmitSparkplug(t *testing.T) {
	b, fleet, spark := sparkBroker(t, false)
	c := edgeNode(t, b)
	c.write(publishPacketWith(5, "spBv1.0/G/NDATA/E", 1, "metrics"))
	m := spark.wait(t, 1)[0]
	want := ingest.Principal{Name: "station/edge", Device: ref(t, "station/edge")}
	if m.Topic != "spBv1.0/G/NDATA/E" || string(m.Payload) != "metrics" || m.Principal != want {
		t.Errorf("got %s %q from %+v", m.Topic, m.Payload, m.Principal)
	}
	c.ping() // it is answered, and no PUBACK has come before
	m.Done(ingest.Outcome{})
	if _, ok := c.answer(packets.Puback); !ok {
		t.Error("not acknowledged after the commit")
	}
	c.write(publishPacketWith(5, "spBv1.0/G/NDATA/other", 2, "x"))
	foreign := fleet.wait(t, 1)[0]
	foreign.Done(ingest.Outcome{})
	if body, ok := c.answer(packets.Puback); !ok || len(body) < 3 || body[2] != 0x87 {
		t.Errorf("another node's topic: got %x, want PUBACK 0x87", body)
	}
}

// Without a host, Sparkplug is for the pipeline to refuse.
func TestNoSparkplugHost(t *testing.T) {
	p := newPipe(true)
	o := newPolicy(t).options("127.0.0.1:0")
	o.Submit, o.SubmitSparkplug = p.submit, nil
	b := serve(t, o)
	if code, ok := edgeNode(t, b).publish("spBv1.0/G/NDATA/E", "x"); !ok || code != 0 {
		t.Errorf("got code %#x, up %v", code, ok)
	}
	if m := p.wait(t, 1)[0]; m.Topic != "spBv1.0/G/NDATA/E" {
		t.Errorf("got %s", m.Topic)
	}
}

// The host's commands and state reach those who may read them, and no others.
func TestPublish(t *testing.T) {
	b, _, _ := sparkBroker(t, true)
	if err := b.Publish("spBv1.0/STATE/host", []byte("online"), true); err != nil {
		t.Fatal(err)
	}
	retained(t, b, "spBv1.0/STATE/host")
	c, other := edgeNode(t, b), dialRaw(t, b.Addr(), nil, 5)
	if other.connect("s1", "station/s1", "secret of station/s1") != 0 || other.subscribe("fleet/v1/station/s1/#") > 2 {
		t.Fatal("not subscribed")
	}
	for _, filter := range []string{"spBv1.0/STATE/host", "spBv1.0/G/NCMD/E/#"} {
		if code := c.subscribe(filter); code > 2 {
			t.Fatalf("%s: got %#x", filter, code)
		}
	}
	for _, topic := range []string{"spBv1.0/G/NCMD/E", "spBv1.0/G/NCMD/other", "fleet/v1/station/s1/command"} {
		if err := b.Publish(topic, []byte("rebirth"), false); err != nil {
			t.Fatal(err)
		}
	}
	for len(c.got) < 2 {
		c.next()
	}
	other.next()
	c.ping()
	other.ping()
	if want := []string{"spBv1.0/STATE/host online", "spBv1.0/G/NCMD/E rebirth"}; !slices.Equal(c.got, want) {
		t.Errorf("edge node: got %q, want %q", c.got, want)
	}
	if want := []string{"fleet/v1/station/s1/command rebirth"}; !slices.Equal(other.got, want) {
		t.Errorf("device: got %q, want %q", other.got, want)
	}
	_ = b.Close()
	if err := b.Publish("x", nil, false); !errors.Is(err, ErrClosed) {
		t.Errorf("after the close: got %v, want %v", err, ErrClosed)
	}
}

func TestPublishDoesNotBlock(t *testing.T) {
	b, err := New(newPolicy(t).options("127.0.0.1:0")) // not started: nobody takes from the queue
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range maxFanOut {
		if err := b.Publish("x", nil, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Publish("x", nil, false); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
}

// What nobody subscribes to is not carried to anybody, and so never dropped.
func TestUnheardIsNotPassed(t *testing.T) {
	b, _, _ := sparkBroker(t, true)
	c := edgeNode(t, b)
	if c.subscribe("spBv1.0/STATE/host") > 2 {
		t.Fatal("not subscribed")
	}
	for range 5 * maxFanOut {
		b.hook.sessions.only(ref(t, "station/edge")).settle(&topic{name: "spBv1.0/G/NDATA/E", passed: true}, nil, 0, 0, false, ingest.Outcome{})
	}
	if got := b.Dropped(); got != 0 {
		t.Errorf("got %d dropped, want 0", got)
	}
	if code, ok := c.publish("spBv1.0/G/NDATA/E", "unheard"); !ok || code != 0 {
		t.Fatalf("got code %#x, up %v", code, ok)
	}
	watcher := dialRaw(t, b.Addr(), nil, 5)
	if watcher.connect("w", "", "") != 0 || watcher.subscribe("spBv1.0/G/#") > 2 {
		t.Fatal("no watcher")
	}
	if code, ok := c.publish("spBv1.0/G/NDATA/E", "heard"); !ok || code != 0 {
		t.Fatalf("got code %#x, up %v", code, ok)
	}
	watcher.next()
	if want := []string{"spBv1.0/G/NDATA/E heard"}; !slices.Equal(watcher.got, want) {
		t.Errorf("got %q, want %q", watcher.got, want)
	}
}

// A last will is only on topics that its client may have one on; only a status
// and a state outlive it.
func TestWill(t *testing.T) {
	p := newPolicy(t)
	device := rights{device: ref(t, "station/s1"), gateway: p.gateway}
	gateway := rights{device: ref(t, "station/gw"), gateway: p.gateway}
	node := rights{device: ref(t, "station/edge"), gateway: p.gateway, group: "G", node: "E"}
	trusted := rights{trusted: true, gateway: p.gateway}
	tests := []struct {
		name         string
		rights       rights
		topic        string
		ok, retained bool
	}{
		{"own status", device, "fleet/v1/station/s1/status", true, true},
		{"own telemetry", device, "fleet/v1/station/s1/telemetry", false, false},
		{"another's status", device, "fleet/v1/station/s2/status", false, false},
		{"a command of its own", device, "fleet/v1/station/s1/command", false, false},
		{"reserved", device, "$SYS/x", false, false},
		{"wildcard", device, "fleet/v1/station/+/status", false, false},
		{"Sparkplug, and no node", device, "spBv1.0/G/NDEATH/E", false, false},
		{"status of a device behind it", gateway, "fleet/v1/battery/b1/status", true, true},
		{"status of another", gateway, "fleet/v1/battery/b2/status", false, false},
		{"own death", node, "spBv1.0/G/NDEATH/E", true, false},
		{"own data", node, "spBv1.0/G/NDATA/E", false, false},
		{"death of its device", node, "spBv1.0/G/DDEATH/E/d", false, false},
		{"another's death", node, "spBv1.0/G/NDEATH/other", false, false},
		{"trusted", trusted, "anything", true, true},
		{"trusted, state", trusted, "spBv1.0/STATE/host", true, true},
		{"trusted, death", trusted, "spBv1.0/G/NDEATH/E", true, false},
		{"trusted, reserved", trusted, "$SYS/x", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ok, retained := tt.rights.will(tt.topic); ok != tt.ok || retained != tt.retained {
				t.Errorf("got %v, retained %v; want %v, %v", ok, retained, tt.ok, tt.retained)
			}
		})
	}
}

// The death of an edge node that goes without a word reaches the host.
func TestSparkplugWill(t *testing.T) {
	b, _, spark := sparkBroker(t, true)
	c := dialRaw(t, b.Addr(), nil, 4)
	body := append(text(nil, "MQTT"), 4, 0xC6, 0, 60)
	for _, s := range []string{"edge", "spBv1.0/G/NDEATH/E", "bdSeq", "station/edge", "secret of station/edge"} {
		body = text(body, s)
	}
	c.write(packet(0x10, body))
	if body, ok := c.answer(packets.Connack); !ok || body[1] != 0 {
		t.Fatalf("got %x, up %v", body, ok)
	}
	c.conn.Close()
	if m := spark.wait(t, 1)[0]; m.Topic != "spBv1.0/G/NDEATH/E" || string(m.Payload) != "bdSeq" {
		t.Errorf("got %s %q", m.Topic, m.Payload)
	}
}

// What is retained is not read across devices, nor is what a gateway may no
// longer see.
func TestRetainedStaysWithItsDevice(t *testing.T) {
	p := newPolicy(t)
	o := p.options("127.0.0.1:0")
	gateways := make(chan devices.Ref, 1)
	gateways <- ref(t, "station/gw")
	o.Gateway = func(r devices.Ref) devices.Ref {
		if r != ref(t, "battery/b1") {
			return devices.Ref{}
		}
		g := <-gateways
		gateways <- g
		return g
	}
	b := serve(t, o)
	signIn := func(user string) *raw {
		c := dialRaw(t, b.Addr(), nil, 5)
		if code := c.connect(user, user, "secret of "+user); code != 0 {
			t.Fatalf("%s: got CONNACK %#x", user, code)
		}
		return c
	}
	battery := signIn("battery/b1")
	status := publishPacketWith(5, "fleet/v1/battery/b1/status", 1, "online")
	status[0] |= 1
	battery.write(status)
	if _, ok := battery.answer(packets.Puback); !ok {
		t.Fatal("not acknowledged")
	}
	retained(t, b, "fleet/v1/battery/b1/status")
	gw, other := signIn("station/gw"), signIn("station/s1")
	if gw.subscribe("fleet/v1/battery/b1/status") > 2 {
		t.Fatal("the gateway may not subscribe")
	}
	gw.next()
	for _, filter := range []string{"fleet/v1/battery/b1/status", "#", "fleet/v1/battery/b1/#", "$share/g/fleet/v1/battery/b1/status"} {
		if other.subscribe(filter) <= 2 {
			t.Errorf("%s: a stranger may subscribe", filter)
		}
	}
	if gw.subscribe("fleet/v1/station/gw/#") > 2 || other.subscribe("fleet/v1/station/s1/#") > 2 {
		t.Fatal("not subscribed to their own")
	}
	<-gateways
	gateways <- ref(t, "station/s2")
	battery.publish("fleet/v1/battery/b1/event", "{}")
	battery.publish("fleet/v1/battery/b1/status", "offline")
	// What is passed on comes in order, so that nothing else comes after the last.
	for c, topic := range map[*raw]string{gw: "fleet/v1/station/gw/command", other: "fleet/v1/station/s1/command"} {
		if err := b.Publish(topic, []byte("last"), false); err != nil {
			t.Fatal(err)
		}
		c.next()
	}
	if want := []string{"fleet/v1/battery/b1/status online", "fleet/v1/station/gw/command last"}; !slices.Equal(gw.got, want) {
		t.Errorf("former gateway: got %q, want %q", gw.got, want)
	}
	if want := []string{"fleet/v1/station/s1/command last"}; !slices.Equal(other.got, want) {
		t.Errorf("stranger: got %q, want %q", other.got, want)
	}
}

// Whose certificate is taken back is thrown out, and stays out.
func TestKickOverTLS(t *testing.T) {
	authority, o := tlsOptions(t)
	revoked := make(chan struct{})
	accept := o.AuthenticateCert
	o.AuthenticateCert = func(ctx context.Context, name string) (devices.Ref, error) {
		select {
		case <-revoked:
			return devices.Ref{}, errors.New("revoked")
		default:
			return accept(ctx, name)
		}
	}
	b := serve(t, o)
	c := dialRaw(t, b.TLSAddr(), authority.Client("station/m1"), 5)
	if code := c.connect("c", "", ""); code != 0 {
		t.Fatalf("got CONNACK %#x", code)
	}
	close(revoked)
	b.Kick(ref(t, "station/m1"))
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	if _, _, ok := c.read(); ok {
		t.Error("got a packet, want the connection closed")
	}
	if code := dialRaw(t, b.TLSAddr(), authority.Client("station/m1"), 5).connect("c", "", ""); code != 0x86 {
		t.Errorf("again: got CONNACK %#x, want 0x86", code)
	}
}
