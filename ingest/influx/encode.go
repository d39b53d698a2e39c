package influx

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// deviceTag is the one tag of every point.
const deviceTag = "device"

var (
	escapeName = strings.NewReplacer(`,`, `\,`, ` `, `\ `, `=`, `\=`)
	escapeText = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

// appendLine appends r as one line of line protocol, its newline included, time
// in milliseconds. Every number is a float, in the shortest form that reads
// back as the same; a newline inside a text stands as it is, which the grammar
// allows between quotes. defect(r) must be empty.
func appendLine(b []byte, r *telemetry.Reading) []byte {
	b = append(b, escapeName.Replace(string(r.Kind))...)
	b = append(b, ","+deviceTag+"="...)
	b = append(b, escapeName.Replace(r.Device)...)
	for i, v := range r.Values {
		if i == 0 {
			b = append(b, ' ')
		} else {
			b = append(b, ',')
		}
		b = append(b, escapeName.Replace(v.Field.Name)...)
		b = append(b, '=')
		switch {
		case !v.Field.Numeric():
			b = append(b, '"')
			b = append(b, escapeText.Replace(v.Text)...)
			b = append(b, '"')
		case v.Num == 0:
			b = append(b, '0') // also for a negative zero
		default:
			b = strconv.AppendFloat(b, v.Num, 'g', -1, 64)
		}
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.TS, 10)
	return append(b, '\n')
}

// defect says why a reading must not be sent: line protocol can't say it, or
// the server would store something else and not tell, such as a point without
// the tag where the device is empty.
func defect(r *telemetry.Reading, schema *devices.Schema) string {
	switch {
	case schema.Measurement(r.Kind) == nil:
		return "unknown kind " + strconv.Quote(string(r.Kind))
	case !devices.ValidID(r.Device):
		return "device " + strconv.Quote(r.Device) + " is no valid id"
	case len(r.Values) == 0:
		return "no fields"
	}
	for _, v := range r.Values {
		switch {
		case v.Field.Numeric() && (math.IsNaN(v.Num) || math.IsInf(v.Num, 0)):
			return v.Field.Name + " is not finite"
		case !v.Field.Numeric() && !utf8.ValidString(v.Text):
			return v.Field.Name + " is not UTF-8"
		}
	}
	return ""
}
