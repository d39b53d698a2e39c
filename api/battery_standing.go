package api

import (
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteryStanding is where a battery stands, in plain numbers that a fleet is
// sorted and narrowed by, to seven significant digits, or a thousandth of a
// watt-hour. What is not known is null.
type BatteryStanding struct {
	AsOf         Time   `json:"as_of" doc:"end of the newest day with data that counts"`
	AssessedAt   *Time  `json:"assessed_at" nullable:"true" doc:"end of the day up to which the measures of health count"`
	DaysWithData int    `json:"days_with_data"`
	Status       string `json:"status" enum:"ok,insufficient_data" doc:"of the health score"`
	Reason       string `json:"reason,omitempty" doc:"what is missing"`

	HealthScore           *float64 `json:"health_score" doc:"0…100"`
	Confidence            *float64 `json:"confidence" doc:"in the score, 0…1"`
	CapacityAh            *float64 `json:"capacity_ah"`
	SoHPct                *float64 `json:"soh_pct" doc:"by capacity"`
	SoHErrPct             *float64 `json:"soh_standard_error_pct"`
	EnergySoHPct          *float64 `json:"energy_soh_pct" doc:"by energy"`
	ResistanceMOhm        *float64 `json:"resistance_mohm"`
	ResistanceIncreasePct *float64 `json:"resistance_increase_pct"`
	ImbalanceMV           *float64 `json:"imbalance_mv"`
	SelfDischargePct      *float64 `json:"self_discharge_pct_per_month"`
	RoundTripPct          *float64 `json:"round_trip_pct"`
	CalendarShare         *float64 `json:"calendar_share" doc:"of the loss, 0…1"`
	BehindKnee            bool     `json:"behind_knee"`

	OutlookStatus   string    `json:"outlook_status" enum:"ok,insufficient_data"`
	OutlookReason   string    `json:"outlook_reason,omitempty"`
	Ended           bool      `json:"ended" doc:"the end of life is passed"`
	RemainingDays   Quantiles `json:"remaining_days"`
	RemainingCycles Quantiles `json:"remaining_cycles" doc:"equivalent full cycles"`
	ReplaceAt       Dates     `json:"replace_at"`

	EquivalentFullCycles *float64 `json:"equivalent_full_cycles"`
	EFCPerDay            *float64 `json:"equivalent_full_cycles_per_day" doc:"over 30 days"`
	ThroughputWh         float64  `json:"energy_throughput_wh" doc:"in and out, since it was first seen"`
	Utilization          *float64 `json:"utilization" doc:"share of the time with a known state in which it earned, over 30 days"`
	IdleShare            *float64 `json:"idle_share"`
	Availability         *float64 `json:"availability"`
	UseCoverage          float64  `json:"use_coverage" doc:"share of the 30 days with a known state"`
	Swaps                *int     `json:"swaps" doc:"times handed out, over 30 days"`
	SwapsPerDay          *float64 `json:"swaps_per_day"`
	EnergyPerSwapWh      *float64 `json:"energy_per_swap_wh"`

	NegativeEvents  int    `json:"negative_events" doc:"since it was first seen"`
	Warranty        string `json:"warranty,omitempty" enum:"within,near,exceeded" doc:"the worst of its limits; absent: no terms are set"`
	WarrantyCovered bool   `json:"warranty_covered"`
	WarrantyClaim   bool   `json:"warranty_claim"`
}

func viewStanding(s *dossier.Standing) BatteryStanding {
	view := BatteryStanding{
		AsOf: Time((s.Day + 1) * telemetry.Day), DaysWithData: s.Days, Status: s.Status, Reason: s.Reason,
		HealthScore: s.HealthScore, Confidence: s.Confidence, CapacityAh: s.CapacityAh, SoHPct: s.SoHPct, SoHErrPct: s.SoHErrPct,
		EnergySoHPct: s.EnergySoHPct, ResistanceMOhm: s.ResistanceMOhm, ResistanceIncreasePct: s.ResistanceIncreasePct,
		ImbalanceMV: s.ImbalanceMV, SelfDischargePct: s.SelfDischargePct, RoundTripPct: s.RoundTripPct,
		CalendarShare: s.CalendarShare, BehindKnee: s.BehindKnee,
		OutlookStatus: s.OutlookStatus, OutlookReason: s.OutlookReason, Ended: s.Ended,
		RemainingDays: Quantiles(s.RULDays), RemainingCycles: Quantiles(s.RULCycles), ReplaceAt: datesOf(s.ReplaceAt),
		EquivalentFullCycles: s.EquivalentFullCycles, EFCPerDay: s.EFCPerDay, ThroughputWh: s.ThroughputWh,
		Utilization: s.Utilization, IdleShare: s.Idle, Availability: s.Availability, UseCoverage: s.UseCoverage,
		SwapsPerDay: s.SwapsPerDay, EnergyPerSwapWh: s.EnergyPerSwapWh,
		NegativeEvents: s.Events, Warranty: s.WarrantyState, WarrantyCovered: s.Covered, WarrantyClaim: s.Claim,
	}
	if s.ToldDay != 0 {
		at := Time((s.ToldDay + 1) * telemetry.Day)
		view.AssessedAt = &at
	}
	if s.SwapsPerDay != nil {
		view.Swaps = &s.Swaps
	}
	return view
}
