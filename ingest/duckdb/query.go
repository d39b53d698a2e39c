package duckdb

import (
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// filter is a condition on the rows of a table, and the arguments in it.
type filter struct {
	conditions []string
	args       []any

	first, last string // of the devices that it selects; an empty last: any
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

// excludes reports whether a part has none of the devices.
func (f filter) excludes(p *part) bool {
	return f.last != "" && p.toDevice != "" && (p.toDevice < f.first || p.fromDevice > f.last)
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
