package api

import (
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// Basis says what a result rests on. Views of results embed it. A result with
// insufficient_data has null for what is not known, never a zero.
type Basis struct {
	Status   string   `json:"status" enum:"ok,insufficient_data"`
	Reason   string   `json:"reason,omitempty" doc:"what is missing, and what to do"`
	Method   string   `json:"method,omitempty" doc:"how the result was worked out"`
	Version  string   `json:"version" doc:"of the rules; equal versions give equal results"`
	From     *Time    `json:"from,omitempty" doc:"start of the data that the result rests on"`
	To       *Time    `json:"to,omitempty" doc:"end of it"`
	Count    int      `json:"count" doc:"data used: samples, measurements, cycles or events, as the result says"`
	Coverage *float64 `json:"coverage,omitempty" doc:"share of the window that the data covers, 0…1; absent where it has no meaning"`
}

// basisOf is the basis of a battery's result.
func basisOf(b battery.Basis) Basis {
	return Basis{
		Status: string(b.Status), Reason: b.Reason, Method: string(b.Method), Version: b.Version,
		From: (*Time)(b.From), To: (*Time)(b.To), Count: b.Count, Coverage: b.Coverage,
	}
}

// stationBasisOf is the basis of a station's result.
func stationBasisOf(b station.Basis) Basis {
	return Basis{
		Status: string(b.Status), Reason: b.Reason, Method: b.Method, Version: b.Version,
		From: since1970(b.From), To: since1970(b.To), Count: b.Count, Coverage: b.Coverage,
	}
}

// lacking is a result that is not there yet.
func lacking(version, reason string) Basis {
	return Basis{Status: string(battery.HealthInsufficient), Reason: reason, Version: version}
}
