package config

import (
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
)

// Building is how buildings are judged where their owners do not say otherwise.
// What is left out has the value in brackets.
type Building struct {
	WatchDays    int    `yaml:"watch_days,omitempty"`    // newest days that anomalies and shifts are looked for in (90)
	BacktestDays int    `yaml:"backtest_days,omitempty"` // newest days that day-ahead forecasts are checked on (28)
	MaxGapHours  int    `yaml:"max_gap_hours,omitempty"` // between readings of a register, across which a day's growth is spread (26)
	HourlyModel  string `yaml:"hourly_model,omitempty"`  // of demand and forecast (towt-hourly)
}

// zero reports whether nothing is set.
func (b *Building) zero() bool { return *b == Building{} }

// Rules are the rules of all buildings. It is for a section that is valid.
func (b *Building) Rules() building.Rules {
	r := building.DefaultRules()
	for _, n := range []struct {
		to    *int
		given int
	}{{&r.WatchDays, b.WatchDays}, {&r.BacktestDays, b.BacktestDays}, {&r.MaxGapHours, b.MaxGapHours}} {
		if n.given != 0 {
			*n.to = n.given
		}
	}
	if b.HourlyModel != "" {
		r.HourlyModel = b.HourlyModel
	}
	return r
}

func (c *Config) validateBuilding(v *problems) {
	b := &c.Building
	for _, n := range []struct {
		key         string
		given       int
		least, most int
	}{{"watch_days", b.WatchDays, 7, 365}, {"backtest_days", b.BacktestDays, 7, 365}, {"max_gap_hours", b.MaxGapHours, 1, 48}} {
		v.check(n.given == 0 || n.given >= n.least && n.given <= n.most, "building", "%s %d: want %d to %d", n.key, n.given, n.least, n.most)
	}
	var ids []string
	for _, f := range choose.Hourly() {
		ids = append(ids, f.ID)
	}
	v.check(b.HourlyModel == "" || slices.Contains(ids, b.HourlyModel), "building", "hourly_model %q: want one of %s", b.HourlyModel, strings.Join(ids, ", "))
}
