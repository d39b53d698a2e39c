package battery

import (
	"slices"
	"time"
)

// Due is when a battery is expected to be replaced, Unix milliseconds.
type Due struct {
	ID     string
	At     Interval // as Outlook.ReplaceAt
	Ended  bool     // it is due now
	Level  float64  // of the interval
	Unsure string   // why there is no answer; empty: there is one
}

// ReplacementMonth is what a month's budget has to reckon with.
type ReplacementMonth struct {
	Month    string   `json:"month"`    // YYYY-MM, UTC
	Due      int      `json:"due"`      // batteries whose median falls in it
	Expected float64  `json:"expected"` // by the probability that each falls in it
	IDs      []string `json:"ids"`      // those due
}

// Replacements is a schedule.
type Replacements struct {
	Months  []ReplacementMonth `json:"months"` // every month of the horizon, the first holding what is due already
	Later   float64            `json:"later"`  // expected behind the horizon
	Unknown int                `json:"unknown"`
}

// Schedule spreads the replacements over so many months from now. Between the
// quantiles of a battery's interval its chance is taken to run straight; what is
// below the lowest falls evenly between now and then, and what is beyond the
// highest comes later than the horizon or in its last stretch.
func Schedule(due []Due, now time.Time, months int) Replacements {
	now = now.UTC()
	s := Replacements{Months: []ReplacementMonth{}}
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for k := range months {
		s.Months = append(s.Months, ReplacementMonth{Month: first.AddDate(0, k, 0).Format("2006-01"), IDs: []string{}})
	}
	for _, d := range due {
		if d.Unsure != "" {
			s.Unknown++
			continue
		}
		before := 0.0
		for k := range s.Months {
			m := &s.Months[k]
			end := float64(first.AddDate(0, k+1, 0).UnixMilli())
			p := d.chance(float64(now.UnixMilli()), end)
			m.Expected += p - before
			before = p
			if d.falls(float64(first.AddDate(0, k, 0).UnixMilli()), end, k == 0) {
				m.Due++
				m.IDs = append(m.IDs, d.ID)
			}
		}
		s.Later += 1 - before
	}
	for k := range s.Months {
		slices.Sort(s.Months[k].IDs)
	}
	return s
}

func (d Due) falls(from, to float64, first bool) bool {
	if d.Ended {
		return first
	}
	return d.At.Median != nil && *d.At.Median < to && (first || *d.At.Median >= from)
}

// chance is the probability that it is due before t.
func (d Due) chance(now, t float64) float64 {
	if d.Ended {
		return 1
	}
	tail := (1 - d.Level) / 2
	type knot struct{ t, p float64 }
	knots := []knot{{now, 0}}
	for _, q := range []struct {
		t *float64
		p float64
	}{{d.At.Low, tail}, {d.At.Median, 0.5}, {d.At.High, 1 - tail}} {
		if q.t != nil {
			knots = append(knots, knot{max(*q.t, knots[len(knots)-1].t), q.p})
		}
	}
	for k := 1; k < len(knots); k++ {
		a, b := knots[k-1], knots[k]
		if t < b.t {
			return a.p + (b.p-a.p)*max(0, t-a.t)/(b.t-a.t)
		}
	}
	return knots[len(knots)-1].p
}
