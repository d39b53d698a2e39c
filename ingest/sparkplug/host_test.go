package sparkplug

import (
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

func TestSession(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth(double("power_w", 1200))
	e.dbirth("b1")
	r.wantStatuses("station1 status.online@1767225600000", "b1 status.online@1767225600000")
	e.ddata("b1", 51)
	e.ddata("b1", 52)
	r.wantVolts("b1", 50, 51, 52)
	if got := r.readings()[0]; got.Kind != devices.KindStation || got.Device != "station1" {
		t.Errorf("first reading: got %s/%s want station/station1", got.Kind, got.Device)
	}
	r.wantReasons()
	r.wantRebirths(e, 0)
	if len(r.done) != 4 {
		t.Errorf("acknowledged: got %d messages want 4", len(r.done))
	}
	for _, s := range r.submitted {
		if s.ref.ID == "" {
			t.Errorf("%s: handed on for no device", s.msg.Topic)
		}
	}
}

func TestSequenceRunsOver(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	want := []float64{50}
	for i := range 600 {
		e.ddata("b1", float64(i))
		want = append(want, float64(i))
	}
	r.wantVolts("b1", want...)
	r.wantRebirths(e, 0)
}

func TestSeveralTimestamps(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	r.forget()
	p := e.next(at(aliased(aliasVoltage, 48), t0-2000), at(aliased(aliasSOC, 70), t0-2000), at(aliased(aliasVoltage, 49), t0-1000), aliased(aliasVoltage, 50))
	p.Metrics[0].IsHistorical = proto.Bool(true)
	e.send(DData, p, "b1")
	got := r.readings()
	if len(got) != 3 {
		t.Fatalf("readings: got %d want 3", len(got))
	}
	for i, want := range []struct {
		ts     int64
		values int
	}{{t0 - 2000, 2}, {t0 - 1000, 1}, {t0, 1}} {
		if got[i].TS != want.ts || len(got[i].Values) != want.values {
			t.Errorf("reading %d: got %d values at %d want %d at %d", i, len(got[i].Values), got[i].TS, want.values, want.ts)
		}
	}
}

// One bad value takes the reading of its time to quarantine, whole, and nothing
// else. What is there says what it is without the birth.
func TestBadValueFaultsItsReading(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	r.forget()
	e.send(DData, e.next(at(aliased(aliasVoltage, 9999), t0-1000), at(aliased(aliasSOC, 70), t0-1000), aliased(aliasVoltage, 50)), "b1")
	r.wantReasons(wire.ReasonOutOfBounds)
	r.wantVolts("b1", 50)
	p := decodePayload(t, r.faults()[0].Raw)
	if len(p.Metrics) != 2 || p.Metrics[0].GetName() != "voltage_v" || p.Metrics[0].GetDatatype() != uint32(tahu.DataType_Double) || p.Seq != nil {
		t.Errorf("fault: got %v want the two metrics of that time, named", p)
	}
}

func TestMetricsThatAreNotStored(t *testing.T) {
	for _, tc := range []struct {
		name   string
		metric *tahu.Payload_Metric
		check  func(Counts) uint64
	}{
		{"null", &tahu.Payload_Metric{Alias: proto.Uint64(aliasVoltage), IsNull: proto.Bool(true)}, nil},
		{"transient", &tahu.Payload_Metric{Alias: proto.Uint64(aliasVoltage), IsTransient: proto.Bool(true),
			Value: &tahu.Payload_Metric_DoubleValue{DoubleValue: 1}}, func(c Counts) uint64 { return c.Transient }},
		{"stale", withQuality(aliased(aliasVoltage, 1), 500), func(c Counts) uint64 { return c.BadQuality }},
		{"bad", withQuality(aliased(aliasVoltage, 1), 0), func(c Counts) uint64 { return c.BadQuality }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			e := r.edge()
			e.online()
			r.forget()
			e.send(DData, e.next(tc.metric), "b1")
			if len(r.readings())+len(r.faults()) != 0 {
				t.Errorf("got %d readings and %d faults want none", len(r.readings()), len(r.faults()))
			}
			if tc.check != nil && tc.check(r.host.Status().Counts) != 1 {
				t.Errorf("counts: got %+v want it counted once", r.host.Status().Counts)
			}
			if len(r.done) != 1 {
				t.Errorf("acknowledged: got %d want 1", len(r.done))
			}
		})
	}
	t.Run("good", func(t *testing.T) {
		r := newRig(t)
		e := r.edge()
		e.online()
		e.send(DData, e.next(withQuality(aliased(aliasVoltage, 1), qualityGood)), "b1")
		r.wantVolts("b1", 50, 1)
	})
}

func withQuality(m *tahu.Payload_Metric, q uint32) *tahu.Payload_Metric {
	m.Properties = &tahu.Payload_PropertySet{Keys: []string{qualityProperty}, Values: []*tahu.Payload_PropertyValue{{
		Type: proto.Uint32(uint32(tahu.DataType_Int32)), Value: &tahu.Payload_PropertyValue_IntValue{IntValue: q},
	}}}
	return m
}

func TestUnmappedIsListed(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth()
	e.send(DBirth, e.next(double("voltage_v", 50), double("humidity", 3), named("Blob", tahu.DataType_DataSet)), "b1")
	e.send(DData, e.next(double("humidity", 4)), "b1")
	got := r.host.Status().Unmapped
	want := []Unmapped{
		{"battery", "Blob", "DataSet", 1},
		{"battery", "humidity", "Double", 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("unmapped: got %v want %v", got, want)
	}
	r.wantReasons()
	r.wantVolts("b1", 50)
}

// The same id behind two nodes would mix two batteries; a battery that moves is
// one battery.
func TestOneSourcePerDevice(t *testing.T) {
	r := newRig(t)
	a, b := r.edge(), r.edge()
	b.node = "station2"
	a.online()
	b.nbirth()
	r.forget()
	b.dbirth("b1")
	r.wantReasons(wire.ReasonSpokenFor)
	a.send(DDeath, a.next(), "b1")
	r.forget()
	b.ddata("b1", 49)
	r.wantVolts("b1", 49)
	r.wantStatuses("b1 status.online@1767225600000")
}

func TestSubmitFails(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth()
	r.refuse = ingest.ErrClosed
	p := encode(t, e.next(e.birthMetrics()...))
	err := r.host.Receive(t.Context(), ingest.Message{Topic: e.topic(DBirth, "b1"), Payload: p})
	if !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("receive: got %v want ErrClosed", err)
	}
}

func TestLostConnection(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	e.seq++
	e.ddata("b1", 51)
	r.forget()
	if err := r.host.Lost(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantVolts("b1", 51) // it waited for one that will not come
	r.wantStatuses()
	if !r.device("station1", "b1").Stale || !r.node("station1").Stale {
		t.Error("values are not stale")
	}
	e.ddata("b1", 52)
	r.wantRebirths(e, 1)
}

func TestDrainHandsOnWhatWaits(t *testing.T) {
	r := newRig(t)
	e, unborn := r.edge(), r.edge()
	unborn.node = "station2"
	e.online()
	e.seq++
	e.ddata("b1", 51)
	unborn.ddata("b9", 1)
	r.forget()
	if err := r.host.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantVolts("b1", 51)
	r.wantReasons(wire.ReasonUnknownDevice)
	if got := r.host.Status().WaitingBytes; got != 0 {
		t.Errorf("waiting: got %d bytes want 0", got)
	}
}

func TestOptions(t *testing.T) {
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	good := Options{HostID: "h", Schema: schema, Submit: r.host.opts.Submit, MaySpeak: r.host.opts.MaySpeak, Publish: r.host.opts.Publish, Now: time.Now}
	for _, tc := range []struct {
		name   string
		change func(*Options)
	}{
		{"no submit", func(o *Options) { o.Submit = nil }},
		{"nobody to ask who may speak", func(o *Options) { o.MaySpeak = nil }},
		{"no host id", func(o *Options) { o.HostID = "" }},
		{"host id with a level", func(o *Options) { o.HostID = "a/b" }},
		{"host id with a wildcard", func(o *Options) { o.HostID = "a+" }},
		{"negative timeout", func(o *Options) { o.ReorderTimeout = -1 }},
		{"bad mapping", func(o *Options) { o.Mapping.Rules = []Rule{{}} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := good
			tc.change(&o)
			if _, err := New(o); err == nil {
				t.Error("got no error")
			}
		})
	}
	if _, err := New(good); err != nil {
		t.Errorf("good options: got %v", err)
	}
}

// What was refused can be taken in again once the mapping is mended, by another
// host that has seen no birth.
func TestReplay(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	r.forget()
	e.send(DData, e.next(aliased(aliasVoltage, 51_500)), "b1")
	r.wantReasons(wire.ReasonOutOfBounds)
	raw := r.faults()[0].Raw
	mended := newRig(t, func(o *Options) {
		o.Mapping = Mapping{Rules: []Rule{{Kind: "battery", Metrics: map[string]MetricRule{"voltage_v": {Field: "voltage_v", Scale: 0.001}}}}}
	})
	replay := func(payload []byte) {
		t.Helper()
		mended.forget()
		m := ingest.Message{Topic: e.topic(DData, "b1"), Payload: payload, ReceivedMS: t0}
		if err := mended.host.Replay(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	replay(raw)
	mended.wantVolts("b1", 51.5)
	mended.wantReasons()
	if got := mended.host.Status().NodesTotal; got != 0 {
		t.Errorf("nodes: got %d want no session", got)
	}
	replay(encode(t, e.voltage(1))) // an alias alone
	mended.wantReasons(wire.ReasonUnknownField)
}

func TestPublishFails(t *testing.T) {
	r := newRig(t)
	r.mute = errors.New("offline")
	e := r.edge()
	e.ddata("b1", 1)
	r.wantRebirths(e, 0)
	r.mute = nil
	r.now = r.now.Add(5 * time.Second)
	e.ddata("b1", 2) // asked again
	r.wantRebirths(e, 1)
}
