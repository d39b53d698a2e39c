package ingest

import (
	"math/bits"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// Metrics measures the pipeline for Prometheus. No label names a device. A batch
// costs a few observations; a message costs none of its own.
type Metrics struct {
	messages prometheus.Counter
	payload  prometheus.Counter
	batch    prometheus.Histogram
	group    prometheus.Histogram
	commit   prometheus.Histogram
	steps    map[string]prometheus.Observer
	last     prometheus.Gauge
	ack      *latencies
	reasons  map[wire.Reason]prometheus.Counter
	retries  map[string]prometheus.Counter
}

// destinations is what a commit writes to: the label of its steps and retries.
func destinations() []string {
	return []string{"clock", "registry", "journal", "store", "quarantine"}
}

// NewMetrics registers the pipeline's measurements with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	histogram := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: "fleetwatt_ingest_" + name, Help: help, Buckets: buckets}
	}
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: "fleetwatt_ingest_" + name, Help: help}
	}
	steps := prometheus.NewHistogramVec(histogram("commit_step_seconds", "Time of one write of a commit, its retries included, by what it goes to.",
		prometheus.ExponentialBuckets(0.0005, 4, 8)), []string{"to"})
	reasons := prometheus.NewCounterVec(counter("quarantined_by_reason_total", "Records in quarantine, by reason."), []string{"reason"})
	retries := prometheus.NewCounterVec(counter("retries_total", "Writes of a commit that had to be tried again, by what refused them."), []string{"to"})
	m := &Metrics{
		messages: prometheus.NewCounter(counter("messages_total", "Messages committed and acknowledged.")),
		payload:  prometheus.NewCounter(counter("payload_bytes_total", "Bytes of the messages committed, as received.")),
		batch:    prometheus.NewHistogram(histogram("batch_records", "Records committed together.", prometheus.ExponentialBuckets(1, 4, 9))),
		group:    prometheus.NewHistogram(histogram("batch_messages", "Messages committed together.", prometheus.ExponentialBuckets(1, 4, 9))),
		commit:   prometheus.NewHistogram(histogram("commit_seconds", "Time to put a batch on disk.", prometheus.ExponentialBuckets(0.0005, 2, 15))),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fleetwatt_ingest_last_commit_timestamp_seconds", Help: "When the last batch was committed, Unix time; 0: none yet."}),
		ack: newLatencies(prometheus.NewDesc("fleetwatt_ingest_ack_seconds",
			"Time from the arrival of a message to its acknowledgement, in whole milliseconds.", nil, nil)),
		steps:   make(map[string]prometheus.Observer),
		reasons: make(map[wire.Reason]prometheus.Counter),
		retries: make(map[string]prometheus.Counter),
	}
	// All series are there from the start: a rate needs a zero to begin with.
	for _, r := range wire.Reasons() {
		m.reasons[r] = reasons.WithLabelValues(string(r))
	}
	for _, to := range destinations() {
		m.steps[to] = steps.WithLabelValues(to)
		m.retries[to] = retries.WithLabelValues(to)
	}
	reg.MustRegister(m.messages, m.payload, m.batch, m.group, m.commit, m.last, m.ack, steps, reasons, retries)
	return m
}

// ExposeAccounting registers the pipeline's counters with reg.
func (p *Pipeline) ExposeAccounting(reg prometheus.Registerer) {
	count := func(name, help string, get func(Accounting) uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: "fleetwatt_ingest_" + name + "_total", Help: help},
			func() float64 { return float64(get(p.Accounting())) }))
	}
	gauge := func(name, help string, get func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fleetwatt_ingest_" + name, Help: help}, get))
	}
	count("received", "Records received.", func(a Accounting) uint64 { return a.Received })
	count("stored", "Records stored that were new.", func(a Accounting) uint64 { return a.Stored })
	count("duplicate", "Records that were there already.", func(a Accounting) uint64 { return a.Duplicate })
	count("quarantined", "Records put in quarantine.", func(a Accounting) uint64 { return a.Quarantined })
	gauge("pending", "Records accepted and not yet committed.", func() float64 { return float64(p.Accounting().Pending) })
	gauge("stuck_seconds", "For how long the same commit has been failing; 0: it is not.", func() float64 {
		what, since := p.Trouble()
		if what == "" {
			return 0
		}
		return p.opts.Now().Sub(since).Seconds()
	})
}

// Depth is how much waits for its commit, what is being committed included.
type Depth struct {
	Messages int
	Bytes    int64 // memory that it holds
	Limit    int64 // of Bytes, beyond which senders wait
}

// ExposeQueue registers the depth of a queue with reg. depth is called at each
// scrape.
func ExposeQueue(reg prometheus.Registerer, depth func() Depth) {
	gauge := func(name, help string, get func(Depth) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fleetwatt_ingest_queue_" + name, Help: help},
			func() float64 { return get(depth()) }))
	}
	gauge("messages", "Messages accepted and not yet committed.", func(d Depth) float64 { return float64(d.Messages) })
	gauge("bytes", "Memory held by messages that are not yet committed.", func(d Depth) float64 { return float64(d.Bytes) })
	gauge("limit_bytes", "Memory that uncommitted messages may hold before senders have to wait.", func(d Depth) float64 { return float64(d.Limit) })
}

// committed measures a batch that was committed and acknowledged.
func (m *Metrics) committed(batch []item, g *group, began, ended time.Time) {
	if m == nil {
		return
	}
	var acks tally
	payload := 0
	now := ended.UnixMilli()
	for i := range batch {
		payload += len(batch[i].msg.Payload)
		acks.add(now - batch[i].msg.ReceivedMS)
	}
	m.ack.merge(&acks)
	m.messages.Add(float64(len(batch)))
	m.payload.Add(float64(payload))
	m.group.Observe(float64(len(batch)))
	m.batch.Observe(float64(len(g.readings) + len(g.events) + len(g.rejected)))
	m.commit.Observe(ended.Sub(began).Seconds())
	m.last.Set(float64(now) / 1000)
	for i := range g.rejected {
		if c := m.reasons[g.rejected[i].Reason]; c != nil {
			c.Inc()
		}
	}
}

// stepped measures one write of a commit, its retries included.
func (m *Metrics) stepped(to string, took time.Duration) {
	if m == nil {
		return
	}
	if o := m.steps[to]; o != nil {
		o.Observe(took.Seconds())
	}
}

func (m *Metrics) retried(to string) {
	if m == nil {
		return
	}
	if c := m.retries[to]; c != nil {
		c.Inc()
	}
}

// tally counts latencies in milliseconds by their power of two: at most 1, 2, 4
// and so on, the last one without limit.
type tally struct {
	buckets [ackBuckets + 1]uint64
	count   uint64
	sum     int64
}

const ackBuckets = 19 // up to 2^18 ms, four minutes

func (t *tally) add(ms int64) {
	ms = max(ms, 0) // the clock was set back
	i := 0
	if ms > 1 {
		i = min(bits.Len64(uint64(ms-1)), ackBuckets)
	}
	t.buckets[i]++
	t.count++
	t.sum += ms
}

// latencies is a histogram that takes a batch at once: one of Prometheus' own
// takes a lock for each value.
type latencies struct {
	desc *prometheus.Desc

	mu sync.Mutex
	t  tally
}

func newLatencies(desc *prometheus.Desc) *latencies { return &latencies{desc: desc} }

func (l *latencies) merge(t *tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, n := range t.buckets {
		l.t.buckets[i] += n
	}
	l.t.count += t.count
	l.t.sum += t.sum
}

// Describe is part of prometheus.Collector.
func (l *latencies) Describe(to chan<- *prometheus.Desc) { to <- l.desc }

// Collect is part of prometheus.Collector.
func (l *latencies) Collect(to chan<- prometheus.Metric) {
	l.mu.Lock()
	t := l.t
	l.mu.Unlock()
	buckets := make(map[float64]uint64, ackBuckets)
	below := uint64(0)
	for i := range ackBuckets {
		below += t.buckets[i]
		buckets[float64(uint64(1)<<i)/1000] = below
	}
	to <- prometheus.MustNewConstHistogram(l.desc, t.count, float64(t.sum)/1000, buckets)
}
