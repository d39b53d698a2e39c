package fleet

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationRegistry says where a station stands.
type StationRegistry interface {
	// GetStation and GetSite return an error that is registry.ErrNotFound for an
	// unknown id.
	GetStation(ctx context.Context, id string) (devices.Station, error)
	GetSite(ctx context.Context, id string) (devices.Site, error)
}

// StationLedger is what the job of stations works from beside telemetry.
type StationLedger interface {
	// Events returns events by time, and how many the query selects.
	Events(ctx context.Context, q ledger.EventQuery) ([]telemetry.Event, int, error)
	// MarkedDays returns every UTC day that ever took in data of the device.
	MarkedDays(ctx context.Context, ref devices.Ref) ([]int64, error)
	// StationRules returns by which rules the stored days were made.
	StationRules(ctx context.Context, id string) ([]string, error)
	// StationDays returns the stored days from first to last, both included.
	StationDays(ctx context.Context, id string, first, last int64) ([]station.Day, error)
}

// stationMargin is how far beyond a day its readings and events are looked at.
const stationMargin = rollup.Margin

// usualDays are the local days that one UTC day reaches into.
const usualDays = 4

// stations computes the local days of stations.
type stations struct {
	telemetry telemetry.Reader
	ledger    StationLedger
	registry  StationRegistry
	rules     station.Rules
}

// Stations is the job that makes local days of what stations report: swaps and
// what became of them, slots, states, energy, faults.
func Stations(r telemetry.Reader, l StationLedger, reg StationRegistry, rules station.Rules, schedule string) Job {
	j := stations{r, l, reg, rules}
	return Job{Name: "stations", Schedule: schedule, Kinds: []devices.Kind{devices.KindStation}, Compute: j.compute}
}

// CalendarOfSite is the calendar of a site: that of UTC where there is none, or
// where its zone is not known here.
func CalendarOfSite(s devices.Site) station.Calendar {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	return station.CalendarOf(zone)
}

// calendar is that of the station's site.
func (j stations) calendar(ctx context.Context, id string) (station.Calendar, error) {
	s, err := j.registry.GetStation(ctx, id)
	if err != nil || s.SiteID == "" {
		return station.CalendarOf(time.UTC), err
	}
	site, err := j.registry.GetSite(ctx, s.SiteID)
	if err != nil {
		return station.Calendar{}, err
	}
	return CalendarOfSite(site), nil
}

// compute works out the local days that UTC days reach into, by the margin; all
// days where those stored were made by other rules or in another time zone.
func (j stations) compute(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error) {
	calendar, err := j.calendar(ctx, ref.ID)
	if err != nil {
		return ledger.Changes{}, 0, err
	}
	out := ledger.StationResults{Station: ref.ID, Rules: j.name(calendar)}
	stored, err := j.ledger.StationRules(ctx, ref.ID)
	if err != nil {
		return ledger.Changes{}, 0, err
	}
	if slices.ContainsFunc(stored, func(rules string) bool { return rules != out.Rules }) {
		if days, err = j.ledger.MarkedDays(ctx, ref); err != nil {
			return ledger.Changes{}, 0, err
		}
		out.Afresh = true
	}
	use := j.rules.Use()
	rows, faulty, err := j.eachDay(ctx, ref, calendar, localDays(calendar, days), func(before, d station.Day) {
		if d = station.Kept(before, d); d.Empty() {
			out.Empty = append(out.Empty, d.Day)
			return
		}
		out.Days = append(out.Days, ledger.StationDay{Day: d, Totals: d.Totals(calendar, use)})
	})
	if err == nil && faulty {
		out.Faults, err = j.faults(ctx, ref)
	}
	if err != nil {
		return ledger.Changes{}, rows, err
	}
	return ledger.Changes{Parts: []ledger.Part{out}}, rows, nil
}

// name says by which rules days are made.
func (j stations) name(c station.Calendar) string {
	return station.DayVersion + " zone=" + c.Zone().String() + " hold=" + strconv.FormatFloat(j.rules.HoldS, 'g', -1, 64)
}

// localDays are those that the UTC days reach into, ascending.
func localDays(c station.Calendar, days []int64) []int64 {
	var out []int64
	for _, day := range days {
		first, last := c.DayOf(day*telemetry.Day-stationMargin), c.DayOf((day+1)*telemetry.Day+stationMargin-1)
		for d := first; d <= last; d++ {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// eachDay makes each local day and hands it to take, with what is stored of it.
// Neighbouring days are read together, as many as fit in memory by the density of
// those before. faulty says whether an event about a fault was met.
func (j stations) eachDay(ctx context.Context, ref devices.Ref, c station.Calendar, days []int64, take func(before, made station.Day)) (rows int, faulty bool, err error) {
	s := span{ref: ref, fields: stationFields()}
	for atOnce := usualDays; len(days) > 0; {
		n := 1
		for n < min(len(days), atOnce) && days[n]-days[n-1] <= 3 {
			n++
		}
		w := telemetry.Window{From: c.Start(days[0]) - stationMargin, To: c.Start(days[n-1]+1) + stationMargin}
		readings, err := s.load(ctx, j.telemetry, w)
		rows += len(readings)
		if err != nil {
			return rows, faulty, err
		}
		events, _, err := j.ledger.Events(ctx, ledger.EventQuery{Kind: ref.Kind, Device: ref.ID, Types: stationEvents(), Window: w})
		if err != nil {
			return rows, faulty, fmt.Errorf("read events of %s: %w", ref, err)
		}
		faulty = faulty || slices.ContainsFunc(events, isFaultReport)
		stored, err := j.ledger.StationDays(ctx, ref.ID, days[0], days[n-1])
		if err != nil {
			return rows, faulty, err
		}
		for _, day := range days[:n] {
			for len(stored) > 0 && stored[0].Day < day {
				stored = stored[1:]
			}
			var before station.Day
			if len(stored) > 0 && stored[0].Day == day {
				before = stored[0]
			}
			take(before, j.day(c, day, readings, events))
		}
		days = days[n:]
		perDay := int64(len(readings))*telemetry.Day/(w.To-w.From) + 1
		atOnce = min(int(max(maxRowsAtOnce/perDay, 1)), 2*n, maxDaysAtOnce)
	}
	return rows, faulty, nil
}

// faults pairs all reports of faults that the station ever sent.
func (j stations) faults(ctx context.Context, ref devices.Ref) ([]station.Fault, error) {
	events, _, err := j.ledger.Events(ctx, ledger.EventQuery{Kind: ref.Kind, Device: ref.ID, Types: faultEvents()})
	if err != nil {
		return nil, fmt.Errorf("read faults of %s: %w", ref, err)
	}
	reports := make([]station.FaultReport, 0, len(events))
	for i := range events {
		reports = append(reports, faultReport(&events[i]))
	}
	return station.PairFaults(reports), nil
}
