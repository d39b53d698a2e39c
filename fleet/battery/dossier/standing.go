package dossier

import (
	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Standing is where a battery stands, in plain numbers that a fleet is sorted and
// filtered by. What is not known is null.
type Standing struct {
	Device  string `json:"id"`
	Day     int64  `json:"-"` // newest day with data, since 1970-01-01
	First   int64  `json:"-"` // first day with data
	Days    int    `json:"days_with_data"`
	ToldDay int64  `json:"-"` // day as of which health was told; 0: not yet

	Status                string   `json:"status"` // of the health score
	Reason                string   `json:"reason,omitempty"`
	HealthScore           *float64 `json:"health_score"`
	Confidence            *float64 `json:"confidence"`
	CapacityAh            *float64 `json:"capacity_ah"`
	SoHPct                *float64 `json:"soh_pct"`
	SoHErrPct             *float64 `json:"soh_standard_error_pct"`
	EnergySoHPct          *float64 `json:"energy_soh_pct"`
	ResistanceMOhm        *float64 `json:"resistance_mohm"`
	ResistanceIncreasePct *float64 `json:"resistance_increase_pct"`
	ImbalanceMV           *float64 `json:"imbalance_mv"`
	SelfDischargePct      *float64 `json:"self_discharge_pct_per_month"`
	RoundTripPct          *float64 `json:"round_trip_pct"`
	CalendarShare         *float64 `json:"calendar_share"`
	BehindKnee            bool     `json:"behind_knee"`

	OutlookStatus string `json:"outlook_status"`
	OutlookReason string `json:"outlook_reason,omitempty"`
	Ended         bool   `json:"ended"`
	// RULDays and RULCycles are as of the end of ToldDay; ReplaceAt is Unix
	// milliseconds.
	RULDays   battery.Interval `json:"remaining_days"`
	RULCycles battery.Interval `json:"remaining_cycles"`
	ReplaceAt battery.Interval `json:"replace_at"`

	EquivalentFullCycles *float64 `json:"equivalent_full_cycles"`
	EFCPerDay            *float64 `json:"equivalent_full_cycles_per_day"` // over 30 days
	ThroughputWh         float64  `json:"energy_throughput_wh"`           // in and out, since it was first seen
	Utilization          *float64 `json:"utilization"`                    // share of the stated time earning, over 30 days
	Idle                 *float64 `json:"idle"`
	Availability         *float64 `json:"availability"`
	UseCoverage          float64  `json:"use_coverage"` // share of the 30 days with a state
	Swaps                int      `json:"swaps"`        // handed out, over 30 days
	SwapsPerDay          *float64 `json:"swaps_per_day"`
	EnergyPerSwapWh      *float64 `json:"energy_per_swap_wh"` // delivered

	Events         int      `json:"negative_events"` // since it was first seen
	WarrantyState  string   `json:"warranty"`        // "", within, near or exceeded: the worst of its limits
	Covered        bool     `json:"warranty_covered"`
	Claim          bool     `json:"warranty_claim"`
	SoCPct         *float64 `json:"soc_pct"`
	SoCAt          int64    `json:"-"` // Unix milliseconds
	CommissionedAt int64    `json:"-"` // Unix milliseconds; 0: not known
}

// Recent is the use of the last 30 days up to the newest.
type Recent struct {
	Days                            int64 // from the first seen, at most 30
	StatedS, EarningS, UnavailableS float64
	InWh, OutWh, InAh, OutAh        float64
}

// Recent adds up the last 30 days.
func (x *Dossier) Recent() Recent {
	r := Recent{Days: min(useDays, x.Through-x.First+1)}
	for _, u := range x.Uses {
		if u.Day <= x.Through-useDays {
			continue
		}
		r.StatedS += u.StatedS
		r.EarningS += u.EarningS
		r.UnavailableS += u.UnavailableS
		r.InWh += u.InWh
		r.OutWh += u.OutWh
		r.InAh += u.InAh
		r.OutAh += u.OutAh
	}
	return r
}

// RecentFrom is the first of the days that recent use is told of.
func (x *Dossier) RecentFrom() int64 { return x.Through - useDays + 1 }

// Handed is how many times the battery was handed out in the days of recent use;
// negative where no swap up to its newest day is among those given, so that none
// may as well mean that its stations tell of none.
func (x *Dossier) Handed(swaps []Swaps) int {
	n := -1
	for _, s := range swaps {
		if s.Day > x.Through {
			continue
		}
		if n = max(n, 0); s.Day >= max(x.RecentFrom(), x.First) {
			n += s.Out
		}
	}
	return n
}

// Standing is the battery's at the end of its newest day. swaps is what Handed
// tells.
func (x *Dossier) Standing(id string, swaps int, s Sheet, r Rules) Standing {
	score, t := x.Score(r), x.Told
	out := Standing{
		Device: id, Day: x.Through, First: x.First, Days: x.Days, ToldDay: t.Day,
		Status: string(score.Status), Reason: score.Reason, HealthScore: score.Score,
		CapacityAh: t.CapacityAh.Value, SoHPct: t.SoHPct.Value, SoHErrPct: t.SoHPct.StdErr, EnergySoHPct: t.EnergyPct.Value,
		ResistanceMOhm: t.MOhm.Value, ResistanceIncreasePct: t.MorePct.Value, ImbalanceMV: t.ImbalanceMV.Value,
		SelfDischargePct: t.SelfDischarge.Value, RoundTripPct: t.RoundTripPct.Value, CalendarShare: t.CalendarShare.Value,
		BehindKnee: t.BehindKnee, OutlookStatus: string(battery.HealthInsufficient), OutlookReason: t.Why, Ended: t.Ended,
		RULDays: t.Days, RULCycles: t.Cycles, ReplaceAt: t.At,
		ThroughputWh: x.Total.InWh + x.Total.OutWh, SoCPct: number(x.SoCPct), SoCAt: x.SoCAt,
	}
	if score.OK() {
		out.Confidence = &score.Confidence
	}
	switch {
	case t.Foretold:
		out.OutlookStatus = string(battery.HealthOK)
	case t.Day == 0:
		out.OutlookReason = "no day has been assessed yet"
	}
	if !s.Commissioned.IsZero() {
		out.CommissionedAt = s.Commissioned.UnixMilli()
	}
	for _, e := range x.Total.Events {
		out.Events += e.Count
	}
	out.use(x, swaps, s)
	out.warranty(x.Warranty(s, r))
	return out
}

func (o *Standing) use(x *Dossier, swaps int, s Sheet) {
	u := x.Recent()
	if u.StatedS > 0 {
		earning, idle, available := u.EarningS/u.StatedS, (u.StatedS-u.EarningS-u.UnavailableS)/u.StatedS, 1-u.UnavailableS/u.StatedS
		o.Utilization, o.Idle, o.Availability = &earning, &idle, &available
	}
	o.UseCoverage = u.StatedS / (float64(u.Days) * dayMS / 1000)
	if rated := s.Ratings.CapacityAh; rated > 0 {
		cycles, perDay := (x.Total.InAh+x.Total.OutAh)/(2*rated), (u.InAh+u.OutAh)/(2*rated)/float64(u.Days)
		o.EquivalentFullCycles, o.EFCPerDay = &cycles, &perDay
	}
	if swaps < 0 {
		return
	}
	o.Swaps = swaps
	perDay := float64(swaps) / float64(u.Days)
	o.SwapsPerDay = &perDay
	if swaps > 0 {
		each := u.OutWh / float64(swaps)
		o.EnergyPerSwapWh = &each
	}
}

func (o *Standing) warranty(w battery.Warranty) {
	o.Covered, o.Claim = w.OK() && w.Covered, w.Claim
	rank := map[string]int{"": 0, "within": 1, "near": 2, "exceeded": 3}
	for _, item := range w.Items {
		if rank[item.State] > rank[o.WarrantyState] {
			o.WarrantyState = item.State
		}
	}
}

// Warranty is where the battery stands at the end of its newest day. Its age runs
// from its commissioning, or from when it was first seen; cycles are those it
// counts itself where these are more than were seen.
func (x *Dossier) Warranty(s Sheet, r Rules) battery.Warranty {
	began := startOf(x.First)
	if !s.Commissioned.IsZero() {
		began = min(began, s.Commissioned.UnixMilli())
	}
	use := battery.WarrantyUse{
		AgeDays: float64(startOf(x.Through+1)-began) / dayMS, ThroughputWh: x.Total.InWh + x.Total.OutWh,
		Events: x.Total.Events, SoHPct: x.Told.SoHPct.Value,
	}
	if s.Ratings.CapacityAh > 0 {
		use.Cycles = (x.Total.InAh + x.Total.OutAh) / (2 * s.Ratings.CapacityAh)
	}
	if x.Cycles > use.Cycles {
		use.Cycles = x.Cycles
	}
	return battery.WatchWarranty(r.Warranty, use)
}

// Record is a battery's health at the end of a week, as it was told then.
type Record struct {
	Day                  int64            `json:"-"` // as of its end
	HealthScore          *float64         `json:"health_score"`
	CapacityAh           *float64         `json:"capacity_ah"`
	SoHPct               *float64         `json:"soh_pct"`
	SoHErrPct            *float64         `json:"soh_standard_error_pct"`
	EnergySoHPct         *float64         `json:"energy_soh_pct"`
	ResistanceMOhm       *float64         `json:"resistance_mohm"`
	ImbalanceMV          *float64         `json:"imbalance_mv"`
	RoundTripPct         *float64         `json:"round_trip_pct"`
	EquivalentFullCycles *float64         `json:"equivalent_full_cycles"`
	Utilization          *float64         `json:"utilization"`
	RULDays              battery.Interval `json:"remaining_days"`
	ReplaceAt            battery.Interval `json:"replace_at"`
	BehindKnee           bool             `json:"behind_knee"`
}

// Record is what is kept of a standing.
func (o Standing) Record() Record {
	return Record{
		Day: o.Day, HealthScore: o.HealthScore, CapacityAh: o.CapacityAh, SoHPct: o.SoHPct, SoHErrPct: o.SoHErrPct,
		EnergySoHPct: o.EnergySoHPct, ResistanceMOhm: o.ResistanceMOhm, ImbalanceMV: o.ImbalanceMV, RoundTripPct: o.RoundTripPct,
		EquivalentFullCycles: o.EquivalentFullCycles, Utilization: o.Utilization, RULDays: o.RULDays, ReplaceAt: o.ReplaceAt, BehindKnee: o.BehindKnee,
	}
}

// Standing is what the record tells of where the battery stood then.
func (o Record) Standing(id string) Standing {
	s := Standing{
		Device: id, Day: o.Day, Status: string(battery.HealthInsufficient), HealthScore: o.HealthScore, CapacityAh: o.CapacityAh,
		SoHPct: o.SoHPct, SoHErrPct: o.SoHErrPct, EnergySoHPct: o.EnergySoHPct, ResistanceMOhm: o.ResistanceMOhm, ImbalanceMV: o.ImbalanceMV,
		RoundTripPct: o.RoundTripPct, EquivalentFullCycles: o.EquivalentFullCycles, Utilization: o.Utilization,
		RULDays: o.RULDays, ReplaceAt: o.ReplaceAt, BehindKnee: o.BehindKnee,
	}
	if o.HealthScore != nil {
		s.Status = string(battery.HealthOK)
	}
	return s
}

// Append appends the record as it is stored.
func (o *Record) Append(b []byte) []byte {
	w := writer{b: append(b, layout)}
	o.code(&w)
	return w.b
}

// DecodeRecord reads a record. Error: ErrCorrupt.
func DecodeRecord(day int64, b []byte) (Record, error) {
	o := Record{Day: day}
	err := decode(b, false, "health record", o.code)
	return o, err
}

func (o *Record) code(c battery.Coder) {
	for _, p := range []**float64{
		&o.HealthScore, &o.CapacityAh, &o.SoHPct, &o.SoHErrPct, &o.EnergySoHPct, &o.ResistanceMOhm, &o.ImbalanceMV,
		&o.RoundTripPct, &o.EquivalentFullCycles, &o.Utilization, &o.RULDays.Low, &o.RULDays.Median, &o.RULDays.High,
	} {
		codeOption(c, p)
	}
	for _, p := range []**float64{&o.ReplaceAt.Low, &o.ReplaceAt.Median, &o.ReplaceAt.High} { // too long for seven digits
		at := int64(-1)
		if *p != nil {
			at = int64(**p)
		}
		c.Int(&at)
		*p = nil
		if at >= 0 {
			v := float64(at)
			*p = &v
		}
	}
	codeBool(c, &o.BehindKnee)
}
