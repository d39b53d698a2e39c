package caltrack

import (
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// The balance points, °F, in steps of one (3.2.1).
const (
	lowest  = 30
	highest = 90
)

// limits are the degree days below which a candidate is not tried (3.2.2.2).
type limits struct {
	nonZero int     // rows with a degree day
	total   float64 // degree days
}

// grid holds, for the rows that are whole, the degree days at every balance
// point and the sums that the candidates share. With everything centred on its
// weighted mean, a candidate is a system of at most two equations, and 2,014 of
// them cost little more than one.
type grid struct {
	use, days        []float64 // use per day; days are the weights, nil for daily rows
	mean, syy        float64   // of use
	weight           float64   // Σ days
	heating, cooling []regressor
}

// regressor is a column of degree days at one balance point.
type regressor struct {
	raw, centred []float64 // centred is multiplied by the root of the weight
	mean         float64
	xx, xy       float64
	enough       bool
}

func newGrid(rows []energy.Row, interval energy.Interval) *grid {
	g := grid{}
	var whole []energy.Row
	for _, r := range rows {
		if !r.Whole() {
			continue
		}
		whole = append(whole, r)
		if interval == energy.Billing {
			g.days = append(g.days, r.Days())
		}
		g.use = append(g.use, r.Use/r.Days())
	}
	for i := range whole {
		g.weight += g.w(i)
		g.mean += g.w(i) * g.use[i]
	}
	g.mean /= g.weight
	for i := range whole {
		g.syy += g.w(i) * (g.use[i] - g.mean) * (g.use[i] - g.mean)
	}
	for b := lowest; b <= highest; b++ {
		h, c := make([]float64, len(whole)), make([]float64, len(whole))
		for i, r := range whole {
			h[i], c[i] = meanDegreeDays(r, float64(b))
		}
		g.heating, g.cooling = append(g.heating, g.regressor(h)), append(g.cooling, g.regressor(c))
	}
	return &g
}

func (g *grid) w(i int) float64 {
	if g.days == nil {
		return 1
	}
	return g.days[i]
}

func (g *grid) regressor(raw []float64) regressor {
	r := regressor{raw: raw, centred: make([]float64, len(raw))}
	for i, x := range raw {
		r.mean += g.w(i) * x / g.weight
	}
	for i, x := range raw {
		root := math.Sqrt(g.w(i))
		r.centred[i] = root * (x - r.mean)
		r.xx += r.centred[i] * r.centred[i]
		r.xy += r.centred[i] * root * (g.use[i] - g.mean)
	}
	return r
}

// meet says whether a column carries enough degree days to be tried.
func (g *grid) meet(r *regressor, l limits) bool {
	nonZero := 0
	for _, x := range r.raw {
		if x > 0 {
			nonZero++
		}
	}
	return nonZero >= l.nonZero && r.mean*g.weight >= l.total
}

// candidates fits all of them in the order of CalTRACK: the intercept, heating,
// cooling, both with heating at or below cooling (3.2.2.1).
func (g *grid) candidates(o Options, l limits) []Candidate {
	for i := range g.heating {
		g.heating[i].enough, g.cooling[i].enough = g.meet(&g.heating[i], l), g.meet(&g.cooling[i], l)
	}
	out := []Candidate{judge(Candidate{Kind: InterceptOnly, Intercept: g.mean})}
	for b := lowest; b <= highest; b++ {
		r := &g.heating[b-lowest]
		slope, r2 := g.one(r)
		out = append(out, g.finish(Candidate{Kind: HeatingOnly, HeatingF: b, Heating: slope, Intercept: g.mean - slope*r.mean}, r2, r.enough))
	}
	if o.HeatingOnly {
		return out
	}
	for b := lowest; b <= highest; b++ {
		r := &g.cooling[b-lowest]
		slope, r2 := g.one(r)
		out = append(out, g.finish(Candidate{Kind: CoolingOnly, CoolingF: b, Cooling: slope, Intercept: g.mean - slope*r.mean}, r2, r.enough))
	}
	for b := lowest; b <= highest; b++ {
		for a := lowest; a <= b; a++ {
			out = append(out, g.both(a, b))
		}
	}
	return out
}

// one solves a model with one column.
func (g *grid) one(r *regressor) (slope, r2 float64) {
	if !r.enough || r.xx == 0 {
		return 0, math.NaN()
	}
	slope = r.xy / r.xx
	return slope, slope * r.xy / g.syy
}

// both solves a model with heating at a and cooling at b.
func (g *grid) both(a, b int) Candidate {
	h, c := &g.heating[a-lowest], &g.cooling[b-lowest]
	out := Candidate{Kind: Both, HeatingF: a, CoolingF: b}
	if !h.enough || !c.enough {
		out.Status = NotAttempted
		return out
	}
	var hc float64
	for i, x := range h.centred {
		hc += x * c.centred[i]
	}
	det := h.xx*c.xx - hc*hc
	if det <= 1e-12*h.xx*c.xx {
		out.Status = NotAttempted
		return out
	}
	out.Heating = (h.xy*c.xx - c.xy*hc) / det
	out.Cooling = (c.xy*h.xx - h.xy*hc) / det
	out.Intercept = g.mean - out.Heating*h.mean - out.Cooling*c.mean
	return g.finish(out, (out.Heating*h.xy+out.Cooling*c.xy)/g.syy, true)
}

// finish sets the adjusted R² and the status. A constant use has no R².
func (g *grid) finish(c Candidate, r2 float64, enough bool) Candidate {
	n, p := float64(len(g.use)), float64(c.parameters())
	if !enough || n <= p+1 || math.IsNaN(r2) || math.IsInf(r2, 0) {
		c.Status = NotAttempted
		return c
	}
	c.AdjR2 = 1 - (1-r2)*(n-1)/(n-p-1)
	return judge(c)
}

// judge rejects negative coefficients (3.4.3.2).
func judge(c Candidate) Candidate {
	c.Status = Qualified
	if c.Intercept < 0 || c.Heating < 0 || c.Cooling < 0 {
		c.Status = Disqualified
	}
	return c
}

// Candidates closer than this are the same model written twice, as where no day
// lies between two balance points; the first one stands.
const sameR2 = 1e-12

// choose takes the qualified candidate of the highest adjusted R² (3.4.3.3), and
// the four behind it.
func choose(candidates []Candidate) (best Candidate, rivals []Candidate, ok bool) {
	var fit []Candidate
	for _, c := range candidates {
		if c.Status != Qualified {
			continue
		}
		fit = append(fit, c)
		if !ok || c.AdjR2 > best.AdjR2+sameR2 {
			best, ok = c, true
		}
	}
	slices.SortStableFunc(fit, func(a, b Candidate) int {
		switch {
		case a.AdjR2 > b.AdjR2:
			return -1
		case a.AdjR2 < b.AdjR2:
			return 1
		}
		return 0
	})
	for _, c := range fit {
		if c != best && len(rivals) < 4 {
			rivals = append(rivals, c)
		}
	}
	return best, rivals, ok
}

func count(candidates []Candidate) map[Kind]map[Status]int {
	out := map[Kind]map[Status]int{}
	for _, c := range candidates {
		if out[c.Kind] == nil {
			out[c.Kind] = map[Status]int{}
		}
		out[c.Kind][c.Status]++
	}
	return out
}
