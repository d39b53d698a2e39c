package waterfall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Errors of Settle.
var (
	ErrNegative = errors.New("revenue below nothing can't be shared")
	ErrBounds   = errors.New("out of bounds")
	ErrOver     = errors.New("agreements share out more than the revenue")
)

// Earned is what came in on a part of the month.
type Earned struct {
	Date    daycount.Date
	Revenue int64 // minor units, at least 0
	Swaps   int64
}

// Month is a month's revenue and who has a claim on it. Earned may have many
// entries of one day, in any order. Owed is what each agreement is still owed, by
// ID, from the months before; one that is owed something must be listed, though it
// has ended.
type Month struct {
	From       daycount.Date
	To         daycount.Date // first day behind it
	Earned     []Earned
	Agreements []Agreement
	Owed       map[string]int64
}

// Row is what one agreement gets. Due is the sum of the four above it, and Paid
// and Short add up to Due.
type Row struct {
	Agreement string `json:"agreement"`
	Party     string `json:"party"`
	Fee       int64  `json:"fee_minor"`     // fixed and by swap
	Share     int64  `json:"share_minor"`   // by the tiers
	TopUp     int64  `json:"top_up_minor"`  // what the share lacks of the minimum
	Carried   int64  `json:"carried_minor"` // owed from the months before
	Due       int64  `json:"due_minor"`
	Paid      int64  `json:"paid_minor"`
	Short     int64  `json:"short_minor"` // what the revenue was too little for
	Owed      int64  `json:"owed_minor"`  // of that, what stays due: all of it if the agreement carries, or nothing
	Days      int64  `json:"days"`        // in force this month
}

// Settlement is how a month's revenue was shared: what the rows were paid and the
// rest add up to it.
type Settlement struct {
	Revenue int64 `json:"revenue_minor"`
	Swaps   int64 `json:"swaps"`
	Rows    []Row `json:"rows"` // in the order of payment
	Rest    int64 `json:"rest_minor"`
}

// Settle shares a month's revenue.
//
// The tiers come first, unit by unit: each minor unit of revenue between two
// thresholds goes to one agreement or to the rest, by Webster's method, so that the
// parts add up and no part falls when revenue rises. Then each agreement's due is
// paid in the order of priority, from the whole revenue, as far as it goes; what is
// left is the rest. Revenue below what is guaranteed so leaves no rest, and later
// agreements short.
//
// An agreement in force for part of a month has its minimum, its fee and its
// thresholds by days, and shares in what was earned on its days; what it is still
// owed is due in the next month, even behind its end. Where none begins or ends
// within the month, a row's Paid and the rest never fall when
// revenue rises by any amount.
//
// Agreements that at some level of revenue share out more than it are ErrOver, as
// two of 60 % are.
func Settle(m Month) (Settlement, error) {
	if err := m.check(); err != nil {
		return Settlement{}, err
	}
	s := Settlement{Rows: []Row{}}
	in := inForce(m)
	monthDays := int64(m.To - m.From)
	claims := make([]claim, len(in))
	for i := range in {
		claims[i] = newClaim(&in[i], in[i].days(m.From, m.To), monthDays)
	}
	for _, sp := range m.spans(in) {
		if err := sp.share(claims); err != nil {
			return Settlement{}, err
		}
		s.Revenue += sp.revenue
		s.Swaps += sp.swaps
	}
	s.Rest = s.Revenue
	for i := range claims {
		row := claims[i].row(m.Owed[in[i].ID])
		row.Paid = min(row.Due, s.Rest)
		row.Short = row.Due - row.Paid
		if in[i].Carry {
			row.Owed = row.Short
		}
		s.Rest -= row.Paid
		s.Rows = append(s.Rows, row)
	}
	return s, nil
}

func (m *Month) check() error {
	if m.To <= m.From {
		return fmt.Errorf("%w: the month ends before it begins", ErrBounds)
	}
	if len(m.Agreements) > maxAgreements {
		return fmt.Errorf("%w: %d agreements", ErrBounds, len(m.Agreements))
	}
	seen := make(map[string]bool, len(m.Agreements))
	for i := range m.Agreements {
		a := &m.Agreements[i]
		if err := a.Validate(); err != nil {
			return err
		}
		if seen[a.ID] {
			return fmt.Errorf("%w %q: there are two of it", ErrAgreement, a.ID)
		}
		seen[a.ID] = true
	}
	var revenue, swaps int64
	for _, e := range m.Earned {
		switch {
		case e.Revenue < 0:
			return fmt.Errorf("%w: %d minor units on %v", ErrNegative, e.Revenue, e.Date)
		case e.Swaps < 0 || e.Date < m.From || e.Date >= m.To:
			return fmt.Errorf("%w: %d swaps on %v", ErrBounds, e.Swaps, e.Date)
		}
		if e.Revenue > maxMinor-revenue || e.Swaps > maxSwaps-swaps {
			return fmt.Errorf("%w: revenue or swaps of the month", ErrBounds)
		}
		revenue, swaps = revenue+e.Revenue, swaps+e.Swaps
	}
	for id, owed := range m.Owed {
		if owed < 0 || owed > maxMinor || owed > 0 && !seen[id] {
			return fmt.Errorf("%w: %d owed to %q", ErrBounds, owed, id)
		}
	}
	return nil
}

// inForce are the agreements with a day in the month, and those still owed
// something, in the order of payment.
func inForce(m Month) []Agreement {
	return slices.DeleteFunc(order(m.Agreements), func(a Agreement) bool {
		return a.days(m.From, m.To) == 0 && m.Owed[a.ID] == 0
	})
}
