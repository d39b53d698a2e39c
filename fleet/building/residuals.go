package building

import (
	"encoding/base64"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Residuals are the weekly residuals of the baselines behind a headline, packed
// into a byte a week: a headline is kept of every day, and only how they go with
// those of other buildings is asked of them. Rounding to Step loses less than a
// hundredth of their standard deviation for any but a baseline with a week far off
// all others.
type Residuals struct {
	First int     `json:"first_week"` // see energy.Weekly
	Step  float64 `json:"step"`       // kWh
	Weeks string  `json:"weeks"`      // base64, two's complement, in steps; −128 for a week that is not known
}

const (
	mostSteps   = 127
	unknownWeek = -128
)

// packResiduals packs a year and more of weeks; nil for nil.
func packResiduals(w *energy.Weekly) *Residuals {
	if w == nil || len(w.Sums) == 0 {
		return nil
	}
	r := Residuals{First: w.First}
	for _, x := range w.Sums {
		if x != nil {
			r.Step = max(r.Step, math.Abs(*x)/mostSteps)
		}
	}
	raw := make([]byte, len(w.Sums))
	for i, x := range w.Sums {
		steps := int8(unknownWeek)
		if x != nil {
			steps = 0
			if r.Step > 0 {
				steps = int8(math.Round(*x / r.Step))
			}
		}
		raw[i] = byte(steps)
	}
	r.Weeks = base64.RawStdEncoding.EncodeToString(raw)
	return &r
}

// weekly unpacks them; nil for nil, or where they are none.
func (r *Residuals) weekly() *energy.Weekly {
	if r == nil {
		return nil
	}
	raw, err := base64.RawStdEncoding.DecodeString(r.Weeks)
	if err != nil {
		return nil
	}
	w := energy.Weekly{First: r.First, Sums: make([]*float64, len(raw))}
	for i, b := range raw {
		if steps := int8(b); steps != unknownWeek {
			w.Sums[i] = energy.Known(float64(steps) * r.Step)
		}
	}
	return &w
}

// residuals are those of the newest savings of meters of one unit, summed where
// all of them are known. The baselines of two meters may be of different years:
// then there are none, since a sum of some weeks says nothing of the others.
func residuals(all []Saving, meters ...Meter) *energy.Weekly {
	var sum *energy.Weekly
	for _, m := range meters {
		s, _ := newest(all, m)
		if s == nil {
			continue
		}
		switch w := s.Assessment.Residuals; {
		case w == nil:
			return nil
		case sum == nil:
			sum = w
		default:
			sum = added(sum, w)
		}
	}
	return sum
}

// added are the sums of the weeks that both have.
func added(a, b *energy.Weekly) *energy.Weekly {
	from, to := max(a.First, b.First), min(a.First+len(a.Sums), b.First+len(b.Sums))
	if to <= from {
		return nil
	}
	out := energy.Weekly{First: from, Sums: make([]*float64, to-from)}
	for i := range out.Sums {
		x, y := a.Sums[from+i-a.First], b.Sums[from+i-b.First]
		if x != nil && y != nil {
			out.Sums[i] = energy.Known(*x + *y)
		}
	}
	return &out
}
