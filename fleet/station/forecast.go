package station

import (
	"math"
	"slices"
)

// ForecastVersion names the rules of Forecast.
const ForecastVersion = "forecast/2"

// ForecastDay is the demand of one day to come.
type ForecastDay struct {
	Day  int64   `json:"day"` // local days, counted like those given
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`  // 5 %
	High float64 `json:"high"` // 95 %
}

// Outlook is the demand of the days to come and how far such forecasts have been
// off on the days gone by.
type Outlook struct {
	Basis
	Days []ForecastDay `json:"days"`
	// MAE is the mean error per day of this method over every past origin, known
	// then being only the days before it, and
	// NaiveMAE that of taking the same weekday of the week before, over the same
	// days. Skill is 1 − their ratio: above 0 is better than naive.
	MAE      *float64 `json:"mae"`
	NaiveMAE *float64 `json:"naive_mae"`
	Skill    *float64 `json:"skill"`
	Covered  *float64 `json:"covered"` // share of past days within their interval
}

// A forecast needs two weeks, and looks back over half a year.
const minHistory, maxHistory = 14, 182

// method foretells the day h days (1 is the next) after the end of the history.
// A day that is not known is NaN.
type method struct {
	name string
	of   func(history []float64, h int) float64
}

// methods are what a forecast is combined of: with a short memory and a long
// one, with a trend and without. All stand up to short histories. The naive one
// is first.
func methods() []method {
	return []method{
		{"seasonal_naive", naive},
		{"level_by_weekday", func(v []float64, h int) float64 { return level(v, 0.95) * rhythm(v, h) }},
		{"recent_level_by_weekday", func(v []float64, h int) float64 { return level(v, 0.8) * rhythm(v, h) }},
		{"damped_trend_by_weekday", func(v []float64, h int) float64 { return damped(v, h) * rhythm(v, h) }},
	}
}

// sameWeekday is how many days before the last the newest one lies that is of
// the weekday of the day h days after it.
func sameWeekday(h int) int { return (7 - h%7) % 7 }

// naive is the same weekday of the last week that had it.
func naive(v []float64, h int) float64 {
	for k := len(v) - 1 - sameWeekday(h); k >= 0; k -= 7 {
		if !math.IsNaN(v[k]) {
			return v[k]
		}
	}
	return level(v, 1)
}

// level is the mean of all days, each day before counting keep as much.
func level(v []float64, keep float64) float64 {
	sum, weight, w := 0.0, 0.0, 1.0
	for k := len(v) - 1; k >= 0; k-- {
		if !math.IsNaN(v[k]) {
			sum += w * v[k]
			weight += w
		}
		w *= keep
	}
	if weight == 0 {
		return math.NaN()
	}
	return sum / weight
}

// rhythm is the weekday's share of the mean, each day against the week around
// it, drawn towards 1 as much as two weeks would.
func rhythm(v []float64, h int) float64 {
	sum, n := 0.0, 0.0
	for k := len(v) - 1 - sameWeekday(h); k >= 0; k -= 7 {
		from := max(0, min(k-3, len(v)-7))
		if around := level(v[from:min(len(v), from+7)], 1); around > 0 && !math.IsNaN(v[k]) {
			sum += v[k] / around
			n++
		}
	}
	return (sum + 2) / (n + 2)
}

// damped is Holt's level and trend, the trend fading by a tenth each day ahead
// (Gardner & McKenzie 1985, Management Science 31:1237).
func damped(v []float64, h int) float64 {
	const alpha, beta, phi = 0.2, 0.05, 0.9
	l, trend, started := math.NaN(), 0.0, false
	for _, x := range v {
		switch {
		case !started && math.IsNaN(x):
		case !started:
			l, started = x, true
		case math.IsNaN(x):
			l += phi * trend
			trend *= phi
		default:
			was := l
			l = alpha*x + (1-alpha)*(l+phi*trend)
			trend = beta*(l-was) + (1-beta)*phi*trend
		}
	}
	ahead := phi * (1 - math.Pow(phi, float64(h))) / (1 - phi)
	return max(0, l+trend*ahead)
}

// Forecast foretells the demand of so many days after the last. counts are the
// arrivals of consecutive local days, the first of which is firstDay; NaN is a
// day that is not known, and more than half a year back is left out. It is the
// mean of a few simple methods, weighted by the inverse square of their errors
// over every past origin, the newer the more (Bates & Granger 1969, Operational
// Research Quarterly 20:451). The interval is that of its own past errors over
// √mean, so that it grows with the demand as chance arrivals do, and never
// narrower than chance alone makes it. It needs two weeks.
func Forecast(counts []float64, firstDay int64, days int, w Window) Outlook {
	o := Outlook{Basis: basis("combined_by_past_error", ForecastVersion, w), Days: []ForecastDay{}}
	if cut := len(counts) - maxHistory; cut > 0 {
		counts, firstDay = counts[cut:], firstDay+int64(cut)
	}
	known := 0
	for _, c := range counts {
		if !math.IsNaN(c) {
			known++
		}
	}
	o.Count = known
	if known < minHistory {
		o.lacking("fewer than two weeks of arrivals are known")
		return o
	}
	o.ok(known)
	o.Coverage = per(float64(known), float64(len(counts)))
	past := backtest(counts, days)
	weights := past.weights()
	low, high := o.score(past)
	for h := 1; h <= days; h++ {
		mean := 0.0
		for k, m := range methods() {
			mean += weights[k] * m.of(counts, h)
		}
		mean = max(0, mean)
		root := math.Sqrt(max(1, mean))
		o.Days = append(o.Days, ForecastDay{firstDay + int64(len(counts)+h-1), mean, max(0, mean+low*root), mean + high*root})
	}
	return o
}

// trial is what each method foretold of a day that is known now.
type trial struct {
	origin int // days known when it was foretold
	day    int // that was foretold
	truth  float64
	told   [candidates]float64 // by method
	weight float64             // by how long ago it was
}

// candidates is how many methods are combined.
const candidates = 4

type trials []trial

// backtest foretells from every origin that leaves two weeks behind it, or one
// where the history is short.
func backtest(counts []float64, days int) trials {
	first := minHistory
	if len(counts) < 2*minHistory {
		first = minHistory / 2
	}
	var out trials
	for origin := first; origin < len(counts); origin++ {
		for h := 1; h <= days && origin+h <= len(counts); h++ {
			t := trial{origin: origin, day: origin + h - 1, truth: counts[origin+h-1], weight: math.Pow(0.9, float64(len(counts)-origin-h))}
			for k, m := range methods() {
				t.told[k] = m.of(counts[:origin], h)
			}
			if !math.IsNaN(t.truth + total(t.told[:])) {
				out = append(out, t)
			}
		}
	}
	return out
}

// weights are those that the errors of all trials give.
func (p trials) weights() [candidates]float64 {
	var off errorSums
	for _, t := range p {
		off.add(t)
	}
	return off.weights()
}

// errorSums are the errors of each method, added up.
type errorSums [candidates]float64

func (off *errorSums) add(t trial) {
	for k, f := range t.told {
		off[k] += t.weight * math.Abs(t.truth-f)
	}
}

// weights add up to 1; all are the same where nothing was foretold, or all
// exactly.
func (off errorSums) weights() [candidates]float64 {
	var w [candidates]float64
	least := slices.Min(off[:])
	for k := range w {
		w[k] = 1
		if least > 0 {
			w[k] = least * least / (off[k] * off[k])
		}
	}
	sum := total(w[:])
	for k := range w {
		w[k] /= sum
	}
	return w
}

// heldOut are the forecasts of the combination, one for each trial, which come by
// origin: each by the weights that the days known at its origin give, so that no
// error is judged by what came after.
func (p trials) heldOut() []float64 {
	byDay := map[int][]trial{}
	for _, t := range p {
		byDay[t.day] = append(byDay[t.day], t)
	}
	var off errorSums
	var w [candidates]float64
	known := -1 // the days before are in off
	out := make([]float64, len(p))
	for i, t := range p {
		if t.origin != known {
			for d := max(known, 0); d < t.origin; d++ {
				for _, seen := range byDay[d] {
					off.add(seen)
				}
			}
			known, w = t.origin, off.weights()
		}
		for k, f := range t.told {
			out[i] += w[k] * f
		}
	}
	return out
}

// score tells how far the combination was off on days that it had not seen, and
// returns the quantiles of its errors over the root of what it foretold.
func (o *Outlook) score(past trials) (low, high float64) {
	const chance = 1.645 // 5 and 95 % of a Poisson number, nearly normal
	if len(past) == 0 {
		return -chance, chance
	}
	var errors []float64
	mae, naiveMAE := 0.0, 0.0
	told := past.heldOut()
	for i, t := range past {
		f := told[i]
		mae += math.Abs(t.truth-f) / float64(len(past))
		naiveMAE += math.Abs(t.truth-t.told[0]) / float64(len(past))
		errors = append(errors, (t.truth-f)/math.Sqrt(max(1, f)))
	}
	errors = ascending(errors)
	low, high = min(-chance, quantile(errors, 0.05)), max(chance, quantile(errors, 0.95))
	inside := 0
	for _, e := range errors {
		if e >= low && e <= high {
			inside++
		}
	}
	o.MAE, o.NaiveMAE, o.Covered = &mae, &naiveMAE, per(float64(inside), float64(len(errors)))
	if naiveMAE > 0 {
		skill := 1 - mae/naiveMAE
		o.Skill = &skill
	}
	return low, high
}

// Daily counts arrivals, Unix milliseconds, by day; dayOf says which local day
// an instant belongs to, and unknown days are given as such.
func Daily(arrivals []int64, firstDay, lastDay int64, dayOf func(int64) int64, unknown func(int64) bool) []float64 {
	if lastDay < firstDay {
		return nil
	}
	out := make([]float64, lastDay-firstDay+1)
	for _, ts := range arrivals {
		if d := dayOf(ts); d >= firstDay && d <= lastDay {
			out[d-firstDay]++
		}
	}
	for k := range out {
		if unknown != nil && unknown(firstDay+int64(k)) {
			out[k] = math.NaN()
		}
	}
	return out
}
