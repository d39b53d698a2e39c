package battery

import (
	"fmt"
	"math"
)

// ScoreVersion names the rules of Score.
const ScoreVersion = "score/1"

// WeightedParts names the health score.
const WeightedParts Method = "weighted_parts"

// Ramp maps a measure to 0…100: Good and better give 100, Bad and worse 0, and
// in between it is straight. Good may lie above or below Bad.
type Ramp struct {
	Good float64 `json:"good"`
	Bad  float64 `json:"bad"`
}

func (r Ramp) score(v float64) float64 {
	return 100 * max(0, min(1, (v-r.Bad)/(r.Good-r.Bad)))
}

// ScorePart is one measure that goes into a score.
type ScorePart struct {
	Name    string   `json:"name"`
	Unit    string   `json:"unit"`
	Value   *float64 `json:"value"` // null: not measured
	StdErr  *float64 `json:"standard_error,omitempty"`
	Score   *float64 `json:"score"`  // 0…100; null: not measured
	Weight  float64  `json:"weight"` // its share of the parts that were measured, 0…1
	Ramp    Ramp     `json:"ramp"`
	AgeDays *float64 `json:"age_days"` // of its newest datum
	Reason  string   `json:"reason,omitempty"`
}

// Gate is a finding that caps a score, whatever the parts say.
type Gate struct {
	Name string  `json:"name"`
	Cap  float64 `json:"cap"`
	Why  string  `json:"why"`
}

// HealthScore is a battery's health in one number, and why.
type HealthScore struct {
	Basis
	Score      *float64    `json:"score"`      // 0…100, after the gates
	Uncapped   *float64    `json:"uncapped"`   // 0…100, before them
	Confidence float64     `json:"confidence"` // 0…1
	AgeDays    *float64    `json:"age_days"`   // of the newest capacity
	Parts      []ScorePart `json:"parts"`
	Gates      []Gate      `json:"gates"` // those that hold, the lowest first
}

// Facts are what a score is made of; a nil Value was not measured.
type Facts struct {
	Capacity      Fact // state of health by capacity, %
	Energy        Fact // state of health by energy, %
	Resistance    Fact // increase of resistance since new, %
	Imbalance     Fact // spread of the cell voltages at rest, mV
	SelfDischarge Fact // % a month
	Efficiency    Fact // round trip, %
	// Recent counts the negative events of the last 30 days by kind; nil where
	// that is not known.
	Recent map[Negative]int
	// BehindKnee says that the fade has turned fast.
	BehindKnee bool
}

// Fact is a measure with its standard error and when its newest datum was.
type Fact struct {
	Value  *float64
	StdErr *float64
	At     int64 // Unix milliseconds
}

// ScoreRules are the weights, ramps and gates: an operator's judgement, not a
// law of nature.
type ScoreRules struct {
	Capacity      PartRule `json:"capacity"`
	Energy        PartRule `json:"energy"`
	Resistance    PartRule `json:"resistance"`
	Imbalance     PartRule `json:"imbalance"`
	SelfDischarge PartRule `json:"self_discharge"`
	Efficiency    PartRule `json:"efficiency"`
	// EndOfLifePct is the state of health below which EndOfLifeCap holds.
	EndOfLifePct float64 `json:"end_of_life_pct"`
	EndOfLifeCap float64 `json:"end_of_life_cap"`
	KneeCap      float64 `json:"knee_cap"`     // behind a knee
	ImbalanceMV  float64 `json:"imbalance_mv"` // above so many mV
	ImbalanceCap float64 `json:"imbalance_cap"`
	SafetyEvents int     `json:"safety_events"` // so many recent over-voltages or charges in the cold or heat
	SafetyCap    float64 `json:"safety_cap"`
	FreshDays    float64 `json:"fresh_days"` // a datum this old counts half for confidence
}

// PartRule is the weight and the ramp of a part. A weight of 0 leaves it out.
type PartRule struct {
	Weight float64 `json:"weight"`
	Ramp   Ramp    `json:"ramp"`
}

// DefaultScoreRules put capacity first, and end life at 80 %.
func DefaultScoreRules() ScoreRules {
	return ScoreRules{
		Capacity:      PartRule{0.50, Ramp{100, 60}},
		Energy:        PartRule{0.10, Ramp{100, 60}},
		Resistance:    PartRule{0.20, Ramp{0, 100}},
		Imbalance:     PartRule{0.08, Ramp{10, 100}},
		SelfDischarge: PartRule{0.07, Ramp{3, 15}},
		Efficiency:    PartRule{0.05, Ramp{97, 85}},
		EndOfLifePct:  80, EndOfLifeCap: 50, KneeCap: 55, ImbalanceMV: 100, ImbalanceCap: 60,
		SafetyEvents: 3, SafetyCap: 70, FreshDays: 60,
	}
}

// Score weighs the parts that were measured, so that a part that is missing
// neither helps nor harms but costs confidence:
//
//	score = min(Σ wᵢsᵢ / Σ wᵢ, gates),  i over those measured.
//
// Capacity must be one of them. Confidence is Σ wᵢ·½^(age/FreshDays)·pᵢ over all
// parts, where pᵢ falls with the standard error: half where that is a tenth of
// the ramp. now is Unix milliseconds.
//
// Example: with the default rules, a capacity of 90 % and a resistance 20 % up
// score (0.50·75 + 0.20·80)/0.70 = 76.4.
func Score(f Facts, now int64, r ScoreRules) HealthScore {
	h := HealthScore{Basis: basis(WeightedParts, ScoreVersion), Parts: []ScorePart{}, Gates: []Gate{}}
	total, all := 0.0, 0.0
	for _, p := range []struct {
		name, unit string
		fact       Fact
		rule       PartRule
	}{
		{"capacity", "%", f.Capacity, r.Capacity}, {"energy", "%", f.Energy, r.Energy}, {"resistance_increase", "%", f.Resistance, r.Resistance},
		{"imbalance", "mV", f.Imbalance, r.Imbalance}, {"self_discharge", "%/month", f.SelfDischarge, r.SelfDischarge}, {"efficiency", "%", f.Efficiency, r.Efficiency},
	} {
		if p.rule.Weight <= 0 {
			continue
		}
		all += p.rule.Weight
		part := ScorePart{Name: p.name, Unit: p.unit, Value: p.fact.Value, StdErr: p.fact.StdErr, Ramp: p.rule.Ramp, Weight: p.rule.Weight}
		if p.fact.Value == nil {
			part.Reason, part.Weight = "not measured", 0
			h.Parts = append(h.Parts, part)
			continue
		}
		s, age := p.rule.Ramp.score(*p.fact.Value), max(0, float64(now-p.fact.At)/dayMS)
		part.Score, part.AgeDays = &s, &age
		h.Parts = append(h.Parts, part)
		h.Count++
		total += p.rule.Weight
		h.Confidence += p.rule.Weight * math.Exp2(-age/r.FreshDays) * part.precision()
	}
	if f.Capacity.Value == nil || total <= 0 {
		h.Confidence = 0
		h.lacking("the capacity was not measured")
		return h
	}
	h.Confidence /= all
	weighted := 0.0
	for k := range h.Parts {
		if p := &h.Parts[k]; p.Score != nil {
			p.Weight /= total
			weighted += p.Weight * *p.Score
			if p.Name == "capacity" {
				h.AgeDays = p.AgeDays
			}
		}
	}
	h.ok()
	h.To = &f.Capacity.At
	weighted = min(100, weighted) // but for rounding it is
	h.Uncapped = &weighted
	h.Gates = r.gates(f)
	capped := weighted
	for _, g := range h.Gates {
		capped = min(capped, g.Cap)
	}
	h.Score = &capped
	return h
}

func (p ScorePart) precision() float64 {
	if p.StdErr == nil {
		return 1
	}
	return 1 / (1 + 10**p.StdErr/math.Abs(p.Ramp.Good-p.Ramp.Bad))
}

func (r ScoreRules) gates(f Facts) []Gate {
	gates := []Gate{}
	hold := func(name string, most float64, why string) {
		k := 0
		for k < len(gates) && gates[k].Cap <= most {
			k++
		}
		gates = append(gates[:k], append([]Gate{{name, most, why}}, gates[k:]...)...)
	}
	if *f.Capacity.Value < r.EndOfLifePct {
		hold("end_of_life", r.EndOfLifeCap, fmt.Sprintf("the capacity is below %g %%", r.EndOfLifePct))
	}
	if f.BehindKnee {
		hold("knee", r.KneeCap, "the fade has turned fast")
	}
	if v := f.Imbalance.Value; v != nil && *v > r.ImbalanceMV {
		hold("imbalance", r.ImbalanceCap, fmt.Sprintf("the cells are more than %g mV apart at rest", r.ImbalanceMV))
	}
	if n := f.Recent[OverVoltage] + f.Recent[ChargingInCold] + f.Recent[ChargingInHeat]; r.SafetyEvents > 0 && n >= r.SafetyEvents {
		hold("safety", r.SafetyCap, fmt.Sprintf("%d over-voltages or charges beyond the limits of temperature in 30 days", n))
	}
	return gates
}
