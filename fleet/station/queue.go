package station

import "math"

// QueueVersion names the rules of the queueing formulas.
const QueueVersion = "queue/1"

// Queue is an M/M/c queue: arrivals and services at random, c servers, first come
// first served, nobody leaves.
type Queue struct {
	ArrivalsPerHour float64 // λ
	ServedPerHour   float64 // μ, of one server
	Servers         int     // c
}

// Load is λ/(cμ), the share of time that a server is busy.
func (q Queue) Load() float64 {
	return q.ArrivalsPerHour / (float64(q.Servers) * q.ServedPerHour)
}

// valid is false where the formulas say nothing.
func (q Queue) valid() bool {
	return q.ArrivalsPerHour >= 0 && q.ServedPerHour > 0 && q.Servers > 0 && !math.IsInf(q.ArrivalsPerHour, 1)
}

// Blocking is Erlang's loss formula B(c, λ/μ), the share of arrivals that find
// every server busy where nobody waits, by its recursion
//
//	B(0) = 1,  B(k) = a·B(k−1)/(k + a·B(k−1)),
//
// (Erlang 1917; Kleinrock 1975, Queueing Systems I, §3.6). Example: c = 4,
// a = 20/6: 0.2427. NaN where the queue makes no sense.
func (q Queue) Blocking() float64 {
	if !q.valid() {
		return math.NaN()
	}
	a, b := q.ArrivalsPerHour/q.ServedPerHour, 1.0
	for k := 1; k <= q.Servers; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b
}

// Waiting is Erlang's delay formula, the share of arrivals that have to wait,
//
//	C = B/(1 − ρ(1 − B)),
//
// (Kleinrock 1975, §3.5). Example: 4 servers, 20 arrivals and 6 services an hour:
// 0.657722. 1 where arrivals are more than can be served.
func (q Queue) Waiting() float64 {
	rho, b := q.Load(), q.Blocking()
	if rho >= 1 {
		return 1
	}
	return b / (1 - rho*(1-b))
}

// MeanWaitS is the mean wait of all arrivals in seconds, C/(cμ − λ). Example as
// above: 9.866 min. +Inf where arrivals are more than can be served.
func (q Queue) MeanWaitS() float64 {
	if q.Load() >= 1 {
		return math.Inf(1)
	}
	return 3600 * q.Waiting() / (float64(q.Servers)*q.ServedPerHour - q.ArrivalsPerHour)
}

// WaitQuantileS is the wait in seconds that a share p of arrivals stays within:
// P(W > t) = C·exp(−(cμ − λ)·t).
func (q Queue) WaitQuantileS(p float64) float64 {
	if q.Load() >= 1 {
		return math.Inf(1)
	}
	c := q.Waiting()
	if 1-p >= c {
		return 0
	}
	return 3600 * math.Log(c/(1-p)) / (float64(q.Servers)*q.ServedPerHour - q.ArrivalsPerHour)
}

// Wait is how long riders wait for a swap.
type Wait struct {
	Basis          // Method: "measured" or "erlang_c"
	MeanS *float64 `json:"mean_s"`
	P50S  *float64 `json:"p50_s"`
	P95S  *float64 `json:"p95_s"`
	// Waiting is the share of riders that wait at all.
	Waiting *float64 `json:"waiting_share"`
}

// minWaits is how many measured waits are preferred to a formula.
const minWaits = 20

// Waits gives the waits as measured, in seconds, or where fewer than twenty were
// reported as Erlang's formula has them; the method says which.
func Waits(measured []float64, q Queue, w Window) Wait {
	if len(measured) >= minWaits {
		r := Wait{Basis: basis("measured", QueueVersion, w)}
		v := ascending(measured)
		waited := 0
		for _, s := range v {
			if s > 0 {
				waited++
			}
		}
		mean, p50, p95, share := total(v)/float64(len(v)), quantile(v, 0.5), quantile(v, 0.95), float64(waited)/float64(len(v))
		r.MeanS, r.P50S, r.P95S, r.Waiting = &mean, &p50, &p95, &share
		r.ok(len(v))
		return r
	}
	r := Wait{Basis: basis("erlang_c", QueueVersion, w)}
	r.Count = len(measured)
	switch {
	case !q.valid():
		r.lacking("waits are not reported, and the time of a swap or the number of bays is not known")
		return r
	case q.Load() >= 1:
		r.lacking("more riders arrive than can be served, so the wait has no mean")
		return r
	}
	mean, p50, p95, share := q.MeanWaitS(), q.WaitQuantileS(0.5), q.WaitQuantileS(0.95), q.Waiting()
	r.MeanS, r.P50S, r.P95S, r.Waiting = &mean, &p50, &p95, &share
	r.ok(len(measured))
	return r
}
