package station

import (
	"cmp"
	"slices"
)

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

// StateTime is the time in each state. Those of windows that do not overlap add
// up to that of all of them, exactly.
type StateTime struct {
	MS      map[string]int64 `json:"ms,omitempty"` // by state, milliseconds
	Reports int              `json:"reports,omitempty"`
}

// TimeInState counts the time in the window, each sample standing until the next
// one and for maxHoldS at most. Samples ascend by time; one from before the
// window tells the state it begins with, and an empty state is none.
func TimeInState(samples []StateSample, w Window, maxHoldS float64) StateTime {
	hold := int64(maxHoldS * 1000)
	t := StateTime{MS: map[string]int64{}}
	for k, s := range samples {
		end := s.TS + hold
		if k+1 < len(samples) {
			end = min(end, samples[k+1].TS)
		}
		from, to := max(s.TS, w.From), min(end, w.To)
		if to <= from || s.State == "" {
			continue
		}
		t.MS[s.State] += to - from
		t.Reports++
	}
	return t
}

// Add adds the time of another window.
func (t *StateTime) Add(o StateTime) {
	if t.MS == nil {
		t.MS = make(map[string]int64, len(o.MS))
	}
	for state, ms := range o.MS {
		t.MS[state] += ms
	}
	t.Reports += o.Reports
}

// Known is the time with a state, in milliseconds.
func (t StateTime) Known() int64 {
	sum := int64(0)
	for _, ms := range t.MS {
		sum += ms
	}
	return sum
}

// Within is the time in any of the states, in milliseconds.
func (t StateTime) Within(states []string) int64 {
	sum := int64(0)
	for _, state := range states {
		sum += t.MS[state]
	}
	return sum
}

// Use shares the window out by state. Samples ascend by time; one from before
// the window tells the state it begins with.
func Use(samples []StateSample, w Window, r UseRules) Utilization {
	return TimeInState(samples, w, r.MaxHoldS).Use(w, r)
}

// Use shares out the window that the time was counted over.
func (t StateTime) Use(w Window, r UseRules) Utilization {
	u := Utilization{Basis: basis("time_in_state", UseVersion, w), States: []Share{}}
	covered := float64(t.Known()) / 1000
	u.UnknownS = max(0, w.Seconds()-covered)
	if covered <= 0 {
		u.lacking("no state was reported in the window")
		return u
	}
	u.ok(t.Reports)
	u.Coverage = per(covered, w.Seconds())
	for state, ms := range t.MS {
		s := float64(ms) / 1000
		u.States = append(u.States, Share{state, s, s / covered})
	}
	slices.SortFunc(u.States, func(a, b Share) int { return cmp.Compare(a.State, b.State) })
	earning, unavailable := float64(t.Within(r.Earning))/1000, float64(t.Within(r.Unavailable))/1000
	u.Earning, u.Availability = per(earning, covered), per(covered-unavailable, covered)
	u.Idle = per(covered-unavailable-earning, covered)
	return u
}
