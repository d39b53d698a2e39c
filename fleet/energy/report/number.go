package report

import (
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// Number is a number of the assessment and how it is written. In HTML it is a
// data element with the number unrounded, so that a reader, or a test, can
// compare.
type Number struct {
	Value float64
	Text  string
}

// HTML writes the number as a data element.
func (n Number) HTML() template.HTML {
	text := template.HTMLEscapeString(n.Text)
	if n.Text == none {
		return template.HTML(text) //nolint:gosec // escaped above
	}
	value := strconv.FormatFloat(n.Value, 'g', -1, 64)
	return template.HTML(`<data value="` + value + `">` + text + `</data>`) //nolint:gosec // escaped above
}

// none stands for a number that is not known.
const none = "–"

// amount writes a quantity with at least four digits, which is more than any
// meter knows.
func amount(x float64) Number { return Number{x, decimals(x, places(x))} }

// places is how many decimals give x at least four digits.
func places(x float64) int {
	switch x = math.Abs(x); {
	case x >= 1000 || x == 0:
		return 0
	case x >= 100:
		return 1
	case x >= 10:
		return 2
	case x >= 1:
		return 3
	}
	return 4
}

// alike writes several quantities with the same decimals, those of the largest.
func alike(numbers ...*float64) []Number {
	var most float64
	for _, x := range numbers {
		if x != nil {
			most = max(most, math.Abs(*x))
		}
	}
	out := make([]Number, len(numbers))
	for i, x := range numbers {
		out[i] = known(x, func(x float64) Number { return Number{x, decimals(x, places(most))} })
	}
	return out
}

// known writes a number that may be missing.
func known(x *float64, write func(float64) Number) Number {
	if x == nil || math.IsNaN(*x) || math.IsInf(*x, 0) {
		return Number{math.NaN(), none}
	}
	return write(*x)
}

// percent writes a fraction as percent, with one decimal.
func percent(x float64) Number { return Number{x, decimals(100*x, 1) + " %"} }

// digits writes a number with six significant digits, as a coefficient.
func digits(x float64) Number {
	a := math.Abs(x)
	if x == 0 || a >= 1e-4 && a < 1e9 {
		return Number{x, decimals(x, max(0, 5-int(math.Floor(math.Log10(max(a, 1e-300))))))}
	}
	return Number{x, minus(strconv.FormatFloat(x, 'g', 6, 64))}
}

// statistic writes a ratio with four decimals.
func statistic(x float64) Number { return Number{x, decimals(x, 4)} }

// count writes a whole number.
func count(n int) Number { return Number{float64(n), decimals(float64(n), 0)} }

// decimals writes a number with a true minus and commas between thousands.
func decimals(x float64, places int) string {
	places = min(places, 12)
	s := strconv.FormatFloat(math.Abs(x), 'f', places, 64)
	whole, part, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		whole += "." + part
	}
	if x < 0 && strings.Trim(s, "0.") != "" {
		whole = "−" + whole
	}
	return whole
}

func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// money writes an amount in minor units with its currency. ISO 4217 gives most
// currencies two decimals; these have none or three.
func money(m tariff.Money) Number {
	places := 2
	switch m.Currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		places = 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		places = 3
	}
	return Number{float64(m.Minor), decimals(float64(m.Minor)/math.Pow10(places), places) + " " + plain(m.Currency)}
}

// dated writes a day, in the zone that it carries.
func dated(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.Format("2 January 2006")
}

// lastDay writes the last day before the end of a period.
func lastDay(end time.Time) string {
	if end.IsZero() {
		return none
	}
	return dated(end.Add(-time.Nanosecond))
}

// mostRunes is how much of a name is shown.
const mostRunes = 200

// plain cuts a name to a line of bounded length.
func plain(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if n++; n > mostRunes {
			return -1
		}
		if r == '\n' || r == '\t' {
			return ' '
		}
		return visible(r)
	}, strings.ToValidUTF8(s, "�"))
}

// visible drops, as strings.Map does for a negative rune, what a text has no use
// for: control characters, which XML forbids, and marks that turn the direction of
// what is around them.
func visible(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return r
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0xfffe, r == 0xffff, r == 0xfeff,
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x2028, r == 0x2029:
		return -1
	}
	return r
}
