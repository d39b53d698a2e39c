package influx

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// maxAlternatives is how many devices a statement names one by one. InfluxDB
// 1.8 looks each of them up in its index but joins the results in quadratic
// time (2,000 take two seconds), so that longer lists go as a regular
// expression, which is matched against every device there is: 10,000 take a
// third of a second.
const maxAlternatives = 50

// The times that InfluxDB can hold, in whole milliseconds.
const (
	minTime = math.MinInt64 / int64(time.Millisecond)
	maxTime = math.MaxInt64 / int64(time.Millisecond)
)

// condition is the WHERE clause for the readings of q; false where none can
// match.
func condition(q telemetry.RangeQuery) (string, bool) {
	from, to := max(q.Window.From, minTime), min(q.Window.To, maxTime)
	if from >= to {
		return "", false
	}
	times := fmt.Sprintf("time >= %d AND time < %d", from*int64(time.Millisecond), to*int64(time.Millisecond))
	if len(q.Devices) == 0 {
		return times, true
	}
	// What is no id was never stored, so nothing else reaches a statement.
	ids := slices.DeleteFunc(slices.Clone(q.Devices), func(id string) bool { return !devices.ValidID(id) })
	if len(ids) == 0 {
		return "", false
	}
	slices.Sort(ids)
	return times + " AND " + oneOf(slices.Compact(ids)), true
}

// oneOf is the condition that the device is one of ids, which are valid.
func oneOf(ids []string) string {
	tag := quoteIdent(deviceTag)
	each := make([]string, len(ids))
	if len(ids) > maxAlternatives {
		for i, id := range ids {
			each[i] = regexp.QuoteMeta(id)
		}
		return tag + " =~ /^(" + strings.Join(each, "|") + ")$/"
	}
	for i, id := range ids {
		each[i] = tag + " = " + quoteString(id)
	}
	return "(" + strings.Join(each, " OR ") + ")"
}

// columns lists the fields for a SELECT, each folded by fn and under its own
// name; fn may be empty.
func columns(fields []*devices.Field, fn telemetry.Func) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteString(", ")
		}
		name := quoteIdent(f.Name)
		if fn == "" {
			b.WriteString(name)
		} else {
			b.WriteString(string(fn) + "(" + name + ") AS " + name)
		}
	}
	return b.String()
}

func quoteIdent(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func quoteString(s string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + `'`
}
