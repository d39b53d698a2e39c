package scenario

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/simulator"
)

// ReadWeather reads a course of temperature: CSV with a line of headings, then
// an RFC 3339 time and °C in each, evenly spaced and at least two.
func ReadWeather(r io.Reader) (*simulator.Series, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = 2
	in.ReuseRecord = true
	s := &simulator.Series{}
	if _, err := in.Read(); err != nil {
		return nil, fmt.Errorf("read weather: headings: %w", err)
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read weather: %w", err)
		}
		line, _ := in.FieldPos(0)
		if err := appendWeather(s, row); err != nil {
			return nil, fmt.Errorf("read weather: line %d: %w", line, err)
		}
	}
	if len(s.Celsius) < 2 {
		return nil, fmt.Errorf("read weather: %d lines, want at least 2", len(s.Celsius))
	}
	return s, nil
}

func appendWeather(s *simulator.Series, row []string) error {
	at, err := time.Parse(time.RFC3339, row[0])
	if err != nil {
		return err
	}
	celsius, err := strconv.ParseFloat(row[1], 64)
	if err != nil {
		return err
	}
	switch n := len(s.Celsius); n {
	case 0:
		s.Start = at
	case 1:
		if s.Step = at.Sub(s.Start); s.Step < time.Second {
			return fmt.Errorf("%s after the line before, want at least 1s", s.Step)
		}
	default:
		if want := s.Start.Add(time.Duration(n) * s.Step); !at.Equal(want) {
			return fmt.Errorf("time %s, want %s", row[0], want.Format(time.RFC3339))
		}
	}
	s.Celsius = append(s.Celsius, celsius)
	return nil
}
