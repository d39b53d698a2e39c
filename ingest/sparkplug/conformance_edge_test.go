package sparkplug

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

func topicStructure(t *testing.T) {
	if !Handles("spBv1.0/g/NDATA/n") || Handles("spBv2.0/g/NDATA/n") || Handles("spbv1.0/g/NDATA/n") {
		t.Error("Handles: want spBv1.0/ and nothing else")
	}
	if got := Filters("h"); !slices.Equal(got, []string{"spBv1.0/STATE/h", "spBv1.0/#"}) {
		t.Errorf("filters: got %v", got)
	}
	TestTopics(t)
}

func topicIDs(t *testing.T) {
	for _, c := range []string{"+", "#", "/", "a+b", "a#", "\xc3"} {
		for _, topic := range []string{"spBv1.0/" + c + "/DDATA/n/d", "spBv1.0/g/DDATA/" + c + "/d", "spBv1.0/g/DDATA/n/" + c} {
			r := newRig(t)
			r.raw(topic, []byte("x"))
			r.wantReasons(wire.ReasonUnknownTopic)
		}
	}
}

func topicDevice(t *testing.T) {
	for _, v := range []Verb{NBirth, NDeath, NData, NCmd} {
		if _, err := ParseTopic("spBv1.0/g/" + string(v) + "/n/d"); err == nil {
			t.Errorf("%s with a device: got no error", v)
		}
	}
	for _, v := range []Verb{DBirth, DDeath, DData, DCmd} {
		if _, err := ParseTopic("spBv1.0/g/" + string(v) + "/n"); err == nil {
			t.Errorf("%s without a device: got no error", v)
		}
	}
}

func sessionsAreOfGroupAndNode(t *testing.T) {
	r := newRig(t)
	a, b := r.edge(), r.edge()
	b.group = "plant2"
	a.online()
	b.ddata("b1", 1)
	r.wantRebirths(a, 0)
	r.wantRebirths(b, 1)
	if got := r.host.Status().NodesTotal; got != 2 {
		t.Errorf("nodes: got %d want 2", got)
	}
}

func sameDeviceIDBehindTwoNodes(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Mapping = Mapping{Rules: []Rule{{Kind: "battery", ID: "{node}.{device}"}}}
	})
	a, b := r.edge(), r.edge()
	b.node = "station2"
	for _, e := range []*edge{a, b} {
		e.nbirth()
		e.dbirth("b1")
	}
	a.ddata("b1", 1)
	b.ddata("b1", 2)
	r.wantVolts("station1.b1", 50, 1)
	r.wantVolts("station2.b1", 50, 2)
}

func sequenceNumberRequired(t *testing.T) {
	for _, v := range []Verb{NBirth, NData, DBirth, DData, DDeath} {
		r := newRig(t)
		e := r.edge()
		e.online()
		r.forget()
		p := e.next(e.birthMetrics()...)
		p.Seq = nil
		device := []string{"b1"}
		if of, _ := v.ofDevice(); !of {
			device = nil
		}
		e.send(v, p, device...)
		r.wantReasons(wire.ReasonMalformed)
		if !r.device("station1", "b1").Online {
			t.Errorf("%s without a sequence number had an effect", v)
		}
	}
}

// Any number from 0 to 255 begins a session; one assertion asks for 0, another
// for one between.
func nbirthSequenceNumber(t *testing.T) {
	for _, seq := range []uint64{0, 7, 255} {
		r := newRig(t)
		e := r.edge()
		e.seq = seq
		e.send(NBirth, e.next(long("bdSeq", tahu.DataType_Int64, 0)))
		e.dbirth("b1")
		e.ddata("b1", 51)
		r.wantVolts("b1", 50, 51)
		r.pass(time.Minute)
		r.wantRebirths(e, 0)
	}
	r := newRig(t)
	e := r.edge()
	p := e.next()
	p.Seq = proto.Uint64(256)
	e.send(NBirth, p)
	r.wantReasons(wire.ReasonMalformed)
}

func sequenceNumberWraps(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth(double("power_w", 1))
	for i := range 300 { // all verbs share one count
		e.dbirth("b1")
		e.ddata("b1", float64(i))
		e.send(NData, e.next(double("power_w", 2)))
		e.send(DDeath, e.next(), "b1")
	}
	r.pass(time.Minute)
	r.wantRebirths(e, 0)
	r.wantReasons()
	if got := r.host.Status().Counts.Reordered; got != 0 {
		t.Errorf("reordered: got %d want 0", got)
	}
}

func ndeathWithoutSequenceNumber(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	e.ndeath(0)
	if r.node("station1").Online {
		t.Error("an NDEATH without a sequence number had no effect")
	}
	e.bdSeq++
	e.online()
	r.pass(time.Minute)
	r.wantRebirths(e, 0)
}

func ndeathMatchesBdSeq(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.bdSeq = 7
	e.online()
	r.forget()
	e.ndeath(6) // the will of the connection before, late
	e.send(NDeath, &tahu.Payload{Timestamp: proto.Uint64(uint64(t0)), Metrics: []*tahu.Payload_Metric{double("x", 1)}})
	r.wantStatuses()
	r.wantReasons(wire.ReasonMalformed)
	if n := r.node("station1"); !n.Online || n.BdSeq == nil || *n.BdSeq != 7 {
		t.Errorf("got %+v want the session 7 online", n)
	}
	e.ndeath(7)
	if r.node("station1").Online || len(r.statuses()) != 3 {
		t.Errorf("got online %v and events %v want the node and two devices offline", r.node("station1").Online, r.statuses())
	}
	r.forget()
	e.ndeath(7) // again
	r.wantStatuses()
}

func rebirthKeepsBdSeq(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.bdSeq = 3
	e.online()
	r.forget()
	e.online() // asked for
	r.wantStatuses()
	e.ndeath(3)
	if r.node("station1").Online {
		t.Error("the NDEATH of a reborn session had no effect")
	}
}

func aliasesComeFromBirths(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	e.ddata("b1", 51)
	r.wantVolts("b1", 50, 51)
	// Another birth, other aliases.
	r.forget()
	e.nbirth()
	soc := double("soc_pct", 10)
	soc.Alias = proto.Uint64(aliasVoltage)
	e.send(DBirth, e.next(soc), "b1")
	e.send(DData, e.next(aliased(aliasVoltage, 11)), "b1")
	r.wantVolts("b1")
	if got := r.readings(); len(got) != 2 || got[1].Values[0].Field.Name != "soc_pct" || got[1].Values[0].Num != 11 {
		t.Errorf("readings: got %v want soc_pct 10 and 11", got)
	}
	// An alias that no birth gave.
	r.forget()
	e.send(DData, e.next(aliased(99, 1)), "b1")
	r.wantReasons(wire.ReasonUnknownField)
	r.pass(time.Minute)
	r.wantRebirths(e, 1)
}

func aliasesAreUnique(t *testing.T) { TestAmbiguousAlias(t) }

func datatypeComesFromTheBirth(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.nbirth()
	m := long("current_a", tahu.DataType_Int16, 0xFFFF) // −1
	m.Alias = proto.Uint64(5)
	e.send(DBirth, e.next(m), "b1")
	data := intValue(0xFFFE)
	data.Alias = proto.Uint64(5)
	e.send(DData, e.next(data), "b1")
	for i, want := range []float64{-1, -2} {
		if got, ok := r.readings()[i].Num("current_a"); !ok || got != want {
			t.Errorf("reading %d: got %v want %v", i, got, want)
		}
	}
	r.forget()
	e.send(DBirth, e.next(&tahu.Payload_Metric{Name: proto.String("voltage_v"), Value: &tahu.Payload_Metric_DoubleValue{DoubleValue: 1}}), "b1")
	r.wantReasons(wire.ReasonWrongType)
}

func metricOutsideTheBirth(t *testing.T) {
	for _, v := range []Verb{NData, DData} {
		r := newRig(t)
		e := r.edge()
		e.online()
		r.forget()
		m := double("power_w", 1)
		m.Datatype = nil
		if v == NData {
			e.send(v, e.next(m))
		} else {
			e.send(v, e.next(m), "b1")
		}
		r.wantRebirths(e, 1)
		r.wantReasons(wire.ReasonUnknownField)
	}
}

func nullHasNoValue(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	null := named("power_w", tahu.DataType_Double)
	null.IsNull = proto.Bool(true)
	e.nbirth(null)
	null = named("voltage_v", tahu.DataType_Double)
	null.IsNull = proto.Bool(true)
	e.send(DBirth, e.next(null, double("soc_pct", 3)), "b1")
	if got := r.readings(); len(got) != 1 || len(got[0].Values) != 1 {
		t.Errorf("readings: got %v want the charge alone", got)
	}
	r.wantReasons()
}

func metricTimestamps(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	r.forget()
	e.send(DData, e.next(at(aliased(aliasVoltage, 1), t0-5000)), "b1")
	e.send(DData, e.next(aliased(aliasVoltage, 2)), "b1") // without one: the payload's
	none := e.next(aliased(aliasVoltage, 3))
	none.Timestamp = nil
	r.now = r.now.Add(time.Second)
	e.send(DData, none, "b1") // without any: that of the receipt
	for i, want := range []int64{t0 - 5000, t0, t0 + 1000} {
		if got := r.readings()[i].TS; got != want {
			t.Errorf("reading %d: got time %d want %d", i, got, want)
		}
	}
}

// The births of devices follow that of the node at once, before any data: who
// is not among them is gone.
func devicesThatAreNotBornAgain(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	r.now = r.now.Add(time.Minute)
	r.forget()
	e.nbirth()
	e.dbirth("b1")
	r.wantStatuses()
	e.ddata("b1", 51)
	r.wantStatuses("b2 status.offline@1767225660000")
	if !r.device("station1", "b2").Stale {
		t.Error("b2 is not stale")
	}
	// And where no data follows, after a while.
	e.dbirth("b2")
	r.forget()
	e.nbirth()
	r.pass(30 * time.Second)
	r.wantStatuses("b1 status.offline@1767225690000", "b2 status.offline@1767225690000")
}

func dataBeforeTheBirth(t *testing.T) {
	for _, tc := range []struct {
		name string
		send func(e *edge)
	}{
		{"NDATA before NBIRTH", func(e *edge) { e.send(NData, e.next(double("power_w", 1))) }},
		{"DDATA before NBIRTH", func(e *edge) { e.ddata("b1", 1) }},
		{"DBIRTH before NBIRTH", func(e *edge) { e.dbirth("b1") }},
		{"DDEATH before NBIRTH", func(e *edge) { e.send(DDeath, e.next(), "b1") }},
		{"DDATA before DBIRTH", func(e *edge) { e.nbirth(); e.ddata("b9", 1) }},
		{"DDATA after DDEATH", func(e *edge) { e.online(); e.send(DDeath, e.next(), "b1"); e.ddata("b1", 1) }},
		{"NDATA after NDEATH", func(e *edge) { e.online(); e.ndeath(0); e.send(NData, e.next(double("power_w", 1))) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			e := r.edge()
			tc.send(e)
			r.wantRebirths(e, 1)
		})
	}
}

func qualityIsHeeded(t *testing.T) { TestMetricsThatAreNotStored(t) }

func propertiesOfUnequalNumber(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	m := aliased(aliasVoltage, 51)
	m.Properties = &tahu.Payload_PropertySet{Keys: []string{"a", qualityProperty}, Values: []*tahu.Payload_PropertyValue{{}}}
	e.send(DData, e.next(m), "b1")
	r.wantVolts("b1", 50, 51)
}
