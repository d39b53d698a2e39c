package assess

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
)

// closed are days of a building that rests at the weekend, and on some dates.
func closed(b *building, y int, saving float64, dates ...string) []energy.Row {
	rows := b.days(year(y), 365, saving)
	for i := range rows {
		if slices.Contains(dates, rows[i].Start.Format(time.DateOnly)) {
			rows[i].Use *= b.weekend
		}
	}
	return rows
}

func office(seed uint64) *building {
	b := newBuilding(seed)
	b.weekend, b.noise, b.memory = 0.4, 0.03, 0
	return b
}

// A year with more holidays than the one before is no saving.
func TestHolidaysAreNoSaving(t *testing.T) {
	// All on working days.
	dates := []string{
		"2022-01-03", "2022-03-10", "2022-04-15", "2022-04-18", "2022-05-02", "2022-06-15", "2022-07-04", "2022-09-05",
		"2022-10-03", "2022-11-01", "2022-11-24", "2022-12-26",
	}
	const n = 12
	found, others := 0, 0
	var auto, book float64 // mean shares saved, of which none is true
	for seed := range uint64(n) {
		b := office(seed)
		q := Request{Baseline: closed(b, 2021, 0), Reporting: closed(b, 2022, 0, dates...), Interval: energy.Daily}
		a, err := Assess(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range a.Rest.Days {
			if slices.Contains(dates, d) {
				found++
			} else {
				others++
			}
		}
		auto += *a.Avoided.Fraction / n
		// The same building, by a model that was asked for, and so by the book.
		q.Model = towt.DailyModel
		if a, err = Assess(q); err != nil {
			t.Fatal(err)
		}
		if a.Rest != nil {
			t.Errorf("building %d: got holidays %v, where none were asked for", seed, a.Rest.Days)
		}
		book += *a.Avoided.Fraction / n
		// And with the holidays stated.
		q.Holidays = dates
		if a, err = Assess(q); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dates, a.Rest.Days); diff != "" {
			t.Errorf("building %d: stated holidays (-want +got):\n%s", seed, diff)
		}
	}
	t.Logf("found %d of %d holidays, and %d that are none; saved %.2f %%, %.2f %% by the book", found, n*len(dates), others, 100*auto, 100*book)
	if found < 9*n*len(dates)/10 || others > n/4 {
		t.Errorf("got %d of %d holidays, and %d that are none", found, n*len(dates), others)
	}
	if book < 0.01 || math.Abs(auto) > book/2 {
		t.Errorf("got %.2f %% saved without a measure, and %.2f %% where holidays are not known", 100*auto, 100*book)
	}
}

// An assessment with the choice of an earlier one is that one, and so is its
// model fitted again.
func TestTheSameChoiceAgain(t *testing.T) {
	b := office(4)
	q := Request{
		Baseline: closed(b, 2021, 0, "2021-05-03", "2021-12-27"), Reporting: closed(b, 2022, 0.1, "2022-05-02"), Interval: energy.Daily,
	}
	first, err := Assess(q)
	if err != nil {
		t.Fatal(err)
	}
	q.Choice = first.Choice
	second, err := Assess(q)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(first)
	got, _ := json.Marshal(second)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m, err := Refit(q, first.Fit.Model, first.Rest)
	if err != nil {
		t.Fatal(err)
	}
	prepared := q // as Assess prepares its own copy
	prepared.baselineYear()
	prepared.restAfter(prepared.restBefore())
	if diff := cmp.Diff(first.Model().Predict(prepared.Reporting), m.Predict(prepared.Reporting)); diff != "" {
		t.Errorf("a model fitted again (-want +got):\n%s", diff)
	}
	if _, err := Refit(q, "oracle", nil); err == nil {
		t.Error("got no error for a model that does not exist")
	}
	if _, err := Refit(Request{Interval: energy.Daily}, towt.DailyModel, nil); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("got %v, want %v", err, energy.ErrInsufficientData)
	}
	q.Choice = &choose.Choice{Chosen: "oracle"}
	if a, err := Assess(q); err != nil || a.Verdict.Sufficient || a.Fit != nil {
		t.Errorf("got %+v, %v for a choice that does not exist", a.Verdict, err)
	}
}
