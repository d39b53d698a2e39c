package caltrack

import (
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

func TestSufficiency(t *testing.T) {
	from := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	each := func(f func(i int, r *energy.Row)) []energy.Row {
		rows := synthetic(365, 1)
		for i := range rows {
			f(i, &rows[i])
		}
		return rows
	}
	same := func(int, *energy.Row) {}
	for _, c := range []struct {
		name string
		rows []energy.Row
		want Requirement
		code string // "" for sufficient
		pass bool
	}{
		{"a year", each(same), Year(), "", true},
		{"nothing", nil, Year(), NoData, false},
		{"half a year", each(same)[:182], Year(), WrongDays, false},
		{"half of the year asked for", each(same)[:182], Requirement{365, 0.9, from, from.AddDate(1, 0, 0)}, MissingDays, false},
		{"too early", each(same), Requirement{365, 0.9, from.AddDate(0, 0, 1), from.AddDate(1, 0, 1)}, ExtraDataBefore, false},
		{"too late", each(same), Requirement{365, 0.9, from, from.AddDate(0, 11, 0)}, ExtraDataAfter, false},
		{"36 days without use", each(func(i int, r *energy.Row) {
			if i%10 == 5 {
				r.Use = math.NaN()
			}
		}), Year(), "", true},
		{"41 days without use", each(func(i int, r *energy.Row) {
			if i%9 == 5 {
				r.Use = math.NaN()
			}
		}), Year(), MissingMeterDays, false},
		{"41 days of half a temperature", each(func(i int, r *energy.Row) {
			if i%9 == 5 {
				r.TempCoverage = 0.6
			}
		}), Year(), MissingTemperatures, false},
		{"a negative day", each(func(i int, r *energy.Row) {
			if i == 9 {
				r.Use = -1
			}
		}), Year(), NegativeValues, false},
		{"an extreme day", each(func(i int, r *energy.Row) {
			if i == 9 {
				r.Use = 1e6
			}
		}), Year(), ExtremeValues, true},
	} {
		v := Sufficiency(c.rows, energy.Daily, c.want)
		if v.Sufficient != c.pass {
			t.Errorf("%s: got %+v", c.name, v)
		}
		if c.code != "" && !v.Has(c.code) {
			t.Errorf("%s: got %+v, want %s", c.name, v.Reasons, c.code)
		}
	}
}

// eemeter passes its own sample, and warns of extreme values.
func TestSufficiencyOfTheSample(t *testing.T) {
	rows := sampleDays(t, dailySamples[0], blackoutStart.AddDate(0, 0, -365), blackoutStart)
	v := Sufficiency(rows, energy.Daily, Requirement{Days: 365, Coverage: 0.9, To: blackoutStart})
	if !v.Sufficient || len(v.Reasons) != 1 || v.Reasons[0].Code != ExtremeValues {
		t.Errorf("got %+v", v)
	}
}

func TestThinMonth(t *testing.T) {
	start := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for h := range 365 * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		r := energy.Row{Start: at, End: at.Add(time.Hour), Use: 1, TempF: 50, TempCoverage: 1}
		if at.Month() == time.May && at.Day() < 8 {
			r.Use = math.NaN()
		}
		rows = append(rows, r)
	}
	v := Sufficiency(rows, energy.Hourly, Year())
	if v.Sufficient || !v.Has(ThinMonth) {
		t.Errorf("got %+v, want %s", v, ThinMonth)
	}
}

func TestCleanBills(t *testing.T) {
	at := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []energy.Row
	for _, days := range []int{31, 24, 25, 35, 36} {
		rows = append(rows, energy.Row{Start: at, End: at.AddDate(0, 0, days), Use: 1})
		at = at.AddDate(0, 0, days)
	}
	got, reasons := CleanBills(rows, 35)
	for i, want := range []bool{true, false, true, true, false} {
		if known := !math.IsNaN(got[i].Use); known != want {
			t.Errorf("bill %d of %g days: got kept %v, want %v", i, rows[i].Days(), known, want)
		}
	}
	if len(reasons) != 1 || reasons[0].Values["bills"] != 2 {
		t.Errorf("got %+v", reasons)
	}
	if math.IsNaN(rows[1].Use) {
		t.Error("the argument was changed")
	}
}

func TestLongestBill(t *testing.T) {
	for _, c := range []struct {
		name string
		days []int
		want float64
	}{
		{"none", nil, 35},
		{"months, and one bill of a quarter", []int{30, 31, 91, 30, 31}, 35},
		{"two months", []int{61, 62, 30, 61}, 70},
	} {
		at := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
		var rows []energy.Row
		for _, d := range c.days {
			rows = append(rows, energy.Row{Start: at, End: at.AddDate(0, 0, d)})
			at = at.AddDate(0, 0, d)
		}
		if got := LongestBill(rows); got != c.want {
			t.Errorf("%s: got %g, want %g", c.name, got, c.want)
		}
	}
}
