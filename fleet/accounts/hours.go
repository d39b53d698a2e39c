package accounts

import (
	"math"
	"time"
)

// DrawnHour is what a register rose by in an hour of UTC, as roll-ups tell it: a spike
// of the register is in it.
type DrawnHour struct {
	Start   int64 // Unix milliseconds
	MilliWh int64
}

// ByHour divides what a station drew from one instant to another, a local day, among
// its local hours, as what the register rose by in each stands to the others. They add
// up to the whole exactly. An hour that rose by more than the whole had a spike: such
// hours share what the others leave. All are 0 where no hour tells anything. Where the
// local clock is off by half an hour, an hour counts as the local one that it begins in.
func ByHour(milliWh, from, to int64, zone *time.Location, hours []DrawnHour) (out [24]int64) {
	var rose [24]float64
	var plain float64
	spikes := map[int]bool{}
	for _, h := range hours {
		if h.Start < from || h.Start >= to || h.MilliWh <= 0 {
			continue
		}
		at := time.UnixMilli(h.Start).In(zone).Hour()
		if h.MilliWh > milliWh {
			spikes[at] = true
			continue
		}
		rose[at] += float64(h.MilliWh)
		plain += float64(h.MilliWh)
	}
	for at := range spikes {
		rose[at] += max(0, float64(milliWh)-plain) / float64(len(spikes))
	}
	all := 0.0
	for _, r := range rose {
		all += r
	}
	if all == 0 {
		return out
	}
	sum, given := 0.0, int64(0)
	for at, r := range rose {
		sum += r
		out[at] = int64(math.Round(float64(milliWh)*(sum/all))) - given
		given += out[at]
	}
	return out
}
