package building

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
)

// headline is the building in one row.
func (e *evaluation) headline(r *Result) Headline {
	h := Headline{Building: r.Building, AsOf: r.AsOf, Status: Insufficient, Version: Version, Parts: e.parts(r)}
	h.Reason = e.why(r)[target.EnergySavings]
	if p, ok := h.Parts[target.EnergySavings]; ok {
		h.Status, h.Reason = OK, ""
		h.SavingKWh, h.BaselineKWh, h.PlusKWh = energy.Known(p.Of), energy.Known(p.All), p.Plus
		h.StandardKWh, h.Residuals = standardPlus(r.Savings, Electricity, Gas), packResiduals(residuals(r.Savings, Electricity, Gas))
		confidence := e.Plan.Options(Electricity).Confidence
		significant := p.Plus != nil && math.Abs(p.Of) > *p.Plus
		h.Confidence, h.Significant = &confidence, &significant
	}
	h.SavingPct = h.percent(target.EnergySavings)
	h.WaterPct, h.PeakPct = h.percent(target.WaterSavings), h.percent(target.PeakReduction)
	h.ForecastPct, h.FollowedPct = h.percent(target.ForecastAccuracy), h.percent(target.AutomationSuccess)
	h.GreenPct, h.CarbonPct = h.percent(target.GreenEnergy), h.percent(target.CarbonReduction)
	if p, ok := h.Parts[target.CarbonReduction]; ok {
		h.AvoidedKG = energy.Known(p.Of)
	}
	if s, _ := newest(r.Savings, Electricity); s != nil {
		h.Model = s.Assessment.Fit.Model
	}
	h.money(r)
	h.used(e, r)
	h.watched(r)
	return h
}

func (h *Headline) percent(id string) *float64 {
	p, ok := h.Parts[id]
	if !ok {
		return nil
	}
	return energy.Known(100 * p.Of / p.All)
}

// money adds up what the newest measures saved, where they are in one currency.
func (h *Headline) money(r *Result) {
	var sum int64
	for _, m := range Used() {
		s, _ := newest(r.Savings, m)
		if s == nil || s.Cost == nil {
			continue
		}
		if h.Currency != "" && h.Currency != s.Cost.Saved.Currency {
			h.Currency, h.SavedMinor = "", nil
			return
		}
		sum += s.Cost.Saved.Minor
		h.Currency, h.SavedMinor = s.Cost.Saved.Currency, &sum
	}
}

// used is the use and the load of the newest year.
func (h *Headline) used(e *evaluation, r *Result) {
	var use, perM2 float64
	for _, m := range r.Usage.Meters {
		if m.Meter != Electricity && m.Meter != Gas {
			continue
		}
		if m.Use == nil { // the sum would be without it
			use, perM2 = math.NaN(), math.NaN()
			break
		}
		use += *m.Use
		if m.PerM2 != nil {
			perM2 += *m.PerM2
		}
	}
	if use > 0 {
		h.UseKWh = energy.Known(use)
		if e.Plan.FloorM2 > 0 {
			h.KWhPerM2 = energy.Known(perM2)
		}
	}
	h.KGPerM2 = r.Carbon.Intensity
	if p := r.Demand.Profile; p != nil {
		h.PeakKW, h.LoadFactor = energy.Known(p.PeakKW), p.LoadFactor
	}
}

// watched counts what the models do not explain.
func (h *Headline) watched(r *Result) {
	for _, a := range r.Anomaly {
		if a.Status != OK {
			continue
		}
		if h.Anomalies == nil {
			h.Anomalies, h.OpenShifts = new(int), new(int)
		}
		*h.Anomalies += len(a.Days)
		for _, s := range a.Shifts {
			if s.End == nil {
				*h.OpenShifts++
			}
		}
	}
}

func lastReduction(all []DemandSaving) *demand.Reduction {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Reduction != nil {
			return all[i].Reduction
		}
	}
	return nil
}
