package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"
)

// read is a kind of request, and its share of all.
type read struct {
	name  string
	share int // of the sum of all
	path  func(*asker) string
}

// asker is who asks: one client with its key.
type asker struct {
	rng   *rand.Rand
	s     settings
	made  time.Time
	key   string
	owner int // whose key it is; -1: one that sees all
}

// battery is one that the asker sees among the first n of the fleet.
func (a *asker) battery(n int) string {
	k := a.rng.IntN(n)
	if a.owner >= 0 {
		k = k/owners*owners + a.owner
		if k >= n {
			k = a.owner
		}
	}
	return batteryID(k)
}

// pages is how many pages of 50 the asker has.
func (a *asker) pages() int {
	n := a.s.Batteries
	if a.owner >= 0 {
		n /= owners
	}
	return max(1, n/50)
}

// mix is what dashboards ask for. Lists have pages of 50.
func mix() []read {
	id := func(suffix string) func(*asker) string {
		return func(a *asker) string { return "/batteries/" + a.battery(a.s.Batteries) + suffix }
	}
	return []read{
		{"batteries, a page", 15, func(a *asker) string { return fmt.Sprintf("/batteries?limit=50&offset=%d", 50*a.rng.IntN(a.pages())) }},
		{"batteries, worst health first", 8, func(a *asker) string {
			return fmt.Sprintf("/batteries?limit=50&sort=health&offset=%d", 50*a.rng.IntN(min(10, a.pages())))
		}},
		{"batteries below a health", 4, func(a *asker) string {
			return fmt.Sprintf("/batteries?limit=50&sort=-health&health_lt=%d", 60+5*a.rng.IntN(6))
		}},
		{"batteries, few columns", 3, func(a *asker) string {
			return "/batteries?limit=50&sort=soh&fields=id,results.soh_pct,results.health_score"
		}},
		{"one battery", 25, id("")},
		{"its assessment", 4, func(a *asker) string { return "/batteries/" + a.battery(a.s.Followed) + "/assessment" }},
		{"its latest telemetry", 16, func(a *asker) string { return "/batteries/" + a.battery(a.s.Followed) + "/latest" }},
		{"a day of telemetry, by 15 min", 7, func(a *asker) string {
			return "/batteries/" + a.battery(a.s.Followed) + "/telemetry?every=15m&fields=soc_pct,power_w,temperature_c&" + a.days(1, 1)
		}},
		{"a day of roll-ups, by hour", 8, func(a *asker) string {
			return "/batteries/" + a.battery(a.s.Followed) + "/rollups?every=1h&" + a.days(1, 1)
		}},
		{"a month of roll-ups, by day", 3, func(a *asker) string {
			return "/batteries/" + a.battery(a.s.Followed) + "/rollups?every=1d&fields=energy_in_wh,energy_out_wh&" + a.days(30, 30)
		}},
		{"fleet summary", 4, func(*asker) string { return "/fleet/summary" }},
		{"fleet health", 3, func(*asker) string { return "/fleet/health" }},
	}
}

// days are the parameters of n days that begin so many days before the morning.
func (a *asker) days(before, n int) string {
	from := a.made.AddDate(0, 0, -before)
	return url.Values{"from": {from.Format(time.RFC3339)}, "to": {from.AddDate(0, 0, n).Format(time.RFC3339)}}.Encode()
}
