package sparkplug

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

func seeds(t testing.TB) [][]byte {
	e := newRig(t).edge()
	return [][]byte{
		nil,
		[]byte("hello"),
		encode(t, e.next(e.birthMetrics()...)),
		encode(t, e.next(long("bdSeq", tahu.DataType_Int64, 3), boolean(rebirthMetric, false))),
		encode(t, e.voltage(51)),
		encode(t, e.next(withQuality(text("state", "idle"), 192), named("Blob", tahu.DataType_DataSet))),
		encode(t, squeezed("GZIP", zip(t, "GZIP", encode(t, e.voltage(51))))),
	}
}

// FuzzPayload decodes anything without panic, within bounds, and what it
// decodes to is a payload.
func FuzzPayload(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	l := payloads{maxBytes: 1 << 16, maxUnpacked: 1 << 18, maxMetrics: 1000}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, fault := l.decode(raw)
		if (p == nil) == (fault == nil) {
			t.Fatalf("got %v and %v want one of both", p, fault)
		}
		if fault != nil {
			if fault.Reason == "" || string(fault.Raw) != string(raw) {
				t.Fatalf("fault: got %+v want a reason and the payload", fault)
			}
			return
		}
		if len(p.Metrics) > l.maxMetrics {
			t.Fatalf("got %d metrics", len(p.Metrics))
		}
		if _, err := proto.Marshal(p); err != nil {
			t.Fatalf("marshal again: %v", err)
		}
	})
}

// FuzzHost drives a host by a program of bytes: each message is acknowledged
// once in the end, memory is given back, and no reading is against the schema.
func FuzzHost(f *testing.F) {
	ss := seeds(f)
	f.Add([]byte{0, 2, 1, 2, 4, 3}, ss[2])
	f.Add([]byte{0, 9, 2, 9, 4, 250, 6, 0, 4, 4}, ss[4])
	f.Add([]byte{4, 4, 4, 4, 0, 2, 8, 8, 5, 1}, ss[5])
	verbs := []Verb{NBirth, DBirth, DBirth, NData, DData, DDeath, NDeath, DCmd, State}
	f.Fuzz(func(t *testing.T, program, raw []byte) {
		r := newRig(t, func(o *Options) {
			o.Bounds = Bounds{Nodes: 3, DevicesPerNode: 3, MetricsPerNode: 64, SessionBytes: 30_000, WaitingBytes: 20_000, WaitingPerNode: 10_000}
		})
		sent := 0
		e := r.edge()
		for i, b := range program[:min(len(program), 200)] {
			e.node = []string{"station1", "station2", "s3", "s4", "s5"}[int(b>>5)%5]
			device := []string{"b1", "b2", "b 3", "b4"}[int(b>>3)%4]
			verb := verbs[int(b)%len(verbs)]
			topic := Topic{Verb: verb, Group: e.group, Node: e.node}
			if of, _ := verb.ofDevice(); of {
				topic.Device = device
			}
			if verb == State {
				topic = Topic{Verb: State, Host: "fleetwatt"}
			}
			payload := raw
			if i%3 != 0 {
				e.seq = uint64(b) + uint64(i)%7
				p := e.next(append(e.birthMetrics(), long(bdSeqMetric, tahu.DataType_Int64, uint64(b&1)))...)
				*p.Seq &= 255
				payload = encode(t, p)
			}
			r.raw(topic.String(), payload)
			sent++
			if b%11 == 0 {
				r.pass(time.Duration(b) * 100 * time.Millisecond)
			}
			s := r.host.Status()
			if s.SessionBytes > 30_000 || s.WaitingBytes > 20_000 || s.NodesTotal > 3 {
				t.Fatalf("bounds: got %d, %d bytes, %d nodes", s.SessionBytes, s.WaitingBytes, s.NodesTotal)
			}
		}
		if err := r.host.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(r.done) != sent {
			t.Fatalf("acknowledged: got %d want %d", len(r.done), sent)
		}
		if got := r.host.Status().WaitingBytes; got != 0 {
			t.Fatalf("waiting: got %d bytes want 0", got)
		}
		checkReadings(t, r)
	})
}

func checkReadings(t *testing.T, r *rig) {
	t.Helper()
	for _, rd := range r.readings() {
		if len(rd.Values) == 0 || rd.TS < wire.DefaultLimits().MinTS {
			t.Fatalf("reading: got %+v", rd)
		}
		for i, v := range rd.Values {
			f := v.Field
			if i > 0 && rd.Values[i-1].Field.Index >= f.Index {
				t.Fatalf("fields out of order: %+v", rd.Values)
			}
			if f.Numeric() && (math.IsNaN(v.Num) || v.Num < f.Min || v.Num > f.Max) {
				t.Fatalf("%s: got %v", f.Name, v.Num)
			}
		}
	}
}
