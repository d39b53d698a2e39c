package api

import (
	"context"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationWindow is the window of a result about stations.
type StationWindow struct {
	AsOf
	Days int `query:"days" minimum:"1" maximum:"366" default:"30" doc:"whole days of the station's time zone, up to the last one that had ended at as_of, or by default now"`
}

type stationInput struct {
	DevicePath
	StationWindow
}

// instant is as_of, or now: of what is yet to come nothing is known.
func (a *API) instant(p AsOf) (time.Time, error) {
	at, given, err := p.at()
	if now := a.opts.Now(); err == nil && (!given || at.After(now)) {
		at = now
	}
	return at, err
}

// stationAsked is a station with the days that a request is about.
type stationAsked struct {
	id          string
	setting     station.Setting
	first, last int64 // days
	hasData     bool
	today       int64 // of now, which has not ended
}

// window is the window of the results: without what lies before the first day
// with data, unless there is nothing else.
func (q *stationAsked) window() station.Window {
	if w, ok := q.setting.Span(q.first, q.last); ok && q.hasData {
		return w
	}
	c := q.setting.Calendar
	return station.Window{From: c.Start(q.first), To: c.Start(q.last + 1)}
}

// stationAsked finds the station and the days that in is about.
func (a *API) stationAsked(ctx context.Context, in *stationInput) (*stationAsked, error) {
	at, err := a.instant(in.AsOf)
	if err != nil {
		return nil, err
	}
	s, err := a.opts.Registry.GetStation(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	q := stationAsked{id: s.ID}
	if q.setting, err = a.stationSetting(ctx, s); err != nil {
		return nil, err
	}
	span, ok, err := a.opts.Stations.StationSpan(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	q.hasData, q.setting.FirstDay = ok, span.First
	q.last = q.setting.Calendar.LastComplete(at.UnixMilli())
	q.first = q.last - int64(in.Days) + 1
	q.today = q.setting.Calendar.DayOf(a.opts.Now().UnixMilli())
	return &q, nil
}

// stationSetting is what is known of a station beside its data.
func (a *API) stationSetting(ctx context.Context, s devices.Station) (station.Setting, error) {
	setting := station.Setting{Calendar: station.CalendarOf(time.UTC), Rules: a.opts.StationRules(s.ID), Slots: s.Slots}
	if s.SiteID == "" {
		return setting, nil
	}
	site, err := a.opts.Registry.GetSite(ctx, s.SiteID)
	if err != nil {
		return setting, fmt.Errorf("site of station %s: %w", s.ID, err)
	}
	setting.Calendar = calendarOf(site)
	return setting, nil
}

// assessed is the assessment of the days asked for.
func (a *API) assessed(ctx context.Context, q *stationAsked) (station.Assessment, error) {
	days, err := a.opts.Stations.StationDays(ctx, q.id, q.first, q.last)
	if err != nil {
		return station.Assessment{}, err
	}
	faults, err := a.opts.Stations.StationFaults(ctx, q.id)
	if err != nil {
		return station.Assessment{}, err
	}
	of := faults[q.id]
	return station.Assess(days, of, len(of) > 0, q.window(), q.setting), nil
}

func calendarOf(s devices.Site) station.Calendar { return fleet.CalendarOfSite(s) }
