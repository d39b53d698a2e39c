package station

import "slices"

// UptimeVersion names the rules of Reliability.
const UptimeVersion = "uptime/1"

// UnknownSlot stands for a slot that a report did not name so that it can be read.
const UnknownSlot = -1

// Fault is one that was opened and, unless To is 0, closed.
type Fault struct {
	From, To int64 // Unix milliseconds
	Slot     int   // 0: the whole station; UnknownSlot: one of its slots
	Code     string
	// Attended is when maintenance came, Unix milliseconds; 0: not reported.
	Attended int64
}

// FaultReport is an event about a fault, or about maintenance.
type FaultReport struct {
	TS     int64 // Unix milliseconds
	Opened bool
	Closed bool   // neither: maintenance
	Slot   int    // 0: the whole station
	Code   string // what is wrong, so that two faults of a slot are told apart
	// Attended is when maintenance came, where that is not TS; 0: not reported.
	Attended int64
}

// PairFaults makes faults of reports, which ascend by time. A fault that is open
// already is not opened again, and one that is not open can't be closed; a closing
// without a code is of every fault of the slot.
// Maintenance of a slot, or of the station, attends the faults of it that are
// open, the first that comes.
func PairFaults(reports []FaultReport) []Fault {
	type part struct {
		slot int
		code string
	}
	out := []Fault{}
	open := map[part]int{}
	for _, r := range reports {
		p := part{r.Slot, r.Code}
		k, isOpen := open[p]
		switch {
		case r.Opened && !isOpen:
			open[p] = len(out)
			out = append(out, Fault{From: r.TS, Slot: r.Slot, Code: r.Code})
		case r.Opened:
		case r.Closed && isOpen:
			out[k].To = max(r.TS, out[k].From+1)
			delete(open, p)
		case r.Closed && r.Code == "":
			for q, k := range open {
				if q.slot == r.Slot {
					out[k].To = max(r.TS, out[k].From+1)
					delete(open, q)
				}
			}
		case r.Closed:
		default:
			for q, k := range open {
				if f := &out[k]; (r.Slot == 0 || q.slot == r.Slot) && f.Attended == 0 {
					f.Attended = max(f.From, arrived(r))
				}
			}
		}
	}
	return out
}

func arrived(r FaultReport) int64 {
	if r.Attended != 0 && r.Attended < r.TS {
		return r.Attended
	}
	return r.TS
}

// Uptime is how reliable a station's equipment is.
type Uptime struct {
	Basis
	// StationUp is the share of the time in which the station as a whole worked;
	// SlotsUp that of slot-time in which slots did, the station's downtime
	// counting for each.
	StationUp    *float64 `json:"station_uptime"`
	SlotsUp      *float64 `json:"slot_uptime"` // null: the number of slots is not known
	Faults       int      `json:"faults"`      // that began in the window
	OpenFaults   int      `json:"open_faults"` // at its end
	MTBFHours    *float64 `json:"mtbf_hours"`  // operating time of the station over Faults
	MTTRHours    *float64 `json:"mttr_hours"`  // of those closed, by when they began
	RespondHours *float64 `json:"response_hours"`
}

// Reliability sums up faults over a window, in the terms of IEC 60050-192, as
// IEC 62840 for swap stations leaves maintenance out. Availability is up-time
// over up-time and down-time, the mean operating time between failures the
// station's up-time over the number of failures, and the mean time to restoration
// the mean time from opening to closing. Faults that overlap are not counted
// twice in time. known says whether the station reports faults at all.
func Reliability(faults []Fault, w Window, slots int, known bool) Uptime {
	u := Uptime{Basis: basis("fault_events", UptimeVersion, w)}
	if !known || w.Seconds() <= 0 {
		u.lacking("the station has never reported a fault or its state, so it is not known whether it would")
		return u
	}
	var whole []Window
	bySlot := map[int][]Window{}
	var repair, respond, repaired, responded float64
	for _, f := range faults {
		end := f.To
		if end == 0 {
			end = w.To
		}
		if f.From >= w.To || end <= w.From {
			continue
		}
		u.Count++
		if f.To == 0 || f.To > w.To {
			u.OpenFaults++
		}
		if down := (Window{max(f.From, w.From), min(end, w.To)}); f.Slot == 0 {
			whole = append(whole, down)
		} else {
			bySlot[f.Slot] = append(bySlot[f.Slot], down)
		}
		if f.From < w.From {
			continue
		}
		u.Faults++
		// What came after the window nobody knew at its end.
		if f.To > 0 && f.To <= w.To {
			repair += float64(f.To-f.From) / 3600e3
			repaired++
		}
		if f.Attended >= f.From && f.Attended > 0 && f.Attended <= w.To {
			respond += float64(f.Attended-f.From) / 3600e3
			responded++
		}
	}
	u.ok(u.Count)
	down := union(whole)
	up := w.Seconds() - down
	u.StationUp = per(up, w.Seconds())
	if slots > 0 {
		lost := down * float64(slots)
		for _, windows := range bySlot {
			lost += union(append(windows, whole...)) - down
		}
		u.SlotsUp = per(max(0, w.Seconds()*float64(slots)-lost), w.Seconds()*float64(slots))
	}
	u.MTBFHours = per(up/3600, float64(u.Faults))
	u.MTTRHours, u.RespondHours = per(repair, repaired), per(respond, responded)
	return u
}

// union is how long at least one of the windows lasts, in seconds.
func union(windows []Window) float64 {
	windows = slices.Clone(windows)
	slices.SortFunc(windows, func(a, b Window) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	sum, end := 0.0, int64(0)
	for k, w := range windows {
		if k == 0 || w.From > end {
			end = w.From
		}
		if w.To > end {
			sum += float64(w.To-end) / 1000
			end = w.To
		}
	}
	return sum
}
