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
	Charging   *float64 `json:"charging_share"` // null: not always reported
	Ready      *float64 `json:"ready_share"`
	Faulty     *float64 `json:"fault_share"`
	ReadyMean  *float64 `json:"ready_mean"`
	ReadyP05   *float64 `json:"ready_p05"`       // packs that were ready or more for 95 % of the time
	NoneReadyS float64  `json:"none_ready_s"`    // time without a charged pack
	Service    *float64 `json:"pack_in_service"` // share of time with one
}

// SlotTime is what the reports of slots add up to over a window. Those of windows
// that do not overlap add up to that of all of them, exactly. Sums are in slots
// times milliseconds.
type SlotTime struct {
	CoveredMS int64 `json:"covered_ms,omitempty"`
	Total     int64 `json:"total,omitempty"`
	Ready     int64 `json:"ready,omitempty"`
	Charging  int64 `json:"charging,omitempty"` // over ChargingMS
	Faulty    int64 `json:"faulty,omitempty"`
	// ChargingMS is the part of CoveredMS in which it is known how many charge.
	ChargingMS int64         `json:"charging_ms,omitempty"`
	ByReady    map[int]int64 `json:"by_ready,omitempty"` // milliseconds with so many packs ready
	Reports    int           `json:"reports,omitempty"`
}

// TimeOfSlots weighs the reports by the time each stands for, at most maxHoldS.
// Samples ascend by time; those without a total or ready slots, or with more of a
// kind than there are, count for nothing.
func TimeOfSlots(samples []SlotSample, w Window, maxHoldS float64) SlotTime {
	t := SlotTime{ByReady: map[int]int64{}}
	for k, x := range samples {
		end := x.TS + int64(maxHoldS*1000)
		if k+1 < len(samples) {
			end = min(end, samples[k+1].TS)
		}
		ms := min(end, w.To) - max(x.TS, w.From)
		if ms <= 0 || x.Total <= 0 || x.Ready < 0 || x.Ready > x.Total || x.Charging > x.Total {
			continue
		}
		t.Reports++
		t.CoveredMS += ms
		t.Total += ms * int64(x.Total)
		t.Ready += ms * int64(x.Ready)
		if x.Charging >= 0 {
			t.ChargingMS += ms
			t.Charging += ms * int64(x.Charging)
		}
		t.Faulty += ms * int64(max(0, x.Faulty))
		t.ByReady[x.Ready] += ms
	}
	return t
}

// Add adds the time of another window.
func (t *SlotTime) Add(o SlotTime) {
	t.CoveredMS += o.CoveredMS
	t.Total += o.Total
	t.Ready += o.Ready
	t.Charging += o.Charging
	t.ChargingMS += o.ChargingMS
	t.Faulty += o.Faulty
	t.Reports += o.Reports
	if t.ByReady == nil {
		t.ByReady = make(map[int]int64, len(o.ByReady))
	}
	for ready, ms := range o.ByReady {
		t.ByReady[ready] += ms
	}
}

// UseSlots weighs the reports by the time each stands for, at most maxHoldS.
// Samples ascend by time.
func UseSlots(samples []SlotSample, w Window, maxHoldS float64) Slots {
	return TimeOfSlots(samples, w, maxHoldS).Use(w)
}

// chargingKnown is whether the number of packs that charge was told all the time:
// what is missing would count as none.
func chargingKnown(chargingMS, coveredMS int64) bool { return coveredMS > 0 && chargingMS == coveredMS }

// Use tells how the slots were used over the window that the time was counted
// over.
func (t SlotTime) Use(w Window) Slots {
	s := Slots{Basis: basis("time_weighted", SlotVersion, w)}
	if t.CoveredMS <= 0 {
		s.lacking("slots_total and slots_ready were not reported in the window")
		return s
	}
	covered, total := float64(t.CoveredMS), float64(t.Total)
	s.ok(t.Reports)
	s.Coverage = per(covered/1000, w.Seconds())
	s.Total = total / covered
	s.Ready, s.Faulty = per(float64(t.Ready), total), per(float64(t.Faulty), total)
	if chargingKnown(t.ChargingMS, t.CoveredMS) {
		s.Charging = per(float64(t.Charging), total)
		s.Occupied = per(float64(t.Ready+t.Charging), total)
	}
	s.ReadyMean = per(float64(t.Ready), covered)
	s.NoneReadyS = float64(t.ByReady[0]) / 1000
	s.Service = per(covered-float64(t.ByReady[0]), covered)
	level, below := 0, 0.0
	for below+float64(t.ByReady[level]) < 0.05*covered {
		below += float64(t.ByReady[level])
		level++
	}
	p05 := float64(level)
	s.ReadyP05 = &p05
	return s
}
