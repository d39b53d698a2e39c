// Package dossier keeps what is known of a battery from day to day: a day's
// readings become facts (Day), days are added up (Dossier), and what they say of
// the battery is told from both (Assessment, Standing).
//
// It is pure. The same readings give the same bytes, whatever the order in which
// they arrived and however many days were added at once. It knows nothing of
// stores, of jobs, or of what day it is.
package dossier

import (
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// Version names the rules of this package, and the layout of what it stores.
const Version = "dossier/2"

// Sheet is what the registry knows of a battery. Zero: unknown.
type Sheet struct {
	Ratings       battery.Ratings
	RatedEnergyWh float64
	Chemistry     string
	Commissioned  time.Time
}

// SheetOf is the sheet of a registered battery.
func SheetOf(b devices.Battery) Sheet {
	s := Sheet{
		Ratings:       battery.Ratings{CapacityAh: b.RatedCapacityAh, CutoffVoltageV: b.CutoffVoltageV},
		RatedEnergyWh: b.RatedCapacityAh * b.RatedVoltageV,
		Chemistry:     b.Chemistry,
	}
	if b.Commissioned != nil {
		s.Commissioned = *b.Commissioned
	}
	return s
}

// Rules are what the results of this package go by.
type Rules struct {
	Measure     battery.Rules
	Limits      battery.Limits
	Fit         battery.FitRules
	Steps       battery.ResistanceRules
	Rests       battery.RestRules
	Use         station.UseRules
	Score       battery.ScoreRules
	Degradation battery.DegradationRules
	Outlook     battery.OutlookRules
	Knee        battery.KneeRules
	Warranty    battery.WarrantyTerms
	Models      map[string]battery.AgeingModel // by chemistry in capitals, in place of battery.ModelFor
}

// DefaultRules are those of package battery, with an end of life at 80 %.
func DefaultRules() Rules {
	return Rules{
		Measure: battery.DefaultRules(), Limits: battery.DefaultLimits(), Fit: battery.DefaultFitRules(),
		Steps: battery.DefaultResistanceRules(), Rests: battery.DefaultRestRules(), Use: station.ForBattery(),
		Score: battery.DefaultScoreRules(), Degradation: battery.DefaultDegradationRules(),
		Outlook: battery.DefaultOutlookRules(), Knee: battery.DefaultKneeRules(),
	}
}

func (r Rules) terms(s Sheet) battery.Terms {
	return battery.Terms{Ratings: s.Ratings, Rules: r.Measure, Limits: r.Limits}
}

// idleA is the current below which the battery rests.
func (r Rules) idleA(s Sheet) float64 {
	if s.Ratings.CapacityAh > 0 {
		return r.Measure.IdleC * s.Ratings.CapacityAh
	}
	return r.Measure.IdleA
}

// dayMS is a day in milliseconds.
const dayMS = 24 * 3600 * 1000

func startOf(day int64) int64 { return day * dayMS }
