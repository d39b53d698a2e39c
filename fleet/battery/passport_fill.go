package battery

import "slices"

// passportBuilder gathers a passport.
type passportBuilder struct {
	doc   PassportDocument
	gaps  []PassportGap
	asNew []PassportGap
	list  []PassportPoint
}

// orNew is what was measured, or what the maker declares of the new battery.
func (b *passportBuilder) orNew(path string, measured, declared Reported) Reported {
	if measured.Value != nil || declared.Value == nil {
		return measured
	}
	b.asNew = append(b.asNew, PassportGap{path, measured.why()})
	return declared
}

func (b *passportBuilder) gap(path, reason string) {
	b.gaps = append(b.gaps, PassportGap{path, reason})
}

// technical sets a plain number.
func (b *passportBuilder) technical(key string, r Reported) {
	if r.Value == nil {
		b.gap("batteryTechicalProperties."+key, r.why())
		return
	}
	b.doc.Technical[key] = *r.Value
}

// condition sets a number with its last update.
func (b *passportBuilder) condition(key, inner string, r Reported) {
	if r.Value == nil {
		b.gap("batteryCondition."+key, r.why())
		return
	}
	b.doc.Condition[key] = map[string]any{inner: *r.Value, "lastUpdate": stamp(r.At)}
}

// declared is what the maker says.
func (b *passportBuilder) declared(s PassportSheet) {
	for _, p := range []struct {
		key   string
		value *float64
	}{
		{"ratedCapacity", s.RatedCapacityAh}, {"ratedEnergy", s.RatedEnergyKWh}, {"ratedMaximumPower", s.RatedMaximumPowerKW},
		{"powerCapabilityRatio", s.PowerCapabilityRatioPct}, {"expectedNumberOfCycles", s.ExpectedCycles}, {"expectedLifetime", s.ExpectedYears},
		{"capacityThresholdForExhaustion", s.ExhaustionPct}, {"initialSelfDischarge", s.InitialSelfDischargePct},
		{"roundtripEfficiency", s.RoundTripPct}, {"roundTripEfficiencyat50PerCentCycleLife", s.RoundTripHalfLifePct},
		{"nominalVoltage", s.NominalV}, {"minimumVoltage", s.MinV}, {"maximumVoltage", s.MaxV}, {"cRateLifeCycleTest", s.LifeTestRateC},
	} {
		b.technical(p.key, s.of(p.value, p.key))
	}
	if s.RateC != nil { // optional
		b.doc.Technical["cRate"] = *s.RateC
	}
	const t = "batteryTechicalProperties."
	if s.IdleMinC != nil && s.IdleMaxC != nil {
		b.doc.Technical["temperatureRangeIdleState"] = map[string]any{"minimum": *s.IdleMinC, "maximum": *s.IdleMaxC}
	} else {
		b.gap(t+"temperatureRangeIdleState", undeclared("temperatureRangeIdleState"))
	}
	if s.LifetimeReferenceTestURI != "" {
		b.doc.Technical["lifetimeReferenceTest"] = s.LifetimeReferenceTestURI
	} else {
		b.gap(t+"lifetimeReferenceTest", undeclared("lifetimeReferenceTest"))
	}
	if s.InitialResistanceOhm != nil {
		b.doc.Technical["initialInternalResistance"] = []any{map[string]any{"ohmicResistance": *s.InitialResistanceOhm, "batteryComponent": "pack"}}
	} else {
		b.gap(t+"initialInternalResistance", undeclared("initialInternalResistance"))
	}
	if len(s.OriginalPower) > 0 {
		list := []any{}
		for _, p := range s.OriginalPower {
			list = append(list, map[string]any{"atSoC": p.SoCPct, "powerCapabilityAt": p.Watts})
		}
		b.doc.Technical["originalPowerCapability"] = list
	} else {
		b.gap(t+"originalPowerCapability", undeclared("originalPowerCapability"))
	}
}

// measured is what telemetry says, and what follows from both.
func (b *passportBuilder) measured(s PassportSheet, f PassportFacts) {
	b.condition("energyThroughput", "energyThroughputValue", f.EnergyThroughputWh.times(1e-3))
	b.condition("capacityThroughput", "capacityThroughputValue", f.ChargeThroughputAh)
	b.condition("numberOfFullCycles", "numberOfFullCyclesValue", f.FullCycles.floor())
	b.condition("stateOfCertifiedEnergy", "stateOfCertifiedEnergyValue", f.EnergySoHPct)
	b.condition("capacityFade", "capacityFadeValue", s.capacityFade(f))
	b.condition("remainingEnergy", "remainingEnergyValue", f.UsableEnergyWh.times(1e-3))
	b.condition("remainingCapacity", "remainingCapacityValue", f.CapacityAh)
	b.condition("stateOfCharge", "stateOfChargeValue", f.SoCPct)
	b.technical("powerFade", s.powerFade(f))
	b.seldom(s, f)

	if r := s.resistanceIncrease(f); r.Value != nil {
		b.doc.Condition["internalResistanceIncrease"] = []any{map[string]any{
			"internalResistanceIncreaseValue": *r.Value, "lastUpdate": stamp(r.At), "batteryComponent": "pack",
		}}
	} else {
		b.gap("batteryCondition.internalResistanceIncrease", r.why())
	}
	if f.Power != nil {
		at := stamp(f.PowerAt)
		b.doc.Condition["remainingPowerCapability"] = map[string]any{
			"remainingPowerCapabilityValue": map[string]any{"atSoC": f.Power.SoCPct, "powerCapabilityAt": f.Power.Watts, "rPCLastUpdated": at},
			"lastUpdate":                    at,
		}
	} else {
		b.gap("batteryCondition.remainingPowerCapability", noPower)
	}
}

// seldom is what takes long rests or deep loops to measure, which not every
// battery has within weeks. The evolution and the fade of what is as new are 0.
func (b *passportBuilder) seldom(s PassportSheet, f PassportFacts) {
	const condition, technical = "batteryCondition.", "batteryTechicalProperties."
	leak, trip := s.of(s.InitialSelfDischargePct, "initialSelfDischarge"), s.of(s.RoundTripPct, "roundtripEfficiency")
	b.condition("evolutionOfSelfDischarge", "evolutionOfSelfDischargeValue",
		b.orNew(condition+"evolutionOfSelfDischarge", s.selfDischarge(f), grown(leak, leak)))
	b.condition("currentSelfDischargingRate", "currentSelfDischargingRateValue",
		b.orNew(condition+"currentSelfDischargingRate", f.SelfDischargePct, leak))
	b.condition("remainingRoundTripEnergyEfficiency", "remainingRoundTripEnergyEfficiencyValue",
		b.orNew(condition+"remainingRoundTripEnergyEfficiency", f.RoundTripPct, trip))
	b.technical("roundTripEfficiencyFade", b.orNew(technical+"roundTripEfficiencyFade", s.efficiencyFade(f), faded(trip, trip)))
}

const noPower = "the resistance or the lowest voltage is not known"

func (s PassportSheet) capacityFade(f PassportFacts) Reported {
	return faded(f.CapacityAh, s.of(s.RatedCapacityAh, "ratedCapacity"))
}

func (s PassportSheet) selfDischarge(f PassportFacts) Reported {
	return grown(f.SelfDischargePct, s.of(s.InitialSelfDischargePct, "initialSelfDischarge"))
}

func (s PassportSheet) efficiencyFade(f PassportFacts) Reported {
	return faded(f.RoundTripPct, s.of(s.RoundTripPct, "roundtripEfficiency"))
}

func (s PassportSheet) resistanceIncrease(f PassportFacts) Reported {
	return grown(f.ResistanceMOhm.times(1e-3), s.of(s.InitialResistanceOhm, "initialInternalResistance"))
}

// powerFade compares with the original power declared nearest in charge.
func (s PassportSheet) powerFade(f PassportFacts) Reported {
	if f.Power == nil {
		return Reported{Reason: noPower}
	}
	if len(s.OriginalPower) == 0 {
		return Reported{Reason: undeclared("originalPowerCapability")}
	}
	near := slices.MinFunc(s.OriginalPower, func(a, b PowerAt) int {
		da, db := a.SoCPct-f.Power.SoCPct, b.SoCPct-f.Power.SoCPct
		switch {
		case da*da < db*db:
			return -1
		case da*da > db*db:
			return 1
		}
		return 0
	})
	return faded(Reported{Value: &f.Power.Watts, At: f.PowerAt}, Reported{Value: &near.Watts})
}

// events lists the negative events, one line a kind, and the time in extreme
// temperature in minutes.
func (b *passportBuilder) events(f PassportFacts) {
	if f.EventsAt == 0 {
		const why = "no readings were counted yet"
		b.gap("batteryCondition.negativeEvents", why)
		b.gap("batteryCondition.temperatureInformation", why)
		return
	}
	b.doc.Condition["negativeEvents"] = f.negativeEvents()
	minutes := func(k Negative) float64 { return f.Events[k].Seconds / 60 }
	b.doc.Condition["temperatureInformation"] = map[string]any{
		"timeExtremeHighTemp": minutes(ExtremeHeat), "timeExtremeLowTemp": minutes(ExtremeCold),
		"timeExtremeHighTempCharging": minutes(ChargingInHeat), "timeExtremeLowTempCharging": minutes(ChargingInCold),
		"lastUpdate": stamp(f.EventsAt),
	}
}
