package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// streets is a small city over the change of the clocks.
func streets(start time.Time, stations int) simulator.Config {
	c := simulator.Demo(11, start)
	c.Owners, c.Sites, c.Stations, c.Slots, c.Batteries, c.Buildings = 2, 4, stations, 12, 40*stations, 0
	c.SwapsPerDay, c.Dispersion = 45, 1.5
	c.Breakdowns = simulator.Breakdowns{StationPerYear: 12, StationHours: 6, SlotPerYear: 6, SlotHours: 24}
	return c
}

// simulated is what the stations of a fleet say, and what is true.
func simulated(t *testing.T, c simulator.Config, days int) (*simulator.Fleet, []telemetry.Reading, []telemetry.Event) {
	t.Helper()
	f, err := simulator.New(c)
	if err != nil {
		t.Fatal(err)
	}
	var readings []telemetry.Reading
	var events []telemetry.Event
	for range days * 96 {
		f.Step(func(r telemetry.Reading) {
			if r.Kind == devices.KindStation {
				r.Values = slices.Clone(r.Values)
				readings = append(readings, r)
			}
		}, func(e telemetry.Event) {
			if e.Kind == devices.KindStation {
				events = append(events, e)
			}
		})
	}
	return f, readings, events
}

// Against the simulator's truth: every swap and refusal, on its local day and in
// its hour, and completion; the time out of service; the energy but for the first
// quarter of an hour, before there was a reading.
func TestStationsAgainstTruth(t *testing.T) {
	c := streets(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 8)
	f, readings, events := simulated(t, c, 60)
	y := newYard(t, f.Inventory())
	for k, zone := range []string{"Europe/Berlin", "America/Santiago"} { // that change their clocks in spring, and in autumn
		site := y.places.sites[f.Inventory().Sites[k].ID]
		site.TimeZone = zone
		y.places.sites[site.ID] = site
	}
	y.take(readings, events)
	y.run()
	swaps, refusals, faults, odd := 0, 0, 0, 0
	for k, truth := range f.Truth().Stations {
		registered := f.Inventory().Stations[k]
		site := y.places.sites[registered.SiteID]
		zone, err := time.LoadLocation(site.TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{} // by date, outcome and hour
		hours := map[string]int{}
		for _, e := range events {
			if e.Device == truth.ID && strings.HasPrefix(e.Type, "swap.") {
				local := time.UnixMilli(e.TS).In(zone)
				want[local.Format(time.DateOnly)+" "+e.Type]++
				var told struct {
					DurationS float64 `json:"duration_s"`
				}
				if err := json.Unmarshal(e.Data, &told); err != nil {
					t.Fatal(err)
				}
				came := time.UnixMilli(e.TS - int64(told.DurationS*1000)).In(zone)
				if came.YearDay() != local.YearDay() {
					came = time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
				}
				hours[fmt.Sprintf("%s %02d", local.Format(time.DateOnly), came.Hour())]++
			}
		}
		got, gotHours := map[string]int{}, map[string]int{}
		calendar := station.CalendarOf(zone)
		days := y.days(truth.ID)
		for _, d := range days {
			date := time.Unix(d.Day*86400, 0).UTC().Format(time.DateOnly)
			totals := d.Totals(calendar, station.ForStation())
			for name, n := range map[string]int{" swap.completed": totals.Swaps, " swap.failed": totals.Failures, " swap.timeout": totals.Reneged} {
				if n > 0 {
					got[date+name] = n
				}
			}
			if d.Seconds() != 86400 {
				odd++
			}
			for h, n := range totals.Hours {
				if n > 0 {
					gotHours[fmt.Sprintf("%s %02d", date, h)] = n
				}
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s, visits by day (-events +days):\n%s", truth.ID, diff)
		}
		if diff := gocmp.Diff(hours, gotHours); diff != "" {
			t.Errorf("%s, arrivals by hour (-events +days):\n%s", truth.ID, diff)
		}
		first, last := days[0].Day, days[len(days)-1].Day
		s := station.Setting{Calendar: calendar, Rules: station.DefaultRules(), Slots: registered.Slots, FirstDay: first}
		w, _ := s.Span(first, last)
		found := y.faults(truth.ID)
		a := station.Assess(days, found, len(found) > 0, w, s)
		if a.Service.Swaps != truth.Swaps || a.Service.Failures != truth.Refusals {
			t.Errorf("%s: got %d swaps and %d refusals, want %d and %d", truth.ID, a.Service.Swaps, a.Service.Failures, truth.Swaps, truth.Refusals)
		}
		if want := float64(truth.Swaps) / float64(truth.Swaps+truth.Refusals); *a.Service.Completion != want {
			t.Errorf("%s: got a completion of %v, want %v", truth.ID, *a.Service.Completion, want)
		}
		if off := math.Abs(*a.Energy.GridWh-truth.DrawnWh) / truth.DrawnWh; off > 0.001 {
			t.Errorf("%s: got %v Wh, want %v (%.4f off)", truth.ID, *a.Energy.GridWh, truth.DrawnWh, off)
		}
		// The window ends with its day, the simulation before; an outage that is
		// open then goes on to the end of the window.
		end := w
		end.To = f.Now().UnixMilli()
		u := station.Reliability(found, end, registered.Slots, true)
		if got, want := (1-*u.StationUp)*end.Seconds()/3600, truth.Down.Hours(); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: got %v h out of service, want %v", truth.ID, got, want)
		}
		swaps, refusals, faults = swaps+truth.Swaps, refusals+truth.Refusals, faults+len(found)
		if a.Service.PackAvailability == nil || a.Slots.Status != station.OK || a.Stock.Status != station.OK || a.Stock.RechargeMethod != "measured" || a.Wait.Status != station.OK {
			t.Errorf("%s: got availability %v, slots %+v, stock %+v, wait %+v", truth.ID, a.Service.PackAvailability, a.Slots.Basis, a.Stock, a.Wait.Basis)
		}
	}
	t.Logf("%d swaps, %d refusals, %d faults at 8 stations in 60 days, %d station-days of 23 or 25 hours: exact", swaps, refusals, faults, odd)
	if swaps < 10_000 || refusals < 100 || faults < 20 || odd == 0 {
		t.Error("too little happened to show anything")
	}
}

// Shuffled, doubled and late by a week, with the job running in between: the same
// bytes as clean.
func TestStationsShuffledAndLate(t *testing.T) {
	c := streets(time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC), 2)
	f, readings, events := simulated(t, c, 21)
	clean := newYard(t, f.Inventory())
	clean.take(readings, events)
	clean.run()
	want := clean.stored()

	messy := newYard(t, f.Inventory())
	rng := rand.New(rand.NewPCG(3, 4))
	parts := make([]struct {
		readings []telemetry.Reading
		events   []telemetry.Event
	}, 4)
	for _, r := range readings {
		k := rng.IntN(len(parts))
		parts[k].readings = append(parts[k].readings, r)
		if rng.IntN(4) == 0 {
			k = rng.IntN(len(parts))
			parts[k].readings = append(parts[k].readings, r)
		}
	}
	for _, e := range events {
		k := rng.IntN(len(parts))
		parts[k].events = append(parts[k].events, e)
		if rng.IntN(4) == 0 {
			k = rng.IntN(len(parts))
			parts[k].events = append(parts[k].events, e)
		}
	}
	for _, p := range parts {
		rng.Shuffle(len(p.readings), func(a, b int) { p.readings[a], p.readings[b] = p.readings[b], p.readings[a] })
		rng.Shuffle(len(p.events), func(a, b int) { p.events[a], p.events[b] = p.events[b], p.events[a] })
		messy.take(p.readings, p.events)
		messy.run()
	}
	if got := messy.stored(); got != want {
		t.Errorf("late and shuffled:\n%.2000s\nclean:\n%.2000s", got, want)
	}
	if len(want) < 10_000 {
		t.Errorf("hardly anything was compared: %s", want)
	}
}

// A late event has just the days around it computed again; a station that moves
// to another time zone has all.
func TestStationsRecomputeWhatIsTouched(t *testing.T) {
	c := streets(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 2)
	f, readings, events := simulated(t, c, 30)
	y := newYard(t, f.Inventory())
	y.take(readings, events)
	y.run()
	id := f.Inventory().Stations[0].ID
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	before := y.days(id)
	y.take(nil, []telemetry.Event{{
		Kind: devices.KindStation, Device: id, ID: "late", TS: at.UnixMilli(), Type: "swap.failed",
		Data: []byte(`{"id":"late","type":"swap.failed","reason":"queue_full"}`),
	}})
	y.store.ranges = 0
	changes, rows, err := y.job.Compute(t.Context(), devices.Ref{Kind: devices.KindStation, ID: id}, []int64{telemetry.DayOf(at.UnixMilli())})
	if err != nil {
		t.Fatal(err)
	}
	part := changes.Parts[0].(ledger.StationResults)
	if n := len(part.Days); n < 3 || n > 5 || part.Afresh || part.Faults != nil && len(part.Faults) == 0 || rows > 20*96 {
		t.Errorf("got %d days from %d readings, afresh %v", n, rows, part.Afresh)
	}
	y.run()
	changed := 0
	for k, d := range y.days(id) {
		if gocmp.Equal(before[k], d) {
			continue
		}
		changed++
		if n := len(d.Visits) - len(before[k].Visits); n != 1 {
			t.Errorf("day %d: got %d more visits, want 1", d.Day, n)
		}
	}
	if changed != 1 {
		t.Errorf("got %d days changed, want 1", changed)
	}

	s := y.places.stations[id]
	site := y.places.sites[s.SiteID]
	site.TimeZone = "Asia/Kathmandu"
	y.places.sites[s.SiteID] = site
	y.take(readings[len(readings)-2:], nil)
	y.run()
	zone, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	calendar := station.CalendarOf(zone)
	moved := y.days(id)
	visits := 0
	for _, d := range moved {
		if d.Window != calendar.Window(d.Day) {
			t.Errorf("day %d is %v, want %v", d.Day, d.Window, calendar.Window(d.Day))
		}
		visits += len(d.Visits)
	}
	want := 1
	for _, d := range before {
		want += len(d.Visits)
	}
	if visits != want {
		t.Errorf("got %d visits after the move, want %d", visits, want)
	}
}

// daysRead counts the stored days that are read.
type daysRead struct {
	StationLedger
	days int
}

func (d *daysRead) StationDays(ctx context.Context, id string, first, last int64) ([]station.Day, error) {
	days, err := d.StationLedger.StationDays(ctx, id, first, last)
	d.days += len(days)
	return days, err
}

// Of days far apart those between them are not read, and each is what it was.
func TestStationsReadTheDaysAround(t *testing.T) {
	c := streets(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 2)
	f, readings, events := simulated(t, c, 30)
	y := newYard(t, f.Inventory())
	y.take(readings, events)
	y.run()
	id, stored := f.Inventory().Stations[0].ID, &daysRead{StationLedger: y.ledger}
	before := y.days(id)
	y.store.readings = nil // retention has taken them: what they told stays
	first := telemetry.DayOf(c.Start.UnixMilli())
	job := Stations(&y.store, stored, y.places, station.DefaultRules(), "@hourly")
	changes, _, err := job.Compute(t.Context(), devices.Ref{Kind: devices.KindStation, ID: id}, []int64{first + 2, first + 27})
	if err != nil {
		t.Fatal(err)
	}
	days := changes.Parts[0].(ledger.StationResults).Days
	if len(days) < 4 || stored.days > 2*usualDays {
		t.Errorf("%d days made by reading %d of %d stored, want no more than those around", len(days), stored.days, len(before))
	}
	for _, d := range days {
		k := slices.IndexFunc(before, func(b station.Day) bool { return b.Day == d.Day.Day })
		if k < 0 || !gocmp.Equal(before[k].Slots, d.Slots) || before[k].Heard != d.Heard {
			t.Errorf("day %d is not what it was", d.Day.Day)
		}
	}
}

func TestVisitOfBadMembers(t *testing.T) {
	tests := []struct {
		name, data string
		want       station.Visit
	}{
		{"nothing", `{}`, station.Visit{At: 1e12, Outcome: station.Done}},
		{"of wrong types", `{"duration_s":"90","swap_s":null,"energy_wh":[],"slots_ready":1.5,"reason":3}`, station.Visit{At: 1e12, Outcome: station.Done}},
		{"out of bounds", `{"duration_s":-1,"swap_s":1e9,"energy_wh":1e12,"slots_ready":-2}`, station.Visit{At: 1e12, Outcome: station.Done}},
		{"all", `{"duration_s":90,"swap_s":60,"energy_wh":900.5,"slots_ready":3}`,
			station.Visit{At: 1e12, Came: 1e12 - 90_000, Outcome: station.Done, SwapS: ptr(60.0), WaitS: ptr(30.0), EnergyWh: ptr(900.5), Charged: ptr(3)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := visitOf(&telemetry.Event{TS: 1e12, Type: "swap.completed", Data: []byte(tt.data)})
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	refused := visitOf(&telemetry.Event{TS: 5, Type: "swap.failed", Data: []byte(`{"reason":"no_battery_ready"}`)})
	if refused.Outcome != station.Failed || refused.Charged == nil || *refused.Charged != 0 {
		t.Errorf("refused for want of a pack: got %+v", refused)
	}
}

func ptr[T any](v T) *T { return &v }
