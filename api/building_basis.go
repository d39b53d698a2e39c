package api

import (
	"bytes"
	"encoding/json"

	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
)

// buildingBasisOf is the basis of a building's result.
func buildingBasisOf(b building.Basis) BuildingBasis {
	out := BuildingBasis{
		Basis:   Basis{Status: string(b.Status), Version: b.Version, From: timePtr(b.From), To: timePtr(b.To), Coverage: b.Coverage},
		Reasons: []BuildingReason{},
	}
	for _, r := range b.Reasons {
		out.Reasons = append(out.Reasons, BuildingReason{Code: r.Code, Critical: r.Critical, Text: r.Text, Values: r.Values, Advice: report.Advice(r.Code)})
		if r.Critical && out.Reason == "" {
			out.Reason = r.Text
		}
	}
	if out.Reason == "" && b.Status == building.Insufficient {
		out.Reason = "nothing that it could be worked out of is known yet"
	}
	return out
}

// marshal is json.Marshal without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}
