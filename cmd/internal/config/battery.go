package config

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// Battery is how batteries are judged. What is left out has the value in
// brackets.
type Battery struct {
	EndOfLifePct float64 `yaml:"end_of_life_pct,omitempty"` // state of health (80)
	// SensorErrorPct is the declared accuracy of the current sensors, ± % of what
	// flows: gain, and offset over the mean current, together (0.5).
	SensorErrorPct *float64          `yaml:"sensor_error_pct,omitempty"`
	Weights        Weights           `yaml:"score_weights,omitempty"` // of the parts of the health score
	Limits         Limits            `yaml:"limits,omitempty"`        // beyond which an event is negative
	Warranty       Warranty          `yaml:"warranty,omitempty"`      // limits of the warranty (none)
	Models         map[string]string `yaml:"ageing_models,omitempty"` // by chemistry: naumann_lfp, schmalstieg_nmc or unspecific (by its name)
}

// Weights of the parts of the health score; 0 leaves one out.
type Weights struct {
	Capacity      *float64 `yaml:"capacity,omitempty"`       // (0.50)
	Energy        *float64 `yaml:"energy,omitempty"`         // (0.10)
	Resistance    *float64 `yaml:"resistance,omitempty"`     // (0.20)
	Imbalance     *float64 `yaml:"imbalance,omitempty"`      // (0.08)
	SelfDischarge *float64 `yaml:"self_discharge,omitempty"` // (0.07)
	Efficiency    *float64 `yaml:"efficiency,omitempty"`     // (0.05)
}

// Limits are what counts as a negative event.
type Limits struct {
	DeepSoCPct        *float64 `yaml:"deep_soc_pct,omitempty"`         // at or below (5)
	MinVoltageV       *float64 `yaml:"min_voltage_v,omitempty"`        // of the whole battery (none)
	MaxVoltageV       *float64 `yaml:"max_voltage_v,omitempty"`        // of the whole battery (none)
	HighC             *float64 `yaml:"high_c,omitempty"`               // (55)
	LowC              *float64 `yaml:"low_c,omitempty"`                // (-10)
	ChargeHighC       *float64 `yaml:"charge_high_c,omitempty"`        // (45)
	ChargeLowC        *float64 `yaml:"charge_low_c,omitempty"`         // (0)
	MaxChargeRateC    *float64 `yaml:"max_charge_rate_c,omitempty"`    // 1/h of the rated capacity (1.5)
	MaxDischargeRateC *float64 `yaml:"max_discharge_rate_c,omitempty"` // 1/h of the rated capacity (3)
}

// Warranty are the terms of a warranty; 0: none.
type Warranty struct {
	Years            float64 `yaml:"years,omitempty"`
	Cycles           float64 `yaml:"cycles,omitempty"` // equivalent full ones
	ThroughputWh     float64 `yaml:"throughput_wh,omitempty"`
	HeatHours        float64 `yaml:"heat_hours,omitempty"`
	ColdHours        float64 `yaml:"cold_hours,omitempty"`
	OverCurrents     int     `yaml:"over_currents,omitempty"`
	DeepDischarges   int     `yaml:"deep_discharges,omitempty"`
	GuaranteedSoHPct float64 `yaml:"guaranteed_soh_pct,omitempty"`
}

// zero reports whether nothing is set.
func (b *Battery) zero() bool {
	return b.EndOfLifePct == 0 && b.SensorErrorPct == nil && b.Weights == Weights{} && b.Limits == Limits{} && b.Warranty == Warranty{} && len(b.Models) == 0
}

// setting is a number that may be set, where it goes, and its bounds.
type setting struct {
	key         string
	from, to    *float64
	least, most float64
}

func (b *Battery) settings(r *dossier.Rules) []setting {
	w, l := &b.Weights, &b.Limits
	return []setting{
		{"score_weights.capacity", w.Capacity, &r.Score.Capacity.Weight, 0.01, 100},
		{"score_weights.energy", w.Energy, &r.Score.Energy.Weight, 0, 100},
		{"score_weights.resistance", w.Resistance, &r.Score.Resistance.Weight, 0, 100},
		{"score_weights.imbalance", w.Imbalance, &r.Score.Imbalance.Weight, 0, 100},
		{"score_weights.self_discharge", w.SelfDischarge, &r.Score.SelfDischarge.Weight, 0, 100},
		{"score_weights.efficiency", w.Efficiency, &r.Score.Efficiency.Weight, 0, 100},
		{"limits.deep_soc_pct", l.DeepSoCPct, &r.Limits.DeepSoCPct, 0, 100},
		{"limits.min_voltage_v", l.MinVoltageV, &r.Limits.MinVoltageV, 0, 1500},
		{"limits.max_voltage_v", l.MaxVoltageV, &r.Limits.MaxVoltageV, 0, 1500},
		{"limits.high_c", l.HighC, &r.Limits.HighC, -60, 150},
		{"limits.low_c", l.LowC, &r.Limits.LowC, -60, 150},
		{"limits.charge_high_c", l.ChargeHighC, &r.Limits.ChargeHighC, -60, 150},
		{"limits.charge_low_c", l.ChargeLowC, &r.Limits.ChargeLowC, -60, 150},
		{"limits.max_charge_rate_c", l.MaxChargeRateC, &r.Limits.MaxChargeRateC, 0, 100},
		{"limits.max_discharge_rate_c", l.MaxDischargeRateC, &r.Limits.MaxDischargeRateC, 0, 100},
	}
}

func ageingModels() map[string]func() battery.AgeingModel {
	return map[string]func() battery.AgeingModel{
		"naumann_lfp": battery.Naumann, "schmalstieg_nmc": battery.Schmalstieg, "unspecific": battery.Unspecific,
	}
}

// Rules are the rules of all batteries. It is for a section that is valid.
func (b *Battery) Rules() dossier.Rules {
	r := dossier.DefaultRules()
	for _, s := range b.settings(&r) {
		if s.from != nil {
			*s.to = *s.from
		}
	}
	if eol := b.EndOfLifePct; eol != 0 {
		r.Score.EndOfLifePct, r.Outlook.Life.EndOfLife, r.Knee.EndOfLife = eol, eol/100, eol/100
	}
	if e := b.SensorErrorPct; e != nil {
		r.Degradation.BiasErr = *e / 100 / math.Sqrt(3) // errors are anywhere within the bounds
	}
	w := b.Warranty
	r.Warranty = battery.WarrantyTerms{
		Years: w.Years, Cycles: w.Cycles, ThroughputWh: w.ThroughputWh, HeatHours: w.HeatHours, ColdHours: w.ColdHours,
		OverCurrents: w.OverCurrents, DeepDischarges: w.DeepDischarges, GuaranteedSoH: w.GuaranteedSoHPct,
	}
	models := ageingModels()
	for chemistry, name := range b.Models {
		if model, ok := models[name]; ok {
			if r.Models == nil {
				r.Models = map[string]battery.AgeingModel{}
			}
			r.Models[strings.ToUpper(chemistry)] = model()
		}
	}
	return r
}

func (c *Config) validateBattery(v *problems) {
	b := &c.Battery
	const section = "battery"
	v.check(b.EndOfLifePct == 0 || b.EndOfLifePct >= 20 && b.EndOfLifePct <= 99, section, "end_of_life_pct %v: want 20 to 99", b.EndOfLifePct)
	e := b.SensorErrorPct
	v.check(e == nil || *e >= 0 && *e <= 20, section, "sensor_error_pct: want 0 to 20")
	for _, s := range b.settings(new(dossier.Rules)) {
		v.check(s.from == nil || *s.from >= s.least && *s.from <= s.most, section, "%s: want %v to %v", s.key, s.least, s.most)
	}
	w := b.Warranty
	for _, t := range []struct {
		key   string
		value float64
	}{
		{"years", w.Years}, {"cycles", w.Cycles}, {"throughput_wh", w.ThroughputWh}, {"heat_hours", w.HeatHours}, {"cold_hours", w.ColdHours},
		{"over_currents", float64(w.OverCurrents)}, {"deep_discharges", float64(w.DeepDischarges)},
	} {
		v.check(t.value >= 0, section, "warranty.%s %v: must not be negative", t.key, t.value)
	}
	v.check(w.GuaranteedSoHPct >= 0 && w.GuaranteedSoHPct <= 100, section, "warranty.guaranteed_soh_pct %v: want 0 to 100", w.GuaranteedSoHPct)
	models := ageingModels()
	for _, chemistry := range slices.Sorted(maps.Keys(b.Models)) {
		_, ok := models[b.Models[chemistry]]
		v.check(ok, section, "ageing_models.%s: %q: want one of %v", chemistry, b.Models[chemistry], slices.Sorted(maps.Keys(models)))
	}
}
