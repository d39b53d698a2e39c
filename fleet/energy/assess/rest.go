package assess

import (
	"fmt"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// restBefore marks the holidays of the baseline. One that knows a building's
// Sundays can say what it uses on a holiday; without it a year with more holidays
// than the one before looks like a saving.
func (q *Request) restBefore() *prepare.Rest {
	if q.Interval == energy.Billing || q.Model != "" && q.Holidays == nil {
		return nil
	}
	quietest, ok := prepare.Quietest(q.Baseline)
	if !ok {
		return nil // a holiday is a day like the others
	}
	rest := &prepare.Rest{Quietest: quietest, Days: slices.Concat([]string{}, q.Holidays)}
	if q.Holidays == nil {
		if found := prepare.FindRest(q.Baseline); found != nil {
			rest.Days = append(rest.Days, found.Days...)
		}
	}
	slices.Sort(rest.Days)
	q.Baseline = rest.Mark(q.Baseline)
	return rest
}

// restAfter adds the holidays of the reporting period to those of the baseline,
// and marks them.
func (q *Request) restAfter(rest *prepare.Rest) {
	if rest == nil {
		return
	}
	if q.Holidays == nil {
		if found := prepare.FindRest(q.Reporting); found != nil {
			rest.Days = append(rest.Days, found.Days...)
			slices.Sort(rest.Days)
		}
	}
	q.Reporting = rest.Mark(q.Reporting)
}

// Refit fits one model to the baseline of a request as Assess does, and nothing
// more: the model behind an assessment that was stored. rest is the
// assessment's. The error wraps energy.ErrInsufficientData, or is for a model that
// does not exist.
func Refit(q Request, model string, rest *prepare.Rest) (energy.Model, error) {
	q.Model = model
	q.baselineYear()
	fitters, err := fitters(q)
	if err != nil {
		return nil, err
	}
	rows := rest.Mark(q.Baseline)
	if q.Interval == energy.Billing {
		rows, _ = caltrack.CleanBills(rows, caltrack.LongestBill(rows))
	}
	if q.DropZeros {
		rows = prepare.WithoutZeros(rows, prepare.SuspectZeros(rows))
	}
	m, err := fitters[0].Fit(rows)
	if err != nil {
		return nil, fmt.Errorf("refit %s: %w", model, err)
	}
	return m, nil
}
