package dossier

import (
	"cmp"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Fleet results are computed from standings and records when they are asked for;
// nothing of them is stored.

// Members are the points of health of one battery, for battery.Cohorts and
// battery.Outliers: one for each record with a state of health. A battery whose
// commissioning is not known is of no cohort.
func Members(id string, commissioned time.Time, records []Record) []battery.Member {
	if commissioned.IsZero() {
		return nil
	}
	var out []battery.Member
	for _, r := range records {
		end := time.UnixMilli(startOf(r.Day + 1)).UTC()
		if age := end.Sub(commissioned).Hours() / 24; r.SoHPct != nil && age >= 0 {
			out = append(out, battery.Member{ID: id, Commissioned: commissioned, AgeDays: age, SoHPct: *r.SoHPct})
		}
	}
	return out
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

// ByHealth orders standings by their health score, the worst first and those
// without one last.
func ByHealth(standings []Standing) {
	slices.SortStableFunc(standings, func(a, b Standing) int {
		switch {
		case a.HealthScore == nil && b.HealthScore == nil:
			return cmp.Compare(a.Device, b.Device)
		case a.HealthScore == nil:
			return 1
		case b.HealthScore == nil:
			return -1
		}
		return cmp.Or(cmp.Compare(*a.HealthScore, *b.HealthScore), cmp.Compare(a.Device, b.Device))
	})
}
