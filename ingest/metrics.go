package ingest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// Metrics measures the pipeline for Prometheus. No label names a device.
type Metrics struct {
	batch   prometheus.Histogram
	commit  prometheus.Histogram
	ack     prometheus.Histogram
	reasons *prometheus.CounterVec
	retries *prometheus.CounterVec
}

// NewMetrics registers the pipeline's measurements with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fleetwatt_ingest_batch_records", Help: "Records committed together.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 9)}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fleetwatt_ingest_commit_seconds", Help: "Time to put a batch on disk.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15)}),
		ack: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fleetwatt_ingest_ack_seconds", Help: "Time from the arrival of a message to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18)}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fleetwatt_ingest_quarantined_by_reason_total", Help: "Records in quarantine, by reason."}, []string{"reason"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fleetwatt_ingest_retries_total", Help: "Commits that had to be tried again, by what refused them."}, []string{"to"}),
	}
	for _, r := range wire.Reasons() {
		m.reasons.WithLabelValues(string(r))
	}
	reg.MustRegister(m.batch, m.commit, m.ack, m.reasons, m.retries)
	return m
}

// ExposeAccounting registers the pipeline's counters with reg.
func (p *Pipeline) ExposeAccounting(reg prometheus.Registerer) {
	count := func(name, help string, get func(Accounting) uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: "fleetwatt_ingest_" + name + "_total", Help: help},
			func() float64 { return float64(get(p.Accounting())) }))
	}
	count("received", "Records received.", func(a Accounting) uint64 { return a.Received })
	count("stored", "Records stored that were new.", func(a Accounting) uint64 { return a.Stored })
	count("duplicate", "Records that were there already.", func(a Accounting) uint64 { return a.Duplicate })
	count("quarantined", "Records put in quarantine.", func(a Accounting) uint64 { return a.Quarantined })
	reg.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "fleetwatt_ingest_pending", Help: "Records accepted and not yet committed."},
		func() float64 { return float64(p.Accounting().Pending) }))
}

func (m *Metrics) committed(batch []item, g *group, began, ended time.Time) {
	if m == nil {
		return
	}
	m.batch.Observe(float64(len(g.readings) + len(g.events) + len(g.rejected)))
	m.commit.Observe(ended.Sub(began).Seconds())
	now := ended.UnixMilli()
	for i := range batch {
		m.ack.Observe(float64(now-batch[i].msg.ReceivedMS) / 1000)
	}
	for i := range g.rejected {
		m.reasons.WithLabelValues(string(g.rejected[i].Reason)).Inc()
	}
}

func (m *Metrics) retried(to string) {
	if m != nil {
		m.retries.WithLabelValues(to).Inc()
	}
}
