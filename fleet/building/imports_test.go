package building

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// A decimal comma is no zero.
func TestReadSeriesDecimalComma(t *testing.T) {
	for _, file := range []string{
		"time,price\n2026-01-01 00:00,0,11\n2026-01-01 01:00,0,12\n",
		"time;price\n2026-01-01 00:00;0,11\n2026-01-01 01:00;0,12\n",
		"time,price\n2026-01-01 00:00,\"0,11\"\n2026-01-01 01:00,\"0,12\"\n",
	} {
		if v, _, err := ReadSeries(strings.NewReader(file), time.UTC, 1); err == nil || !strings.Contains(err.Error(), "decimal comma?") {
			t.Errorf("got %v, %v, want a decimal comma to be named", v, err)
		}
	}
}

// Times are of this century and its neighbours, or none.
func TestReadSeriesTimes(t *testing.T) {
	for _, at := range []string{"1969-12-31 00:00", "2200-01-01 00:00", "9999999999999999", "yesterday", ""} {
		file := "time,price\n2026-01-01 00:00,1\n" + at + ",2\n"
		if v, _, err := ReadSeries(strings.NewReader(file), time.UTC, 1); err == nil || !strings.Contains(err.Error(), "line 3: \""+at+"\" is no time from 1970 to 2199") {
			t.Errorf("%s: got %v, %v, want the line to be named", at, v, err)
		}
	}
}

// An empty price, and a year that was not imported, have no price.
func TestHolesOfSeries(t *testing.T) {
	var file strings.Builder
	file.WriteString("time,price\n")
	for _, y := range []int{2024, 2026} {
		for h := range 48 {
			at := time.Date(y, 1, 1, h, 0, 0, 0, time.UTC)
			text := "5"
			if h == 7 {
				text = ""
			}
			file.WriteString(at.Format("2006-01-02 15:04") + "," + text + "\n")
		}
	}
	values, until, err := ReadSeries(strings.NewReader(file.String()), time.UTC, 2)
	if err != nil || len(values) != 96 || !math.IsNaN(values[7].Value) {
		t.Fatalf("got %d values, %v", len(values), err)
	}
	again, err := DecodePoints(EncodePoints(values))
	if err != nil {
		t.Fatal(err)
	}
	s := StepsOf(again, until)
	for at, want := range map[time.Time]float64{
		time.Date(2024, 1, 1, 6, 0, 0, 0, time.UTC): 1, time.Date(2024, 1, 1, 7, 0, 0, 0, time.UTC): 0,
		time.Date(2025, 1, 1, 8, 0, 0, 0, time.UTC): 0, time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC): 1,
	} {
		if _, known := s.Over(energy.Row{Start: at, End: at.Add(time.Hour)}); known != want {
			t.Errorf("%s: got %g known, want %g", at, known, want)
		}
	}
}
