package prepare

import (
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// The codes of Inspect.
const (
	NoUse               = "no_use"
	NegativeUse         = "negative_use"
	AllZero             = "all_zero"
	ConstantUse         = "constant_use"
	ZerosSuspected      = "zeros_may_be_missing"
	TemperatureUnit     = "temperature_unit_suspect"
	TemperatureConstant = "temperature_constant"
	MixedMeters         = "interleaved_meters_suspected"
	ManyResets          = "many_counter_resets"
	CounterLeaps        = "counter_leaps"
)

// Limits on the outdoor temperature, °F: hotter than any place on Earth has
// been, colder, and the bounds of a yearly maximum of day means that anyone
// builds under.
const (
	hottestF    = 140 // 60 °C
	coldestF    = -94 // −70 °C
	mildestMaxF = 41  // 5 °C
	minYear     = 300 // days before the yearly maximum is judged
	// stuckShare is what lies on either side of a stuck sensor's one reading.
	stuckShare = 0.05
	stuckUse   = 0.01 // the same, of a meter
	// fewRows show no pattern.
	fewRows = 20
)

// Inspect names what looks wrong with rows before anything is fitted to them.
// It looks for a meter that counts nothing, or backwards, or always the same;
// for gaps that were written as zeros; for a temperature in another unit; for two
// meters that report as one.
func Inspect(rows []energy.Row) []energy.Reason {
	use, temps := make([]float64, 0, len(rows)), make([]float64, 0, len(rows))
	for i := range rows {
		if r := &rows[i]; !math.IsNaN(r.Use) {
			use = append(use, r.Use)
		}
		if r := &rows[i]; !math.IsNaN(r.TempF) {
			temps = append(temps, r.TempF)
		}
	}
	if len(use) == 0 {
		return []energy.Reason{{Code: NoUse, Critical: true, Text: "no use is known"}}
	}
	out := inspectUse(use)
	if len(out) == 0 {
		if zeros := SuspectZeros(rows); len(zeros) > 0 {
			out = append(out, energy.Reason{
				Code: ZerosSuspected, Text: "the meter never comes near zero otherwise, so these zeros may be gaps",
				Values: map[string]float64{"rows": float64(len(zeros))},
			})
		}
		if rho := alternation(rows, use); rho < -0.5 {
			out = append(out, energy.Reason{
				Code: MixedMeters, Critical: true, Text: "the use jumps up and down from row to row, as where two meters report as one",
				Values: map[string]float64{"autocorrelation": rho},
			})
		}
	}
	return append(out, inspectTemperature(rows, temps)...)
}

func inspectUse(use []float64) []energy.Reason {
	negative := 0
	for _, u := range use {
		if u < 0 {
			negative++
		}
	}
	spare := slices.Clone(use)
	low, high := slices.Min(use), slices.Max(use)
	usual := energy.QuantileOf(spare, stuckUse)
	switch {
	case low == 0 && high == 0:
		return []energy.Reason{{Code: AllZero, Critical: true, Text: "the meter counts nothing"}}
	case low == high || usual != 0 && len(use) > fewRows && usual == energy.QuantileOf(spare, 1-stuckUse):
		return []energy.Reason{{
			Code: ConstantUse, Critical: true, Text: "the meter counts the same in nearly every row",
			Values: map[string]float64{"use": usual},
		}}
	case negative > 0:
		return []energy.Reason{{
			Code: NegativeUse, Critical: true, Text: "the use is negative, which may be generation behind the meter or a swapped sign",
			Values: map[string]float64{"rows": float64(negative)},
		}}
	}
	return nil
}

func inspectTemperature(rows []energy.Row, temps []float64) []energy.Reason {
	if len(temps) == 0 {
		return nil
	}
	low, high := slices.Min(temps), slices.Max(temps)
	values := map[string]float64{"min_f": low, "max_f": high}
	year := energy.Span(rows).To.Sub(energy.Span(rows).From).Hours()/24 >= minYear
	switch {
	case high > hottestF || low < coldestF || year && high < mildestMaxF:
		return []energy.Reason{{
			Code: TemperatureUnit, Critical: true, Values: values,
			Text: fmt.Sprintf("the outdoor temperature runs from %.0f to %.0f °C", energy.CelsiusOf(low), energy.CelsiusOf(high)),
		}}
	case len(temps) > 20 && energy.QuantileOf(temps, stuckShare) == energy.QuantileOf(temps, 1-stuckShare):
		return []energy.Reason{{Code: TemperatureConstant, Critical: true, Text: "the outdoor temperature hardly ever changes", Values: values}}
	}
	return nil
}

// A meter has a base load where its lowest percent of readings above zero is at
// least baseShare of their median. Where more than zeroShare of the rows are
// zero, rest is what the meter does.
const (
	baseShare = 0.1
	zeroShare = 0.2
)

// SuspectZeros are the indexes of rows whose use is exactly zero although the
// meter has a base load: the first percentile of its other readings is at least
// a tenth of their median, and at most a fifth of the rows are zero. Some sources
// write a missing value so.
func SuspectZeros(rows []energy.Row) []int {
	var zeros []int
	var above []float64
	for i, r := range rows {
		switch {
		case r.Use == 0:
			zeros = append(zeros, i)
		case r.Use > 0:
			above = append(above, r.Use)
		}
	}
	if len(zeros) == 0 || len(above) == 0 || float64(len(zeros)) > zeroShare*float64(len(rows)) {
		return nil
	}
	slices.Sort(above)
	if above[len(above)/100] < baseShare*above[len(above)/2] {
		return nil
	}
	return zeros
}

// WithoutZeros copies rows with the use of the named ones unknown.
func WithoutZeros(rows []energy.Row, zeros []int) []energy.Row {
	out := slices.Clone(rows)
	for _, i := range zeros {
		out[i].Use = math.NaN()
	}
	return out
}

// Resets names what a counter did beside counting: leaps that were left out, and
// resets, of which more than one in twenty intervals means that it is not one
// counter.
func Resets(use []Amount) []energy.Reason {
	resets, glitches := 0, 0
	for _, a := range use {
		resets, glitches = resets+a.Resets, glitches+a.Glitches
	}
	var out []energy.Reason
	if resets*20 > len(use) {
		out = append(out, energy.Reason{
			Code: ManyResets, Critical: true, Text: "the counter falls too often to be one counter",
			Values: map[string]float64{"resets": float64(resets)},
		})
	}
	if glitches > 0 {
		out = append(out, energy.Reason{
			Code: CounterLeaps, Text: "the counter leaps further than the meter ever counts, which was left out",
			Values: map[string]float64{"leaps": float64(glitches)},
		})
	}
	return out
}

// alternation is the correlation of each row with the next, or of each day with
// the next, whichever is less; zero where there are too few to tell. Two meters
// under one name may report by turns of an hour or of a day.
func alternation(rows []energy.Row, use []float64) float64 {
	least := 0.0
	if len(use) > fewRows {
		least = min(least, lagOne(use))
	}
	if len(rows) == 0 || rows[0].Days() > 0.5 {
		return least
	}
	var days []float64
	for _, d := range useOfDays(rows) {
		days = append(days, d.use)
	}
	if len(days) > fewRows {
		least = min(least, lagOne(days))
	}
	return least
}

// lagOne is the correlation of each value with the next.
func lagOne(x []float64) float64 {
	var mean, up, down float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for i, v := range x {
		down += (v - mean) * (v - mean)
		if i > 0 {
			up += (v - mean) * (x[i-1] - mean)
		}
	}
	return up / down
}
