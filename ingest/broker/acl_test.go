package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

func ref(t testing.TB, s string) devices.Ref {
	t.Helper()
	r, err := devices.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// policy is the registry and the pipeline of the tests: who exists, who speaks
// for whom, and who is refused.
type policy struct {
	gateways map[devices.Ref]devices.Ref
}

func newPolicy(t testing.TB) *policy {
	return &policy{gateways: map[devices.Ref]devices.Ref{ref(t, "battery/b1"): ref(t, "station/gw")}}
}

func (*policy) authenticate(_ context.Context, user, password string) (devices.Ref, error) {
	if password != "secret of "+user {
		return devices.Ref{}, errors.New("wrong")
	}
	return devices.ParseRef(user)
}

func (*policy) certificate(_ context.Context, commonName string) (devices.Ref, error) {
	return devices.ParseRef(commonName)
}

func (p *policy) gateway(ref devices.Ref) devices.Ref { return p.gateways[ref] }

func (*policy) sparkplug(ref devices.Ref) (group, node string, ok bool) {
	return "G", "E", ref.ID == "edge"
}

// submit refuses as the pipeline does.
func (p *policy) submit(_ context.Context, m ingest.Message) error {
	var o ingest.Outcome
	if t, err := wire.ParseTopic(m.Topic); err == nil && !m.Principal.Trusted &&
		m.Principal.Device != t.Device && m.Principal.Device != p.gateways[t.Device] {
		o.Refused = wire.ReasonForeign
	}
	m.Done(o)
	return nil
}

func (p *policy) options(listen string) Options {
	return Options{
		Listen: listen, Now: time.Now, Submit: p.submit, SubmitSparkplug: p.submit, Authenticate: p.authenticate,
		AuthenticateCert: p.certificate, Gateway: p.gateway, Sparkplug: p.sparkplug,
	}
}

func serve(t testing.TB, o Options) *Broker {
	t.Helper()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// actors are all kinds of credential. Those without a user name have a
// certificate, or nothing.
var actors = []struct{ name, user, cert string }{
	{name: "device", user: "station/s1"},
	{name: "gateway", user: "station/gw"},
	{name: "behind", user: "battery/b1"},
	{name: "foreign", user: "station/s2"},
	{name: "node", user: "station/edge"},
	{name: "mtls", cert: "station/m1"},
	{name: "trusted"},
}

const everybody = "device gateway behind foreign node mtls trusted"

var aclTopics = []struct {
	topic   string
	writers string // who may publish; the others are told so
	passed  bool   // subscribers get it
	ends    bool   // whoever tries is disconnected
}{
	{topic: "fleet/v1/station/s1/telemetry", writers: "device trusted", passed: true},
	{topic: "fleet/v1/station/s1/event", writers: "device trusted", passed: true},
	{topic: "fleet/v1/station/s1/status", writers: "device trusted", passed: true},
	{topic: "fleet/v1/station/gw/telemetry", writers: "gateway trusted", passed: true},
	{topic: "fleet/v1/battery/b1/telemetry", writers: "gateway behind trusted", passed: true},
	{topic: "fleet/v1/battery/b2/telemetry", writers: "trusted", passed: true},
	{topic: "fleet/v1/station/m1/telemetry", writers: "mtls trusted", passed: true},
	// Not the registry's business but the decoder's: kept in quarantine.
	{topic: "fleet/v1/station/s1/command", writers: everybody},
	{topic: "fleet/v2/station/s1/telemetry", writers: everybody},
	{topic: "elsewhere", writers: everybody},
	{topic: "spBv1.0/G/NBIRTH/E", writers: "node trusted", passed: true},
	{topic: "spBv1.0/G/NDATA/E", writers: "node trusted", passed: true},
	{topic: "spBv1.0/G/NDEATH/E", writers: "node trusted", passed: true},
	{topic: "spBv1.0/G/DBIRTH/E/d", writers: "node trusted", passed: true},
	{topic: "spBv1.0/G/DDATA/E/d", writers: "node trusted", passed: true},
	{topic: "spBv1.0/G/DDEATH/E/d", writers: "node trusted", passed: true},
	{topic: "spBv1.0/G/DDATA/E", writers: "trusted", passed: true},
	{topic: "spBv1.0/G/NDATA/E/d", writers: "trusted", passed: true},
	{topic: "spBv1.0/G/NDATA/E2", writers: "trusted", passed: true},
	{topic: "spBv1.0/G2/NDATA/E", writers: "trusted", passed: true},
	{topic: "spBv1.0/G/NCMD/E", writers: "trusted", passed: true},
	{topic: "spBv1.0/G/DCMD/E/d", writers: "trusted", passed: true},
	{topic: "spBv1.0/STATE/host", writers: "trusted", passed: true},
	{topic: "$SYS/broker/uptime", ends: true},
	{topic: "$share/g/fleet/v1/station/s1/telemetry", ends: true},
}

var aclFilters = []struct{ filter, readers string }{
	{"fleet/v1/station/s1/#", "device trusted"},
	{"fleet/v1/station/s1/status", "device trusted"},
	{"fleet/v1/station/s1/command", "device trusted"},
	{"fleet/v1/station/s1/command/reboot", "device trusted"},
	{"fleet/v1/station/s1/command/#", "trusted"},
	{"fleet/v1/station/s1/+", "trusted"},
	{"fleet/v1/station/s1", "trusted"},
	{"fleet/v1/station/s11/#", "trusted"},
	{"fleet/v1/station/gw/#", "gateway trusted"},
	{"fleet/v1/battery/b1/#", "gateway behind trusted"},
	{"fleet/v1/battery/b1/telemetry", "gateway behind trusted"},
	{"fleet/v1/battery/b2/telemetry", "trusted"},
	{"fleet/v1/station/m1/#", "mtls trusted"},
	{"fleet/v1/station/+/status", "trusted"},
	{"fleet/v1/+/s1/status", "trusted"},
	{"fleet/v1/station/#", "trusted"},
	{"fleet/v1/#", "trusted"},
	{"fleet/#", "trusted"},
	{"+/v1/station/s1/status", "trusted"},
	{"#", "trusted"},
	{"+/#", "trusted"},
	{"$SYS/#", ""},
	{"$SYS/broker/uptime", ""},
	{"$share/g/#", "trusted"},
	{"$share/g/fleet/v1/station/s1/status", "trusted"},
	{"$SHARE/g/fleet/v1/station/s1/#", "trusted"},
	{"$share/g/$SYS/#", ""},
	{"$Share/g/$SYS/#", ""},
	{"spBv1.0/G/NCMD/E", "node trusted"},
	{"spBv1.0/G/NCMD/E/#", "node trusted"},
	{"spBv1.0/G/DCMD/E/d", "node trusted"},
	{"spBv1.0/G/DCMD/E/+", "node trusted"},
	{"spBv1.0/G/DCMD/E/#", "node trusted"},
	{"spBv1.0/G/DCMD/+/d", "trusted"},
	{"spBv1.0/G/NCMD/+", "trusted"},
	{"spBv1.0/G/NCMD/E2", "trusted"},
	{"spBv1.0/G2/NCMD/E", "trusted"},
	{"spBv1.0/G/NDATA/E", "trusted"},
	{"spBv1.0/STATE/+", "node trusted"},
	{"spBv1.0/STATE/#", "node trusted"},
	{"spBv1.0/STATE/host", "node trusted"},
	{"spBv1.0/#", "trusted"},
}

// Every credential with every topic, over both transports.
func TestAccess(t *testing.T) {
	authority := servertest.NewAuthority(t)
	cert, key := authority.Issue("server")
	o := newPolicy(t).options("127.0.0.1:0")
	o.Anonymous = true
	o.TLS = &TLSOptions{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key, ClientCAFile: authority.CAFile}
	b := serve(t, o)
	for _, transport := range []string{"plain", "tls"} {
		for _, a := range actors {
			if a.cert != "" && transport == "plain" {
				continue
			}
			dial := func(t *testing.T) *raw { return b.signIn(t, authority, transport, a.user, a.cert) }
			t.Run(transport+"/publish/"+a.name, func(t *testing.T) { publishEverywhere(t, b, a.name, dial) })
			t.Run(transport+"/subscribe/"+a.name, func(t *testing.T) {
				c := dial(t)
				for _, f := range aclFilters {
					want := slices.Contains(strings.Fields(f.readers), a.name)
					if code := c.subscribe(f.filter); (code <= 2) != want {
						t.Errorf("%s: got code %#x, want allowed %v", f.filter, code, want)
					}
				}
			})
		}
	}
}

// signIn connects as an actor.
func (b *Broker) signIn(t *testing.T, authority *servertest.Authority, transport, user, cert string) *raw {
	t.Helper()
	addr, config := b.Addr(), (*tls.Config)(nil)
	if transport == "tls" {
		addr, config = b.TLSAddr(), authority.Client(cert)
	}
	c := dialRaw(t, addr, config, 5)
	password := ""
	if user != "" {
		password = "secret of " + user
	}
	if code := c.connect(t.Name(), user, password); code != 0 {
		t.Fatalf("got CONNACK %#x, want 0", code)
	}
	return c
}

// publishEverywhere publishes to every topic, and compares the answers, and what a
// subscriber to all gets, with the table.
func publishEverywhere(t *testing.T, b *Broker, name string, dial func(*testing.T) *raw) {
	watcher := dialRaw(t, b.Addr(), nil, 5)
	if watcher.connect("watcher"+t.Name(), "", "") != 0 || watcher.subscribe("#") > 2 {
		t.Fatal("no watcher")
	}
	watcher.got = nil // what is retained
	c := dial(t)
	var want []string
	for i, tt := range aclTopics {
		payload := fmt.Sprint(i)
		code, ok := c.publish(tt.topic, payload)
		if tt.ends {
			if ok {
				t.Errorf("%s: got code %#x, want the connection ended", tt.topic, code)
			}
			c = dial(t)
			continue
		}
		wantCode := byte(0x87)
		if slices.Contains(strings.Fields(tt.writers), name) {
			wantCode = 0
			if tt.passed {
				want = append(want, tt.topic+" "+payload)
			}
		}
		if !ok || code != wantCode {
			t.Errorf("%s: got code %#x, connection up %v; want code %#x", tt.topic, code, ok, wantCode)
		}
	}
	// What is passed on comes in order, so that all of it is there with the last.
	if err := b.Publish("end", nil, false); err != nil {
		t.Fatal(err)
	}
	for !slices.Contains(watcher.got, "end ") {
		watcher.next()
	}
	want = append(want, "end ")
	if diff := cmp.Diff(want, watcher.got); diff != "" {
		t.Errorf("passed to subscribers (-want +got):\n%s", diff)
	}
}

// Who proves nothing gets nowhere, over either transport.
func TestNobodyIsLetIn(t *testing.T) {
	authority, stranger := servertest.NewAuthority(t), servertest.NewAuthority(t)
	cert, key := authority.Issue("server")
	o := newPolicy(t).options("127.0.0.1:0")
	o.TLS = &TLSOptions{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key, ClientCAFile: authority.CAFile}
	strange := authority.Client("")
	strange.Certificates = stranger.Client("station/m1").Certificates
	tests := []struct {
		name           string
		tls            *tls.Config
		user, password string
		want           byte // 0xff: no CONNACK at all
	}{
		{"anonymous", nil, "", "", 0x86},
		{"wrong password", nil, "station/s1", "guess", 0x86},
		{"no such device", nil, "nobody", "secret of nobody", 0x86},
		{"anonymous over TLS", authority.Client(""), "", "", 0x86},
		{"certificate of no device", authority.Client("nobody"), "", "", 0x86},
		{"certificate of another authority", strange, "", "", 0xff},
		{"certificate and wrong password", authority.Client("station/m1"), "station/m1", "guess", 0x86},
		{"certificate and another's password", authority.Client("station/m1"), "station/s1", "secret of station/s1", 0x86},
		{"certificate and its own password", authority.Client("station/m1"), "station/m1", "secret of station/m1", 0},
		{"certificate of no device and a password", authority.Client("nobody"), "station/s1", "secret of station/s1", 0x86},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := serve(t, o) // one that remembers no failures
			addr := b.Addr()
			if tt.tls != nil {
				addr = b.TLSAddr()
			}
			if code := dialRaw(t, addr, tt.tls, 5).connect("c", tt.user, tt.password); code != tt.want {
				t.Errorf("got %#x, want %#x", code, tt.want)
			}
		})
	}
}
