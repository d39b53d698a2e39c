package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
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

// rollupsOutput is items[Rollup] as it is sent.
type rollupsOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

func (a *API) routeRollups(kind devices.Kind) {
	answer := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[items[Rollup]](), true, "")
	add(a, operation{
		right: access.Read, id: "get-" + string(kind) + "-rollups", method: http.MethodGet, path: "/" + kind.Plural() + "/{id}/rollups", tag: kind.Plural(),
		summary: "Hours or days: means over time, extremes, consumption",
		notes:   "As the jobs computed them last; buckets that start in [from, to).",
		errors:  []int{http.StatusNotFound},
		content: map[string]*huma.MediaType{"application/json": {Schema: answer}},
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
	return &rollupsOutput{"application/json", encodeRollups(days, in.Every == "1d", window, fields)}, nil
}

// encodeRollups writes what encoding/json would of items[Rollup]: the days as a
// whole or their hours, those that start in the window and have any of the fields.
func encodeRollups(days []ledger.RollupDay, whole bool, window telemetry.Window, fields []string) []byte {
	const bucketSize, statSize = 48, 128 // bytes, about
	buckets := func(d *ledger.RollupDay) []rollup.Bucket {
		if whole {
			return []rollup.Bucket{d.Total}
		}
		return d.Hours
	}
	room := bucketSize
	for k := range days {
		room += len(buckets(&days[k])) * (bucketSize + statSize*min(len(fields), len(days[k].Total.Stats)))
	}
	out, asked := append(make([]byte, 0, room), `{"items":[`...), &cycle{names: fields}
	for k := range days {
		for _, b := range buckets(&days[k]) {
			if window.Contains(b.Start) {
				out = appendBucket(out, &b, asked)
			}
		}
	}
	return append(out, "]}\n"...)
}

// appendBucket leaves out a bucket that has none of the fields.
func appendBucket(out []byte, b *rollup.Bucket, asked *cycle) []byte {
	before := len(out)
	if out[before-1] != '[' {
		out = append(out, ',')
	}
	out = append(Time(b.Start).append(append(out, `{"start":`...)), `,"stats":[`...)
	first := len(out)
	for k := range b.Stats {
		if !asked.has(b.Stats[k].Field) {
			continue
		}
		if len(out) > first {
			out = append(out, ',')
		}
		out = appendStat(out, &b.Stats[k])
	}
	if len(out) == first {
		return out[:before]
	}
	return append(out, "]}"...)
}

func appendStat(out []byte, s *rollup.Stat) []byte {
	out = append(append(append(out, `{"field":"`...), s.Field...), `","samples":`...) // a name is [a-z0-9_]
	out = strconv.AppendInt(out, int64(s.Samples), 10)
	out = appendNumber(append(out, `,"coverage":`...), s.Coverage)
	for _, number := range [...]struct {
		name string
		v    *float64
	}{{`,"mean":`, s.Mean}, {`,"min":`, s.Min}, {`,"max":`, s.Max}, {`,"last":`, s.Last}, {`,"delta":`, s.Delta}} {
		if number.v != nil {
			out = appendNumber(append(out, number.name...), *number.v)
		}
	}
	if s.Resets != 0 {
		out = strconv.AppendInt(append(out, `,"resets":`...), int64(s.Resets), 10)
	}
	return append(out, '}')
}

// cycle finds names again that come in the same order over and over.
type cycle struct {
	names []string
	next  int
}

func (c *cycle) has(name string) bool {
	for range c.names {
		found := c.names[c.next] == name
		c.next = (c.next + 1) % len(c.names)
		if found {
			return true
		}
	}
	return false
}
