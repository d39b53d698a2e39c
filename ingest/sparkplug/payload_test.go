package sparkplug

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

func TestPayloadsThatAreNone(t *testing.T) {
	deep := &tahu.Payload_Template{}
	for range 40 {
		deep = &tahu.Payload_Template{Metrics: []*tahu.Payload_Metric{{Value: &tahu.Payload_Metric_TemplateValue{TemplateValue: deep}}}}
	}
	for _, tc := range []struct {
		name    string
		payload []byte
		want    wire.Reason
	}{
		{"empty", nil, wire.ReasonEmpty},
		{"text", []byte("hello"), wire.ReasonMalformed},
		{"cut off", encode(t, &tahu.Payload{Seq: proto.Uint64(1), Metrics: []*tahu.Payload_Metric{text("a", "bcd")}})[:5], wire.ReasonMalformed},
		{"too many bytes", make([]byte, 1<<20+1), wire.ReasonTooLarge},
		{"too many metrics", bytes.Repeat([]byte{0x12, 0}, 20_001), wire.ReasonTooLarge},
		{"too deep", encode(t, &tahu.Payload{Seq: proto.Uint64(1), Metrics: []*tahu.Payload_Metric{{Value: &tahu.Payload_Metric_TemplateValue{TemplateValue: deep}}}}), wire.ReasonMalformed},
		{"name too long", encode(t, &tahu.Payload{Seq: proto.Uint64(1), Metrics: []*tahu.Payload_Metric{double(strings.Repeat("n", 513), 1)}}), wire.ReasonTooLarge},
		{"name not UTF-8", encode(t, &tahu.Payload{Seq: proto.Uint64(1), Metrics: []*tahu.Payload_Metric{double("\xff", 1)}}), wire.ReasonInvalidUTF8},
		{"no sequence number", encode(t, &tahu.Payload{Timestamp: proto.Uint64(1)}), wire.ReasonMalformed},
		{"sequence number 256", encode(t, &tahu.Payload{Seq: proto.Uint64(256)}), wire.ReasonMalformed},
		{"unknown compression", encode(t, squeezed("LZ4", nil)), wire.ReasonBadGzip},
		{"broken compression", encode(t, squeezed("GZIP", []byte("x"))), wire.ReasonBadGzip},
		{"compressed bomb", encode(t, squeezed("GZIP", zip(t, "GZIP", make([]byte, 17<<20)))), wire.ReasonGzipTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.raw("spBv1.0/plant/NBIRTH/station1", tc.payload)
			r.wantReasons(tc.want)
			if got := r.faults(); len(got) == 1 && !bytes.Equal(got[0].Raw, tc.payload) {
				t.Errorf("raw: got %d bytes want the %d of the payload", len(got[0].Raw), len(tc.payload))
			}
			if len(r.done) != 1 {
				t.Errorf("acknowledged: got %d want 1", len(r.done))
			}
			if n := r.host.Status().NodesTotal; n != 0 {
				t.Errorf("nodes: got %d want none made of nonsense", n)
			}
		})
	}
}

func squeezed(algorithm string, body []byte) *tahu.Payload {
	p := &tahu.Payload{Uuid: proto.String(compressedUUID), Body: body}
	if algorithm != "" {
		p.Metrics = []*tahu.Payload_Metric{text("algorithm", algorithm)}
	}
	return p
}

func zip(t testing.TB, algorithm string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = zlib.NewWriter(&out)
	if algorithm == "GZIP" {
		w = gzip.NewWriter(&out)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCompressedPayloads(t *testing.T) {
	for _, algorithm := range []string{"", "DEFLATE", "GZIP"} {
		t.Run("algorithm="+algorithm, func(t *testing.T) {
			r := newRig(t)
			e := r.edge()
			e.nbirth()
			birth := encode(t, e.next(e.birthMetrics()...))
			e.send(DBirth, squeezed(algorithm, zip(t, algorithm, birth)), "b1")
			r.wantVolts("b1", 50)
			r.wantReasons()
		})
	}
}

// A payload within its limits of bytes and metrics may be a thousand times as
// much in memory, by what is nested in one metric.
func TestNestedPayloadsAreBounded(t *testing.T) {
	const many = 40_000
	nested := func(m *tahu.Payload_Metric) *tahu.Payload_Metric {
		m.Name = proto.String("voltage_v")
		return m
	}
	rows := make([]*tahu.Payload_DataSet_Row, many)
	metrics := make([]*tahu.Payload_Metric, many)
	for i := range many {
		rows[i], metrics[i] = &tahu.Payload_DataSet_Row{}, &tahu.Payload_Metric{}
	}
	for _, tc := range []struct {
		name string
		m    *tahu.Payload_Metric
	}{
		{"template", &tahu.Payload_Metric{Value: &tahu.Payload_Metric_TemplateValue{TemplateValue: &tahu.Payload_Template{Metrics: metrics}}}},
		{"data set", &tahu.Payload_Metric{Value: &tahu.Payload_Metric_DatasetValue{DatasetValue: &tahu.Payload_DataSet{Rows: rows}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.Bounds.MetricsPerNode = 1000 })
			e := r.edge()
			e.send(NBirth, e.next(nested(tc.m)))
			r.wantReasons(wire.ReasonTooLarge)
		})
	}
	r := newRig(t)
	e := r.edge()
	e.nbirth()
	birth := e.next()
	for i := range 5000 { // as large a birth as there is
		m := withQuality(double(fmt.Sprint("a metric with a long name ", i), 1), 192)
		birth.Metrics = append(birth.Metrics, m)
	}
	if size := proto.Size(birth); size <= fewBytes {
		t.Fatalf("the birth is %d bytes: want more than are let through uncounted", size)
	}
	e.send(DBirth, birth, "b1")
	r.wantReasons()
}
