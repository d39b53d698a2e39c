package station

import (
	"fmt"
	"math"
)

// WaitsOfDay gives the waits as measured, in seconds, or where fewer than twenty
// were reported as Erlang's formula has them over a day whose hours differ: each
// hour is a queue of its own, in its steady state, and counts as much as riders
// come in it (the pointwise stationary approximation; Green & Kolesar 1991,
// Management Science 37:84, equation 2). It is good where a swap is short against
// an hour. perHour are the arrivals in each hour of the day; servedPerHour is what
// one of the servers does, 0 where that is not known.
//
// Example: with the same 20 arrivals in every hour, 4 servers of 6 an hour: a mean
// of 9.866 min, as Queue has it.
func WaitsOfDay(measured []float64, perHour [24]float64, servedPerHour float64, servers int, w Window) Wait {
	if len(measured) >= minWaits {
		return Waits(measured, Queue{}, w)
	}
	r := Wait{Basis: basis("erlang_c", QueueVersion, w)}
	r.Count = len(measured)
	riders := total(perHour[:])
	if !(servedPerHour > 0) || servers < 1 || !(riders > 0) {
		r.lacking("waits are not reported, and the arrivals, the time of a swap or the number of servers is not known")
		return r
	}
	var mean, waiting float64
	queues := make([]Queue, 24)
	for h, arrivals := range perHour {
		q := Queue{ArrivalsPerHour: arrivals, ServedPerHour: servedPerHour, Servers: servers}
		if q.Load() >= 1 {
			r.lacking(fmt.Sprintf("waits are not reported, and at %d h more riders come than can be served, so the wait has no mean", h))
			return r
		}
		queues[h] = q
		mean += arrivals / riders * q.MeanWaitS()
		waiting += arrivals / riders * q.Waiting()
	}
	p50, p95 := quantileOfDay(queues, riders, 0.5), quantileOfDay(queues, riders, 0.95)
	r.MeanS, r.P50S, r.P95S, r.Waiting = &mean, &p50, &p95, &waiting
	r.ok(len(measured))
	return r
}

// quantileOfDay is the wait in seconds that a share p of the riders of all hours
// stays within, by halving: P(W > t) falls with t.
func quantileOfDay(queues []Queue, riders, p float64) float64 {
	longer := func(t float64) float64 {
		share := 0.0
		for _, q := range queues {
			rate := (float64(q.Servers)*q.ServedPerHour - q.ArrivalsPerHour) / 3600
			share += q.ArrivalsPerHour / riders * q.Waiting() * math.Exp(-rate*t)
		}
		return share
	}
	if longer(0) <= 1-p {
		return 0
	}
	low, high := 0.0, 1.0
	for longer(high) > 1-p {
		low, high = high, 2*high
	}
	for range 60 {
		if middle := (low + high) / 2; longer(middle) > 1-p {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
