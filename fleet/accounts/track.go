package accounts

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// MonthFlow is what some assets earned and cost in a month, in minor units; what
// was paid out is negative.
type MonthFlow struct {
	Month     statement.Month
	Over      bool // the month has ended
	Revenue   int64
	Shares    int64
	Costs     int64 // of operation, energy among them
	Energy    int64
	Capital   int64 // bought, sold, recycled
	Recovered int64 // of Capital: residual values and recycling
	Swapped   int64 // of Revenue: the prices of swaps
	Deeds
}

// Operating is what is left of the month's revenue.
func (m *MonthFlow) Operating() int64 { return m.Revenue + m.Shares + m.Costs }

// Track is what some assets earned and cost, of one currency.
type Track struct {
	Currency money.Currency
	Months   []MonthFlow // ascending, without gaps, from the first with an amount
	Revenue  map[string]int64
	Paid     map[string]int64 // to parties of agreements, positive
	daily    map[daycount.Date]int64
	owners   map[string]bool
	mixed    bool                    // an owner has amounts in another currency, too: what was done is not told apart
	bought   int64                   // what was paid for assets, positive
	bills    map[daycount.Date]int64 // of bought, by day
}

// Tracks collects months of statements by currency.
type Tracks map[money.Currency]*Track

// Add adds a month of an owner: the lines of the assets that keep selects, of
// "" those of no asset, and what they did, in each currency from when on the owner
// has amounts in it. Months of one owner come ascending; those of several add up.
func (t Tracks) Add(s *Statement, zone *time.Location, deeds Deeds, keep func(asset string) bool) {
	for i := range s.Sections {
		for k := range s.Sections[i].Lines {
			l := &s.Sections[i].Lines[k]
			if keep(l.Asset) {
				t.of(s.Sections[i].Currency).add(s, l, zone)
			}
		}
	}
	var his []*Track
	for _, track := range t {
		if track.owners[s.Owner] {
			his = append(his, track)
		}
	}
	for _, track := range his {
		m := track.month(s)
		m.Deeds = m.Deeds.Add(deeds)
		track.mixed = track.mixed || len(his) > 1
	}
}

func (t Tracks) of(c money.Currency) *Track {
	if t[c] == nil {
		t[c] = &Track{Currency: c, Revenue: map[string]int64{}, Paid: map[string]int64{}, daily: map[daycount.Date]int64{}, bills: map[daycount.Date]int64{}, owners: map[string]bool{}}
	}
	return t[c]
}

// month is the track's month of a statement; it is made, with those between, where
// there is none.
func (t *Track) month(s *Statement) *MonthFlow {
	made := func(m statement.Month) MonthFlow { return MonthFlow{Month: m, Over: true} }
	if len(t.Months) == 0 {
		t.Months = append(t.Months, made(s.Month))
	}
	var before []MonthFlow
	for m := s.Month; Before(m, t.Months[0].Month); m = Next(m) {
		before = append(before, made(m))
	}
	t.Months = slices.Insert(t.Months, 0, before...)
	for last := t.Months[len(t.Months)-1].Month; Before(last, s.Month); {
		last = Next(last)
		t.Months = append(t.Months, made(last))
	}
	first := t.Months[0].Month
	m := &t.Months[(s.Month.Year-first.Year)*12+int(s.Month.Month-first.Month)]
	m.Over = m.Over && !s.Provisional
	return m
}

func (t *Track) add(s *Statement, l *statement.Line, zone *time.Location) {
	m := t.month(s)
	t.owners[s.Owner] = true
	minor := l.Amount.Minor
	switch l.Group {
	case statement.Revenue:
		m.Revenue += minor
		t.Revenue[l.Asset] += minor
	case statement.Shares:
		m.Shares += minor
		t.Paid[l.Party] -= minor
	case statement.Costs:
		m.Costs += minor
	case statement.Capital:
		m.Capital += minor
	}
	switch l.Kind {
	case statement.EnergyCost:
		m.Energy += minor
	case statement.SwapPrice:
		m.Swapped += minor
	case statement.CapitalCost:
		t.bought -= minor
	case statement.ResidualValue, statement.Recycling:
		m.Recovered += minor
	}
	for _, e := range l.Entries {
		day := daycount.On(time.UnixMilli(e.At).In(zone))
		t.daily[day] += e.Amount.Minor
		if l.Kind == statement.CapitalCost {
			t.bills[day] -= e.Amount.Minor
		}
	}
}

// since is the day from which something has been bought and not all of it taken
// back; false where nothing is.
func (t *Track) since() (first daycount.Date, bought bool) {
	var paid int64
	for _, day := range slices.Sorted(maps.Keys(t.bills)) {
		if paid <= 0 {
			first = day
		}
		paid += t.bills[day]
	}
	return first, paid > 0
}

// scale is how many minor units the currency's major one has.
func (t *Track) scale() float64 {
	digits, err := t.Currency.Digits()
	if err != nil {
		return 1 // it would be in no statement
	}
	scale := 1.0
	for range digits {
		scale *= 10
	}
	return scale
}

// flows are what came and went, by day, in major units. Of what was taken back on the
// same day there is none: it is not when the first came.
func (t *Track) flows() []finance.Flow {
	out := make([]finance.Flow, 0, len(t.daily))
	for day, minor := range t.daily {
		if minor != 0 {
			out = append(out, finance.Flow{Date: day, Amount: float64(minor) / t.scale()})
		}
	}
	slices.SortFunc(out, func(a, b finance.Flow) int { return cmp.Compare(a.Date, b.Date) })
	return out
}

// over are the months that have ended, from the first with a flow.
func (t *Track) over() []MonthFlow {
	return slices.DeleteFunc(slices.Clone(t.Months), func(m MonthFlow) bool { return !m.Over })
}

// Yearly is the operating result of the months that are over, a year, by what was
// paid for the assets; false where nothing was, or too few months are over.
func (t *Track) Yearly() (float64, bool) {
	over := t.over()
	if t.bought <= 0 || len(over) < leastMonths {
		return 0, false
	}
	var sum int64
	for i := range over {
		sum += over[i].Operating()
	}
	return float64(sum) * 12 / float64(len(over)) / float64(t.bought), true
}
