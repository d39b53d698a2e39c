package building

import (
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/compare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/solar"
)

// UsageVersion names the rules by which use is told.
const UsageVersion = "usage/1"

// usage is what was used in the year to the newest day, and how green it was.
func (e *evaluation) usage() Usage {
	u := Usage{Basis: Basis{Status: OK, Version: UsageVersion, Reasons: []energy.Reason{}}, Meters: []MeterUse{}}
	latest := year(e.table.asOf)
	for i, r := range registers() {
		rows := &e.table.meters[i]
		if !rows.present {
			continue
		}
		m := MeterUse{Basis: Basis{Status: OK, Version: UsageVersion, Reasons: []energy.Reason{}}, Meter: r.meter, Unit: r.unit}
		m.span(latest)
		m.cover(rows.daily, latest)
		for _, reason := range rows.resets {
			m.add(reason)
		}
		if m.Status == OK {
			sum, _ := sumOf(within(latest, rows.daily))
			sum /= *m.Coverage // what is missing, at the rate of the rest
			m.Use = energy.Known(sum)
			m.PerM2 = carbon.Intensity(sum, latest, e.Plan.FloorM2)
		}
		if y, err := compare.YearOnYear(within(latest, rows.daily), within(year(latest.From), rows.daily)); err == nil {
			m.YearOnYear = y
		}
		u.Meters = append(u.Meters, m)
	}
	if len(u.Meters) == 0 {
		u.add(energy.Reason{Code: NoReadings, Critical: true, Text: "no register of the building has come in"})
	}
	u.Solar, u.SolarWhy = e.match(energy.Period{From: later(latest.From, e.meter(Electricity).first), To: latest.To})
	return u
}

// match sets generation against use in the hours of a period; or says why it
// cannot.
func (e *evaluation) match(p energy.Period) (*solar.Share, string) {
	green := e.greenImport()
	if !e.meter(Solar).present && green == 0 {
		return nil, "no generation register and no green contract is known"
	}
	rows, generation, why := e.load(p)
	if why != "" {
		return nil, why
	}
	s := solar.Match(rows, generation, green)
	if s.Green == nil || s.Missing*2 > len(rows) {
		return nil, "too few hours are known of both use and generation"
	}
	return &s, ""
}

// load is what the building used in the hours of a period, and what it generated:
// what came from the grid and what was generated, less what went out. Without a
// generation register it is what came from the grid.
func (e *evaluation) load(p energy.Period) (rows []energy.Row, generation []float64, why string) {
	grid, pv := e.meter(Electricity), e.meter(Solar)
	switch {
	case len(grid.hourly) == 0:
		return nil, nil, "the electricity register does not tell hours"
	case pv.present && len(pv.hourly) == 0:
		return nil, nil, "the generation register does not tell hours"
	case pv.present && len(e.Series.Export) == 0:
		return nil, nil, "without power_w it is not known how much of the generation went out"
	}
	rows = within(p, grid.hourly)
	generation = make([]float64, len(rows))
	if !pv.present {
		return rows, generation, ""
	}
	rows = slices.Clone(rows)
	made := within(p, pv.hourly)
	exported := map[int64]float64{}
	for _, x := range e.Series.Export {
		exported[x.TS] = x.Value / 1000
	}
	for i := range rows {
		went, ok := exported[rows[i].Start.UnixMilli()]
		if !ok {
			went = math.NaN()
		}
		generation[i] = made[i].Use
		rows[i].Use += generation[i] - min(went, max(generation[i], 0))
	}
	return rows, generation, ""
}

// greenImport is the share of what the grid supplies that is contracted without
// emissions.
func (e *evaluation) greenImport() float64 {
	var share float64
	for _, c := range e.Plan.Settings.Supply {
		if c.Factor == 0 {
			share += c.Share
		}
	}
	return min(share, 1)
}
