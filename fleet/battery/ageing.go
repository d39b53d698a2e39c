package battery

import "math"

// Stress is how a battery was treated over a stretch of its life.
type Stress struct {
	Days   float64 // length of the stretch
	Cycles float64 // equivalent full cycles in it
	RateC  float64 // mean rate of charge and discharge, in 1/h
	Depth  float64 // mean depth of discharge, 0…1
	// Temperatures and SoCs are shares of the time, in the bins of Usage; they
	// add up to 1.
	Temperatures [TemperatureBins]float64
	SoCs         [SoCBins]float64
}

// StressOf is the treatment that a usage of so many days amounts to. What the
// telemetry does not cover is taken to be like what it does. It is false where
// the usage lacks temperature, state of charge or a rated capacity.
func StressOf(u Usage, days float64, ratings Ratings) (Stress, bool) {
	warm, charged := sum(u.TemperatureS[:]), sum(u.SoCS[:])
	if warm <= 0 || charged <= 0 || ratings.CapacityAh <= 0 || days <= 0 || u.CoveredS <= 0 {
		return Stress{}, false
	}
	s := Stress{Days: days, Cycles: (u.InAh + u.OutAh) / (2 * ratings.CapacityAh) * max(1, days*daySeconds/u.CoveredS), Depth: 0.5}
	for k, v := range u.TemperatureS {
		s.Temperatures[k] = v / warm
	}
	for k, v := range u.SoCS {
		s.SoCs[k] = v / charged
	}
	if moving := u.ChargingS + u.DischargingS; moving > 0 {
		s.RateC = (u.InAh + u.OutAh) / ratings.CapacityAh / (moving / 3600)
	}
	var t Throughput
	t.depths(u)
	if t.MeanDepthPct != nil {
		s.Depth = *t.MeanDepthPct / 100
	}
	return s, true
}

// Ageing is the loss that a law expects of a battery by its treatment so far. It
// is carried on from stretch to stretch, and may be stored between two.
type Ageing struct {
	Calendar float64 `json:"calendar"` // share of the first capacity
	Cyclic   float64 `json:"cyclic"`   // share of the first capacity
	Days     float64 `json:"days"`
	Cycles   float64 `json:"cycles"` // equivalent full cycles
}

// Advance carries the loss on over one more stretch by virtual time: under the
// factor k of the new treatment, the loss so far would have taken x₀ = (L/k)^(1/p),
// and goes on from there, L' = k·(x₀ + Δx)ᵖ.
func (a Ageing) Advance(m AgeingModel, s Stress) Ageing {
	k, soc := 0.0, 0.0
	for i, t := range s.Temperatures {
		if t == 0 {
			continue
		}
		celsius := temperatureFloor + (float64(i)+0.5)*temperatureStep
		for j, z := range s.SoCs {
			k += t * z * m.calendar(celsius, (float64(j)+0.5)*socStep/100)
		}
	}
	for j, z := range s.SoCs {
		soc += z * (float64(j) + 0.5) * socStep / 100
	}
	return Ageing{
		Calendar: onward(a.Calendar, k, s.Days, m.CalendarPower),
		Cyclic:   onward(a.Cyclic, m.cyclic(s.RateC, s.Depth, soc), s.Cycles, m.CyclicPower),
		Days:     a.Days + s.Days, Cycles: a.Cycles + s.Cycles,
	}
}

func onward(loss, k, dx, p float64) float64 {
	if k <= 0 || dx <= 0 {
		return loss
	}
	return max(loss, k*math.Pow(math.Pow(loss/k, 1/p)+dx, p)) // rounding takes nothing back
}
