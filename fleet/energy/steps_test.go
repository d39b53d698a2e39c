package energy

import (
	"testing"
	"time"
)

// A value does not hold across a hole.
func TestHeldSteps(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	hour := func(h int) Row {
		return Row{Start: at.Add(time.Duration(h) * time.Hour), End: at.Add(time.Duration(h+1) * time.Hour)}
	}
	var steps []Step
	for _, h := range []int{0, 1, 2, 3, 10, 11} {
		steps = append(steps, Step{From: hour(h).Start, Value: float64(h)})
	}
	s := HeldSteps(steps, at.AddDate(1, 0, 0))
	for h, want := range map[int]float64{0: 1, 3: 1, 4: 1, 5: 0, 9: 0, 10: 1, 11: 1, 12: 1, 13: 0, 500: 0} {
		if _, known := s.Over(hour(h)); known != want {
			t.Errorf("hour %d: got %g known, want %g", h, known, want)
		}
	}
}
