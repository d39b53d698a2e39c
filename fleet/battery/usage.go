package battery

import (
	"encoding/json"
	"math"
)

// UsageVersion names the rules by which usage is counted.
const UsageVersion = "usage/1"

// Bins of the histograms of Usage. Each holds the values from its lower bound up
// to the next; the last one is open. The lowest temperature bin is open below.
const (
	DepthBins       = 10 // depth of discharge, 10 % each, the last including 100 %
	RateBins        = 12 // C-rate, a quarter of the rated capacity per hour each
	TemperatureBins = 18 // 5 K each from −20 °C
	SoCBins         = 10 // 10 % each
)

const (
	depthStep, rateStep, temperatureStep, temperatureFloor, socStep = 10, 0.25, 5, -20, 10

	// socQuantum bounds what a count of cycles keeps open: reported states of
	// charge are no finer.
	socQuantum = 0.1
)

// Usage is what a battery went through in a stretch of time, in sums that can be
// added up: the usage of two neighbouring stretches, joined, is that of both.
// A day is the usual stretch. Times in seconds, charge in Ah, energy in Wh.
type Usage struct {
	Samples      int     `json:"samples"`
	CoveredS     float64 `json:"covered_s"` // between samples at most Rules.MaxGapS apart
	ChargingS    float64 `json:"charging_s"`
	DischargingS float64 `json:"discharging_s"`
	RestingS     float64 `json:"resting_s"`
	InAh         float64 `json:"in_ah"`
	OutAh        float64 `json:"out_ah"`
	InWh         float64 `json:"in_wh"`
	OutWh        float64 `json:"out_wh"`

	ChargeRateS    [RateBins]float64        `json:"charge_rate_s"`    // by C-rate; empty without a rated capacity
	DischargeRateS [RateBins]float64        `json:"discharge_rate_s"` // by C-rate; empty without a rated capacity
	TemperatureS   [TemperatureBins]float64 `json:"temperature_s"`
	SoCS           [SoCBins]float64         `json:"soc_s"`
	TemperatureKS  float64                  `json:"temperature_c_s"` // °C·s, for the mean
	SoCPctS        float64                  `json:"soc_pct_s"`       // %·s, for the mean

	Depths [DepthBins]float64    `json:"depths"` // cycles closed, by depth of discharge
	Open   Rainflow              `json:"open"`   // and what is not closed yet
	Events map[Negative]Exposure `json:"events,omitempty"`

	First edge `json:"first"` // first sample, if there is one
	Last  edge `json:"last"`  // last sample, if there is one
}

// Terms are what usage is measured against.
type Terms struct {
	Ratings Ratings
	Rules   Rules
	Limits  Limits
}

// edge is a sample that can be stored.
type edge struct {
	TS  int64   `json:"ts"`
	V   float64 `json:"v"`
	I   float64 `json:"i"`
	SoC maybe   `json:"soc"`
	T   maybe   `json:"t"`
	// Beyond are the limits that it was found beyond, as bits in the order of
	// Negatives. They are kept, not judged again: the numbers may have been
	// rounded since, and the limits changed.
	Beyond uint8 `json:"beyond,omitempty"`
}

// maybe is a number whose NaN is null in JSON.
type maybe float64

// MarshalJSON writes NaN as null.
func (m maybe) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(m)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(m))
}

// UnmarshalJSON reads null as NaN.
func (m *maybe) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*m = maybe(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(m))
}

func (m maybe) or(v float64) float64 {
	if math.IsNaN(float64(m)) {
		return v
	}
	return float64(m)
}

// Measure counts the usage over samples, which ascend by time.
func Measure(samples []Sample, t Terms) Usage {
	var u Usage
	for _, s := range samples {
		u.Add(s, t)
	}
	return u
}

// Add takes the next sample. One that is not later than the last, or that has
// no voltage or current, is passed over.
func (u *Usage) Add(s Sample, t Terms) {
	if math.IsNaN(s.VoltageV) || math.IsNaN(s.CurrentA) || u.Samples > 0 && s.TS <= u.Last.TS {
		return
	}
	e := edge{TS: s.TS, V: s.VoltageV, I: s.CurrentA, SoC: maybe(math.Round(s.SoCPct/socQuantum) * socQuantum), T: maybe(s.TemperatureC)}
	var values [negatives]float64
	e.Beyond, values = t.beyond(e)
	u.Open.Push(e.TS, float64(e.SoC), u.deepen)
	if u.Samples == 0 {
		u.First = e
	}
	u.step(e, values, t)
	u.Last = e
	u.Samples++
}

// Join adds the usage of a stretch that follows.
func (u *Usage) Join(next Usage, t Terms) {
	if next.Samples == 0 {
		return
	}
	if u.Samples == 0 {
		u.First = next.First
	} else {
		// The first sample of next was counted there as if nothing came before.
		u.seam(u.Last, next.First, t)
	}
	u.Samples += next.Samples
	for _, p := range []struct {
		to   *float64
		more float64
	}{
		{&u.CoveredS, next.CoveredS}, {&u.ChargingS, next.ChargingS}, {&u.DischargingS, next.DischargingS}, {&u.RestingS, next.RestingS},
		{&u.InAh, next.InAh}, {&u.OutAh, next.OutAh}, {&u.InWh, next.InWh}, {&u.OutWh, next.OutWh},
		{&u.TemperatureKS, next.TemperatureKS}, {&u.SoCPctS, next.SoCPctS},
	} {
		*p.to += p.more
	}
	add(u.ChargeRateS[:], next.ChargeRateS[:])
	add(u.DischargeRateS[:], next.DischargeRateS[:])
	add(u.TemperatureS[:], next.TemperatureS[:])
	add(u.SoCS[:], next.SoCS[:])
	add(u.Depths[:], next.Depths[:])
	events := make(map[Negative]Exposure, len(u.Events)+len(next.Events)) // u may share its map with a copy
	for k, e := range u.Events {
		events[k] = e
	}
	for k, more := range next.Events {
		e := events[k]
		e.merge(k, more)
		events[k] = e
	}
	u.Events = events
	u.Open = Rainflow{append([]Turn(nil), u.Open.Turns...)}
	u.Open.Join(next.Open, u.deepen)
	u.Last = next.Last
}

func add(to, more []float64) {
	for k := range to {
		to[k] += more[k]
	}
}

func (u *Usage) deepen(c Cycle) { u.Depths[bin(c.Range, 0, depthStep, DepthBins)] += c.Count }

// bin is the index of the bin that holds v.
func bin(v, floor, step float64, n int) int {
	return max(0, min(n-1, int(math.Floor((v-floor)/step+1e-9))))
}
