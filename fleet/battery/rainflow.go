package battery

import "math"

// Turn is a reversal of a series, or its first or last point.
type Turn struct {
	At    int64   `json:"at"` // index or Unix milliseconds, as it was pushed
	Value float64 `json:"value"`
}

// Cycle is one counted cycle: a whole one, or half of one.
type Cycle struct {
	Range float64 `json:"range"`
	Mean  float64 `json:"mean"`
	Count float64 `json:"count"` // 1 or 0.5
	From  int64   `json:"from"`
	To    int64   `json:"to"`
}

// Rainflow counts the cycles of a series as it comes, after ASTM E1049-85,
// §5.4.4. Its state is what is not yet closed: a few turns, whatever the length
// of the series. The zero value is ready, and it may be stored as JSON between
// two points.
//
// A cycle is closed once the ranges before and after it are as large (the
// four-point form). What stays open are the growing and then shrinking ranges
// that the standard's three-point form counts as halves, so both give the same
// cycles; and since no point is dropped before it is closed, counting two
// stretches apart and joining them gives what counting them at once does.
//
// Example: −2, 1, −3, 5, −1, 3, −4, 4, −2 has the ranges 3 (½), 4 (1½), 6 (½),
// 8 (1) and 9 (½).
type Rainflow struct {
	Turns []Turn `json:"turns,omitempty"` // the last may move on yet
}

// Push takes the next point and calls closed for every cycle that it closes.
// A point that is NaN is passed over. closed may be nil.
func (r *Rainflow) Push(at int64, value float64, closed func(Cycle)) {
	if math.IsNaN(value) {
		return
	}
	t, n := r.Turns, len(r.Turns)
	switch {
	case n > 0 && value == t[n-1].Value:
		return
	case n > 1 && (value > t[n-1].Value) == (t[n-1].Value > t[n-2].Value):
		t[n-1] = Turn{at, value}
	default:
		r.Turns = append(r.Turns, Turn{at, value})
	}
	for n := len(r.Turns); n >= 4; n = len(r.Turns) {
		p := r.Turns[n-4:]
		inner := math.Abs(p[2].Value - p[1].Value)
		if inner > math.Abs(p[1].Value-p[0].Value) || inner > math.Abs(p[3].Value-p[2].Value) {
			return
		}
		if closed != nil {
			closed(between(p[1], p[2], 1))
		}
		p[1] = p[3]
		r.Turns = r.Turns[:n-2]
	}
}

// Join goes on with a stretch that was counted apart and follows this one.
func (r *Rainflow) Join(next Rainflow, closed func(Cycle)) {
	for _, t := range next.Turns {
		r.Push(t.At, t.Value, closed)
	}
}

// Residue lists what is open as half cycles, which is how a count ends. It
// changes nothing.
func (r *Rainflow) Residue() []Cycle {
	var out []Cycle
	for k := 1; k < len(r.Turns); k++ {
		out = append(out, between(r.Turns[k-1], r.Turns[k], 0.5))
	}
	return out
}

func between(a, b Turn, count float64) Cycle {
	return Cycle{
		Range: math.Abs(b.Value - a.Value), Mean: (a.Value + b.Value) / 2, Count: count,
		From: a.At, To: b.At,
	}
}
