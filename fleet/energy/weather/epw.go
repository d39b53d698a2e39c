// Package weather reads outdoor temperatures from files, EnergyPlus weather and
// CSV, and makes a typical year of years that were measured.
//
// It is pure: it takes the text of a file, and opens none.
package weather

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// Station is where a file was measured.
type Station struct {
	Name      string
	Country   string
	Source    string
	WMO       string
	Latitude  float64
	Longitude float64
	Zone      *time.Location // a fixed offset: weather files know no daylight saving
}

// The layout of an EPW file (EnergyPlus Auxiliary Programs, EPW data
// dictionary).
const (
	epwHeaderLines = 8
	epwDryBulb     = 6
	epwMissing     = 99.9
	maxLine        = 64 * 1024
	maxLines       = 200_000 // 22 years of hours
)

// EPW reads the dry-bulb temperatures of an EnergyPlus weather file in °C, each
// at the start of its hour. The months of a typical year come from different
// years; they are all put into the year given, and 29 February is left out where
// it has none. Hours that are missing in the file are missing in the result.
func EPW(r io.Reader, year int) (Station, []prepare.Point, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	var station Station
	var out []prepare.Point
	for line := 1; scanner.Scan(); line++ {
		fields := strings.Split(strings.TrimSpace(scanner.Text()), ",")
		switch {
		case line > maxLines:
			return station, nil, fmt.Errorf("epw: more than %d lines", maxLines)
		case line == 1:
			var err error
			if station, err = location(fields); err != nil {
				return station, nil, err
			}
		case line <= epwHeaderLines || len(fields) == 1 && fields[0] == "":
		default:
			p, ok, err := epwHour(fields, year, station.Zone)
			if err != nil {
				return station, nil, fmt.Errorf("epw: line %d: %w", line, err)
			}
			if ok {
				out = append(out, p)
			}
		}
	}
	if err := scanner.Err(); err != nil {
		return station, nil, fmt.Errorf("epw: %w", err)
	}
	if len(out) == 0 {
		return station, nil, fmt.Errorf("epw: no hours")
	}
	return station, out, nil
}

// The hours of a typical year, and how many of them a file must tell.
const (
	yearHours = 8760
	leastYear = yearHours * 9 / 10
)

// WholeYear is an error for hours that are too few for a typical year: what is
// worked out in its weather would be that of a part of it.
func WholeYear(points []prepare.Point) error {
	if n := len(prepare.Ascending(slices.Clone(points))); n < leastYear {
		return fmt.Errorf("epw: %d of the %d hours of a year, want %d at least", n, yearHours, leastYear)
	}
	return nil
}

func location(fields []string) (Station, error) {
	if len(fields) < 9 || fields[0] != "LOCATION" {
		return Station{}, fmt.Errorf("epw: the first line is no LOCATION")
	}
	s := Station{Name: fields[1], Country: fields[3], Source: fields[4], WMO: fields[5]}
	var zone float64
	for _, f := range []struct {
		at  int
		to  *float64
		max float64
	}{{6, &s.Latitude, 90}, {7, &s.Longitude, 180}, {8, &zone, 14}} {
		v, err := strconv.ParseFloat(strings.TrimSpace(fields[f.at]), 64)
		if err != nil || !(math.Abs(v) <= f.max) {
			return s, fmt.Errorf("epw: the LOCATION has no number in field %d", f.at+1)
		}
		*f.to = v
	}
	s.Zone = time.FixedZone("", int(zone*3600))
	return s, nil
}

// epwHour reads one line; hour 1 is the one from midnight to one o'clock.
func epwHour(fields []string, year int, zone *time.Location) (prepare.Point, bool, error) {
	if len(fields) <= epwDryBulb {
		return prepare.Point{}, false, fmt.Errorf("%d fields, want more than %d", len(fields), epwDryBulb)
	}
	var n [4]int
	for i := range n {
		v, err := strconv.Atoi(strings.TrimSpace(fields[i]))
		if err != nil {
			return prepare.Point{}, false, fmt.Errorf("field %d: %w", i+1, err)
		}
		n[i] = v
	}
	month, day, hour := n[1], n[2], n[3]
	if month < 1 || month > 12 || day < 1 || day > 31 || hour < 1 || hour > 24 {
		return prepare.Point{}, false, fmt.Errorf("no such hour: month %d, day %d, hour %d", month, day, hour)
	}
	c, err := strconv.ParseFloat(strings.TrimSpace(fields[epwDryBulb]), 64)
	if err != nil {
		return prepare.Point{}, false, fmt.Errorf("dry bulb: %w", err)
	}
	at := time.Date(year, time.Month(month), day, hour-1, 0, 0, 0, zone)
	if at.Day() != day || !(math.Abs(c) < epwMissing) {
		return prepare.Point{}, false, nil
	}
	return prepare.Point{TS: at.UnixMilli(), Value: c}, true, nil
}
