package duckdb

import (
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// filter is a condition on the rows of a table, and the arguments in it.
type filter struct {
	conditions []string
	args       []any

	// Bounds of what it selects, by which a snapshot is cut before it is read.
	window      *telemetry.Window // nil: of any time
	first, last string            // the devices; an empty last: any
}

func (f *filter) and(condition string, args ...any) {
	f.conditions = append(f.conditions, condition)
	f.args = append(f.args, args...)
}

func (f filter) String() string {
	if len(f.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.conditions, " AND ")
}

// between is f of the devices from first to last, both included.
func (f filter) between(first, last string) filter {
	g := f
	g.conditions, g.args = slices.Clone(f.conditions), slices.Clone(f.args)
	g.and("device BETWEEN ? AND ?", first, last)
	g.first, g.last = first, last
	return g
}

// excludes reports whether a part has none of the devices.
func (f filter) excludes(p *part) bool {
	return f.last != "" && p.toDevice != "" && (p.toDevice < f.first || p.fromDevice > f.last)
}

// fewDevices is up to how many devices are listed one by one.
const fewDevices = 64

// where selects the devices and the window of q.
func where(q telemetry.RangeQuery) filter {
	f := filter{window: &q.Window}
	f.and("ts_ms >= ? AND ts_ms < ?", q.Window.From, q.Window.To)
	if len(q.Devices) == 0 {
		return f
	}
	// A list alone does not let the engine pass over row groups, bounds do.
	f = f.between(slices.Min(q.Devices), slices.Max(q.Devices))
	switch {
	case len(q.Devices) == 1:
	case len(q.Devices) <= fewDevices:
		args := make([]any, len(q.Devices))
		for i, d := range q.Devices {
			args[i] = d
		}
		f.and("device IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
	default:
		f.and("device IN (SELECT unnest(?::VARCHAR[]))", q.Devices)
	}
	return f
}

// valueFrom makes a value of what the driver gave for a column of f; false for
// NULL.
func valueFrom(f *devices.Field, v any) (telemetry.Value, bool) {
	switch v := v.(type) {
	case float64:
		return telemetry.Value{Field: f, Num: v}, true
	case string:
		return telemetry.Value{Field: f, Text: v}, true
	}
	return telemetry.Value{}, false
}
