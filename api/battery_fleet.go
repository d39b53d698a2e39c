package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// FleetScope narrows a result of the fleet. Retired batteries never count.
type FleetScope struct {
	OwnerID   string `query:"owner_id" maxLength:"64" doc:"only what this owner owns"`
	SiteID    string `query:"site_id" maxLength:"64" doc:"only what stands on this site"`
	Chemistry string `query:"chemistry" maxLength:"64" doc:"only batteries of this chemistry"`
}

// member is a battery of the fleet and where it stands.
type member struct {
	*devices.Battery
	standing *dossier.Standing // of one that is not seen: nothing
	seen     bool              // there is a standing
}

// partOf is the part of the fleet that the input selects, but for the chemistry.
func (a *API) partOf(ctx context.Context, in FleetScope) (fleetPart, error) {
	return a.fleet.part(ctx, registry.Filter{OwnerID: in.OwnerID, SiteID: in.SiteID})
}

// members are the batteries that the input selects, by id.
func (a *API) members(ctx context.Context, in FleetScope) ([]member, error) {
	part, err := a.partOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return membersOf(part.batteries(), in.Chemistry), nil
}

func membersOf(of []*known, chemistry string) []member {
	out, nothing := make([]member, 0, len(of)), &dossier.Standing{}
	for _, b := range of {
		if b.Status == devices.StatusRetired || chemistry != "" && !strings.EqualFold(b.Chemistry, chemistry) {
			continue
		}
		m := member{&b.Battery, nothing, b.standing != nil}
		if m.seen {
			m.standing = b.standing
		}
		out = append(out, m)
	}
	return out
}

// standingsOf are those of the members that have one.
func standingsOf(of []member) []dossier.Standing {
	out := make([]dossier.Standing, 0, len(of))
	for _, m := range of {
		if m.seen {
			out = append(out, *m.standing)
		}
	}
	return out
}

// FleetHealth is the health of the fleet.
type FleetHealth struct {
	AsOf      *Time          `json:"as_of" nullable:"true" doc:"end of the newest day with data that counts, of any battery"`
	Batteries int            `json:"batteries"`
	Statuses  HealthStatuses `json:"statuses" doc:"batteries by the status of their health score"`
	Scores    []Bin          `json:"scores" nullable:"false" doc:"batteries by health score"`
	Measures  []FleetMeasure `json:"measures" nullable:"false" doc:"the spread of each measure over the batteries that have it"`
	Ended     *int           `json:"ended" doc:"batteries whose end of life is passed; null with as_of: records do not tell"`
	Behind    int            `json:"behind_knee" doc:"batteries whose fade has turned fast"`
	Events    *int           `json:"negative_events" doc:"of all batteries, since each was first seen; null with as_of: records do not tell"`
}

// HealthStatuses are batteries by status.
type HealthStatuses struct {
	OK           int `json:"ok"`
	Insufficient int `json:"insufficient_data"`
	Unseen       int `json:"unseen" doc:"no day of them has been worked off yet"`
}

// FleetMeasure is the spread of one measure.
type FleetMeasure struct {
	Measure string   `json:"measure"`
	Status  string   `json:"status" enum:"ok,insufficient_data"`
	Reason  string   `json:"reason,omitempty" doc:"why it is not known of any battery"`
	Count   int      `json:"count" doc:"batteries that have it"`
	Mean    *float64 `json:"mean"`
	P10     *float64 `json:"p10"`
	P25     *float64 `json:"p25"`
	P50     *float64 `json:"p50"`
	P75     *float64 `json:"p75"`
	P90     *float64 `json:"p90"`
}

type fleetHealthInput struct {
	FleetScope
	AsOf
}

func (a *API) routeFleetHealth() {
	add(a, operation{
		right: access.Read, id: "get-fleet-health", method: http.MethodGet, path: "/fleet/health", tag: "fleet",
		summary: "Health of all batteries: distribution, percentiles, counts by status",
		notes:   "With as_of, by each battery's record of the last week that had ended by then; a measure that records do not hold says so.",
	}, a.fleetHealth)
}

func (a *API) fleetHealth(ctx context.Context, in *fleetHealthInput) (*itemOutput[FleetHealth], error) {
	part, err := a.partOf(ctx, in.FleetScope)
	if err != nil {
		return nil, err
	}
	day, err := in.day()
	if err != nil {
		return nil, err
	}
	if day == math.MaxInt64 && part.some {
		return &itemOutput[FleetHealth]{Body: healthOf(part, in.Chemistry)}, nil
	}
	of := membersOf(part.batteries(), in.Chemistry)
	if day != math.MaxInt64 {
		if err := a.rewind(ctx, of, day); err != nil {
			return nil, err
		}
	}
	return &itemOutput[FleetHealth]{Body: viewFleetHealth(of, day != math.MaxInt64)}, nil
}

// healthOf is the health of a part of the fleet as it is now.
func healthOf(part fleetPart, chemistry string) FleetHealth {
	same := unmoved[FleetHealth](keeps(part.filter))
	return recall(part.snapshot, fmt.Sprintf("health %s %q", question(part.filter), chemistry), same, func() (FleetHealth, int) {
		return viewFleetHealth(membersOf(part.batteries(), chemistry), false), 0
	})
}

// rewind puts the members where they stood at the end of the day, as far as
// their records tell.
func (a *API) rewind(ctx context.Context, of []member, day int64) error {
	at, nothing := make(map[string]*member, len(of)), &dossier.Standing{}
	for k := range of {
		m := &of[k]
		at[m.ID], m.seen, m.standing = m, false, nothing
	}
	err := a.opts.Batteries.BatteryHistories(ctx, math.MinInt64, day+1, func(id string, r dossier.Record) error {
		if m := at[id]; m != nil { // the last of a battery is its newest
			s := r.Standing(id)
			m.seen, m.standing = true, &s
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read histories: %w", err)
	}
	return nil
}

// viewFleetHealth shows the health of the members; past says that their standings
// are made of records.
func viewFleetHealth(of []member, past bool) FleetHealth {
	view := FleetHealth{Batteries: len(of), Measures: []FleetMeasure{}}
	ended, events := 0, 0
	if !past {
		view.Ended, view.Events = &ended, &events
	}
	scores, newest := make([]float64, 10), int64(math.MinInt64)
	for _, m := range of {
		s := m.standing
		switch {
		case !m.seen:
			view.Statuses.Unseen++
			continue
		case s.Status == string(battery.HealthOK):
			view.Statuses.OK++
		default:
			view.Statuses.Insufficient++
		}
		newest = max(newest, s.Day)
		events += s.Events
		if s.Ended {
			ended++
		}
		if s.BehindKnee {
			view.Behind++
		}
		if s.HealthScore != nil {
			scores[min(9, int(*s.HealthScore/10))]++
		}
	}
	if newest != math.MinInt64 {
		at := Time((newest + 1) * telemetry.Day)
		view.AsOf = &at
	}
	view.Scores = bins(scores, 0, 10, false, false)
	for _, name := range batteryMeasureNames() {
		view.Measures = append(view.Measures, spreadOf(name, of, past))
	}
	return view
}

// spreadOf is the spread of a measure over the members that have it.
func spreadOf(name string, of []member, past bool) FleetMeasure {
	measure, out := batteryMeasures()[name], FleetMeasure{Measure: name, Status: string(battery.HealthOK)}
	var entries []station.Entry
	for _, m := range of {
		if v := measure.of(&m); v != nil {
			entries = append(entries, station.Entry{ID: m.ID, Value: *v})
		}
	}
	for _, g := range station.RollUp(entries) { // one group, or none
		out.Count, out.Mean = g.Count, &g.Mean
		out.P10, out.P25, out.P50, out.P75, out.P90 = &g.P10, &g.P25, &g.P50, &g.P75, &g.P90
	}
	if out.Count == 0 {
		out.Status, out.Reason = string(battery.HealthInsufficient), "it is not known of any battery"
		if past && !measure.recorded {
			out.Reason = "the records of past weeks do not hold it"
		}
	}
	return out
}
