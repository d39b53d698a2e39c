package station

// SlotVersion names the rules of UseSlots.
const SlotVersion = "slots/1"

// SlotSample is what a station says of its slots. Negative: not reported.
type SlotSample struct {
	TS                                    int64 // Unix milliseconds
	Total, Ready, Charging, Empty, Faulty int
}

// Slots is how a station's slots were used over the time covered.
type Slots struct {
	Basis
	Total      float64  `json:"slots_total"` // mean
	Occupied   *float64 `json:"occupied_share"`
	Charging   *float64 `json:"charging_share"`
	Ready      *float64 `json:"ready_share"`
	Faulty     *float64 `json:"fault_share"`
	ReadyMean  *float64 `json:"ready_mean"`
	ReadyP05   *float64 `json:"ready_p05"`       // packs that were ready or more for 95 % of the time
	NoneReadyS float64  `json:"none_ready_s"`    // time without a charged pack
	Service    *float64 `json:"pack_in_service"` // share of time with one
}

// UseSlots weighs the reports by the time each stands for, at most maxHoldS.
// Samples ascend by time.
func UseSlots(samples []SlotSample, w Window, maxHoldS float64) Slots {
	s := Slots{Basis: basis("time_weighted", SlotVersion, w)}
	var covered, total, ready, charging, empty, faulty float64
	byReady := map[int]float64{}
	used := 0
	for k, x := range samples {
		end := x.TS + int64(maxHoldS*1000)
		if k+1 < len(samples) {
			end = min(end, samples[k+1].TS)
		}
		dt := float64(min(end, w.To)-max(x.TS, w.From)) / 1000
		if dt <= 0 || x.Total <= 0 || x.Ready < 0 {
			continue
		}
		used++
		covered += dt
		total += dt * float64(x.Total)
		ready += dt * float64(x.Ready)
		charging += dt * float64(max(0, x.Charging))
		empty += dt * float64(max(0, x.Empty))
		faulty += dt * float64(max(0, x.Faulty))
		byReady[x.Ready] += dt
	}
	if covered <= 0 {
		s.lacking("slots_total and slots_ready were not reported in the window")
		return s
	}
	s.ok(used)
	s.Coverage = per(covered, w.Seconds())
	s.Total = total / covered
	s.Ready, s.Charging, s.Faulty = per(ready, total), per(charging, total), per(faulty, total)
	s.Occupied = per(ready+charging, total)
	s.ReadyMean = per(ready, covered)
	s.NoneReadyS = byReady[0]
	s.Service = per(covered-byReady[0], covered)
	level, below := 0, 0.0
	for below+byReady[level] < 0.05*covered {
		below += byReady[level]
		level++
	}
	p05 := float64(level)
	s.ReadyP05 = &p05
	return s
}
