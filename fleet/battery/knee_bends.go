package battery

import "math"

// bent is what points say of a bend before it is known where.
type bent struct {
	u, y []float64 // X from 0 to 1, and the value beyond the first
	span float64
	n    float64 // independent residuals
}

// bentDown tells whether points bend down beyond doubt: the curve with a bend has to
// beat the straight line by 10 of Schwarz's criterion (1978, Annals of Statistics
// 6:461). Residuals that go together count as fewer than they are, so that noise
// with a memory makes no knee.
func bentDown(points []LifePoint) (bent, bool) {
	first := points[0].X
	b := bent{u: make([]float64, len(points)), y: make([]float64, len(points)), span: points[len(points)-1].X - first}
	line := normal{n: 2}
	for i, p := range points {
		b.u[i], b.y[i] = (p.X-first)/b.span, p.Value-points[0].Value
		line.add([4]float64{1, b.u[i]}, b.y[i], 1)
	}
	u, y := b.u, b.y
	_, straight, ok := line.solve()
	curve, down := smooth(u, y)
	if !ok || !down {
		return b, false
	}
	off, left := make([]float64, len(y)), 0.0
	for i := range y {
		off[i] = y[i] - curve[i]
		left += off[i] * off[i]
	}
	b.n = independent(off)
	return b, b.n >= 4 && b.n*math.Log(straight/left)-2*math.Log(b.n) >= 10
}

// at tells whether the slope changes at the knee by more than three of its
// standard errors.
func (b bent) at(points []LifePoint, knee float64) bool {
	kinked := normal{n: 3}
	for i, p := range points {
		kinked.add([4]float64{1, b.u[i], max(0, p.X-knee) / b.span}, b.y[i], 1)
	}
	beta, cov, ok := kinked.solveCov()
	if !ok || beta[2] >= 0 {
		return false
	}
	_, rss, _ := kinked.solve()
	return -beta[2] > 3*math.Sqrt(cov[2][2]*rss/max(1, b.n-4))
}
