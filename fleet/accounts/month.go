package accounts

import (
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Month is what an owner's month comes to, and what that was worked out from.
type Month struct {
	Inputs Inputs
	Until  int64     // Unix milliseconds, from when on time alone changes it; 0: never
	Told   Statement // folded
}

// Inputs are all that a month is made of: months whose inputs are equal are equal.
type Inputs struct {
	// Swaps are how many completed swaps the owner's stations had told of, or all
	// stations where batteries have their share. None is ever changed or lost, so that
	// the same number is the same swaps.
	Swaps int64 `json:"swaps"`
	// Prices and Contracts are the versions of those that held, by id.
	Prices    map[string]int64 `json:"prices"`
	Contracts map[string]int64 `json:"contracts"`
	// Rest is the digest of what is left: rules, the owner's zone, ownerships, places,
	// entries, what stations drew, what buildings saved and whether it was entered, and
	// what is owed of the month before.
	Rest string `json:"rest"`
}

// Fold leaves of the entries of each line one for each local day, with the sum of
// the day: what a statement shows and what returns are made of, and a fraction of
// the whole.
func Fold(s *Statement, zone *time.Location) {
	for i := range s.Sections {
		for k := range s.Sections[i].Lines {
			fold(&s.Sections[i].Lines[k], zone)
		}
	}
}

func fold(l *statement.Line, zone *time.Location) {
	count, first, last := l.Span()
	l.Folded = &statement.Folded{Count: count, First: first, Last: last}
	var days []statement.Entry
	for _, e := range l.Entries {
		day := daycount.On(time.UnixMilli(e.At).In(zone))
		if n := len(days); n > 0 && days[n-1].Event == day.String() {
			days[n-1].Amount.Minor += e.Amount.Minor // within the line's, which has been added up
			continue
		}
		days = append(days, statement.Entry{Event: day.String(), At: e.At, Amount: e.Amount})
	}
	l.Entries = days
}
