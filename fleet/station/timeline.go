package station

import "slices"

// UseVersion names the rules of Use.
const UseVersion = "use/1"

// StateSample is a state and since when it was reported.
type StateSample struct {
	TS    int64 // Unix milliseconds
	State string
}

// Share is the time in one state.
type Share struct {
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Share   float64 `json:"share"` // of the time covered, 0…1
}

// Utilization is how the time of a battery or a station was used.
type Utilization struct {
	Basis
	States  []Share  `json:"states"`        // by state, ascending
	Earning *float64 `json:"earning_share"` // of the time covered, 0…1
	Idle    *float64 `json:"idle_share"`    // neither earning, nor unavailable
	// Availability is the share of the time covered in which it was in none of
	// the states that count as unavailable.
	Availability *float64 `json:"availability"`
	UnknownS     float64  `json:"unknown_s"` // of the window, without a state
}

// UseRules say which states are what.
type UseRules struct {
	Earning     []string // states in which it earns
	Unavailable []string // states in which it could not
	// MaxHoldS is how long a state stands for the time after it, in seconds:
	// silence longer than that is unknown.
	MaxHoldS float64
}

// ForBattery are the states of a battery: it earns while it is with a rider.
func ForBattery() UseRules {
	return UseRules{Earning: []string{"riding", "in_use", "discharging"}, Unavailable: []string{"fault", "maintenance"}, MaxHoldS: 3600}
}

// ForStation are the states of a station: it earns while it swaps.
func ForStation() UseRules {
	return UseRules{Earning: []string{"swapping", "busy"}, Unavailable: []string{"fault", "offline", "maintenance", "out_of_service"}, MaxHoldS: 3600}
}

// Use shares the window out by state. Samples ascend by time; one from before
// the window tells the state it begins with.
func Use(samples []StateSample, w Window, r UseRules) Utilization {
	u := Utilization{Basis: basis("time_in_state", UseVersion, w), States: []Share{}}
	hold := int64(r.MaxHoldS * 1000)
	seconds := map[string]float64{}
	covered, used := 0.0, 0
	for k, s := range samples {
		end := s.TS + hold
		if k+1 < len(samples) {
			end = min(end, samples[k+1].TS)
		}
		from, to := max(s.TS, w.From), min(end, w.To)
		if to <= from || s.State == "" {
			continue
		}
		seconds[s.State] += float64(to-from) / 1000
		covered += float64(to-from) / 1000
		used++
	}
	u.UnknownS = max(0, w.Seconds()-covered)
	if covered <= 0 {
		u.lacking("no state was reported in the window")
		return u
	}
	u.ok(used)
	u.Coverage = per(covered, w.Seconds())
	earning, unavailable := 0.0, 0.0
	for state, s := range seconds {
		u.States = append(u.States, Share{state, s, s / covered})
		if slices.Contains(r.Earning, state) {
			earning += s
		}
		if slices.Contains(r.Unavailable, state) {
			unavailable += s
		}
	}
	slices.SortFunc(u.States, func(a, b Share) int {
		if a.State < b.State {
			return -1
		}
		return 1
	})
	u.Earning, u.Availability = per(earning, covered), per(covered-unavailable, covered)
	u.Idle = per(covered-unavailable-earning, covered)
	return u
}
