package replay

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// instants finds the times of rows.
type instants struct {
	rule   *Timestamp
	zone   *time.Location
	column int
	group  int // -1: none
	first  float64
	seen   bool // whether first is set
}

// The years that a time may lie in; beyond them a unit is wrong.
const (
	minMS = -62135596800000 // year 1
	maxMS = 253402300799999 // year 9999
)

// at is the time of a row in Unix milliseconds. With an error it returns the
// number of the column at fault.
func (s *instants) at(row []string) (ms int64, column int, err error) {
	text := row[s.column]
	if s.rule.Layout != "" {
		t, err := time.ParseInLocation(s.rule.layout(), text, s.zone)
		if err != nil {
			return 0, s.column, fmt.Errorf("not a time like %q", s.rule.layout())
		}
		return t.UnixMilli(), 0, nil
	}
	count, err := parseNumber(text)
	if err != nil {
		return 0, s.column, err
	}
	if s.rule.Unit != "ms" {
		count *= 1000
	}
	base := int64(0)
	if !s.rule.Start.IsZero() {
		base = s.rule.Start.UnixMilli()
	}
	if s.group >= 0 {
		offset, err := s.offset(row[s.group])
		if err != nil {
			return 0, s.group, err
		}
		base += offset
	}
	count += float64(base)
	if count < minMS || count > maxMS {
		return 0, s.column, fmt.Errorf("a time beyond the years 1 to 9999: is the unit right?")
	}
	return int64(math.Round(count)), 0, nil
}

// offset is what a group adds to the start, in ms.
func (s *instants) offset(text string) (int64, error) {
	g, err := parseNumber(text)
	if err != nil {
		return 0, err
	}
	if !s.seen {
		s.first, s.seen = g, true
	}
	if d, ok := s.rule.GroupOffsets[text]; ok {
		return d.Milliseconds(), nil
	}
	if s.rule.GroupStep == 0 {
		return 0, fmt.Errorf("not among group_offsets, and there is no group_step")
	}
	ms := (g - s.first) * float64(s.rule.GroupStep.Milliseconds())
	if math.Abs(ms) > maxMS {
		return 0, fmt.Errorf("a group too far from the first, %v", s.first)
	}
	return int64(math.Round(ms)), nil
}

func parseNumber(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("not a number")
	}
	return x, nil
}
