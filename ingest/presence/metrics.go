package presence

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTime bounds what a scrape may wait for the registered devices.
const scrapeTime = 5 * time.Second

// Expose registers the counts of devices and clocks with reg. No label names a
// device. Devices are counted at each scrape.
func (t *Tracker) Expose(reg prometheus.Registerer) {
	count := func(name, help string, get func() uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(get()) }))
	}
	count("fleetwatt_presence_untracked_total", "Messages of devices whose presence or clock is not followed, for there are too many.", t.untracked.Load)
	count("fleetwatt_clock_changes_total", "Changes of the correction of a device's clock.", t.steps.Load)
	count("fleetwatt_clock_corrected_total", "Readings whose time was corrected.", t.corrected.Load)
	reg.MustRegister(&census{
		tracker: t,
		devices: prometheus.NewDesc("fleetwatt_devices", "Devices by kind and state: online, stale, offline or never heard.", []string{"kind", "state"}, nil),
		wrong:   prometheus.NewDesc("fleetwatt_clock_wrong_devices", "Devices whose clock is more than a minute off, and corrected.", nil, nil),
	})
}

// census counts devices when it is asked.
type census struct {
	tracker        *Tracker
	devices, wrong *prometheus.Desc
}

func (c *census) Describe(to chan<- *prometheus.Desc) { to <- c.devices; to <- c.wrong }

func (c *census) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(c.wrong, prometheus.GaugeValue, float64(c.tracker.wrongClocks()))
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	counts, err := c.tracker.Counts(ctx)
	if err != nil {
		// An invalid metric would take all others down with it.
		c.tracker.opts.Logger.Warn("devices can't be counted for a scrape", "err", err)
		return
	}
	for kind, states := range counts {
		for state, n := range states {
			to <- prometheus.MustNewConstMetric(c.devices, prometheus.GaugeValue, float64(n), string(kind), string(state))
		}
	}
}

// wrongClocks is how many clocks are corrected at present.
func (t *Tracker) wrongClocks() (n int) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		for _, dev := range p.devices {
			if dev.clock != nil && dev.clock.present().Offset != 0 {
				n++
			}
		}
		p.mu.Unlock()
	}
	return n
}
