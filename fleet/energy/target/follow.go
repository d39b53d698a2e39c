package target

import (
	"math"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Sample is the indoor temperature and its setpoint at one instant.
type Sample struct {
	At        time.Time
	IndoorC   float64
	SetpointC float64
	InUse     bool // whether anyone is to be comfortable; what an idle building does is not counted
}

// Followed is the time of one day in which a setpoint counted, and the part of it
// in which it was followed, both in hours.
type Followed struct {
	Good, All float64
}

// Following is how well a setpoint was followed.
type Following struct {
	Percent *float64 `json:"percent"`    // of the time in use
	Plus    *float64 `json:"plus_minus"` // 90 %, from the spread between days
	Hours   float64  `json:"hours"`      // in use and known
	Days    int      `json:"days"`
}

// The longest gap that a sample stands for, and the fewest hours and days that
// make a percentage.
const (
	maxGap   = time.Hour
	minHours = 24
	minDays  = 3
)

// Follow measures how much of the time in use the indoor temperature was within
// the tolerance of the setpoint, in °C. Samples ascend; each holds until the
// next, at most an hour. A minute is like the one before it, so the interval
// comes from whole days. The error wraps energy.ErrInsufficientData.
func Follow(samples []Sample, toleranceC float64) (*Following, error) {
	return FollowDays(Days(samples, toleranceC))
}

// Days adds up each day of samples, by the rules of Follow. Days without time in
// use are left out.
func Days(samples []Sample, toleranceC float64) []Followed {
	var days []Followed
	var last string
	for i, s := range samples {
		if i+1 == len(samples) || !s.InUse || math.IsNaN(s.IndoorC) || math.IsNaN(s.SetpointC) {
			continue
		}
		length := min(samples[i+1].At.Sub(s.At), maxGap).Hours()
		if date := s.At.Format(time.DateOnly); date != last || len(days) == 0 {
			days, last = append(days, Followed{}), date
		}
		d := &days[len(days)-1]
		d.All += length
		if math.Abs(s.IndoorC-s.SetpointC) <= toleranceC {
			d.Good += length
		}
	}
	return days
}

// FollowDays is Follow of days that were added up before.
func FollowDays(days []Followed) (*Following, error) {
	f := Following{Days: len(days)}
	var good float64
	for _, d := range days {
		good, f.Hours = good+d.Good, f.Hours+d.All
	}
	if f.Hours < minHours || f.Days < minDays {
		return nil, energy.Lacking(Version, "too_few_hours", "too little of the time in use is known")
	}
	share := good / f.Hours
	// The variance of a ratio of sums over days (Cochran 1977, 6.3).
	var sum float64
	for _, d := range days {
		r := d.Good - share*d.All
		sum += r * r
	}
	n := float64(f.Days)
	deviation := math.Sqrt(sum*n/(n-1)) / f.Hours
	f.Percent = energy.Known(100 * share)
	f.Plus = energy.Known(100 * energy.Student(0.9, n-1) * deviation)
	return &f, nil
}
