package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// maxRollups bounds the hours or days of one answer: each holds a dozen
// numbers for each field.
const maxRollups = 10_000

type rollupsInput struct {
	DevicePath
	Interval
	Every  string   `query:"every" enum:"1h,1d" default:"1h" doc:"hours or UTC days"`
	Fields []string `query:"fields" doc:"comma-separated field names; default: all"`
}

// Rollup is one hour or one UTC day of a device.
type Rollup struct {
	Start Time        `json:"start"`
	Stats []FieldStat `json:"stats" nullable:"false"`
}

// FieldStat summarises one field. What the data does not carry is absent.
type FieldStat struct {
	Field    string   `json:"field"`
	Samples  int      `json:"samples"`
	Coverage float64  `json:"coverage" doc:"share of the time between samples close enough to interpolate, 0…1"`
	Mean     *float64 `json:"mean,omitempty" doc:"gauges: weighted by time"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	Last     *float64 `json:"last,omitempty"`
	Delta    *float64 `json:"delta,omitempty" doc:"counters: consumption; a reset is never booked"`
	Resets   int      `json:"resets,omitempty"`
}

type rollupsOutput struct{ Body items[Rollup] }

func (a *API) routeRollups(kind devices.Kind) {
	add(a, operation{
		right: access.Read, id: "get-" + string(kind) + "-rollups", method: http.MethodGet, path: "/" + kind.Plural() + "/{id}/rollups", tag: kind.Plural(),
		summary: "Hours or days: means over time, extremes, consumption",
		notes:   "As the jobs computed them last; buckets that start in [from, to).",
		errors:  []int{http.StatusNotFound},
	}, func(ctx context.Context, in *rollupsInput) (*rollupsOutput, error) {
		return a.rollups(ctx, devices.Ref{Kind: kind, ID: in.ID}, in)
	})
}

func (a *API) rollups(ctx context.Context, ref devices.Ref, in *rollupsInput) (*rollupsOutput, error) {
	window, err := in.window(a.opts.Now())
	if err != nil {
		return nil, err
	}
	length := telemetry.Hour
	if in.Every == "1d" {
		length = telemetry.Day
	}
	if n := (window.To - window.From) / length; n > maxRollups {
		return nil, badParameter("query.every", fmt.Sprintf("%d buckets are more than %d: lengthen every or narrow [from, to)", n, maxRollups), in.Every)
	}
	fields, err := a.fields(ref.Kind, in.Fields, &requirement{(*devices.Field).Numeric, "is text and has no roll-up"})
	if err != nil {
		return nil, err
	}
	if err := a.exists(ctx, ref); err != nil {
		return nil, err
	}
	read := a.opts.Results.Rollups
	if in.Every == "1d" {
		read = a.opts.Results.RollupTotals
	}
	days, err := read(ctx, ref, telemetry.DayOf(window.From), telemetry.DayOf(window.To-1)+1)
	if err != nil {
		return nil, fmt.Errorf("read roll-ups: %w", err)
	}
	out := &rollupsOutput{Body: items[Rollup]{Items: []Rollup{}}}
	for _, d := range days {
		buckets := d.Day.Hours
		if in.Every == "1d" {
			buckets = []rollup.Bucket{d.Day.Total}
		}
		for _, b := range buckets {
			if view := viewBucket(b, fields); window.Contains(b.Start) && len(view.Stats) > 0 {
				out.Body.Items = append(out.Body.Items, view)
			}
		}
	}
	return out, nil
}

func viewBucket(b rollup.Bucket, fields []string) Rollup {
	view := Rollup{Start: Time(b.Start)}
	for _, s := range b.Stats {
		if slices.Contains(fields, s.Field) {
			view.Stats = append(view.Stats, FieldStat(s))
		}
	}
	return view
}
