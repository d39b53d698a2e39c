package wire

import (
	"bytes"

	"github.com/fleetwatt/fleetwatt/devices"
)

// maxName bounds the names that suggest thinks about, in bytes; that of a field
// in the schema is no longer.
const maxName = 64

// suggest is the name that a device most likely meant by one that m does not
// have; empty where none is close. Close means: the same but for case, for a
// missing unit, or for up to two typing errors, a third of the name at most.
func suggest(m *devices.Measurement, name []byte) string {
	if len(name) == 0 || len(name) > maxName {
		return ""
	}
	name = bytes.ToLower(name)
	if len(name) > maxName { // some letters grow
		return ""
	}
	switch string(name) {
	case "ts", "ts_ms", "time", "timestamp":
		return "ts"
	}
	best, found := min(2, len(name)/3)+1, ""
	for _, f := range m.Fields {
		if f.Name == string(name) || len(f.Name) > len(name) && f.Name[len(name)] == '_' && f.Name[:len(name)] == string(name) {
			return f.Name
		}
		if d := len(f.Name) - len(name); d >= best || -d >= best {
			continue
		}
		if d := distance(name, f.Name); d < best {
			best, found = d, f.Name
		}
	}
	return found
}

// distance is the number of bytes to insert, delete, replace or swap with their
// neighbour to get from a to b, both at most maxName long: the optimal string
// alignment distance.
func distance(a []byte, b string) int {
	var rows [3][maxName + 1]uint8
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = uint8(j)
	}
	for i := 1; i <= len(a); i++ {
		row[0] = uint8(i)
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return int(last[len(b)])
}
