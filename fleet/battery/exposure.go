package battery

import "math"

// Negative names a kind of event that a battery passport has to report and that
// can't be rebuilt later (Regulation (EU) 2023/1542, Annex VII part B and Annex
// XIII 4(d)).
type Negative string

// The kinds of negative event.
const (
	DeepDischarge       Negative = "deep_discharge"
	ExtremeHeat         Negative = "extreme_high_temperature"
	ExtremeCold         Negative = "extreme_low_temperature"
	ChargingInHeat      Negative = "charging_in_extreme_high_temperature"
	ChargingInCold      Negative = "charging_in_extreme_low_temperature"
	OverVoltage         Negative = "over_voltage"
	OverCurrentCharging Negative = "over_current_charging"
	OverCurrentDraining Negative = "over_current_discharging"
)

// negatives is how many kinds there are.
const negatives = 8

// Negatives lists every kind.
func Negatives() [negatives]Negative {
	return [negatives]Negative{DeepDischarge, ExtremeHeat, ExtremeCold, ChargingInHeat, ChargingInCold, OverVoltage, OverCurrentCharging, OverCurrentDraining}
}

// Limits are what counts as a negative event. NaN or, but for temperatures, 0
// turns one off.
type Limits struct {
	DeepSoCPct        float64 `json:"deep_soc_pct"`         // at or below
	MinVoltageV       float64 `json:"min_voltage_v"`        // below, of the whole battery, at any state of charge
	MaxVoltageV       float64 `json:"max_voltage_v"`        // above, of the whole battery
	HighC             float64 `json:"high_c"`               // above
	LowC              float64 `json:"low_c"`                // below
	ChargeHighC       float64 `json:"charge_high_c"`        // above, while it is charged
	ChargeLowC        float64 `json:"charge_low_c"`         // below, while it is charged
	MaxChargeRateC    float64 `json:"max_charge_rate_c"`    // above, in 1/h of the rated capacity
	MaxDischargeRateC float64 `json:"max_discharge_rate_c"` // above, in 1/h of the rated capacity
}

// DefaultLimits suit LFP and NMC packs of light vehicles where the maker gives
// none: charging between 0 and 45 °C is what cell makers allow. Voltages are
// off, as they belong to the pack.
func DefaultLimits() Limits {
	return Limits{
		DeepSoCPct: 5, HighC: 55, LowC: -10, ChargeHighC: 45, ChargeLowC: 0,
		MaxChargeRateC: 1.5, MaxDischargeRateC: 3,
	}
}

// Exposure counts one kind of event. An episode lasts from the first sample
// beyond the limit to the last one before the first within it; a gap ends it.
type Exposure struct {
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	FirstAt int64   `json:"first_at"` // Unix milliseconds
	LastAt  int64   `json:"last_at"`  // Unix milliseconds, last sample beyond the limit
	Worst   float64 `json:"worst"`    // the value farthest beyond the limit, in the limit's unit
}

// beyond says which kinds of event a sample is one of, as a set of bits in the
// order of Negatives, and the value that is beyond each limit. A value that was
// not reported, NaN, is beyond none.
func (l Limits) beyond(s edge, idle, ratedAh float64) (set uint8, values [negatives]float64) {
	c, z := float64(s.T), float64(s.SoC)
	charging := s.I > idle
	values = [negatives]float64{z, c, c, c, c, s.V, s.I, s.I}
	if l.MinVoltageV > 0 && s.V < l.MinVoltageV {
		values[0] = s.SoC.or(0)
	}
	for k, is := range [negatives]bool{
		z <= l.DeepSoCPct && l.DeepSoCPct > 0 || l.MinVoltageV > 0 && s.V < l.MinVoltageV,
		c > l.HighC,
		c < l.LowC,
		charging && c > l.ChargeHighC,
		charging && c < l.ChargeLowC,
		l.MaxVoltageV > 0 && s.V > l.MaxVoltageV,
		ratedAh > 0 && l.MaxChargeRateC > 0 && s.I > l.MaxChargeRateC*ratedAh,
		ratedAh > 0 && l.MaxDischargeRateC > 0 && -s.I > l.MaxDischargeRateC*ratedAh,
	} {
		if is {
			set |= 1 << k
		}
	}
	return set, values
}

// worse is the value farther out: lower for cold and empty, larger otherwise.
func (k Negative) worse(a, b float64) float64 {
	switch k {
	case DeepDischarge, ExtremeCold, ChargingInCold, OverCurrentDraining:
		return math.Min(a, b)
	}
	return math.Max(a, b)
}

func (e *Exposure) merge(k Negative, next Exposure) {
	switch {
	case next.Count == 0 && next.LastAt == 0:
		e.Seconds += next.Seconds
	case e.Count == 0 && e.LastAt == 0:
		next.Seconds += e.Seconds
		*e = next
	default:
		e.Count += next.Count
		e.Seconds += next.Seconds
		e.LastAt = next.LastAt
		e.Worst = k.worse(e.Worst, next.Worst)
	}
}
