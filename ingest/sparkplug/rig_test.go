package sparkplug

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// t0 is when every test begins, by the clocks of the host and of the nodes.
const t0 int64 = 1_767_225_600_000

// submission is what the pipeline was handed.
type submission struct {
	msg ingest.Message
	ref devices.Ref
	d   wire.Decoded
}

// rig is a host whose clock stands still, and all that it hands on.
type rig struct {
	t         testing.TB
	host      *Host
	now       time.Time
	submitted []submission
	published []Publication
	done      []string // payload topics whose Done was called, in order
	refuse    error    // what Submit answers
	mute      error    // what Publish answers
}

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, now: time.UnixMilli(t0)}
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		HostID: "fleetwatt", Schema: schema,
		Mapping: Mapping{Rules: []Rule{
			{Name: "node", Level: "node", Node: "station*", Kind: "station"},
			{Name: "battery", Kind: "battery", Metrics: map[string]MetricRule{
				"Electrical/Voltage": {Field: "voltage_v"},
				"mode":               {Field: "state", Values: map[string]string{"0": "idle", "1": "charging", "true": "on"}},
				"deci":               {Field: "temperature_c", Scale: 0.1, Offset: -40},
			}},
		}},
		Now: func() time.Time { return r.now },
		Submit: func(_ context.Context, m ingest.Message, tr ingest.Translated) error {
			if r.refuse != nil {
				return r.refuse
			}
			r.submitted = append(r.submitted, submission{m, tr.Device, tr.Decoded})
			if m.Done != nil {
				m.Done(ingest.Outcome{})
			}
			return nil
		},
		MaySpeak: func(sender ingest.Principal, _ devices.Ref) bool { return sender.Trusted },
		Publish: func(_ context.Context, p Publication) error {
			if r.mute != nil {
				return r.mute
			}
			r.published = append(r.published, p)
			return nil
		},
	}
	for _, c := range change {
		c(&o)
	}
	if r.host, err = New(o); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) raw(topic string, payload []byte) {
	r.t.Helper()
	r.send(ingest.Message{Topic: topic, Payload: payload})
}

func (r *rig) send(m ingest.Message) {
	r.t.Helper()
	m.ReceivedMS = r.now.UnixMilli()
	if m.Principal == (ingest.Principal{}) {
		m.Principal = ingest.Principal{Name: "node", Trusted: true}
	}
	m.Done = func(ingest.Outcome) { r.done = append(r.done, m.Topic) }
	if err := r.host.Receive(r.t.Context(), m); err != nil && !errors.Is(err, r.refuse) {
		r.t.Fatal(err)
	}
}

// edge is an edge node that does as the specification says.
type edge struct {
	r           *rig
	group, node string
	bdSeq       uint64
	seq         uint64
	aliases     bool
	sender      ingest.Principal // zero: a trusted one
}

func (r *rig) edge() *edge { return &edge{r: r, group: "plant", node: "station1", aliases: true} }

func (e *edge) topic(v Verb, device ...string) string {
	t := Topic{Verb: v, Group: e.group, Node: e.node}
	if len(device) > 0 {
		t.Device = device[0]
	}
	return t.String()
}

// next is a payload with the next sequence number.
func (e *edge) next(metrics ...*tahu.Payload_Metric) *tahu.Payload {
	p := &tahu.Payload{Timestamp: proto.Uint64(uint64(e.r.now.UnixMilli())), Seq: proto.Uint64(e.seq), Metrics: metrics}
	e.seq = (e.seq + 1) % 256
	return p
}

func (e *edge) send(v Verb, p *tahu.Payload, device ...string) {
	e.r.t.Helper()
	e.r.send(ingest.Message{Topic: e.topic(v, device...), Payload: encode(e.r.t, p), Principal: e.sender})
}

func (e *edge) nbirth(metrics ...*tahu.Payload_Metric) {
	e.r.t.Helper()
	e.seq = 0
	metrics = append(metrics, long("bdSeq", tahu.DataType_Int64, e.bdSeq), boolean(rebirthMetric, false))
	e.send(NBirth, e.next(metrics...))
}

// The aliases of a device's metrics in birth.
const (
	aliasVoltage = 1
	aliasSOC     = 2
)

func (e *edge) birthMetrics() []*tahu.Payload_Metric {
	v, s := double("voltage_v", 50), double("soc_pct", 80)
	if e.aliases {
		v.Alias, s.Alias = proto.Uint64(aliasVoltage), proto.Uint64(aliasSOC)
	}
	return []*tahu.Payload_Metric{v, s}
}

func (e *edge) dbirth(device string) {
	e.r.t.Helper()
	e.send(DBirth, e.next(e.birthMetrics()...), device)
}

func (e *edge) ddata(device string, volts float64) {
	e.r.t.Helper()
	e.send(DData, e.voltage(volts), device)
}

func (e *edge) voltage(volts float64) *tahu.Payload { return e.next(aliased(aliasVoltage, volts)) }

func (e *edge) ndeath(bdSeq uint64) {
	e.r.t.Helper()
	e.send(NDeath, &tahu.Payload{
		Timestamp: proto.Uint64(uint64(e.r.now.UnixMilli())),
		Metrics:   []*tahu.Payload_Metric{long("bdSeq", tahu.DataType_Int64, bdSeq)},
	})
}

// online is a session with two devices.
func (e *edge) online() {
	e.r.t.Helper()
	e.nbirth()
	e.dbirth("b1")
	e.dbirth("b2")
}

func named(name string, dt tahu.DataType) *tahu.Payload_Metric {
	return &tahu.Payload_Metric{Name: proto.String(name), Datatype: proto.Uint32(uint32(dt))}
}

func double(name string, v float64) *tahu.Payload_Metric {
	m := named(name, tahu.DataType_Double)
	m.Value = &tahu.Payload_Metric_DoubleValue{DoubleValue: v}
	return m
}

func long(name string, dt tahu.DataType, v uint64) *tahu.Payload_Metric {
	m := named(name, dt)
	m.Value = &tahu.Payload_Metric_LongValue{LongValue: v}
	return m
}

func text(name, v string) *tahu.Payload_Metric {
	m := named(name, tahu.DataType_String)
	m.Value = &tahu.Payload_Metric_StringValue{StringValue: v}
	return m
}

func boolean(name string, v bool) *tahu.Payload_Metric {
	m := named(name, tahu.DataType_Boolean)
	m.Value = &tahu.Payload_Metric_BooleanValue{BooleanValue: v}
	return m
}

func aliased(alias uint64, v float64) *tahu.Payload_Metric {
	return &tahu.Payload_Metric{Alias: proto.Uint64(alias), Value: &tahu.Payload_Metric_DoubleValue{DoubleValue: v}}
}

func at(m *tahu.Payload_Metric, ts int64) *tahu.Payload_Metric {
	m.Timestamp = proto.Uint64(uint64(ts))
	return m
}

func encode(t testing.TB, p *tahu.Payload) []byte {
	t.Helper()
	b, err := proto.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodePayload(t testing.TB, b []byte) *tahu.Payload {
	t.Helper()
	p := new(tahu.Payload)
	if err := proto.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// forget drops what was handed on so far.
func (r *rig) forget() { r.submitted, r.published, r.done = nil, nil, nil }

func (r *rig) readings() (out []telemetry.Reading) {
	for _, s := range r.submitted {
		out = append(out, s.d.Readings...)
	}
	return out
}

func (r *rig) events() (out []telemetry.Event) {
	for _, s := range r.submitted {
		out = append(out, s.d.Events...)
	}
	return out
}

func (r *rig) faults() (out []wire.Fault) {
	for _, s := range r.submitted {
		out = append(out, s.d.Faults...)
	}
	return out
}

// volts are the voltages of a device's readings, in the order handed on.
func (r *rig) volts(device string) []float64 {
	out := []float64{}
	for _, rd := range r.readings() {
		if v, ok := rd.Num("voltage_v"); ok && rd.Device == device {
			out = append(out, v)
		}
	}
	return out
}

// statuses are the events as "device type@ts".
func (r *rig) statuses() []string {
	out := []string{}
	for _, e := range r.events() {
		out = append(out, e.Device+" "+e.ID)
	}
	return out
}

func (r *rig) reasons() []wire.Reason {
	out := []wire.Reason{}
	for _, f := range r.faults() {
		out = append(out, f.Reason)
	}
	return out
}

// rebirths counts the requests to the node.
func (r *rig) rebirths(e *edge) (n int) {
	for _, p := range r.published {
		if p.Topic == e.topic(NCmd) {
			n++
		}
	}
	return n
}

// pass lets time go by, and what times out in it happen.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	r.now = r.now.Add(d)
	if _, err := r.host.expire(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) wantVolts(device string, want ...float64) {
	r.t.Helper()
	if got := r.volts(device); !slices.Equal(got, want) {
		r.t.Errorf("voltages of %s: got %v want %v", device, got, want)
	}
}

func (r *rig) wantReasons(want ...wire.Reason) {
	r.t.Helper()
	if got := r.reasons(); !slices.Equal(got, want) {
		r.t.Errorf("reasons: got %v want %v (%v)", got, want, details(r.faults()))
	}
}

func (r *rig) wantRebirths(e *edge, want int) {
	r.t.Helper()
	if got := r.rebirths(e); got != want {
		r.t.Errorf("rebirth requests to %s: got %d want %d", e.node, got, want)
	}
}

func (r *rig) wantStatuses(want ...string) {
	r.t.Helper()
	if got := r.statuses(); !slices.Equal(got, want) {
		r.t.Errorf("events: got %v want %v", got, want)
	}
}

func details(fs []wire.Fault) string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(f.Detail + "; ")
	}
	return b.String()
}

func (r *rig) device(node, device string) DeviceStatus {
	r.t.Helper()
	for _, n := range r.host.Status().Nodes {
		for _, d := range n.Devices {
			if n.Node == node && d.Device == device {
				return d
			}
		}
	}
	r.t.Fatalf("no device %s behind %s", device, node)
	return DeviceStatus{}
}

func (r *rig) node(node string) NodeStatus {
	r.t.Helper()
	for _, n := range r.host.Status().Nodes {
		if n.Node == node {
			return n
		}
	}
	r.t.Fatalf("no node %s", node)
	return NodeStatus{}
}
