package dossier

import (
	"cmp"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Today is the use of a battery on a day that has not ended, which readings are
// added to as they come. It is provisional: one that arrives late is not in it,
// but will be in the Day.
type Today struct {
	Day      int64 // since 1970-01-01
	Through  int64 // Unix milliseconds, of the newest reading counted
	Readings int
	Usage    battery.Usage
	States   []State // time in each, up to the newest reading, ascending by name
	State    string  // the newest
	StateAt  int64   // Unix milliseconds
	SoCPct   float64 // newest; NaN: not reported
}

// NewToday starts a day.
func NewToday(day int64) *Today {
	return &Today{Day: day, Through: startOf(day) - 1, SoCPct: math.NaN()}
}

// Add adds a reading of the day. One that is not later than the newest is passed
// over.
func (t *Today) Add(x Reading, s Sheet, r Rules) {
	if x.TS <= t.Through || x.TS >= startOf(t.Day+1) {
		return
	}
	t.Through = x.TS
	t.Readings++
	t.Usage.Add(x.Sample, r.terms(s))
	if !math.IsNaN(x.SoCPct) {
		t.SoCPct = x.SoCPct
	}
	if x.State == "" {
		return
	}
	if t.State != "" {
		t.hold(t.State, min(float64(x.TS-t.StateAt)/1000, r.Use.MaxHoldS))
	}
	t.State, t.StateAt = x.State, x.TS
}

func (t *Today) hold(state string, seconds float64) {
	k, found := slices.BinarySearchFunc(t.States, state, func(a State, name string) int { return cmp.Compare(a.State, name) })
	if !found {
		t.States = slices.Insert(t.States, k, State{State: state})
	}
	t.States[k].Seconds += seconds
}

// Append appends the day as it is stored.
func (t *Today) Append(b []byte) []byte {
	w := writer{b: append(b, layout), wide: true}
	t.code(&w)
	return w.b
}

// DecodeToday reads a day that has not ended. Error: ErrCorrupt.
func DecodeToday(b []byte) (*Today, error) {
	var t Today
	if err := decode(b, true, "use of today", t.code); err != nil {
		return nil, err
	}
	return &t, nil
}

func (t *Today) code(c battery.Coder) {
	c.Int(&t.Day)
	c.Int(&t.Through)
	codeInt(c, &t.Readings)
	t.Usage.Code(c)
	codeList(c, &t.States, func(s *State) {
		c.Text(&s.State)
		c.Float(&s.Seconds)
	})
	c.Text(&t.State)
	c.Int(&t.StateAt)
	c.Float(&t.SoCPct)
}
