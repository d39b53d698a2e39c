package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/cmd/internal/process"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
)

// agree is how far two numbers may be apart, relatively: the tolerances of the
// tests against stored numbers of eemeter.
const (
	agreeDaily  = 1e-6
	agreeHourly = 1e-4
)

// table compares meter by meter.
type table struct {
	w               io.Writer
	meters, differs int
	daily, hourly   []energy.Row // of the last meter of each kind
}

func (t *table) head() {
	fmt.Fprintf(t.w, "%-32s %-10s %12s %12s %8s  %s\n", "meter", "model", "eemeter, s", "fleetwatt, s", "ratio", "largest difference")
}

// rowsOf are the rows as eemeter prepared them. The last is the end.
func rowsOf(m meter) []energy.Row {
	var rows []energy.Row
	for i := 0; i+1 < len(m.Rows); i++ {
		at := func(k int) time.Time { return time.Unix(int64(*m.Rows[k][0]), 0).UTC() }
		r := energy.Row{Start: at(i), End: at(i + 1), Use: math.NaN(), TempF: math.NaN()}
		if u := m.Rows[i][1]; u != nil {
			r.Use = *u
		}
		if f := m.Rows[i][2]; f != nil {
			r.TempF, r.TempCoverage = *f, 1
		}
		rows = append(rows, r)
	}
	return rows
}

// compare fits a meter by fleetwatt and prints both.
func (t *table) compare(m meter, rounds int) error {
	rows := rowsOf(m)
	var off float64
	var seconds float64
	limit := agreeDaily
	if m.Interval == "hourly" {
		limit, t.hourly = agreeHourly, rows
		var fit *caltrack.Hourly
		var err error
		seconds = fastest(rounds, func() { fit, err = caltrack.FitHourly(rows) })
		if err != nil {
			return fmt.Errorf("%s: %w", m.ID, err)
		}
		var sum float64
		for _, p := range fit.Predict(rows) {
			if !math.IsNaN(p) {
				sum += p
			}
		}
		off = apart(sum, m.Predicted)
	} else {
		t.daily = rows
		var fit *caltrack.DegreeDay
		var err error
		seconds = fastest(rounds, func() { fit, err = caltrack.FitDaily(rows, caltrack.Options{}) })
		if err != nil {
			return fmt.Errorf("%s: %w", m.ID, err)
		}
		off = max(apart(fit.Best.Intercept, m.Parameters["intercept"]), apart(fit.Best.AdjR2, m.AdjR2),
			apart(fit.Best.Cooling, m.Parameters["beta_cdd"]), apart(fit.Best.Heating, m.Parameters["beta_hdd"]),
			apart(float64(fit.Best.CoolingF), m.Parameters["cooling_balance_point"]), apart(float64(fit.Best.HeatingF), m.Parameters["heating_balance_point"]))
	}
	t.meters++
	remark := ""
	if !(off <= limit) {
		t.differs++
		remark = "  DIFFERS"
	}
	theirs := slices.Min(m.Seconds)
	fmt.Fprintf(t.w, "%-32s %-10s %12.3f %12.5f %8.0f  %.1e%s\n", m.ID, m.Model, theirs, seconds, theirs/seconds, off, remark)
	return nil
}

// apart is the relative difference of two numbers.
func apart(got, want float64) float64 {
	if got == want {
		return 0
	}
	return math.Abs(got-want) / math.Max(math.Abs(want), 1e-9)
}

// repeat makes a fit long enough for the clock of the kernel.
const repeat = 5

// fastest is the CPU time of a call in seconds, the least of some rounds: what
// else the machine does adds to it, and takes nothing away.
func fastest(rounds int, call func()) float64 {
	least := math.Inf(1)
	for range rounds {
		began := process.Self()
		for range repeat {
			call()
		}
		least = min(least, (process.Self()-began).Seconds()/repeat)
	}
	return least
}

// The night that is promised.
const (
	buildings = 10_000
	cores     = 2
)

// night times the whole assessment of a building: inspection, the choice among
// all models, and the saving of a year.
func (t *table) night(rounds int) error {
	fmt.Fprintln(t.w)
	for _, c := range []struct {
		name     string
		rows     []energy.Row
		interval energy.Interval
		model    string
	}{
		{"days, all models", t.daily, energy.Daily, ""},
		{"days, one model", t.daily, energy.Daily, caltrack.DailyModel},
		{"hours, all models", t.hourly, energy.Hourly, ""},
		{"hours, one model", t.hourly, energy.Hourly, caltrack.HourlyModel},
	} {
		after := make([]energy.Row, len(c.rows))
		for i, r := range c.rows {
			r.Start, r.End = r.Start.AddDate(1, 0, 0), r.End.AddDate(1, 0, 0)
			after[i] = r
		}
		var err error
		var a *assess.Assessment
		s := fastest(rounds, func() {
			a, err = assess.Assess(assess.Request{Baseline: c.rows, Reporting: after, Interval: c.interval, Model: c.model})
		})
		if err != nil {
			return fmt.Errorf("assess %s: %w", c.name, err)
		}
		if a.Fit == nil {
			return fmt.Errorf("assess %s: no fit: %+v", c.name, a.Verdict.Reasons)
		}
		fmt.Fprintf(t.w, "assess a building, %-18s %8.1f ms of CPU; %d on %d cores: %.1f min\n",
			c.name, 1000*s, buildings, cores, s*buildings/cores/60)
	}
	return nil
}
