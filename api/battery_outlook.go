package api

import "github.com/fleetwatt/fleetwatt/fleet/battery"

// Quantiles are a median between two quantiles. Null is beyond what is told.
type Quantiles struct {
	Low    *float64 `json:"low"`
	Median *float64 `json:"median"`
	High   *float64 `json:"high"`
}

// Dates are a median between two quantiles. Null is beyond what is told.
type Dates struct {
	Low    *Time `json:"low" nullable:"true"`
	Median *Time `json:"median" nullable:"true"`
	High   *Time `json:"high" nullable:"true"`
}

// BatteryOutlook is how long a battery will last, used as it has been lately.
type BatteryOutlook struct {
	Basis
	Model           string    `json:"model,omitempty" doc:"the law of ageing, by name"`
	Level           float64   `json:"level" doc:"of the intervals: 0.9 is from 5 to 95 %"`
	EndOfLifePct    float64   `json:"end_of_life_pct" doc:"state of health at which its life ends"`
	RemainingDays   Quantiles `json:"remaining_days"`
	RemainingCycles Quantiles `json:"remaining_cycles" doc:"equivalent full cycles"`
	ReplaceAt       Dates     `json:"replace_at"`
	Ended           bool      `json:"ended" doc:"the end of life is passed"`
	CappedAtKnee    bool      `json:"capped_at_knee"`
	BehindKnee      bool      `json:"behind_knee" doc:"the fade has turned fast, and what counts is the fade since"`
}

// Degradation is a battery's fade, split by its cause. What is not known is absent
// or null.
type Degradation struct {
	Basis
	Model          string          `json:"model,omitempty" doc:"the law of ageing, by name"`
	InitialSoH     *ValueWithError `json:"initial_soh,omitempty" doc:"share of the rated capacity when it was new"`
	CalendarFactor *ValueWithError `json:"calendar_factor,omitempty" doc:"how many times the law's loss by time"`
	CyclingFactor  *ValueWithError `json:"cycling_factor,omitempty" doc:"how many times the law's loss by throughput"`
	CalendarLoss   *ValueWithError `json:"calendar_loss,omitempty" doc:"share of the rated capacity lost so far"`
	CyclingLoss    *ValueWithError `json:"cycling_loss,omitempty" doc:"share of the rated capacity lost so far"`
	CalendarShare  *float64        `json:"calendar_share" doc:"of the loss, 0…1"`
	SoH            *ValueWithError `json:"soh,omitempty" doc:"fitted, at the newest point"`
	Learned        *float64        `json:"learned" doc:"0: the answer is the law's, 1: it is the battery's own"`
	ResidualSD     *float64        `json:"residual_sd" doc:"of the points around the fit"`
}

// ValueWithError is a number with its standard error.
type ValueWithError struct {
	Value  float64 `json:"value"`
	StdErr float64 `json:"standard_error"`
}

// FadeKnee is where a fade turns fast.
type FadeKnee struct {
	Basis
	Found       bool     `json:"found"`
	OnsetCycles *float64 `json:"onset_cycles" doc:"equivalent full cycles at which it begins to turn"`
	PointCycles *float64 `json:"point_cycles" doc:"equivalent full cycles at which it has turned"`
	OnsetSoH    *float64 `json:"onset_soh"`
	PointSoH    *float64 `json:"point_soh"`
	Bend        *float64 `json:"bend" doc:"slope behind the knee over the slope before it"`
}

// HealthPoint is one week's state of health.
type HealthPoint struct {
	At                   Time    `json:"at"`
	SoH                  float64 `json:"soh" doc:"share of the rated capacity"`
	StdErr               float64 `json:"standard_error"`
	AgeDays              float64 `json:"age_days" doc:"age that the law reckons with"`
	EquivalentFullCycles float64 `json:"equivalent_full_cycles"`
	ExpectedCalendarLoss float64 `json:"expected_calendar_loss" doc:"that the law alone expects, as a share"`
	ExpectedCyclingLoss  float64 `json:"expected_cycling_loss" doc:"that the law alone expects, as a share"`
}

func viewOutlook(o battery.Outlook) BatteryOutlook {
	return BatteryOutlook{
		Basis: basisOf(o.Basis), Model: o.Model, Level: o.Level, EndOfLifePct: 100 * o.EndOfLife,
		RemainingDays: Quantiles(o.Days), RemainingCycles: Quantiles(o.Cycles), ReplaceAt: datesOf(o.ReplaceAt),
		Ended: o.Ended, CappedAtKnee: o.Capped, BehindKnee: o.Behind,
	}
}

// datesOf are the instants of an interval in Unix milliseconds.
func datesOf(i battery.Interval) Dates {
	at := func(ms *float64) *Time {
		if ms == nil {
			return nil
		}
		t := Time(*ms)
		return &t
	}
	return Dates{at(i.Low), at(i.Median), at(i.High)}
}

func viewDegradation(d battery.Degradation) Degradation {
	view := Degradation{
		Basis: basisOf(d.Basis), Model: d.Model,
		InitialSoH: (*ValueWithError)(d.Initial), CalendarFactor: (*ValueWithError)(d.Calendar), CyclingFactor: (*ValueWithError)(d.Cycling),
		CalendarLoss: (*ValueWithError)(d.CalendarLoss), CyclingLoss: (*ValueWithError)(d.CyclingLoss),
		CalendarShare: d.CalendarShare, SoH: (*ValueWithError)(d.SoH),
	}
	if d.OK() {
		view.Learned, view.ResidualSD = &d.Learned, &d.ResidualSD
	}
	return view
}

func viewKnee(k battery.Knee) FadeKnee {
	view := FadeKnee{
		Basis: basisOf(k.Basis), Found: k.Found,
		OnsetCycles: k.Onset, PointCycles: k.Point, OnsetSoH: k.OnsetValue, PointSoH: k.PointValue,
	}
	if k.OK() {
		view.Bend = &k.Bend
	}
	return view
}

func viewPoints(points []battery.HealthPoint) []HealthPoint {
	out := make([]HealthPoint, len(points))
	for k, p := range points {
		out[k] = HealthPoint{
			At: Time(p.At), SoH: p.SoH, StdErr: p.StdErr, AgeDays: p.Expected.Days, EquivalentFullCycles: p.Expected.Cycles,
			ExpectedCalendarLoss: p.Expected.Calendar, ExpectedCyclingLoss: p.Expected.Cyclic,
		}
	}
	return out
}
