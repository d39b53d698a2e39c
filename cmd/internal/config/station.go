package config

import (
	"maps"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// Station is what is to be known of stations that they do not report. What is
// left out has the value in brackets.
type Station struct {
	ServiceTarget float64        `yaml:"service_target,omitempty"` // share of riders to be served at once (0.95)
	Recharge      string         `yaml:"recharge,omitempty"`       // from a pack's return until it is charged, where not measured (2h)
	SwapTime      string         `yaml:"swap_time,omitempty"`      // of a swap, where not measured (3m)
	Hold          string         `yaml:"hold,omitempty"`           // how long a state stands for the time after its report (1h)
	Servers       int            `yaml:"servers,omitempty"`        // riders that a station serves at once (1)
	ServersOf     map[string]int `yaml:"servers_of,omitempty"`     // the same of single stations, by id
}

// zero reports whether nothing is set.
func (s *Station) zero() bool {
	return s.ServiceTarget == 0 && s.Recharge == "" && s.SwapTime == "" && s.Hold == "" && s.Servers == 0 && len(s.ServersOf) == 0
}

// Rules are the rules of all stations. It is for a section that is valid.
func (s *Station) Rules() station.Rules {
	r := station.DefaultRules()
	if s.ServiceTarget != 0 {
		r.ServiceTarget = s.ServiceTarget
	}
	for _, d := range s.durations(&r) {
		if t, err := time.ParseDuration(d.text); err == nil {
			*d.to = t.Seconds()
		}
	}
	if s.Servers != 0 {
		r.Servers = s.Servers
	}
	return r
}

type stationDuration struct {
	key, text   string
	to          *float64 // seconds
	least, most time.Duration
}

func (s *Station) durations(r *station.Rules) []stationDuration {
	return []stationDuration{
		{"recharge", s.Recharge, &r.RechargeS, time.Minute, 48 * time.Hour},
		{"swap_time", s.SwapTime, &r.SwapS, time.Second, 2 * time.Hour},
		{"hold", s.Hold, &r.HoldS, time.Second, 24 * time.Hour},
	}
}

const maxServers = 1000

func (c *Config) validateStation(v *problems) {
	s := &c.Station
	v.check(s.ServiceTarget >= 0 && s.ServiceTarget < 1, "station", "service_target %v: want more than 0 and less than 1", s.ServiceTarget)
	for _, d := range s.durations(new(station.Rules)) {
		if d.text == "" {
			continue
		}
		t, err := time.ParseDuration(d.text)
		v.check(err == nil && t >= d.least && t <= d.most, "station", "%s %q: want %s to %s", d.key, d.text, d.least, d.most)
	}
	v.check(s.Servers >= 0 && s.Servers <= maxServers, "station", "servers %d: want 1 to %d", s.Servers, maxServers)
	for _, id := range slices.Sorted(maps.Keys(s.ServersOf)) {
		n := s.ServersOf[id]
		v.check(n >= 1 && n <= maxServers, "station", "servers_of %s %d: want 1 to %d", id, n, maxServers)
	}
}
