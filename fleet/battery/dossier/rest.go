package dossier

import (
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// quiet is a stretch of a day without current that touches its first or its last
// sample, and so may go on in the neighbour.
type quiet struct {
	Began, Ended   int64 // Unix milliseconds, first and last sample
	Opens, Closes  bool  // it began with the day's first sample, ended with the last
	First, Settled mark  // state of charge at first, and once settled
	Last           mark  // and at last
}

// mark is a state of charge at an instant; NaN: none.
type mark struct {
	At  int64
	Pct float64
}

func (m *mark) code(c battery.Coder) {
	c.Int(&m.At)
	c.Float(&m.Pct)
}

func (q *quiet) code(c battery.Coder) {
	c.Int(&q.Began)
	c.Int(&q.Ended)
	codeBool(c, &q.Opens)
	codeBool(c, &q.Closes)
	q.First.code(c)
	q.Settled.code(c)
	q.Last.code(c)
}

func none() mark { return mark{Pct: math.NaN()} }

func noQuiet() quiet { return quiet{First: none(), Settled: none(), Last: none()} }

func (m mark) ok() bool { return !math.IsNaN(m.Pct) }

// quiets finds the stretches of a day's readings at rest that touch its ends.
func quiets(today []Reading, idleA float64, r battery.RestRules) []quiet {
	var out []quiet
	var q quiet
	open := false
	end := func(closes bool) {
		if q.Closes = closes; open && (q.Opens || q.Closes) {
			out = append(out, q)
		}
		open = false
	}
	seen, last := false, int64(0) // of the samples with a current
	for _, x := range today {
		if math.IsNaN(x.CurrentA) {
			continue
		}
		first := !seen
		resting := math.Abs(x.CurrentA) <= idleA
		if open && (!resting || float64(x.TS-last)/1000 > r.MaxGapS) {
			end(false)
		}
		seen, last = true, x.TS
		if !resting {
			continue
		}
		if !open {
			q, open = quiet{Began: x.TS, Opens: first, First: none(), Settled: none(), Last: none()}, true
		}
		q.Ended = x.TS
		if math.IsNaN(x.SoCPct) {
			continue
		}
		m := mark{x.TS, x.SoCPct}
		if q.Last = m; !q.First.ok() {
			q.First = m
		}
		if !q.Settled.ok() && float64(x.TS-q.Began)/1000 >= r.SettleS {
			q.Settled = m
		}
	}
	end(true)
	return out
}

// joined is a stretch and one that follows it; false where they are not one.
func (q quiet) joined(next quiet, r battery.RestRules) (quiet, bool) {
	if !q.Closes || !next.Opens || float64(next.Began-q.Ended)/1000 > r.MaxGapS {
		return next, false
	}
	if !q.First.ok() {
		q.First = next.First
	}
	if !q.Settled.ok() {
		q.Settled = next.Settled
		if next.First.ok() && float64(next.First.At-q.Began)/1000 >= r.SettleS {
			q.Settled = next.First
		}
	}
	if next.Last.ok() {
		q.Last = next.Last
	}
	q.Ended, q.Closes = next.Ended, next.Closes
	return q, true
}

// rest is what the stretch says of self-discharge; false where it is too short, or
// the state of charge rose by more than its error.
func (q quiet) rest(r battery.RestRules) (battery.Rest, bool) {
	if !q.Settled.ok() || !q.Last.ok() || float64(q.Last.At-q.Settled.At)/dayMS < r.MinDays || q.Last.Pct-q.Settled.Pct > 2*r.SoCErr {
		return battery.Rest{}, false
	}
	return battery.Rest{From: q.Settled.At, To: q.Last.At, FromPct: q.Settled.Pct, ToPct: q.Last.Pct}, true
}
