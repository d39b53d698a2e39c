package dossier

import (
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Fleet results are computed from standings and records when they are asked for;
// nothing of them is stored.

// Member is the point of health that a record of a battery is, for
// battery.CohortTable and battery.Outliers; false where its state of health, or
// when the battery was commissioned, is not known.
func Member(id string, commissioned time.Time, r Record) (battery.Member, bool) {
	if commissioned.IsZero() || r.SoHPct == nil {
		return battery.Member{}, false
	}
	age := time.UnixMilli(startOf(r.Day+1)).Sub(commissioned).Hours() / 24
	return battery.Member{ID: id, Commissioned: commissioned, AgeDays: age, SoHPct: *r.SoHPct}, age >= 0
}

// Due are when the batteries are expected to be replaced, for battery.Schedule.
func Due(standings []Standing, level float64) []battery.Due {
	out := make([]battery.Due, len(standings))
	for k, s := range standings {
		out[k] = battery.Due{ID: s.Device, At: s.ReplaceAt, Ended: s.Ended, Level: level}
		if s.OutlookStatus != string(battery.HealthOK) {
			out[k].Unsure = s.OutlookReason
		}
	}
	return out
}

// Claims is the rate of warranty claims: batteries with a claim, over the years
// that all have been in service.
func Claims(standings []Standing) battery.Claims {
	claims, years := 0, 0.0
	for _, s := range standings {
		if s.Claim {
			claims++
		}
		began := startOf(s.First)
		if s.CommissionedAt > 0 {
			began = min(began, s.CommissionedAt)
		}
		years += float64(startOf(s.Day+1)-began) / dayMS / 365.25
	}
	return battery.ClaimsRate(claims, years)
}
