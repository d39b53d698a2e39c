package station

import "time"

// ServiceVersion names the rules of Serve.
const ServiceVersion = "service/1"

// Outcome is how a rider's visit ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Failed  Outcome = "failed"  // refused, or broken off by the station
	Reneged Outcome = "reneged" // the rider gave up: a timeout
)

// Visit is a rider who wanted a swap.
type Visit struct {
	At       int64 // Unix milliseconds, of its end
	Came     int64 // Unix milliseconds, when the rider came; 0: not known
	Outcome  Outcome
	Reason   string   // why it failed
	SwapS    *float64 // time of the swap in seconds; nil: not reported
	WaitS    *float64 // time waited before it in seconds; nil: not reported
	EnergyWh *float64 // handed out less handed in; nil: not known
	Charged  *int     // packs ready when the rider came; nil: not known
}

// Arrival is when the rider came, or where that is not known the end of the visit.
func (v *Visit) Arrival() int64 {
	if v.Came != 0 {
		return v.Came
	}
	return v.At
}

// Service is how well a station served.
type Service struct {
	Basis
	Swaps       int            `json:"swaps"`
	Failures    int            `json:"failures"`
	Reneged     int            `json:"reneged"`
	Reasons     map[string]int `json:"failure_reasons"`
	SwapsPerDay *float64       `json:"swaps_per_day"`
	EnergyWh    *float64       `json:"energy_wh"` // handed out, over the swaps that told it
	PerSwapWh   *float64       `json:"energy_per_swap_wh"`
	Completion  *float64       `json:"completion"` // done over done, failed and reneged
	// PackAvailability is the share of visits, of those that told, at which a
	// charged pack was there.
	PackAvailability *float64 `json:"charged_pack_availability"`
	SwapP50S         *float64 `json:"swap_p50_s"` // null: swap times are not reported
	SwapP95S         *float64 `json:"swap_p95_s"`
	VisitP50S        *float64 `json:"visit_p50_s"` // of swaps, from coming to leaving
	VisitP95S        *float64 `json:"visit_p95_s"`
}

// Serve sums up the visits in the window. No visit at all is an answer, of no
// swaps; what would divide by them is null.
func Serve(visits []Visit, w Window) Service {
	s := Service{Basis: basis("events", ServiceVersion, w), Reasons: map[string]int{}}
	var swapS, visitS []float64
	energy, told, ready, asked := 0.0, 0, 0, 0
	for _, v := range visits {
		if !w.contains(v.At) {
			continue
		}
		s.Count++
		switch v.Outcome {
		case Done:
			s.Swaps++
			if v.SwapS != nil {
				swapS = append(swapS, *v.SwapS)
			}
			if v.Came != 0 {
				visitS = append(visitS, float64(v.At-v.Came)/1000)
			}
			if v.EnergyWh != nil {
				energy += *v.EnergyWh
				told++
			}
		case Reneged:
			s.Reneged++
		default:
			s.Failures++
			s.Reasons[v.Reason]++
		}
		if v.Charged != nil {
			asked++
			if *v.Charged > 0 {
				ready++
			}
		}
	}
	if w.Seconds() <= 0 {
		s.lacking("the window is empty")
		return s
	}
	s.ok(s.Count)
	s.SwapsPerDay = per(float64(s.Swaps), w.Days())
	s.Completion = per(float64(s.Swaps), float64(s.Swaps+s.Failures+s.Reneged))
	s.PackAvailability = per(float64(ready), float64(asked))
	if told > 0 {
		s.EnergyWh = &energy
		s.PerSwapWh = per(energy, float64(told))
	}
	s.SwapP50S, s.SwapP95S = middleAndTail(swapS)
	s.VisitP50S, s.VisitP95S = middleAndTail(visitS)
	return s
}

// middleAndTail are the median and the 95th percentile; nil of nothing.
func middleAndTail(values []float64) (p50, p95 *float64) {
	if len(values) == 0 {
		return nil, nil
	}
	v := ascending(values)
	a, b := quantile(v, 0.5), quantile(v, 0.95)
	return &a, &b
}

// Demand is when riders come, by the hour of the local day.
type Demand struct {
	Basis
	PerHour   [24]float64 `json:"per_hour"`  // mean arrivals in each hour of the day
	PeakHour  *int        `json:"peak_hour"` // 0…23, the busiest; null without arrivals
	PeakRate  float64     `json:"peak_per_hour"`
	PeakShare *float64    `json:"peak_share"` // of the day's arrivals
	// PeakLoad is the busiest hour's arrivals over what the servers can do.
	PeakLoad *float64 `json:"peak_utilization"`
}

// HourOfDay averages arrivals, Unix milliseconds, over the local days that the
// window touches, each hour by the time of the window that fell into it, so that
// part days and changes of the clock do no harm. servedPerHour is what the
// station can serve, 0 where that is not known.
func HourOfDay(arrivals []int64, w Window, zone *time.Location, servedPerHour float64) Demand {
	var counts [24]int
	for _, ts := range arrivals {
		if w.contains(ts) {
			counts[time.UnixMilli(ts).In(zone).Hour()]++
		}
	}
	return demand(counts, hoursOf(w, zone), w, servedPerHour)
}

// hoursOf is how many hours of the window fall into each hour of the local day.
func hoursOf(w Window, zone *time.Location) (hours [24]float64) {
	for from := w.From; from < w.To; {
		t := time.UnixMilli(from).In(zone)
		_, offset := t.Zone()
		to := w.To
		if _, change := t.ZoneBounds(); !change.IsZero() {
			to = min(to, change.UnixMilli())
		}
		addHours(&hours, from+1000*int64(offset), to+1000*int64(offset))
		from = to
	}
	return hours
}

// addHours adds a stretch of time of a clock that does not change, Unix
// milliseconds as that clock shows them.
func addHours(hours *[24]float64, from, to int64) {
	const hourMS = dateMS / 24
	days := (to - from) / dateMS
	for h := range hours {
		hours[h] += float64(days)
	}
	for from += days * dateMS; from < to; {
		ofDay := (from%dateMS + dateMS) % dateMS // also before 1970
		next := min(to, from+hourMS-ofDay%hourMS)
		hours[ofDay/hourMS] += float64(next-from) / float64(hourMS)
		from = next
	}
}

// demand divides the arrivals in each hour of the day by the hours of data there
// are of it.
func demand(counts [24]int, hours [24]float64, w Window, servedPerHour float64) Demand {
	d := Demand{Basis: basis("hour_of_day", ServiceVersion, w)}
	n := 0
	for _, c := range counts {
		n += c
	}
	if total(hours[:]) < 23 { // the shortest day
		d.Count = n
		d.lacking("the data covers less than a day")
		return d
	}
	d.ok(n)
	sum, peak := 0.0, 0
	for h, c := range counts {
		d.PerHour[h] = float64(c) / max(hours[h], 1e-9)
		sum += d.PerHour[h]
		if d.PerHour[h] > d.PerHour[peak] {
			peak = h
		}
	}
	if n > 0 {
		d.PeakHour, d.PeakRate = &peak, d.PerHour[peak]
		d.PeakShare, d.PeakLoad = per(d.PeakRate, sum), per(d.PeakRate, servedPerHour)
	}
	return d
}
