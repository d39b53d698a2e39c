package demand

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// A peak is the mean of the peakRows highest rows, since the single highest one
// is as often the meter as the building; in a short period it is one row for
// each peakShare of them.
const (
	peakRows  = 10
	peakShare = 24
)

func rowsOfPeak(n int) int { return max(1, min(peakRows, n/peakShare)) }

// load is one row that has both use and prediction, in kW.
type load struct {
	at            time.Time
	kw, predicted float64
}

// loadsOf are the rows that count, and the power of the others is not known.
func loadsOf(model energy.Model, rows []energy.Row) (known []load, missing int) {
	known = make([]load, 0, len(rows))
	for i, p := range model.Predict(rows) {
		r := rows[i]
		if math.IsNaN(p) || math.IsNaN(r.Use) {
			missing++
			continue
		}
		h := r.End.Sub(r.Start).Hours()
		known = append(known, load{r.Start, r.Use / h, p / h})
	}
	return known, missing
}

// An outlier stands above all predictions and above its own by outlying times
// what ninety-nine of a hundred rows are off, and by nearAll of the highest
// prediction at least. It stands alone, or with one neighbour where what was
// caught up crosses the hour: a building's own peak lasts.
const (
	usualShare = 0.99
	outlying   = 3
	nearAll    = 0.1
	outlierRun = 2
)

// withoutOutliers leaves out single rows that no load of the building explains:
// a counter that catches up, a glitch of the meter. The limit comes from the
// baseline, and is the same before and after.
func withoutOutliers(loads []load, limit float64) (kept []load, left int) {
	top := math.Inf(-1)
	for _, l := range loads {
		top = max(top, l.predicted)
	}
	out := func(l load) bool { return l.kw > top && l.kw-l.predicted > limit }
	if !slices.ContainsFunc(loads, out) {
		return loads, 0
	}
	kept = make([]load, 0, len(loads))
	for i := 0; i < len(loads); {
		j := i
		for j < len(loads) && out(loads[j]) {
			j++
		}
		switch {
		case j == i:
			kept = append(kept, loads[i])
			i++
		case j-i <= outlierRun:
			left += j - i
			i = j
		default:
			kept = append(kept, loads[i:j]...)
			i = j
		}
	}
	return kept, left
}

// outlierLimit is how far above its prediction a row is usual, in kW.
func outlierLimit(loads []load) float64 {
	off := make([]float64, len(loads))
	top := 0.0
	for i, l := range loads {
		off[i], top = math.Abs(l.kw-l.predicted), max(top, l.predicted)
	}
	return max(outlying*energy.QuantileOf(off, usualShare), nearAll*top)
}

// measured and expected are the power of loads, and that of their predictions.
func measured(loads []load) []float64 {
	out := make([]float64, len(loads))
	for i, l := range loads {
		out[i] = l.kw
	}
	return out
}

func expected(loads []load) []float64 {
	out := make([]float64, len(loads))
	for i, l := range loads {
		out[i] = l.predicted
	}
	return out
}

// fewHighest is how many values are kept in order one by one; where more are
// wanted, sorting all takes less.
const fewHighest = 64

// highest is the mean of the n highest values.
func highest(n int, parts ...[]float64) float64 {
	var sum float64
	for _, v := range top(n, parts...) {
		sum += v / float64(n)
	}
	return sum
}

// top are the n highest values, ascending. There are n of them at least.
func top(n int, parts ...[]float64) []float64 {
	if n > fewHighest {
		all := slices.Concat(parts...)
		slices.Sort(all)
		return all[len(all)-n:]
	}
	out := make([]float64, 0, n)
	for _, values := range parts {
		for _, v := range values {
			if len(out) < n {
				out = append(out, v)
				slices.Sort(out)
				continue
			}
			if v <= out[0] {
				continue
			}
			k := 1
			for ; k < n && out[k] < v; k++ {
				out[k-1] = out[k]
			}
			out[k-1] = v
		}
	}
	return out
}

// spread is how much an excess varies from one period to another of the same
// length, as a variance, and its degrees of freedom.
type spread struct{ variance, degrees float64 }

// blocks are what a period is cut to: each is left out in turn.
const blocks = 26

// meanExcess is the excess of periods of length rows of the baseline, so that it
// is of as many rows as the reporting period has: more rows reach higher. The
// variance of one comes from leaving out parts of it (the delete-a-group
// jackknife), from its tail, or from how the periods differ, whichever is most.
func meanExcess(loads []load, length int) (mean float64, periods int, s spread) {
	n := rowsOfPeak(length)
	periods = len(loads) / length
	kw, predicted := measured(loads), expected(loads)
	var each []float64
	for i := range periods {
		from, to := i*length, (i+1)*length
		// An excess is by how much the peak of loads is above that of their
		// predictions.
		e := highest(n, kw[from:to]) - highest(n, predicted[from:to])
		each = append(each, e)
		mean += e / float64(periods)
		s.variance += max(jackknife(kw[from:to], predicted[from:to], n), tail(loads[from:to], kw[from:to], n)) / float64(periods)
	}
	s.degrees = float64(n - 1) // it rests on no more rows than these
	var between float64
	for _, e := range each {
		between += (e - mean) * (e - mean)
	}
	if periods > 1 && between/float64(periods-1) > s.variance {
		s = spread{between / float64(periods-1), min(s.degrees, float64(periods-1))}
	}
	return mean, periods, s
}

// jackknife is the variance of an excess. What is highest without a part is among
// what is highest in each of the others.
func jackknife(kw, predicted []float64, n int) float64 {
	groups := min(blocks, len(kw)/max(n, 2))
	if groups < 2 {
		return math.NaN()
	}
	kws, predictions := make([][]float64, groups), make([][]float64, groups)
	for g := range groups {
		from, to := g*len(kw)/groups, (g+1)*len(kw)/groups
		kws[g], predictions[g] = top(n, kw[from:to]), top(n, predicted[from:to])
	}
	var each []float64
	var mean float64
	for g := range groups {
		e := highest(n, without(kws, g)...) - highest(n, without(predictions, g)...)
		each = append(each, e)
		mean += e / float64(groups)
	}
	var sum float64
	for _, e := range each {
		sum += (e - mean) * (e - mean)
	}
	return sum * float64(groups-1) / float64(groups)
}

func without(parts [][]float64, g int) [][]float64 {
	return slices.Concat(parts[:g], parts[g+1:])
}

// tail is the variance of the mean of the n highest rows where they fall off as
// an exponential tail does, twice its square scale over n (Weissman 1978,
// Estimation of parameters and large quantiles, JASA 73). Rows of one day are one
// event.
func tail(loads []load, kw []float64, n int) float64 {
	least := top(n, kw)[0]
	var sorted []load
	for _, l := range loads {
		if l.kw >= least {
			sorted = append(sorted, l)
		}
	}
	slices.SortStableFunc(sorted, func(a, b load) int { return cmp.Compare(b.kw, a.kw) })
	sorted = sorted[:n]
	days := map[string]bool{}
	for _, l := range sorted {
		days[l.at.Format(time.DateOnly)] = true
	}
	scale := highest(n, measured(sorted)) - sorted[n-1].kw
	return 2 * scale * scale / float64(len(days))
}
