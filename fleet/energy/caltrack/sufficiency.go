package caltrack

import (
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// The codes of Sufficiency.
const (
	NoData              = "no_data"
	ExtraDataAfter      = "extra_data_after_requested_end_date"
	ExtraDataBefore     = "extra_data_before_requested_start_date"
	NegativeValues      = "negative_meter_values"
	WrongDays           = "incorrect_number_of_total_days"
	MissingDays         = "too_many_days_with_missing_data"
	MissingMeterDays    = "too_many_days_with_missing_meter_data"
	MissingTemperatures = "too_many_days_with_missing_temperature_data"
	ExtremeValues       = "extreme_values_detected"
	ThinMonth           = "month_with_missing_data"
	Estimated           = "bill_length_out_of_range"
)

// Requirement is what a baseline period has to have.
type Requirement struct {
	Days     int       // the span, 365 for a baseline; 0 asks for none
	Coverage float64   // share of the days that must be whole, 0…1
	From, To time.Time // the span that was asked for; zero where the data sets it
}

// Year is what CalTRACK asks of a baseline: 365 days, 90 % of them whole
// (2.2.1).
func Year() Requirement { return Requirement{Days: 365, Coverage: 0.9} }

// minTemperature is the share of the hours of a row that must have a
// temperature, to be exceeded; eemeter asks for more than the half of 2.2.2.3.
const minTemperature = 0.9

// Sufficiency checks rows as section 2.2 and 2.3 ask. Extreme values are only
// warned of.
func Sufficiency(rows []energy.Row, interval energy.Interval, want Requirement) energy.Verdict {
	v := energy.Verdict{Sufficient: true, Criteria: "caltrack-2.0", Reasons: []energy.Reason{}}
	var meter, temperature, whole float64
	use := make([]float64, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		days, good := r.Days(), r.TempCoverage > minTemperature
		if good {
			temperature += days
		}
		if math.IsNaN(r.Use) {
			continue
		}
		meter += days
		use = append(use, r.Use/days)
		if good {
			whole += days
		}
	}
	if whole == 0 {
		v.Add(energy.Reason{Code: NoData, Critical: true, Text: "no row has both use and temperature"})
		return v
	}
	days := span(&v, rows, want)
	negatives(&v, use)
	values := map[string]float64{"total_days": days, "whole_days": whole, "meter_days": meter, "temperature_days": temperature}
	if want.Days > 0 && math.Floor(days+clockChange) != float64(want.Days) {
		v.Add(energy.Reason{Code: WrongDays, Critical: true, Text: "the span of the data is not the one required", Values: values})
	}
	for _, c := range []struct {
		have       float64
		code, text string
	}{
		{whole, MissingDays, "too many days lack use or temperature"},
		{meter, MissingMeterDays, "too many days lack use"},
		{temperature, MissingTemperatures, "too many days lack temperature"},
	} {
		if c.have/days < want.Coverage {
			v.Add(energy.Reason{Code: c.code, Critical: true, Text: c.text, Values: values})
		}
	}
	if interval == energy.Hourly {
		months(&v, rows, want)
	}
	extremes(&v, use)
	return v
}

// clockChange is added to a span before it is cut to whole days: a year of local
// days can be an hour short.
const clockChange = 1.0 / 24

// span is the number of days from the first row, or the start asked for, to the
// last (2.2.5).
func span(v *energy.Verdict, rows []energy.Row, want Requirement) float64 {
	have := energy.Span(rows)
	from, to := have.From, have.To
	if !want.To.IsZero() {
		if to.After(want.To) {
			v.Add(energy.Reason{Code: ExtraDataAfter, Critical: true, Text: "there are rows after the end asked for"})
		} else {
			to = want.To
		}
	}
	if !want.From.IsZero() {
		if from.Before(want.From) {
			v.Add(energy.Reason{Code: ExtraDataBefore, Critical: true, Text: "there are rows before the start asked for"})
		} else {
			from = want.From
		}
	}
	return to.Sub(from).Hours() / 24
}

// negatives reports negative use (2.3.5).
func negatives(v *energy.Verdict, use []float64) {
	n := 0
	for _, u := range use {
		if u < 0 {
			n++
		}
	}
	if n > 0 {
		v.Add(energy.Reason{
			Code: NegativeValues, Critical: true, Text: "negative use may be solar generation behind the meter",
			Values: map[string]float64{"rows": float64(n)},
		})
	}
}

// extremes warns of use above the median and three interquartile ranges
// (2.3.6).
func extremes(v *energy.Verdict, use []float64) {
	median := energy.QuantileOf(use, 0.5)
	limit := median + 3*(energy.QuantileOf(use, 0.75)-energy.QuantileOf(use, 0.25))
	n := 0
	for _, u := range use {
		if u > limit {
			n++
		}
	}
	if n > 0 {
		v.Add(energy.Reason{
			Code: ExtremeValues, Text: "use above the median and three interquartile ranges needs a look",
			Values: map[string]float64{"rows": float64(n), "median": median, "limit": limit, "max": slices.Max(use)},
		})
	}
}

// months asks that each calendar month of an hourly baseline is whole enough,
// since each has a model of its own (2.2.1.2).
func months(v *energy.Verdict, rows []energy.Row, want Requirement) {
	var all, whole [13]float64
	var m time.Month
	var next time.Time // none before it is of another month
	for i := range rows {
		r := &rows[i]
		if !r.Start.Before(next) {
			var y int
			y, m, _ = r.Start.Date()
			next = time.Date(y, m+1, 1, 0, 0, 0, 0, r.Start.Location())
		}
		all[m]++
		if r.Whole() {
			whole[m]++
		}
	}
	for m := time.January; m <= time.December; m++ {
		if whole[m] < want.Coverage*max(all[m], 1) {
			v.Add(energy.Reason{
				Code: ThinMonth, Critical: true, Text: "too many hours of " + m.String() + " lack use or temperature",
				Values: map[string]float64{"month": float64(m), "hours": all[m], "whole_hours": whole[m]},
			})
		}
	}
}

// The bounds of a bill, in days (2.2.3.4, 2.2.3.5). Bills of two months are told
// by their median length.
const (
	shortestBill   = 25
	longestMonth   = 35
	longestTwo     = 70
	medianOfMonths = 45
)

// LongestBill is the most days that a bill among these may have.
func LongestBill(rows []energy.Row) float64 {
	var days []float64
	for _, r := range rows {
		days = append(days, r.Days())
	}
	slices.Sort(days)
	if len(days) > 0 && energy.Quantile(days, 0.5) > medianOfMonths {
		return longestTwo
	}
	return longestMonth
}

// CleanBills drops the use of bills that are shorter than 25 days or longer than
// most, which LongestBill knows (2.2.3.4, 2.2.3.5). A bill is as long as its local
// days, however the clock changes. It says how many.
func CleanBills(rows []energy.Row, most float64) ([]energy.Row, []energy.Reason) {
	out := slices.Clone(rows)
	n := 0
	for i, r := range out {
		if d := math.Floor(r.Days() + clockChange); d < shortestBill || d > most {
			out[i].Use = math.NaN()
			n++
		}
	}
	if n == 0 {
		return out, nil
	}
	return out, []energy.Reason{{
		Code: Estimated, Text: "bills of an unusual length were left out",
		Values: map[string]float64{"bills": float64(n), "most_days": most},
	}}
}
