package smooth

import (
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy/regress"
)

// Component is the curve of some days: flat between two balance points, a line
// on either side, and where a line meets the flat part, an exponential in the
// place of the corner:
//
//	E(T) = c + βₕ·h(T) + β꜀·h′(T)
//	h(T) = b′ − T + k·(exp((T−b′)/k) − 1)  below b′ = b + k, else 0
//
// h′ is its mirror image. With k = 0 the corner is sharp.
type Component struct {
	Days      string  `json:"days"`    // "fw" all, "wd" weekdays, "we" weekends
	Seasons   string  `json:"seasons"` // of "su", "sh", "wi", joined by "_"
	Intercept float64 `json:"intercept"`
	Heating   float64 `json:"beta_hdd"` // per °F, not negative
	Cooling   float64 `json:"beta_cdd"` // per °F, not negative
	HeatingF  float64 `json:"heating_balance_point_f"`
	CoolingF  float64 `json:"cooling_balance_point_f"`
	HeatingK  float64 `json:"heating_smoothing_f"`
	CoolingK  float64 `json:"cooling_smoothing_f"`
	Rows      int     `json:"rows"`
	SSE       float64 `json:"sum_of_squares"`
	Count     int     `json:"parameters"` // the intercept among them
}

func (c *Component) at(temp float64) float64 {
	return c.Intercept + c.Heating*corner(c.HeatingF-temp, c.HeatingK) + c.Cooling*corner(temp-c.CoolingF, c.CoolingK)
}

// corner is max(x, 0) with its corner rounded over k on the near side, where it
// starts at −k.
func corner(x, k float64) float64 {
	if k <= 0 {
		return max(x, 0)
	}
	if x += k; x <= 0 {
		return 0
	}
	return x + k*(math.Exp(-x/k)-1)
}

// The size of the search. The fewest rows beyond a balance point are those of
// the original.
const (
	fewestBeyond = 6
	steps        = 24
	cycles       = 3
	narrowings   = 14
)

// problem is the rows of one component.
type problem struct {
	temp, use []float64
	mean, syy float64
	low, high float64 // the balance points lie between
}

func newProblem(temp, use []float64) *problem {
	p := &problem{temp: temp, use: use}
	for _, u := range use {
		p.mean += u / float64(len(use))
	}
	for _, u := range use {
		p.syy += (u - p.mean) * (u - p.mean)
	}
	sorted := slices.Sorted(slices.Values(temp))
	p.low, p.high = sorted[min(fewestBeyond, len(sorted)-1)], sorted[max(0, len(sorted)-1-fewestBeyond)]
	return p
}

// fit finds the curve of the least AIC: with neither, either or both slopes, then
// with and without rounded corners.
func (p *problem) fit() Component {
	n := float64(len(p.use))
	best := Component{Intercept: p.mean, SSE: p.syy, Count: 1}
	score := p.aic(best)
	if p.high <= p.low || n < 4*fewestBeyond {
		best.Rows = len(p.use)
		return best
	}
	hinges := regress.NewHinges(p.temp, p.use, nil)
	for _, side := range []struct{ heat, cool bool }{{true, false}, {false, true}, {true, true}} {
		if c, ok := p.sharp(hinges, side.heat, side.cool); ok && p.aic(c) < score {
			best, score = c, p.aic(c)
		}
	}
	if best.Count > 1 {
		if c := p.round(best); p.aic(c) < score {
			best = c
		}
	}
	best.Rows = len(p.use)
	return best
}

func (p *problem) aic(c Component) float64 {
	n := float64(len(p.use))
	return n*math.Log(max(c.SSE, 1e-12*p.syy, 1e-300)/n) + 2*float64(c.Count)
}

// sharp is the best curve with sharp corners; false where no such curve has
// slopes of the right sign.
func (p *problem) sharp(hinges *regress.Hinges, heat, cool bool) (Component, bool) {
	best := Component{SSE: math.Inf(1)}
	step := (p.high - p.low) / steps
	try := func(a, b float64) {
		sse, l, r := hinges.Fit(a, b, heat, cool)
		if sse < best.SSE && (!heat || l < 0) && (!cool || r > 0) {
			best = Component{Heating: -l, Cooling: r, HeatingF: a, CoolingF: b, SSE: sse}
		}
	}
	for range 3 { // the second and third time around the best, at a finer step
		a, b, from, to := best.HeatingF, best.CoolingF, -steps/2, steps/2
		if math.IsInf(best.SSE, 1) {
			a, b, from, to = p.low, p.low, 0, steps
		}
		for i := from; i <= to; i++ {
			x := a + float64(i)*step
			if !heat || !cool {
				if x >= p.low && x <= p.high {
					try(x, x)
				}
				continue
			}
			for j := from; j <= to; j++ {
				if y := b + float64(j)*step; x >= p.low && y <= p.high && x <= y {
					try(x, y)
				}
			}
		}
		if math.IsInf(best.SSE, 1) {
			return best, false
		}
		step /= steps / 4
	}
	best.Count = 3
	if heat && cool {
		best.Count = 5
	}
	best.Intercept = p.intercept(&best)
	return best, true
}

// intercept makes the residuals sum to zero.
func (p *problem) intercept(c *Component) float64 {
	var sum float64
	for i, t := range p.temp {
		sum += p.use[i] - c.Heating*corner(c.HeatingF-t, c.HeatingK) - c.Cooling*corner(t-c.CoolingF, c.CoolingK)
	}
	return sum / float64(len(p.use))
}

// round searches for corners that fit better than sharp ones. The two roundings
// together stay within the flat part.
func (p *problem) round(sharp Component) Component {
	c := sharp
	heat, cool := c.Heating > 0, c.Cooling > 0
	limit := func(c *Component) float64 {
		if heat && cool {
			return c.CoolingF - c.HeatingF
		}
		return (p.high - p.low) / 2
	}
	span := (p.high - p.low) / steps
	search := func(set func(*Component, float64), from, to float64) {
		if to <= from {
			return
		}
		try := func(x float64) float64 {
			d := c
			set(&d, x)
			return p.solve(&d)
		}
		x := regress.Golden(try, from, to, narrowings)
		d := c
		set(&d, x)
		if sse := p.solve(&d); sse < c.SSE {
			c = d
		}
	}
	for range cycles {
		if heat {
			search(func(d *Component, x float64) { d.HeatingK = x }, 0, limit(&c)-c.CoolingK)
			search(func(d *Component, x float64) { d.HeatingF = x }, max(p.low, c.HeatingF-span),
				min(p.high, c.HeatingF+span, room(c.CoolingF-c.CoolingK-c.HeatingK, cool)))
		}
		if cool {
			search(func(d *Component, x float64) { d.CoolingK = x }, 0, limit(&c)-c.HeatingK)
			search(func(d *Component, x float64) { d.CoolingF = x },
				max(p.low, c.CoolingF-span, -room(-(c.HeatingF+c.HeatingK+c.CoolingK), heat)), min(p.high, c.CoolingF+span))
		}
	}
	for _, k := range []float64{c.HeatingK, c.CoolingK} {
		if k > 0 {
			c.Count++
		}
	}
	return c
}

// room is a bound that counts only where there is another side.
func room(bound float64, other bool) float64 {
	if other {
		return bound
	}
	return math.Inf(1)
}

// solve sets the coefficients of a curve by least squares and returns what is
// left; infinite where a slope has the wrong sign.
func (p *problem) solve(c *Component) float64 {
	heat, cool := c.Heating > 0, c.Cooling > 0
	n := float64(len(p.use))
	var h, k, hh, kk, hk, hy, ky float64
	for i, t := range p.temp {
		y := p.use[i] - p.mean
		var a, b float64
		if heat {
			a = corner(c.HeatingF-t, c.HeatingK)
		}
		if cool {
			b = corner(t-c.CoolingF, c.CoolingK)
		}
		h, k, hh, kk, hk, hy, ky = h+a, k+b, hh+a*a, kk+b*b, hk+a*b, hy+a*y, ky+b*y
	}
	hh, kk, hk = hh-h*h/n, kk-k*k/n, hk-h*k/n
	det := hh*kk - hk*hk
	c.SSE = math.Inf(1)
	switch {
	case heat && cool && det > 0:
		c.Heating, c.Cooling = (hy*kk-ky*hk)/det, (ky*hh-hy*hk)/det
	case heat && !cool && hh > 0:
		c.Heating = hy / hh
	case cool && !heat && kk > 0:
		c.Cooling = ky / kk
	default:
		return c.SSE
	}
	if heat && c.Heating <= 0 || cool && c.Cooling <= 0 {
		return c.SSE
	}
	c.Intercept = p.mean - (c.Heating*h+c.Cooling*k)/n
	c.SSE = max(p.syy-c.Heating*hy-c.Cooling*ky, 0)
	return c.SSE
}
