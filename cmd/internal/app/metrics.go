package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb"
)

// expose registers what the parts count, beside the pipeline's measurements.
func (a *App) expose(metrics *prometheus.Registry) {
	a.pipeline.ExposeAccounting(metrics)
	ingest.ExposeQueue(metrics, a.pipeline.Depth)
	a.presence.Expose(metrics)
	metrics.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fleetwatt_quarantine_dropped_total", Help: "Entries of the quarantine dropped because it was full or they were old.",
		}, func() float64 { return float64(a.quarantine.Purged()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "fleetwatt_mqtt_subscribers_dropped_total", Help: "Messages that did not reach slow subscribers; they are stored.",
		}, func() float64 { return float64(a.source.Dropped()) }),
	)
	if e, ok := a.source.(*embedded); ok {
		e.expose(metrics)
	}
	if s, ok := a.store.(*duckdb.Store); ok {
		metrics.MustRegister(storeMetrics{s})
	}
}

// storeMetrics tells of the embedded store; all of it is read at once.
type storeMetrics struct{ store *duckdb.Store }

// storeMetric is one number of the embedded store.
type storeMetric struct {
	desc  *prometheus.Desc
	typ   prometheus.ValueType
	value func(duckdb.Stats) float64
}

func storeMetricsOf() []storeMetric {
	metric := func(name, help string, typ prometheus.ValueType, value func(duckdb.Stats) float64) storeMetric {
		return storeMetric{prometheus.NewDesc(name, help, nil, nil), typ, value}
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	return []storeMetric{
		metric("fleetwatt_store_hot_readings", "Readings in memory and in the log, not yet sealed into files.", gauge, func(s duckdb.Stats) float64 { return float64(s.Hot.Rows) }),
		metric("fleetwatt_store_hot_bytes", "Size of the log.", gauge, func(s duckdb.Stats) float64 { return float64(s.Hot.Bytes) }),
		metric("fleetwatt_store_sealed_readings", "Readings in sealed files.", gauge, func(s duckdb.Stats) float64 { return float64(s.Sealed.Rows) }),
		metric("fleetwatt_store_sealed_bytes", "Size of the sealed files.", gauge, func(s duckdb.Stats) float64 { return float64(s.Sealed.Bytes) }),
		metric("fleetwatt_store_segments", "Segments in memory, the active ones included.", gauge, func(s duckdb.Stats) float64 { return float64(s.Segments) }),
		metric("fleetwatt_store_parts", "Sealed files.", gauge, func(s duckdb.Stats) float64 { return float64(s.Parts) }),
		metric("fleetwatt_store_seals_total", "Segments sealed into files.", counter, func(s duckdb.Stats) float64 { return float64(s.Compaction.Seals) }),
		metric("fleetwatt_store_merges_total", "Runs of files merged into one.", counter, func(s duckdb.Stats) float64 { return float64(s.Compaction.Merges) }),
		metric("fleetwatt_store_expired_total", "Files removed because of retention.", counter, func(s duckdb.Stats) float64 { return float64(s.Compaction.Expired) }),
		metric("fleetwatt_store_compactions_failed_total", "Compactions that did not finish and are repeated.", counter, func(s duckdb.Stats) float64 { return float64(s.Compaction.Failed) }),
		metric("fleetwatt_store_compaction_seconds_total", "Time spent on compaction.", counter, func(s duckdb.Stats) float64 { return s.Compaction.Seconds }),
		metric("fleetwatt_store_cache_bytes", "Size of what is remembered of reads of single devices.", gauge, func(s duckdb.Stats) float64 { return float64(s.Cache.Bytes) }),
		metric("fleetwatt_store_cache_hits_total", "Days of single devices that were remembered.", counter, func(s duckdb.Stats) float64 { return float64(s.Cache.Hits) }),
		metric("fleetwatt_store_cache_misses_total", "Days of single devices that had to be read.", counter, func(s duckdb.Stats) float64 { return float64(s.Cache.Misses) }),
	}
}

// Describe is part of prometheus.Collector.
func (m storeMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range storeMetricsOf() {
		to <- d.desc
	}
}

// Collect is part of prometheus.Collector. A store that can't say has no
// samples.
func (m storeMetrics) Collect(to chan<- prometheus.Metric) {
	stats, err := m.store.Stats(context.Background())
	if err != nil {
		return
	}
	for _, d := range storeMetricsOf() {
		to <- prometheus.MustNewConstMetric(d.desc, d.typ, d.value(stats))
	}
}
