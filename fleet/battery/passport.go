package battery

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// PassportVersion names the rules of NewPassport and the data model it fills.
const PassportVersion = "passport/2 urn:samm:io.BatteryPass.Performance:1.2.1"

// Passport is the dynamic data of a battery passport under Regulation (EU)
// 2023/1542, Annexes VII and XIII.
type Passport struct {
	Version string `json:"version"`
	// Document is the performance data of the BatteryPass model. Only what is
	// known is in it: a required value that is missing is left out, not made up,
	// and the document then does not pass the schema.
	Document PassportDocument `json:"document"`
	Complete bool             `json:"complete"` // nothing that the schema requires is missing
	Missing  []PassportGap    `json:"missing"`  // what it requires and neither the data nor the sheet carries
	// Declared are the values of the document that are the maker's of the new
	// battery, with the date of the declaration for their last update, as they were
	// not measured yet: Annex XIII, 4 (a), has the values from when the battery was
	// placed on the market. The data points tell of what was measured alone.
	Declared []PassportGap   `json:"declared"`
	Points   []PassportPoint `json:"points"` // the Commission's dynamic data points 51–71, ascending
}

// PassportDocument is the JSON of the BatteryPass performance model 1.2.1, whose
// spelling it keeps. Units are the model's: kWh, Ah, W, %, % per month, minutes,
// Ω, °C, years. Two of its units are slips, and the text they belong to is
// followed instead: the remaining capacity is in Ah, as the rated one is, and
// power capability in W.
type PassportDocument struct {
	Technical map[string]any `json:"batteryTechicalProperties"`
	Condition map[string]any `json:"batteryCondition"`
}

// PassportGap is a value that was not measured.
type PassportGap struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// PassportPoint is one of the Commission's data points.
type PassportPoint struct {
	Nr         int     `json:"nr"`
	Name       string  `json:"name"`
	Value      any     `json:"value"` // null: not available
	Unit       string  `json:"unit,omitempty"`
	LastUpdate *string `json:"last_update"`      // RFC 3339
	Reason     string  `json:"reason,omitempty"` // why it is not available
}

// Reported is a value of a passport, with when it was last brought up to date.
type Reported struct {
	Value  *float64
	At     int64  // Unix milliseconds
	Reason string // why Value is nil
}

// PassportSheet is what the maker declares of a model; nil or empty is not
// declared.
type PassportSheet struct {
	Status                   string // original, repurposed, re-used, remanufactured or waste
	At                       int64  // of the declaration, Unix milliseconds
	RatedCapacityAh          *float64
	RatedEnergyKWh           *float64
	RatedMaximumPowerKW      *float64
	PowerCapabilityRatioPct  *float64 // W per Wh
	OriginalPower            []PowerAt
	ExpectedCycles           *float64
	ExpectedYears            *float64
	ExhaustionPct            *float64 // of the state of certified energy
	InitialSelfDischargePct  *float64 // per month
	InitialResistanceOhm     *float64
	RoundTripPct             *float64 // when new
	RoundTripHalfLifePct     *float64 // at half of the cycle life
	NominalV, MinV, MaxV     *float64
	RateC, LifeTestRateC     *float64 // optional; of the cycle-life test
	IdleMinC, IdleMaxC       *float64
	LifetimeReferenceTestURI string
}

// PowerAt is the power a battery can give at a state of charge.
type PowerAt struct {
	SoCPct float64
	Watts  float64
}

// PassportFacts are what fleetwatt measured of a battery.
type PassportFacts struct {
	EnergyThroughputWh Reported
	ChargeThroughputAh Reported
	FullCycles         Reported
	CapacityAh         Reported // remaining
	EnergySoHPct       Reported // state of certified energy
	UsableEnergyWh     Reported
	ResistanceMOhm     Reported // at 25 °C and half charge
	RoundTripPct       Reported
	SelfDischargePct   Reported // per month
	SoCPct             Reported
	Power              *PowerAt // nil: not known
	PowerAt            int64    // Unix milliseconds
	// Events since commissioning, or since it was first seen; nil where none
	// were counted yet. Incidents are those told by people, such as accidents.
	Events    map[Negative]Exposure
	EventsAt  int64 // Unix milliseconds, up to when they were counted
	Incidents []Incident
}

// Incident is a negative event that no sensor tells of.
type Incident struct {
	At   int64 // Unix milliseconds
	Text string
}

// PowerCapability is the power in W that a battery can give down to its lowest
// voltage, P = U_min·(U₀ − U_min)/R, from its voltage at rest and its resistance
// (FreedomCAR Battery Test Manual, DOE/ID-11069, §4.3). Example: 52 V at
// rest, 42 V at least, 50 mΩ: 8,400 W.
func PowerCapability(restV, minV, mohm float64) float64 {
	return max(0, minV*(restV-minV)/(mohm/1000))
}

// NewPassport fills the passport.
func NewPassport(s PassportSheet, f PassportFacts) Passport {
	b := passportBuilder{doc: PassportDocument{map[string]any{}, map[string]any{}}}
	b.declared(s)
	b.measured(s, f)
	b.events(f)
	b.points(s, f)
	slices.SortFunc(b.gaps, func(x, y PassportGap) int { return cmp.Compare(x.Path, y.Path) })
	slices.SortFunc(b.asNew, func(x, y PassportGap) int { return cmp.Compare(x.Path, y.Path) })
	return Passport{
		Version: PassportVersion, Document: b.doc, Complete: len(b.gaps) == 0,
		Missing: append([]PassportGap{}, b.gaps...), Declared: append([]PassportGap{}, b.asNew...), Points: b.list,
	}
}

// stamp is a time as the model wants it.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// faded is 100·(1 − now/then), a fade in %.
func faded(now, then Reported) Reported {
	return derived(now, then, func(a, b float64) float64 { return 100 * (1 - a/b) })
}

// grown is 100·(now/then − 1), an increase in %.
func grown(now, then Reported) Reported {
	return derived(now, then, func(a, b float64) float64 { return 100 * (a/b - 1) })
}

func derived(now, then Reported, f func(now, then float64) float64) Reported {
	switch {
	case now.Value == nil:
		return now
	case then.Value == nil || *then.Value <= 0:
		return Reported{Reason: then.Reason}
	}
	v := f(*now.Value, *then.Value)
	return Reported{Value: &v, At: now.At}
}

func (r Reported) times(f float64) Reported {
	if r.Value != nil {
		v := *r.Value * f
		r.Value = &v
	}
	return r
}

func (r Reported) floor() Reported {
	if r.Value != nil {
		v := math.Floor(*r.Value)
		r.Value = &v
	}
	return r
}

// why is the reason that a value is missing.
func (r Reported) why() string {
	if r.Reason != "" {
		return r.Reason
	}
	return "not measured"
}

// undeclared is why a value of the sheet is missing.
func undeclared(name string) string {
	return fmt.Sprintf("%s is not in the battery's data sheet", name)
}

// of is a value of the sheet.
func (s PassportSheet) of(v *float64, name string) Reported {
	return Reported{Value: v, At: s.At, Reason: undeclared(name)}
}
