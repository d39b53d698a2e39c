// Package building makes of a building's meters, its weather and what its owner
// entered one result: what its measures saved, how sure that is, what it is in
// money and carbon, how its demand, its anomalies, its forecast and its goals
// stand. It decides which days and which models of fleet/energy are set against
// each other, and computes nothing that those packages compute.
//
// It is pure: the same days and the same entries give the same bytes, whatever
// the order they came in. It knows nothing of stores, users and the clock.
package building

import (
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Version names the rules of this package in results. A stored result of another
// version is worked out anew.
const Version = "building/4"

// DayVersion names the rules that days are thinned by. Days of another are read
// anew from the telemetry, years of it: it is changed with Fold alone, and a new
// Version keeps them.
const DayVersion = "building/2"

// Meter is one of the registers of a building.
type Meter string

// The meters. Generation is no use of the building; it is set against its
// electricity.
const (
	Electricity Meter = "electricity"
	Gas         Meter = "gas"
	Water       Meter = "water"
	Solar       Meter = "solar"
)

// register is how a meter is published.
type register struct {
	meter Meter
	field string  // of the measurement schema
	unit  string  // of results
	scale float64 // from the field to the unit
}

// registers lists the meters in the order of results.
func registers() []register {
	return []register{
		{Electricity, "energy_wh", "kWh", 1e-3},
		{Gas, "gas_wh", "kWh", 1e-3},
		{Water, "water_l", "m³", 1e-3},
		{Solar, "pv_energy_wh", "kWh", 1e-3},
	}
}

// meterCount is the number of registers.
const meterCount = 4

func indexOf(m Meter) int {
	for i, r := range registers() {
		if r.meter == m {
			return i
		}
	}
	return -1
}

// Unit is the unit in which results give the use of the meter.
func (m Meter) Unit() string {
	if i := indexOf(m); i >= 0 {
		return registers()[i].unit
	}
	return ""
}

// Used are the meters of what a building uses, which savings are worked out for.
func Used() []Meter { return []Meter{Electricity, Gas, Water} }

// Fields are the measurements that a Day is made of.
func Fields() []string {
	out := []string{"power_w", "outdoor_c", "indoor_c", "setpoint_c", "occupancy"}
	for _, r := range registers() {
		out = append(out, r.field)
	}
	return out
}

// Status says whether there is a result.
type Status string

// The states of a result.
const (
	OK           Status = "ok"
	Insufficient Status = "insufficient_data"
)

// Basis is what every part of a result says about itself: whether it stands, what
// speaks against it, by which rules it was made, and from what.
type Basis struct {
	Status   Status          `json:"status" enum:"ok,insufficient_data"`
	Reasons  []energy.Reason `json:"reasons" nullable:"false"`
	Version  string          `json:"version"`
	From     *time.Time      `json:"from,omitempty"` // of the data it rests on
	To       *time.Time      `json:"to,omitempty"`
	Coverage *float64        `json:"coverage,omitempty"` // of that span, 0…1
}

// basisOf is the basis that a verdict gives.
func basisOf(version string, v energy.Verdict) Basis {
	b := Basis{Status: OK, Version: version, Reasons: []energy.Reason{}}
	for _, r := range v.Reasons {
		b.add(r)
	}
	if !v.Sufficient {
		b.Status = Insufficient
	}
	return b
}

// lacking is the basis of a result that there is not.
func lacking(version, code, text string) Basis {
	b := Basis{Version: version, Reasons: []energy.Reason{}}
	b.add(energy.Reason{Code: code, Critical: true, Text: text})
	return b
}

// add records a reason, each code once.
func (b *Basis) add(r energy.Reason) {
	if b.Status == "" {
		b.Status = OK
	}
	if r.Critical {
		b.Status = Insufficient
	}
	for _, have := range b.Reasons {
		if have.Code == r.Code {
			return
		}
	}
	b.Reasons = append(b.Reasons, r)
}

func (b *Basis) span(p energy.Period) {
	if p.To.After(p.From) {
		b.From, b.To = &p.From, &p.To
	}
}
