package registry

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
)

// cellType is what a column of a sheet holds.
type cellType int

const (
	cellText cellType = iota
	cellNumber
	cellInteger
	cellTime // RFC 3339, or a date, which is its beginning in UTC
)

type column struct {
	name string // as in JSON
	is   cellType
}

// sheet are the columns of a kind's file after the first, which is id.
type sheet []column

// sheets are the kinds that can be imported and exported.
func sheets() map[string]sheet {
	return map[string]sheet{
		kindOwner: {{"name", cellText}},
		KindSite: {
			{"owner_id", cellText}, {"owner_since", cellTime}, {"name", cellText}, {"time_zone", cellText}, {"city", cellText},
			{"latitude", cellNumber}, {"longitude", cellNumber},
		},
		string(devices.KindStation): ofDevice(column{"slots", cellInteger}),
		string(devices.KindBattery): ofDevice(column{"chemistry", cellText}, column{"rated_capacity_ah", cellNumber},
			column{"rated_voltage_v", cellNumber}, column{"cutoff_voltage_v", cellNumber}),
		string(devices.KindBuilding): ofDevice(column{"floor_area_m2", cellNumber}),
	}
}

func ofDevice(more ...column) sheet {
	return append(sheet{
		{"owner_id", cellText}, {"owner_since", cellTime}, {"site_id", cellText}, {"name", cellText}, {"serial", cellText},
		{"status", cellText}, {"gateway", cellText}, {"commissioned", cellTime},
	}, more...)
}

// SheetKinds are the kinds that can be imported and exported.
func SheetKinds() []string { return slices.Sorted(maps.Keys(sheets())) }

// line is one line of a sheet: its id, and the other cells as JSON.
type line struct {
	number int
	id     string
	values map[string]json.RawMessage
}

// into fills a patch.
func (l line) into(patch any) error {
	raw, err := json.Marshal(l.values)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, patch)
}

// read reads a file. Lines that can't be read are problems; a file that is none,
// or whose columns are not known, is an error.
func (s sheet) read(file io.Reader) (lines []line, problems []LineProblem, err error) {
	r := csv.NewReader(file)
	r.ReuseRecord = true
	header, err := s.header(r)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]int{}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, problems, nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) && errors.Is(err, csv.ErrFieldCount) {
			problems = append(problems, LineProblem{Line: broken.StartLine, Detail: fmt.Sprintf("want %d cells, as in the first line", len(header))})
			continue
		}
		if err != nil {
			return nil, nil, invalidField("file", "%v", err)
		}
		l := line{values: map[string]json.RawMessage{}}
		l.number, _ = r.FieldPos(0)
		bad := l.fill(header, cells)
		if first, twice := seen[l.id]; twice {
			bad = append(bad, LineProblem{Line: l.number, Column: "id", Detail: fmt.Sprintf("is on line %d too", first)})
		}
		seen[l.id] = l.number
		if problems = append(problems, bad...); len(bad) == 0 {
			lines = append(lines, l)
		}
	}
}

// header returns the columns in the order of the file.
func (s sheet) header(r *csv.Reader) ([]column, error) {
	names, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, invalidField("file", "is empty: want a first line with the names of the columns")
	}
	if err != nil {
		return nil, invalidField("file", "%v", err)
	}
	columns := make([]column, len(names))
	var p problems
	for i, name := range names {
		name = strings.TrimPrefix(strings.TrimSpace(name), "\ufeff") // as spreadsheets begin a file
		known := slices.IndexFunc(s, func(c column) bool { return c.name == name })
		switch {
		case slices.ContainsFunc(columns[:i], func(c column) bool { return c.name == name }):
			p.add("file", "column %q is there twice", name)
		case name == "id":
			columns[i] = column{"id", cellText}
		case known < 0:
			p.add("file", "column %q is not known: want id and some of %s", name, strings.Join(s.names(), ", "))
		default:
			columns[i] = s[known]
		}
	}
	if !slices.ContainsFunc(columns, func(c column) bool { return c.name == "id" }) {
		p.add("file", "has no column id")
	}
	return columns, p.err()
}

func (s sheet) names() []string {
	names := make([]string, len(s))
	for i, c := range s {
		names[i] = c.name
	}
	return names
}

// fill takes the cells over and returns those that can't be read.
func (l *line) fill(header []column, cells []string) (bad []LineProblem) {
	for i, c := range header {
		text := strings.TrimSpace(cells[i])
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			bad = append(bad, LineProblem{Line: l.number, Column: c.name, Detail: "want text without control characters"})
			continue
		}
		if c.name == "id" {
			l.id = text
			continue
		}
		if text == "" && (c.is != cellText || c.name == "status") {
			continue
		}
		value, err := c.value(text)
		if err != nil {
			bad = append(bad, LineProblem{Line: l.number, Column: c.name, Detail: err.Error()})
			continue
		}
		l.values[c.name] = value
	}
	return bad
}

// value is a cell as JSON.
func (c column) value(text string) (json.RawMessage, error) {
	switch c.is {
	case cellNumber:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, errors.New("want a number, with a point before decimals")
		}
		raw, err := json.Marshal(v) // NaN and Inf have no JSON
		if err != nil {
			return nil, errors.New("want a number that is finite")
		}
		return raw, nil
	case cellInteger:
		if _, err := strconv.ParseInt(text, 10, 32); err != nil {
			return nil, errors.New("want a whole number")
		}
		return json.RawMessage(text), nil
	case cellTime:
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if t, err := time.Parse(layout, text); err == nil {
				return json.Marshal(t)
			}
		}
		return nil, errors.New("want a time as 2026-03-10T00:00:00Z, or a date as 2026-03-10")
	}
	return json.Marshal(text)
}
