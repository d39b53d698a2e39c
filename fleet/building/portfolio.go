package building

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
)

// Portfolio adds up the savings of buildings, by their headlines. Buildings
// without a saving that stands are named, each with its reason.
func Portfolio(all []Headline) (p savings.Portfolio, insufficient map[string]string) {
	insufficient = map[string]string{}
	var members []savings.Member
	for _, h := range all {
		if h.SavingKWh == nil {
			insufficient[h.Building] = h.Reason
			continue
		}
		m := savings.Member{ID: h.Building, Saving: *h.SavingKWh, Baseline: *h.BaselineKWh}
		if h.PlusKWh != nil {
			m.Uncertainty = (&energy.Uncertainty{Method: "widest", Confidence: *h.Confidence, Plus: *h.PlusKWh}).Of(m.Saving)
		}
		members = append(members, m)
	}
	return savings.Aggregate(members), insufficient
}

// PortfolioTargets judges many buildings by their goals: the parts and the wholes
// add up, the intervals as independent, and a month is the mean of the buildings
// that have it. It also says how many buildings each goal rests on.
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
		}
		sum.History = percents(months)
		standings = append(standings, judge(t, sum, "no building of the selection has a value"))
	}
	return standings, buildings
}
