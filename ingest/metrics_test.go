package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// series is the value of each series that reg gathers: of a histogram its count
// and, under sum, its sum.
func series(t testing.TB, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				out[name] = float64(h.GetSampleCount())
				out[name+" sum"] = h.GetSampleSum()
				continue
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

func TestMetricsOfABatch(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	began := time.UnixMilli(10_000)
	batch := []item{
		{msg: Message{Payload: make([]byte, 100), ReceivedMS: 9_000}},
		{msg: Message{Payload: make([]byte, 50), ReceivedMS: 10_500}},
		{msg: Message{ReceivedMS: 20_000}}, // the clock was set back
	}
	g := &group{
		readings: make([]telemetry.Reading, 5),
		rejected: []Rejected{{Reason: wire.ReasonFuture}, {Reason: wire.ReasonFuture}, {Reason: "not a reason"}},
	}
	m.committed(batch, g, began, began.Add(time.Second))
	m.stepped("store", 200*time.Millisecond)
	m.stepped("nowhere", time.Second)
	m.retried("store")
	m.retried("nowhere")
	got := series(t, reg)
	for name, want := range map[string]float64{
		"fleetwatt_ingest_messages_total":                               3,
		"fleetwatt_ingest_payload_bytes_total":                          150,
		"fleetwatt_ingest_batch_messages sum":                           3,
		"fleetwatt_ingest_batch_records sum":                            8,
		"fleetwatt_ingest_commit_seconds":                               1,
		"fleetwatt_ingest_commit_seconds sum":                           1,
		"fleetwatt_ingest_commit_step_seconds to=store sum":             0.2,
		"fleetwatt_ingest_commit_step_seconds to=clock":                 0,
		"fleetwatt_ingest_ack_seconds":                                  3,
		"fleetwatt_ingest_ack_seconds sum":                              2.5,
		"fleetwatt_ingest_last_commit_timestamp_seconds":                11,
		"fleetwatt_ingest_quarantined_by_reason_total reason=future":    2,
		"fleetwatt_ingest_quarantined_by_reason_total reason=malformed": 0,
		"fleetwatt_ingest_retries_total to=store":                       1,
		"fleetwatt_ingest_retries_total to=journal":                     0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: got %v (%v), want %v", name, v, ok, want)
		}
	}
	for _, absent := range []string{"fleetwatt_ingest_retries_total to=nowhere", "fleetwatt_ingest_commit_step_seconds to=nowhere"} {
		if _, ok := got[absent]; ok {
			t.Errorf("%s: labels are bounded", absent)
		}
	}
}

// A pipeline that is not measured calls the same methods.
func TestNoMetrics(*testing.T) {
	var m *Metrics
	m.committed([]item{{}}, &group{}, time.Time{}, time.Time{})
	m.stepped("store", time.Second)
	m.retried("store")
}

// The latencies are the histogram that Prometheus' own would be.
func TestLatencies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var bounds []float64
		for i := range ackBuckets {
			bounds = append(bounds, float64(uint64(1)<<i)/1000)
		}
		want := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Help: "h", Buckets: bounds})
		got := newLatencies(prometheus.NewDesc("h", "h", nil, nil))
		for _, batch := range rapid.SliceOf(rapid.SliceOf(rapid.Int64Range(0, 1<<20))).Draw(t, "ms") {
			var in tally
			for _, ms := range batch {
				in.add(ms)
				want.Observe(float64(ms) / 1000)
			}
			got.merge(&in)
		}
		describe := func(c prometheus.Collector) (out []string) {
			reg := prometheus.NewRegistry()
			reg.MustRegister(c)
			families, err := reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			h := families[0].GetMetric()[0].GetHistogram()
			out = append(out, fmt.Sprintf("count %d, sum %.3f", h.GetSampleCount(), h.GetSampleSum()))
			for _, b := range h.GetBucket() {
				out = append(out, fmt.Sprintf("le %v: %d", b.GetUpperBound(), b.GetCumulativeCount()))
			}
			return out
		}
		if diff := cmp.Diff(describe(want), describe(got)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestExposeQueue(t *testing.T) {
	reg := prometheus.NewRegistry()
	ExposeQueue(reg, func() Depth { return Depth{Messages: 3, Bytes: 4096, Limit: 1 << 20} })
	want := map[string]float64{
		"fleetwatt_ingest_queue_messages": 3, "fleetwatt_ingest_queue_bytes": 4096, "fleetwatt_ingest_queue_limit_bytes": 1 << 20,
	}
	if diff := cmp.Diff(want, series(t, reg)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkMetrics(b *testing.B) {
	m := NewMetrics(prometheus.NewRegistry())
	batch := make([]item, 1000)
	for i := range batch {
		batch[i].msg.ReceivedMS = int64(i)
	}
	g := &group{readings: make([]telemetry.Reading, 1000)}
	b.Run("messages=1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.committed(batch, g, time.UnixMilli(0), time.UnixMilli(1000))
		}
	})
}
