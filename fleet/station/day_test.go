package station

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// week draws what a station reports over a week or so, with silences and
// changes of the clock.
func week(t *rapid.T) (states []StateSample, slots []SlotSample, visits []Visit, c Calendar, first int64) {
	c = CalendarOf(zone(t, rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kathmandu"}).Draw(t, "zone")))
	first = date(2026, 3, 26)
	ts, end := c.Start(first)-2*hour, c.Start(first+7)
	for ts < end {
		states = append(states, StateSample{ts, rapid.SampledFrom([]string{"in_service", "fault", "swapping"}).Draw(t, "state")})
		total := rapid.IntRange(0, 12).Draw(t, "total")
		slots = append(slots, SlotSample{TS: ts, Total: total, Ready: rapid.IntRange(-1, 12).Draw(t, "ready"), Charging: rapid.IntRange(-1, 12).Draw(t, "charging"), Faulty: 1})
		if rapid.Bool().Draw(t, "visit") && ts >= c.Start(first) {
			n := rapid.IntRange(0, 3).Draw(t, "charged")
			s := rapid.Float64Range(0, 900).Draw(t, "took")
			v := Visit{At: ts, Outcome: rapid.SampledFrom([]Outcome{Done, Failed, Reneged}).Draw(t, "outcome")}
			if rapid.Bool().Draw(t, "told") {
				v.Came, v.Charged, v.SwapS, v.WaitS, v.EnergyWh = ts-int64(1000*s)-1, &n, &s, &s, &s
			}
			if v.Outcome == Failed {
				v.Reason = "queue_full"
			}
			visits = append(visits, v)
		}
		ts += rapid.Int64Range(60_000, 5*hour).Draw(t, "gap")
	}
	return states, slots, visits, c, first
}

// daysOf cuts the same into days.
func daysOf(states []StateSample, slots []SlotSample, visits []Visit, c Calendar, first int64) []Day {
	var days []Day
	for k := range int64(7) {
		d := Day{Day: first + k, Window: c.Window(first + k), Readings: 1}
		d.States, d.Slots = TimeInState(states, d.Window, 3600), TimeOfSlots(slots, d.Window, 3600)
		d.Heard = d.States.Known()
		for _, v := range visits {
			if d.contains(v.At) {
				d.Visits = append(d.Visits, v)
			}
		}
		days = append(days, d)
	}
	return days
}

// What days add up to is what the whole week says at once, whatever the clock
// does.
func TestDaysAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		states, slots, visits, c, first := week(t)
		days := daysOf(states, slots, visits, c, first)
		w := Window{c.Start(first), c.Start(first + 7)}
		rules := DefaultRules()
		a := Assess(days, nil, false, w, Setting{Calendar: c, Rules: rules, FirstDay: first})
		if a.Days != 7 || a.Known != 7 {
			t.Fatalf("got %d days, %d known, want 7", a.Days, a.Known)
		}
		noCount := cmp.FilterPath(func(p cmp.Path) bool {
			f := p.Last().String()
			return f == ".Count" || f == ".Earning" || f == ".Idle" || f == ".Coverage"
		}, cmp.Ignore())
		same := func(name string, got, want any) {
			if diff := cmp.Diff(want, got, noCount); diff != "" {
				t.Fatalf("%s (-whole +days):\n%s", name, diff)
			}
		}
		same("use", a.Use, Use(states, w, rules.Use()))
		same("slots", a.Slots, UseSlots(slots, w, 3600))
		same("service", a.Service, Serve(visits, w))
		var coming []int64
		for i := range visits {
			coming = append(coming, max(visits[i].Arrival(), c.Start(c.DayOf(visits[i].At))))
		}
		if a.Demand.Status == OK {
			want := HourOfDay(coming, w, c.Zone(), 20)
			for h := range want.PerHour {
				if math.Abs(a.Demand.PerHour[h]-want.PerHour[h]) > 1e-9 {
					t.Fatalf("hour %d: got %v riders, want %v", h, a.Demand.PerHour[h], want.PerHour[h])
				}
			}
		}
		if got, want := a.Totals.Visits(), len(visits); got != want {
			t.Fatalf("got %d visits, want %d", got, want)
		}
	})
}

// A day comes back from storage as it was, and is stored as the same bytes.
func TestDayStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		states, slots, visits, c, first := week(t)
		for _, d := range daysOf(states, slots, visits, c, first) {
			d.Meter, d.Charges = Meter{MilliWh: 12345, KnownMS: 77, Resets: 1}, Charges{Count: 2, MilliWh: 9, Told: 1, ReturnS: []float64{3600.5}}
			b, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var back Day
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(back)
			if err != nil {
				t.Fatal(err)
			}
			if string(again) != string(b) {
				t.Fatalf("stored again:\n%s\nwas\n%s", again, b)
			}
			x, y := d.Totals(c, ForStation()), back.Totals(c, ForStation())
			if diff := cmp.Diff(x, y); diff != "" {
				t.Fatalf("totals (-was +back):\n%s", diff)
			}
			if diff := cmp.Diff(d.Visits, back.Visits); diff != "" {
				t.Fatalf("visits (-was +back):\n%s", diff)
			}
		}
	})
	if err := new(Day).UnmarshalJSON([]byte(`{"at":[1,2],"outcome":"d"}`)); err == nil {
		t.Error("a day of two visits with one outcome was read")
	}
}

func TestAssessSaysWhatIsMissing(t *testing.T) {
	c := CalendarOf(time.UTC)
	w := c.Window(20000)
	s := Setting{Calendar: c, Rules: DefaultRules(), FirstDay: 20000}
	a := Assess(nil, nil, false, w, s)
	for name, b := range map[string]Basis{
		"service": a.Service.Basis, "slots": a.Slots.Basis, "use": a.Use.Basis, "wait": a.Wait.Basis, "energy": a.Energy.Basis,
		"load": a.Load.Basis, "uptime": a.Uptime.Basis, "stock": a.Stock.Basis, "totals": BasisOf(&a.Totals, w),
		"demand": a.Demand.Basis, "outlook": DemandOutlook(nil, 20000, 14, s).Basis,
	} {
		if b.Status != Insufficient || b.Reason == "" || b.Version == "" {
			t.Errorf("%s of nothing: got %+v", name, b)
		}
	}
	if _, ok := s.Span(19990, 19999); ok {
		t.Error("there is a window before the first day")
	}
	if w, ok := s.Span(19990, 20001); !ok || w != (Window{c.Start(20000), c.Start(20002)}) {
		t.Errorf("got window %v, want that from the first day on", w)
	}
}

// A station that says it is out of service but sends no faults has no uptime, one
// that never was has.
func TestUptimeWithoutFaultEvents(t *testing.T) {
	c := CalendarOf(time.UTC)
	w := c.Window(20000)
	s := Setting{Calendar: c, Rules: DefaultRules(), Slots: 12, FirstDay: 20000}
	up := Totals{Days: 1, LengthMS: 24 * hour, StateMS: 24 * hour}
	if h := Sum(&up, nil, false, w, s); h.Uptime.Status != OK || *h.Uptime.StationUp != 1 {
		t.Errorf("always in service: got %+v", h.Uptime)
	}
	down := up
	down.UnavailableMS = hour
	if h := Sum(&down, nil, false, w, s); h.Uptime.Status != Insufficient || h.Uptime.StationUp != nil {
		t.Errorf("down without a fault: got %+v", h.Uptime)
	}
	if h := Sum(&down, []Fault{{From: w.From, To: w.From + hour}}, true, w, s); h.Uptime.Status != OK || math.Abs(*h.Uptime.StationUp-23.0/24) > 1e-12 {
		t.Errorf("down with a fault: got %+v", h.Uptime)
	}
}

func TestDemandOutlookLeavesOutSilentDays(t *testing.T) {
	c := CalendarOf(time.UTC)
	s := Setting{Calendar: c, Rules: DefaultRules()}
	var days []Day
	for k := range int64(40) {
		d := Day{Day: 20000 + k, Window: c.Window(20000 + k), Readings: 96, Heard: 24 * hour}
		for range 30 {
			d.Visits = append(d.Visits, Visit{At: d.From, Outcome: Done})
		}
		switch {
		case k == 20:
			continue // nothing at all
		case k >= 30 && k < 33:
			d.Heard, d.Visits = 5*hour, d.Visits[:2] // mostly silent
		}
		days = append(days, d)
	}
	o := DemandOutlook(days, 20041, 14, s) // two more days of silence
	if o.Status != OK || o.Count != 36 || len(o.Days) != 14 || o.Days[0].Day != 20042 {
		t.Fatalf("got %+v", o)
	}
	for _, d := range o.Days {
		if math.Abs(d.Mean-30) > 1e-9 {
			t.Errorf("day %d: got %v riders, want 30", d.Day, d.Mean)
		}
	}
	for k := range days {
		days[k].Heard = 0 // events alone: a silent day is one without a rider
	}
	if o := DemandOutlook(days, 20041, 14, s); o.Count != 42 || o.Days[0].Mean >= 30 {
		t.Errorf("of events alone: got %d days, %v riders", o.Count, o.Days[0].Mean)
	}
}
