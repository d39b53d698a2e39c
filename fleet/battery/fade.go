package battery

import "math"

// fade is one shape of the fade of a battery: SoH = s₀ − c·(Λ/Λₙ)^q, where Λ is
// the loss that the fitted law expects and Λₙ that of the newest point. q is 1
// where the law has the shape right, 2 where a law of √t meets a fade that is a
// line, and more where it accelerates.
type fade struct {
	power, weight float64 // q, and the probability that it is that
	first, loss   float64 // s₀ and c, as shares of the rated capacity
	level         float64 // s₀ − c
	lossErr       float64 // of c
	levelErr      float64 // of s₀ − c, by the scatter alone
	chi2          float64 // left by the fit
}

// The powers that are tried, evenly in their logarithm, of which shapeErr is the
// standard deviation around that of the law: a factor of two, as between the square
// root and a line, where two of three published fades lie. More would have the mean
// of the powers, and so the fade to come, well above the law's.
const (
	leastPower, mostPower = 0.4, 20.0
	powers                = 41
	shapeErr              = math.Ln2
)

// fades fits every power to the points, whose law loses expected, and weighs them
// by how well they do (Bayesian model averaging; Hoeting et al. 1999, Statistical
// Science 14:382). Outliers have Huber's weights; residuals that go together count
// as fewer. It is empty where the law or the battery has lost nothing.
func fades(points []HealthPoint, expected []float64, r DegradationRules) []fade {
	now := expected[len(expected)-1]
	if now <= 0 {
		return nil
	}
	held, logs := make([]float64, len(points)), make([]float64, len(points))
	for k := range held {
		held[k], logs[k] = 1, math.Log(expected[k]/now) // −Inf for no loss, whose powers are 0
	}
	var all []fade
	scale, share := 1.0, 1.0
	// The weights of the points need but the best power, for which a few do.
	for _, step := range []int{4, 4, 4, 1} {
		best := 0
		all = all[:0]
		for k := 0; k < powers; k += step {
			p := math.Log(leastPower) + math.Log(mostPower/leastPower)*float64(k)/(powers-1)
			f := fitFade(points, logs, held, math.Exp(p), scale, share, r)
			f.weight = -f.chi2*share/2 - p*p/(2*shapeErr*shapeErr)
			if all = append(all, f); f.weight > all[best].weight {
				best = len(all) - 1
			}
		}
		res := make([]float64, len(points))
		for k, p := range points {
			res[k] = (p.SoH - all[best].at(expected[k]/now)) / math.Hypot(p.StdErr, r.FloorErr)
		}
		scale = scatterOf(res)
		for k := range res {
			held[k] = huber(res[k] / scale)
			res[k] *= held[k]
		}
		share = independent(res) / float64(len(points))
	}
	return weighed(all)
}

// scatterOf is by how much points scatter more, or less, than their errors: by what
// is seen, in which those errors count as ten points where it is less. A floor that
// is far above the scatter would otherwise be taken for noise of every week.
func scatterOf(res []float64) float64 {
	const stated = 10
	seen, n := spread(res, 0), float64(len(res))
	if seen >= 1 {
		return seen
	}
	return math.Sqrt((stated + n*seen*seen) / (stated + n))
}

// weighed makes probabilities of logarithms of them, leaving out what gains.
func weighed(all []fade) []fade {
	most, total := math.Inf(-1), 0.0
	for _, f := range all {
		most = max(most, f.weight)
	}
	out := all[:0]
	for _, f := range all {
		if f.weight = math.Exp(f.weight - most); f.loss > 0 && f.weight > 1e-6 {
			out = append(out, f)
			total += f.weight
		}
	}
	for k := range out {
		out[k].weight /= total
	}
	return out
}

// fitFade fits one power. logs are of the loss expected at each point, as a share
// of that at the newest; share is how many of the points are independent.
func fitFade(points []HealthPoint, logs, held []float64, power, scale, share float64, r DegradationRules) fade {
	e := normal{n: 2}
	e.add([4]float64{1}, 1, 1/(r.InitialErr*r.InitialErr))
	for k, p := range points {
		sd := scale * math.Hypot(p.StdErr, r.FloorErr)
		e.add([4]float64{1, -math.Exp(power * logs[k])}, p.SoH, held[k]/(sd*sd))
	}
	beta, cov, ok := e.solveCov()
	if !ok {
		return fade{power: power, chi2: math.Inf(1)}
	}
	_, chi2, _ := e.solve()
	cov0 := cov[0][0] - 2*cov[0][1] + cov[1][1]
	return fade{
		power: power, first: beta[0], loss: beta[1], level: beta[0] - beta[1], chi2: chi2,
		lossErr: math.Sqrt(max(0, cov[1][1]/share)), levelErr: math.Sqrt(max(0, cov0/share)),
	}
}

// at is the state of health where the law expects x times the newest loss.
func (f fade) at(x float64) float64 { return f.first - f.loss*math.Pow(x, f.power) }

// after is what is lost from now on until then.
func (f fade) after(x float64) float64 { return f.loss * (math.Pow(x, f.power) - 1) }

// mixed is the mean over the fades of what of tells.
func mixed(all []fade, of func(fade) float64) float64 {
	v := 0.0
	for _, f := range all {
		v += f.weight * of(f)
	}
	return v
}

// surprise is by how much more than they admitted to the fades were off when the
// newest state of health was foretold from the points up to a half, and up to two
// thirds, of the loss seen, as a share of the loss foretold.
func surprise(points []HealthPoint, expected []float64, all []fade, r DegradationRules) float64 {
	const least = 6 // points to foretell from
	last := len(points) - 1
	sohAt := func(k int) float64 {
		return mixed(all, func(f fade) float64 { return f.at(expected[k] / expected[last]) })
	}
	first, now := sohAt(0), sohAt(last)
	nowErr := mixed(all, func(f fade) float64 { return f.levelErr })
	squares, n := 0.0, 0.0
	for _, part := range []float64{1. / 2, 2. / 3} {
		k := 0
		for k < last && first-sohAt(k) < part*(first-now) {
			k++
		}
		if k < least || k == last {
			continue
		}
		then, x := fades(points[:k], expected[:k], r), expected[last]/expected[k-1]
		lost := mixed(then, func(f fade) float64 { return f.after(x) })
		if lost <= 0 {
			continue
		}
		admitted := nowErr*nowErr + mixed(then, func(f fade) float64 {
			return math.Pow(f.after(x)-lost, 2) + f.levelErr*f.levelErr + math.Pow(f.after(x)*f.lossErr/f.loss, 2)
		})
		off := mixed(then, func(f fade) float64 { return f.level }) - lost - now
		squares += max(0, off*off-admitted) / (lost * lost)
		n++
	}
	return math.Sqrt(squares / max(1, n))
}

// strays tells whether the newest points, those of the last third of the loss
// seen, fall faster or slower than the fades say, by more than a fifth and beyond
// the scatter: then no shape is the battery's, and how it goes on is not known.
func strays(points []HealthPoint, expected []float64, all []fade) bool {
	last := len(points) - 1
	sohAt := func(k int) float64 {
		return mixed(all, func(f fade) float64 { return f.at(expected[k] / expected[last]) })
	}
	first, now, from := sohAt(0), sohAt(last), last
	for from > 0 && sohAt(from)-now < (first-now)/3 {
		from--
	}
	// The residuals against the loss: a slope of nothing is as foretold.
	e, n := normal{n: 2}, 0.0
	for k := from; k <= last; k++ {
		soh := sohAt(k)
		e.add([4]float64{1, now - soh}, points[k].SoH-soh, 1)
		n++
	}
	beta, cov, ok := e.solveCov()
	_, rss, _ := e.solve()
	if !ok || n < 5 {
		return false
	}
	return math.Abs(beta[1]) > max(1./5, 3*math.Sqrt(cov[1][1]*rss/(n-2)))
}
