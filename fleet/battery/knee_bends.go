package battery

import "math"

// bends tells whether points fall faster behind the knee beyond doubt: the curve
// with a bend has to beat the straight line by 10 of Schwarz's criterion (1978, Annals
// of Statistics 6:461), and the change of slope at the knee has to be more than
// three of its standard errors. Both count residuals that go together as fewer
// than they are, so that noise with a memory makes no knee.
func bends(points []LifePoint, knee float64) bool {
	first, span := points[0].X, points[len(points)-1].X-points[0].X
	u, y := make([]float64, len(points)), make([]float64, len(points))
	line, kinked := normal{n: 2}, normal{n: 3}
	for i, p := range points {
		u[i], y[i] = (p.X-first)/span, p.Value-points[0].Value
		row := [4]float64{1, u[i], max(0, p.X-knee) / span}
		line.add(row, y[i], 1)
		kinked.add(row, y[i], 1)
	}
	_, straight, ok := line.solve()
	beta, cov, ok3 := kinked.solveCov()
	curve, down := smooth(u, y)
	if !ok || !ok3 || !down || beta[2] >= 0 {
		return false
	}
	off, left := make([]float64, len(y)), 0.0
	for i := range y {
		off[i] = y[i] - curve[i]
		left += off[i] * off[i]
	}
	n := independent(off)
	if n < 4 || n*math.Log(straight/left)-2*math.Log(n) < 10 {
		return false
	}
	_, rss, _ := kinked.solve()
	return -beta[2] > 3*math.Sqrt(cov[2][2]*rss/max(1, n-4))
}
