package api

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// Told is of when a result of a battery is. All of it depends on the telemetry,
// the events and the registry alone, not on when it was computed.
type Told struct {
	Battery      string `json:"battery" doc:"id"`
	AsOf         *Time  `json:"as_of" nullable:"true" doc:"end of the newest day with data that counts"`
	FirstSeen    *Time  `json:"first_seen" nullable:"true" doc:"start of the first day with data"`
	DaysWithData int    `json:"days_with_data"`
	Version      string `json:"version" doc:"of the rules; equal versions give equal results"`
}

// BatteryAssessment is how a battery is, and what that rests on.
type BatteryAssessment struct {
	Told
	AssessedAt    *Time             `json:"assessed_at" nullable:"true" doc:"end of the day up to which the measures count: they are made each week, in the first month each day"`
	Score         BatteryScore      `json:"score"`
	Health        HealthSummary     `json:"health" doc:"by the newest measurements, as /health has them"`
	Capacity      CapacityFit       `json:"capacity"`
	Energy        EnergyHealth      `json:"energy"`
	Resistance    BatteryResistance `json:"resistance"`
	Imbalance     CellImbalance     `json:"imbalance"`
	SelfDischarge SelfDischarge     `json:"self_discharge"`
	Efficiency    RoundTrip         `json:"efficiency"`
	Outlook       BatteryOutlook    `json:"outlook"`
	Warranty      WarrantyState     `json:"warranty"`
}

// BatteryForecast is how a battery's fade has gone and will go on.
type BatteryForecast struct {
	Told
	AssessedAt  *Time          `json:"assessed_at" nullable:"true"`
	Degradation Degradation    `json:"degradation"`
	Knee        FadeKnee       `json:"knee"`
	Outlook     BatteryOutlook `json:"outlook"`
	Points      []HealthPoint  `json:"points" nullable:"false" doc:"state of health, one point a week"`
}

// BatteryUseReport is how a battery was used over the 30 days up to as_of.
type BatteryUseReport struct {
	Told
	Utilization BatteryUtilization `json:"utilization"`
	Swaps       BatterySwapUse     `json:"swaps"`
	Throughput  Throughput         `json:"throughput"`
}

// BatterySwapUse is how a battery was swapped.
type BatterySwapUse struct {
	Basis
	Swaps           *int     `json:"swaps" doc:"times it was handed out"`
	Returns         *int     `json:"returns" doc:"times it was taken back"`
	PerDay          *float64 `json:"per_day" doc:"times handed out"`
	EnergyPerSwapWh *float64 `json:"energy_per_swap_wh" doc:"energy delivered for each time it was handed out; null: it was not"`
}

type asOfInput struct {
	DevicePath
	AsOf
}

// day is the last day that counts: the one that has ended at as_of.
func (p AsOf) day() (int64, error) {
	at, given, err := p.at()
	if err != nil || !given {
		return math.MaxInt64, err
	}
	return telemetry.DayOf(at.UnixMilli()) - 1, nil
}

func (a *API) routeAssessments() {
	const path, tag = "/batteries/{id}", "batteries"
	notes := "As of the end of a day: as_of answers what was known then, had all data that is there by now been there. " +
		"What the data does not carry has status insufficient_data, the reason, and null for its values."
	add(a, operation{
		right: access.Read, id: "get-battery-assessment", method: http.MethodGet, path: path + "/assessment", tag: tag,
		summary: "Health score, state of health, remaining life and warranty, with what they rest on", notes: notes, errors: []int{http.StatusNotFound},
	}, assessed(a, viewAssessment))
	add(a, operation{
		right: access.Read, id: "get-battery-outlook", method: http.MethodGet, path: path + "/outlook", tag: tag,
		summary: "Degradation by cause, knee, and remaining life with its interval", notes: notes, errors: []int{http.StatusNotFound},
	}, assessed(a, viewForecast))
	add(a, operation{
		right: access.Read, id: "get-battery-utilization", method: http.MethodGet, path: path + "/utilization", tag: tag,
		summary: "Time by state, swaps and throughput over 30 days", notes: notes, errors: []int{http.StatusNotFound},
	}, assessed(a, viewUse))
}

// assessed answers with a view of an assessment. One of a battery without data
// is an assessment too: nothing is known.
func assessed[V any](a *API, view func(dossier.Assessment) V) func(context.Context, *asOfInput) (*itemOutput[V], error) {
	return func(ctx context.Context, in *asOfInput) (*itemOutput[V], error) {
		found, err := a.assessment(ctx, in.ID, in.AsOf)
		if err != nil {
			return nil, err
		}
		return &itemOutput[V]{Body: view(found)}, nil
	}
}

func (a *API) assessment(ctx context.Context, id string, asOf AsOf) (dossier.Assessment, error) {
	day, err := asOf.day()
	if err != nil {
		return dossier.Assessment{}, err
	}
	found, ok, err := a.opts.Book.Assessment(ctx, id, day)
	if err != nil {
		return dossier.Assessment{}, fmt.Errorf("assess battery %s: %w", id, err)
	}
	if !ok {
		return unknown(id), nil
	}
	return found, nil
}

// unknown is the assessment of a battery of which nothing was read.
func unknown(id string) dossier.Assessment {
	none := func(version string) battery.Basis {
		return battery.Basis{
			Status: battery.HealthInsufficient, Version: version,
			Reason: "no day with telemetry of this battery has been worked off yet",
		}
	}
	a := dossier.Assessment{Device: id, Version: dossier.Version}
	a.Health = battery.Health{Status: battery.HealthInsufficient, Reason: none("").Reason, Version: battery.Version}
	a.Score.Basis = none(battery.ScoreVersion)
	a.Warranty.Basis = none(battery.WarrantyVersion)
	a.Lifetime.Basis, a.Recent.Basis = none(battery.UsageVersion), none(battery.UsageVersion)
	a.Swaps.Basis = none(dossier.SwapVersion)
	a.Outlook.Basis = none(battery.OutlookVersion)
	for _, b := range []*battery.Basis{
		&a.Capacity.Basis, &a.Energy.Basis, &a.Resistance.Basis, &a.Imbalance.Basis, &a.SelfDischarge.Basis,
		&a.Efficiency.Basis, &a.Degradation.Basis, &a.Knee.Basis,
	} {
		*b = none(dossier.Version)
	}
	a.Utilization.Status, a.Utilization.Reason, a.Utilization.Version = "insufficient_data", none("").Reason, dossier.Version
	return a
}

func viewTold(a dossier.Assessment) Told {
	return Told{Battery: a.Device, AsOf: since1970(a.AsOf), FirstSeen: since1970(a.First), DaysWithData: a.Days, Version: a.Version}
}

func viewAssessment(a dossier.Assessment) BatteryAssessment {
	return BatteryAssessment{
		Told: viewTold(a), AssessedAt: since1970(a.AssessedAt), Score: viewScore(a.Score), Health: summarize(a.Health),
		Capacity: viewFit(a.Capacity), Energy: viewEnergy(a.Energy), Resistance: viewResistance(a.Resistance),
		Imbalance: viewImbalance(a.Imbalance), SelfDischarge: viewSelfDischarge(a.SelfDischarge), Efficiency: viewEfficiency(a.Efficiency),
		Outlook: viewOutlook(a.Outlook), Warranty: viewWarranty(a.Warranty),
	}
}

func viewForecast(a dossier.Assessment) BatteryForecast {
	return BatteryForecast{
		Told: viewTold(a), AssessedAt: since1970(a.AssessedAt), Degradation: viewDegradation(a.Degradation),
		Knee: viewKnee(a.Knee), Outlook: viewOutlook(a.Outlook), Points: viewPoints(a.Points),
	}
}

func viewUse(a dossier.Assessment) BatteryUseReport {
	view := BatteryUseReport{
		Told: viewTold(a), Utilization: viewUtilization(a.Utilization), Throughput: viewThroughput(a.Recent, nil),
		Swaps: BatterySwapUse{Basis: basisOf(a.Swaps.Basis), PerDay: a.Swaps.PerDay, EnergyPerSwapWh: a.Swaps.EnergyPerSwapWh},
	}
	if a.Swaps.Basis.OK() {
		view.Swaps.Swaps, view.Swaps.Returns = &a.Swaps.Swaps, &a.Swaps.Returns
	}
	return view
}
