package dossier

import (
	"hash/fnv"
	"math"
	"strings"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

const (
	week = 7 // days, of which each gives one point of health

	// firstDays is for how long a battery is watched before its ageing so far is
	// put down: what came before is taken to be like them. For so long its health
	// is told every day, and each week from then on.
	firstDays = 30

	// Window is how many days of findings an assessment looks back on: a
	// measurement counts half after FitRules.HalfLifeDays.
	Window = 84

	useDays     = 30 // that recent use is told of
	blockWeeks  = 4  // of a block of usage
	maxRests    = 12
	maxNewest   = 10 // SoC windows
	recentFull  = 1
	recentRests = 1
)

// Dossier is what is known of a battery up to a day: all that the next day is
// added to. Its points of health are kept apart, as they change once a week.
type Dossier struct {
	// Basis is the fingerprint of the sheet and the rules that it was made by; the
	// next day can be added under the same alone.
	Basis int64

	Phase   int64 // the day of the week on which its weeks end
	Days    int   // with data
	First   int64 // day; Days 0: none
	Through int64 // day
	Last    int64 // Unix milliseconds, of the last reading

	Total  battery.Usage
	Blocks [2]battery.Usage // the block of weeks before, and the present one
	Starts [2]int64         // days on which they began
	Uses   []DayUse         // of the last 30 days, ascending

	Started  bool // the ageing of the first days is put down
	Expected battery.Ageing
	Week     []battery.Capacity // of the present week
	Late     []battery.Capacity // of the newest day; see Late
	Newest   []battery.Capacity // of each method, ascending by From; see battery.Assess
	Open     quiet              // a rest that may go on
	Rests    []battery.Rest     // the newest
	SoCPct   float64
	SoCAt    int64
	Cycles   float64 // as the battery counts them, also before its counter was reset; NaN: not reported
	Counter  float64 // what its counter shows
	Base     float64 // cycles before the counter was last reset
	Rest     AtRest

	Early   []battery.ResistanceStep // of the first days, until they are over
	NewMOhm float64                  // resistance when new; 0: it was not seen new

	Told Told // what the last assessment said
}

// DayUse is what a day adds to recent use.
type DayUse struct {
	Day                             int64
	StatedS, EarningS, UnavailableS float64
	InWh, OutWh, InAh, OutAh        float64
	Safety                          int // over-voltages, and charges beyond the limits of temperature
}

// New starts the dossier of a battery. When its weeks end goes by its id, so that
// those of a fleet are spread over the week.
func New(id string) *Dossier {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	return &Dossier{Phase: int64(h.Sum64() % week), Open: noQuiet(), SoCPct: math.NaN(), Cycles: math.NaN(), Counter: math.NaN(), Rest: AtRest{SoCPct: math.NaN()}}
}

func (x *Dossier) weekOf(day int64) int64 { return floorDiv(day+x.Phase, week) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Closes reports whether the day, when added, ends a week: Add then returns a
// point of health where there is one.
func (x *Dossier) Closes(day int64) bool {
	return x.Days > 0 && x.weekOf(day) != x.weekOf(x.Through)
}

// Due reports whether health is to be told anew once the day is added.
func (x *Dossier) Due(day int64) bool {
	return x.Days == 0 || day-x.First < firstDays || x.Closes(day)
}

// Add adds the facts of a day later than all before. Where that ends a week, the
// measurements of that week make a point of health; nil where they are too few.
func (x *Dossier) Add(d Day, s Sheet, r Rules) *battery.HealthPoint {
	if x.Days > 0 && d.Day <= x.Through {
		return nil
	}
	if d.Unread { // it has found what was late, whatever that was
		x.Late = nil
	}
	if d.Empty() {
		return nil
	}
	if d.Day > x.Through+1 { // the silent day has not found what was late
		x.measured(x.Late)
	}
	var point *battery.HealthPoint
	if x.Closes(d.Day) {
		point = x.endWeek(d.Day, s, r)
	}
	terms := r.terms(s)
	if x.Days == 0 {
		x.First, x.Starts = d.Day, [2]int64{d.Day, d.Day}
	}
	x.age(d, s, r)
	x.Total.Join(d.Usage, terms)
	x.Blocks[1].Join(d.Usage, terms)
	x.use(d, r)
	x.measured(d.Capacities)
	x.Late = d.Late.Capacities
	x.young(d, s, r)
	x.rested(d, r)
	if !math.IsNaN(d.SoCPct) {
		x.SoCPct, x.SoCAt = d.SoCPct, d.SoCAt
	}
	if !math.IsNaN(d.Cycles) {
		x.counted(d.Cycles)
	}
	if d.Rest.At > 0 {
		x.Rest = d.Rest
	}
	x.Days++
	x.Through, x.Last = d.Day, d.Last
	return point
}

// counted takes what the battery's own counter shows. Cycles never get fewer. A
// counter that shows less than half of what it did was reset, with a new
// controller say, and counts on from there; one that falls by less was put right.
func (x *Dossier) counted(shows float64) {
	if shows < x.Counter/2 {
		x.Base = x.Cycles
	}
	x.Counter = shows
	if total := x.Base + shows; !(total <= x.Cycles) { // NaN: the first
		x.Cycles = total
	}
}

// endWeek makes the point of the week that ended before the day.
func (x *Dossier) endWeek(day int64, s Sheet, r Rules) *battery.HealthPoint {
	found := x.Week
	x.Week = nil
	if floorDiv(x.weekOf(day), blockWeeks) != floorDiv(x.weekOf(x.Through), blockWeeks) {
		x.Blocks = [2]battery.Usage{x.Blocks[1], {}}
		x.Starts = [2]int64{x.Starts[1], day}
	}
	if !x.Started || s.Ratings.CapacityAh <= 0 {
		return nil
	}
	c := battery.FitCapacity(found, r.Fit)
	if !c.OK() {
		return nil
	}
	return &battery.HealthPoint{
		At: *c.To, SoH: *c.CapacityAh / s.Ratings.CapacityAh, StdErr: *c.StdErrAh / s.Ratings.CapacityAh, Expected: x.Expected,
	}
}

// age carries the expected loss on over the day, and over those without data
// before it, in which the battery is taken to have lain as it did on the day.
func (x *Dossier) age(d Day, s Sheet, r Rules) {
	m := r.model(s)
	if !x.Started {
		if x.Days == 0 || d.Day-x.First < firstDays {
			return
		}
		x.start(s, m)
	}
	stress, ok := battery.StressOf(d.Usage, 1, s.Ratings)
	if !ok {
		return
	}
	if silent := d.Day - x.Through - 1; silent > 0 {
		lain := stress
		lain.Days, lain.Cycles = float64(silent), 0
		x.Expected = x.Expected.Advance(m, lain)
	}
	x.Expected = x.Expected.Advance(m, stress)
}

// start puts down what the law expects of the battery's life up to now: what came
// before it was seen is taken to be like the days seen, with the cycles that it
// counts itself.
func (x *Dossier) start(s Sheet, m battery.AgeingModel) {
	seen := float64(x.Through - x.First + 1)
	stress, ok := battery.StressOf(x.Total, seen, s.Ratings)
	if !ok {
		return
	}
	x.Started = true
	if days := float64(startOf(x.Through+1)-s.Commissioned.UnixMilli()) / dayMS; !s.Commissioned.IsZero() && days > seen {
		stress.Cycles *= days / seen
		stress.Days = days
	}
	if x.Cycles > stress.Cycles {
		stress.Cycles = x.Cycles
	}
	x.Expected = battery.Ageing{}.Advance(m, stress)
}

func (x *Dossier) use(d Day, r Rules) {
	u := DayUse{
		Day: d.Day, StatedS: d.stated(), EarningS: d.seconds(r.Use.Earning), UnavailableS: d.seconds(r.Use.Unavailable),
		InWh: d.Usage.InWh, OutWh: d.Usage.OutWh, InAh: d.Usage.InAh, OutAh: d.Usage.OutAh,
	}
	for _, k := range []battery.Negative{battery.OverVoltage, battery.ChargingInCold, battery.ChargingInHeat} {
		u.Safety += d.Usage.Events[k].Count
	}
	keep := 0
	for keep < len(x.Uses) && x.Uses[keep].Day <= d.Day-useDays {
		keep++
	}
	x.Uses = append(x.Uses[keep:len(x.Uses):len(x.Uses)], u)
}

func (x *Dossier) measured(found []battery.Capacity) {
	for _, c := range found {
		if c.Method == battery.SoCWindow {
			x.Week = append(x.Week, c)
		}
		x.Newest = newest(append(x.Newest, c))
	}
}

// newest keeps as many of each method as battery.Assess looks at.
func newest(list []battery.Capacity) []battery.Capacity {
	left := map[battery.Method]int{battery.FullDischarge: recentFull, battery.DischargeToRest: recentRests, battery.SoCWindow: maxNewest}
	kept := make([]battery.Capacity, 0, len(list))
	for k := len(list) - 1; k >= 0; k-- {
		if left[list[k].Method] > 0 {
			left[list[k].Method]--
			kept = append(kept, list[k])
		}
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	return kept
}

func (x *Dossier) rested(d Day, r Rules) {
	for _, q := range d.Rests {
		next, one := x.Open.joined(q, r.Rests)
		if !one {
			x.endRest(r)
		}
		x.Open = next
	}
	if len(d.Rests) == 0 || !x.Open.Closes {
		x.endRest(r)
	}
}

func (x *Dossier) endRest(r Rules) {
	if rest, ok := x.Open.rest(r.Rests); ok {
		x.Rests = append(x.Rests, rest)
		x.Rests = x.Rests[max(0, len(x.Rests)-maxRests):]
	}
	x.Open = noQuiet()
}

// A battery counts as seen new where it was commissioned no longer than this
// before its first reading, in days.
const newDays = 60

// earlySteps of each of the first days tell the resistance of a new battery.
const earlySteps = 2

// young gathers what is measured only while a battery is new.
func (x *Dossier) young(d Day, s Sheet, r Rules) {
	switch {
	case x.NewMOhm > 0 || s.Commissioned.IsZero() || float64(startOf(x.First)-s.Commissioned.UnixMilli())/dayMS > newDays:
		return
	case d.Day-x.First < firstDays:
		x.Early = append(x.Early, evenly(d.Steps, earlySteps)...)
		return
	case x.Early == nil:
		return
	}
	if fit := battery.FitResistance(x.Early, 0, r.Steps); fit.OK() {
		x.NewMOhm = *fit.MOhm
	}
	x.Early = nil
}

// recent is the use of the last four to eight weeks, and for how many days.
func (x *Dossier) recent(s Sheet, r Rules) (battery.Usage, float64) {
	u := x.Blocks[0]
	u.Join(x.Blocks[1], r.terms(s))
	from := x.Starts[0]
	if x.Blocks[0].Samples == 0 {
		from = x.Starts[1]
	}
	return u, float64(x.Through - from + 1)
}

func (r Rules) model(s Sheet) battery.AgeingModel {
	if m, ok := r.Models[strings.ToUpper(strings.TrimSpace(s.Chemistry))]; ok {
		return m
	}
	return battery.ModelFor(s.Chemistry)
}

// Append appends the dossier as it is stored.
func (x *Dossier) Append(b []byte) []byte {
	w := writer{b: append(b, layout), wide: true}
	x.code(&w)
	return w.b
}

// Decode reads a dossier. Error: ErrCorrupt.
func Decode(b []byte) (*Dossier, error) {
	var x Dossier
	if err := decode(b, true, "dossier", x.code); err != nil {
		return nil, err
	}
	return &x, nil
}

func (x *Dossier) code(c battery.Coder) {
	c.Int(&x.Basis)
	c.Int(&x.Phase)
	codeInt(c, &x.Days)
	c.Int(&x.First)
	c.Int(&x.Through)
	c.Int(&x.Last)
	x.Total.Code(c)
	for k := range x.Blocks {
		x.Blocks[k].Code(c)
		c.Int(&x.Starts[k])
	}
	codeList(c, &x.Uses, func(u *DayUse) {
		c.Int(&u.Day)
		v := []float64{u.StatedS, u.EarningS, u.UnavailableS, u.InWh, u.OutWh, u.InAh, u.OutAh}
		c.Floats(v)
		u.StatedS, u.EarningS, u.UnavailableS, u.InWh, u.OutWh, u.InAh, u.OutAh = v[0], v[1], v[2], v[3], v[4], v[5], v[6]
		codeInt(c, &u.Safety)
	})
	codeBool(c, &x.Started)
	x.Expected.Code(c)
	codeList(c, &x.Week, func(m *battery.Capacity) { m.Code(c) })
	codeList(c, &x.Newest, func(m *battery.Capacity) { m.Code(c) })
	x.Open.code(c)
	codeList(c, &x.Rests, func(q *battery.Rest) { q.Code(c) })
	c.Float(&x.SoCPct)
	c.Int(&x.SoCAt)
	c.Float(&x.Cycles)
	c.Float(&x.Counter)
	c.Float(&x.Base)
	x.Rest.code(c)
	codeList(c, &x.Early, func(s *battery.ResistanceStep) { s.Code(c) })
	c.Float(&x.NewMOhm)
	x.Told.code(c)
	codeTail(c, func() bool { return len(x.Late) == 0 }, func() { codeList(c, &x.Late, func(m *battery.Capacity) { m.Code(c) }) })
}

// AppendPoints appends points of health as they are stored.
func AppendPoints(b []byte, points []battery.HealthPoint) []byte {
	w := writer{b: append(b, layout), wide: true}
	codeList(&w, &points, func(p *battery.HealthPoint) { p.Code(&w) })
	return w.b
}

// DecodePoints reads points of health. Error: ErrCorrupt.
func DecodePoints(b []byte) ([]battery.HealthPoint, error) {
	var points []battery.HealthPoint
	err := decode(b, true, "points of health", func(c battery.Coder) {
		codeList(c, &points, func(p *battery.HealthPoint) { p.Code(c) })
	})
	return points, err
}
