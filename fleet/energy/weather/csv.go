package weather

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// CSV reads temperatures in °C from a table with a header. The column of the
// time is the first named time, datetime, timestamp, date or ts; the
// temperature's is the first whose name begins with temp, air_temp, outdoor, t2m
// or drybulb, and it is in °F where a word of the name says so: f, °f, degf,
// fahrenheit. The unit of the file is returned beside the values.
// Times are RFC 3339, Unix milliseconds, or local without an offset, as
// 2006-01-02 15:04. Empty fields are missing. The result ascends; of two rows of
// one time the later stands.
func CSV(r io.Reader, local *time.Location) ([]prepare.Point, Unit, error) {
	reader := csv.NewReader(r)
	reader.ReuseRecord = true
	header, err := reader.Read()
	if err != nil {
		return nil, "", fmt.Errorf("weather csv: header: %w", err)
	}
	timeAt, tempAt, unit, err := columns(header)
	if err != nil {
		return nil, "", err
	}
	var out []prepare.Point
	for line := 2; ; line++ {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, csv.ErrFieldCount) {
			return nil, "", fmt.Errorf("weather csv: line %d has another number of fields than the header (decimal comma?)", line)
		}
		if err != nil {
			return nil, "", fmt.Errorf("weather csv: %w", err)
		}
		if line > maxLines {
			return nil, "", fmt.Errorf("weather csv: more than %d lines", maxLines)
		}
		text := strings.TrimSpace(record[tempAt])
		if text == "" || strings.EqualFold(text, "nan") || strings.EqualFold(text, "null") {
			continue
		}
		ts, err := prepare.Instant(strings.TrimSpace(record[timeAt]), local)
		if err != nil {
			return nil, "", fmt.Errorf("weather csv: line %d: %w", line, err)
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, "", fmt.Errorf("weather csv: line %d: %q is no temperature", line, text)
		}
		if unit == Fahrenheit {
			v = energy.CelsiusOf(v)
		}
		out = append(out, prepare.Point{TS: ts, Value: v})
	}
	return prepare.Ascending(out), unit, nil
}

// columns finds the time and the temperature.
func columns(header []string) (timeAt, tempAt int, unit Unit, err error) {
	timeAt, tempAt = -1, -1
	for i, h := range header {
		name := strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
		if timeAt < 0 && slices.Contains([]string{"time", "datetime", "timestamp", "date", "ts", "dt"}, name) {
			timeAt = i
		}
		for _, prefix := range []string{"temp", "air_temp", "outdoor", "t2m", "drybulb"} {
			if tempAt < 0 && strings.HasPrefix(name, prefix) {
				tempAt, unit = i, unitOf(h)
			}
		}
	}
	if timeAt < 0 || tempAt < 0 {
		return 0, 0, "", fmt.Errorf("weather csv: the header names no time or no temperature: %s", strings.Join(header, ","))
	}
	return timeAt, tempAt, unit, nil
}

// Unit is that of a column of temperatures.
type Unit string

// The units.
const (
	Celsius    Unit = "°C"
	Fahrenheit Unit = "°F"
)

// unitOf reads the unit from the words of a name: temp_f, Temp (F), tempF. A word
// that merely ends in f, as roof, says nothing.
func unitOf(name string) Unit {
	var words strings.Builder
	last := ' '
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			words.WriteByte(' ')
		}
		last = r
		if r == 'º' { // the ordinal sign, which keyboards have for that of degrees
			r = '°'
		}
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '°' {
			r = ' '
		}
		words.WriteRune(unicode.ToLower(r))
	}
	of := []string{"f", "°f", "℉", "degf", "degreesf", "fahrenheit", "tempf", "temperaturef", "drybulbf", "outdoorf"}
	for _, w := range strings.Fields(words.String()) {
		if slices.Contains(of, w) {
			return Fahrenheit
		}
	}
	return Celsius
}
