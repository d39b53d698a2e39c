package building

import (
	"cmp"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
)

// Portfolio adds up the savings of buildings, by their headlines. Buildings
// without a saving that stands are named, each with its reason. Its Uncertainty is
// the standard's, and Together has the wider intervals and what the weather does to
// all of the buildings at once; see Interval.
func Portfolio(all []Headline) (p savings.Portfolio, insufficient map[string]string) {
	insufficient = map[string]string{}
	var members []savings.Member
	for _, h := range all {
		if h.SavingKWh == nil {
			insufficient[h.Building] = h.Reason
			continue
		}
		m := savings.Member{ID: h.Building, Saving: *h.SavingKWh, Baseline: *h.BaselineKWh, SlowPlus: h.PlusKWh, Residuals: h.Residuals.weekly()}
		if standard := cmp.Or(h.StandardKWh, h.PlusKWh); h.PlusKWh != nil {
			m.Uncertainty = (&energy.Uncertainty{Method: standardMethod, Confidence: *h.Confidence, Plus: *standard}).Of(m.Saving)
		}
		members = append(members, m)
	}
	return savings.Aggregate(members), insufficient
}

// The methods of intervals in a portfolio.
const (
	standardMethod = "standard" // that of each meter's assessment
	Independent    = "independent-widest"
)

// Interval is the interval of a portfolio: Together where it is known, and
// otherwise the wider intervals of its members as independent. Nil without members.
func Interval(p savings.Portfolio) *energy.Uncertainty {
	if p.Together != nil || p.Uncertainty == nil {
		return p.Together
	}
	square := 0.0
	for _, m := range p.Members {
		wide := m.Uncertainty.Plus
		if m.SlowPlus != nil {
			wide = max(wide, *m.SlowPlus)
		}
		square += wide * wide
	}
	return (&energy.Uncertainty{Method: Independent, Confidence: p.Uncertainty.Confidence, Plus: math.Sqrt(square)}).Of(p.Saving)
}

// PortfolioTargets judges many buildings by their goals: the parts and the wholes
// add up, and a month is the mean of the buildings that have it. The intervals add
// up as independent, but for that of the energy saved, which is Interval's. It also says how many buildings each goal rests on.
func PortfolioTargets(all []Headline) (standings []target.Standing, buildings map[string]int) {
	buildings = map[string]int{}
	for _, t := range target.All() {
		var sum Part
		sure, square := true, 0.0
		months := map[string]ratio{}
		for _, h := range all {
			p, ok := h.Parts[t.ID]
			if !ok {
				continue
			}
			buildings[t.ID]++
			sum.Of, sum.All = sum.Of+p.Of, sum.All+p.All
			if p.Plus != nil {
				square += *p.Plus * *p.Plus
			} else {
				sure = false
			}
			for month, v := range p.History {
				months[month] = ratio{months[month].of + v/100, months[month].all + 1}
			}
		}
		if sure && buildings[t.ID] > 0 {
			sum.Plus = energy.Known(math.Sqrt(square))
			if t.ID == target.EnergySavings {
				p, _ := Portfolio(all)
				if u := Interval(p); u != nil && len(p.Members) == buildings[t.ID] {
					sum.Plus = &u.Plus
				}
			}
		}
		sum.History = percents(months)
		standings = append(standings, judge(t, sum, "no building of the selection has a value"))
	}
	return standings, buildings
}
