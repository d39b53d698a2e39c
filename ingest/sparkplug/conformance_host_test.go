package sparkplug

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// request is a rebirth request, for data before the birth.
func request(t *testing.T) (Publication, *tahu.Payload) {
	t.Helper()
	r := newRig(t)
	e := r.edge()
	e.ddata("b1", 1)
	if len(r.published) != 1 {
		t.Fatalf("published: got %d want one rebirth request", len(r.published))
	}
	return r.published[0], decodePayload(t, r.published[0].Payload)
}

func rebirthIsAnNCMD(t *testing.T) {
	if p, _ := request(t); p.Topic != "spBv1.0/plant/NCMD/station1" {
		t.Errorf("got %q want spBv1.0/plant/NCMD/station1", p.Topic)
	}
}

func rebirthMetricIsTrue(t *testing.T) {
	_, p := request(t)
	if len(p.Metrics) != 1 || p.Metrics[0].GetName() != "Node Control/Rebirth" || !p.Metrics[0].GetBooleanValue() {
		t.Errorf("got %v want Node Control/Rebirth = true", p.Metrics)
	}
}

// A metric with a name and no alias in the birth is named.
func rebirthHasNoAlias(t *testing.T) {
	if _, p := request(t); p.Metrics[0].Alias != nil {
		t.Errorf("got alias %d want none", *p.Metrics[0].Alias)
	}
}

func rebirthAtQoS0(t *testing.T) {
	if p, _ := request(t); p.QoS != 0 || p.Retain {
		t.Errorf("got QoS %d retain %v want 0 and false", p.QoS, p.Retain)
	}
}

func rebirthTimestamp(t *testing.T) {
	_, p := request(t)
	if p.Timestamp == nil || int64(*p.Timestamp) != t0 || int64(p.Metrics[0].GetTimestamp()) != t0 {
		t.Errorf("got %v want %d", p, t0)
	}
}

func rebirthHasNoSequenceNumber(t *testing.T) {
	if _, p := request(t); p.Seq != nil {
		t.Errorf("got sequence number %d want none", *p.Seq)
	}
}

func rebirthDatatype(t *testing.T) {
	if _, p := request(t); tahu.DataType(p.Metrics[0].GetDatatype()) != tahu.DataType_Boolean {
		t.Errorf("got datatype %d want Boolean", p.Metrics[0].GetDatatype())
	}
}

func reorderTimeoutIsAParameter(t *testing.T) {
	for _, timeout := range []time.Duration{50 * time.Millisecond, 2 * time.Second, time.Minute} {
		r := newRig(t, func(o *Options) { o.ReorderTimeout = timeout })
		e := r.edge()
		e.online()
		e.seq++
		e.ddata("b1", 51)
		r.pass(timeout - time.Millisecond)
		r.wantRebirths(e, 0)
		r.pass(time.Millisecond)
		r.wantRebirths(e, 1)
	}
}

// A number ahead, a number behind, and of any message: the timer runs from the
// first that is out of order.
func reorderTimerStarts(t *testing.T) {
	for _, tc := range []struct {
		name string
		seq  uint64
	}{{"one missing", 4}, {"many missing", 200}, {"behind", 1}, {"the same again", 2}} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			e := r.edge()
			e.online()
			e.seq = tc.seq
			e.ddata("b1", 51)
			r.pass(3 * time.Second)
			e.ddata("b1", 52)
			r.wantRebirths(e, 0)
			r.pass(2 * time.Second)
			r.wantRebirths(e, 1)
		})
	}
}

func reorderTimeoutRequestsRebirth(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	e.voltage(51) // lost
	e.ddata("b1", 52)
	r.pass(5 * time.Second)
	r.wantRebirths(e, 1)
	p := decodePayload(t, r.published[0].Payload)
	if p.Metrics[0].GetName() != "Node Control/Rebirth" || !p.Metrics[0].GetBooleanValue() {
		t.Errorf("got %v want a rebirth request", p)
	}
	r.wantVolts("b1", 50, 52) // what did arrive is kept
	e.online()
	r.pass(time.Minute)
	r.wantRebirths(e, 1)
}

func reorderSucceeds(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	late := encode(t, e.voltage(51))
	e.ddata("b1", 52)
	e.ddata("b1", 53)
	r.pass(4 * time.Second)
	r.wantVolts("b1", 50)
	r.raw(e.topic(DData, "b1"), late)
	r.wantVolts("b1", 50, 51, 52, 53)
	r.pass(time.Minute)
	r.wantRebirths(e, 0)
	e.seq++ // and again
	e.ddata("b1", 55)
	r.pass(4999 * time.Millisecond)
	r.wantRebirths(e, 0)
	r.pass(time.Millisecond)
	r.wantRebirths(e, 1)
}

// afterNDEATH is a host a minute after the births, when the will comes: the
// will's own timestamp is of the connect.
func afterNDEATH(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	e := r.edge()
	e.online()
	r.now = r.now.Add(time.Minute)
	r.forget()
	e.send(NDeath, &tahu.Payload{Timestamp: proto.Uint64(uint64(t0)), Metrics: []*tahu.Payload_Metric{long("bdSeq", tahu.DataType_Int64, 0)}})
	return r
}

func ndeathNodeOffline(t *testing.T) {
	r := afterNDEATH(t)
	if n := r.node("station1"); n.Online || n.Since != t0+60_000 {
		t.Errorf("got online %v since %d want offline since %d", n.Online, n.Since, t0+60_000)
	}
	if got := r.statuses(); !slices.Contains(got, "station1 status.offline@1767225660000") {
		t.Errorf("events: got %v want the node's offline", got)
	}
}

func ndeathNodeStale(t *testing.T) {
	r := afterNDEATH(t)
	if !r.node("station1").Stale {
		t.Error("the node's metrics are not stale")
	}
	if len(r.readings()) != 0 {
		t.Errorf("got %d readings want none: stale is not zero", len(r.readings()))
	}
}

func ndeathDevicesOffline(t *testing.T) {
	r := afterNDEATH(t)
	for _, d := range []string{"b1", "b2"} {
		if s := r.device("station1", d); s.Online || s.Since != t0+60_000 {
			t.Errorf("%s: got online %v since %d want offline since %d", d, s.Online, s.Since, t0+60_000)
		}
	}
	r.wantStatuses("station1 status.offline@1767225660000", "b1 status.offline@1767225660000", "b2 status.offline@1767225660000")
	if len(r.done) != 1 {
		t.Errorf("acknowledged: got %d times want once", len(r.done))
	}
}

func ndeathDevicesStale(t *testing.T) {
	r := afterNDEATH(t)
	if !r.device("station1", "b1").Stale || !r.device("station1", "b2").Stale {
		t.Error("the devices' metrics are not stale")
	}
}

func afterDDEATH(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	e := r.edge()
	e.online()
	r.now = r.now.Add(time.Minute)
	p := e.next()
	r.now = r.now.Add(time.Second)
	r.forget()
	e.send(DDeath, p, "b1")
	return r
}

func ddeathDeviceOffline(t *testing.T) {
	r := afterDDEATH(t)
	r.wantStatuses("b1 status.offline@1767225660000")
	if s := r.device("station1", "b1"); s.Online || s.Since != t0+60_000 {
		t.Errorf("got online %v since %d want offline since %d", s.Online, s.Since, t0+60_000)
	}
	if !r.device("station1", "b2").Online || !r.node("station1").Online {
		t.Error("another device or the node is offline too")
	}
}

func ddeathDeviceStale(t *testing.T) {
	r := afterDDEATH(t)
	if !r.device("station1", "b1").Stale || r.device("station1", "b2").Stale {
		t.Error("want the one device stale, and no other")
	}
	if len(r.readings()) != 0 {
		t.Errorf("got %d readings want none", len(r.readings()))
	}
}
