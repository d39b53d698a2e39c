package station

import "math"

// DayVersion names the rules by which a day is made of readings and events.
const DayVersion = "station-day/1"

// Day is what is known of one local day of a station: what every result is made
// of. Days add up, so that any window of whole days has the result that all its
// readings and events would give.
type Day struct {
	Day      int64 // by date, see Calendar
	Window         // of it
	Readings int
	Heard    int64   // milliseconds within the hold time of a reading
	Visits   []Visit // ascending by At
	States   StateTime
	Slots    SlotTime
	Meter    Meter
	Charges  Charges
}

// Meter is what the station drew from the grid.
type Meter struct {
	MilliWh int64 `json:"mwh,omitempty"`   // 0.001 Wh, whole so that days add up exactly
	KnownMS int64 `json:"ms,omitempty"`    // the time over which that is known
	Resets  int   `json:"reset,omitempty"` // of the register
}

// Charges are the packs that were charged.
type Charges struct {
	Count   int   `json:"n,omitempty"`
	MilliWh int64 `json:"mwh,omitempty"` // into them, over those that told
	Told    int   `json:"told,omitempty"`
	// ReturnS are the times in seconds from a pack's return by a rider until it was
	// charged, of those whose return is known.
	ReturnS []float64 `json:"return_s,omitempty"`
}

// Empty reports whether nothing is known of the day.
func (d *Day) Empty() bool { return d.Readings == 0 && len(d.Visits) == 0 && d.Charges.Count == 0 }

// Totals are the sums over days, of one station or of many. They are whole
// numbers, so that the order of adding makes no difference.
type Totals struct {
	Days     int   // of which anything is known
	LengthMS int64 // of those days
	HeardMS  int64 // within the hold time of a reading

	Swaps, Failures, Reneged int
	Asked, Ready             int     // visits at which it is known whether a charged pack was there; was there
	Hours                    [24]int // arrivals by local hour

	Timed          int // swaps that told how long they took
	TimedMS        int64
	Returned       int // charges of packs whose return is known
	ReturnedMS     int64
	Charges        int
	ChargedMilliWh int64
	Handed         int   // swaps that told how much energy they handed out
	HandedMilliWh  int64 // less what was brought back
	MeterMilliWh   int64
	MeterMS        int64

	StateMS, UnavailableMS  int64
	SlotMS, ChargingMS      int64 // covered by reports of slots; of those that charge
	SlotTotal, SlotReady    int64 // slots·ms
	SlotCharging, SlotFault int64 // slots·ms
	NoneReadyMS             int64
}

// Totals are those of one day.
func (d *Day) Totals(c Calendar, r UseRules) Totals {
	t := Totals{
		Days: 1, LengthMS: d.To - d.From, HeardMS: d.Heard,
		Charges: d.Charges.Count, ChargedMilliWh: d.Charges.MilliWh,
		MeterMilliWh: d.Meter.MilliWh, MeterMS: d.Meter.KnownMS,
		StateMS: d.States.Known(), UnavailableMS: d.States.Within(r.Unavailable),
		SlotMS: d.Slots.CoveredMS, ChargingMS: d.Slots.ChargingMS, SlotTotal: d.Slots.Total, SlotReady: d.Slots.Ready,
		SlotCharging: d.Slots.Charging, SlotFault: d.Slots.Faulty, NoneReadyMS: d.Slots.ByReady[0],
	}
	for _, s := range d.Charges.ReturnS {
		t.Returned++
		t.ReturnedMS += int64(math.Round(s * 1000))
	}
	for i := range d.Visits {
		t.visit(&d.Visits[i])
		t.Hours[c.Hour(d.arrival(&d.Visits[i]))]++
	}
	return t
}

// arrival is when the rider came, but not before the day: the visit counts for the
// day of its end.
func (d *Day) arrival(v *Visit) int64 { return max(v.Arrival(), d.From) }

func (t *Totals) visit(v *Visit) {
	switch v.Outcome {
	case Done:
		t.Swaps++
		if v.SwapS != nil {
			t.Timed++
			t.TimedMS += int64(math.Round(*v.SwapS * 1000))
		}
		if v.EnergyWh != nil {
			t.Handed++
			t.HandedMilliWh += MilliWh(*v.EnergyWh)
		}
	case Reneged:
		t.Reneged++
	default:
		t.Failures++
	}
	if v.Charged != nil {
		t.Asked++
		if *v.Charged > 0 {
			t.Ready++
		}
	}
}

// Add adds other totals.
func (t *Totals) Add(o *Totals) {
	t.Days += o.Days
	t.LengthMS += o.LengthMS
	t.HeardMS += o.HeardMS
	t.Swaps += o.Swaps
	t.Failures += o.Failures
	t.Reneged += o.Reneged
	t.Asked += o.Asked
	t.Ready += o.Ready
	for h, n := range o.Hours {
		t.Hours[h] += n
	}
	t.Timed += o.Timed
	t.TimedMS += o.TimedMS
	t.Returned += o.Returned
	t.ReturnedMS += o.ReturnedMS
	t.Charges += o.Charges
	t.ChargedMilliWh += o.ChargedMilliWh
	t.HandedMilliWh += o.HandedMilliWh
	t.Handed += o.Handed
	t.MeterMilliWh += o.MeterMilliWh
	t.MeterMS += o.MeterMS
	t.StateMS += o.StateMS
	t.UnavailableMS += o.UnavailableMS
	t.SlotMS += o.SlotMS
	t.ChargingMS += o.ChargingMS
	t.SlotTotal += o.SlotTotal
	t.SlotReady += o.SlotReady
	t.SlotCharging += o.SlotCharging
	t.SlotFault += o.SlotFault
	t.NoneReadyMS += o.NoneReadyMS
}

// Visits is how many riders came.
func (t *Totals) Visits() int { return t.Swaps + t.Failures + t.Reneged }

// Completion is the share of riders who got a swap; nil without any.
func (t *Totals) Completion() *float64 { return per(float64(t.Swaps), float64(t.Visits())) }

// SwapsPerDay is the mean over the days of the window.
func (t *Totals) SwapsPerDay(w Window) *float64 { return per(float64(t.Swaps), w.Days()) }

// PackAvailability is the share of the visits that told at which a charged pack
// was there; nil without any.
func (t *Totals) PackAvailability() *float64 { return per(float64(t.Ready), float64(t.Asked)) }

// EnergyWh is what the meter counted; nil where that is not known.
func (t *Totals) EnergyWh() *float64 {
	if t.MeterMS == 0 {
		return nil
	}
	return per(float64(t.MeterMilliWh), 1000)
}

// Packs is the mean number of packs in the slots; nil where that is not known.
func (t *Totals) Packs() *float64 {
	if !chargingKnown(t.ChargingMS, t.SlotMS) {
		return nil
	}
	return per(float64(t.SlotReady+t.SlotCharging), float64(t.SlotMS))
}

// Occupied is the share of slots with a pack; nil where that is not known.
func (t *Totals) Occupied() *float64 {
	if !chargingKnown(t.ChargingMS, t.SlotMS) {
		return nil
	}
	return per(float64(t.SlotReady+t.SlotCharging), float64(t.SlotTotal))
}

// Share is a part of a sum, nil where there is no sum.
func (t *Totals) Share(part, of int64) *float64 { return per(float64(part), float64(of)) }

// MilliWh is an energy in Wh as days keep it.
func MilliWh(wh float64) int64 { return int64(math.Round(wh * 1000)) }
