package daycount

import (
	"fmt"
	"strings"
	"time"
)

// Convention is how the time between two days is counted in years. The zero
// Convention is Actual365F, which spreadsheets' XIRR and XNPV count by.
type Convention uint8

// The conventions of ISDA's 2006 Definitions, section 4.16, and the others in
// use beside them.
const (
	Actual365F        Convention = iota // days/365, leap year or not
	ActualActualISDA                    // days in leap years/366 + other days/365
	Actual36525                         // days/365.25
	Actual364                           // days/364
	Actual360                           // days/360
	Thirty360ISDA                       // 30/360, bond basis
	ThirtyE360                          // 30E/360, Eurobond basis
	ThirtyEPlus360                      // 30E+/360: a closing 31st is the 1st of the next month
	ThirtyE360ISDA                      // 30E/360 ISDA: ends of February are 30ths
	ThirtyU360                          // 30/360 US, SIA
	NoLeap365                           // days but 02-29, /365
	NoLeap360                           // days but 02-29, /360
	conventionsBehind                   // how many there are
)

// names are what Convention.String writes and, in lower case, ParseConvention
// reads; the first is the one that is written.
func (c Convention) names() []string {
	switch c {
	case Actual365F:
		return []string{"act/365F", "actual/365F", "actual/365 fixed", "act/365 fixed", "english"}
	case ActualActualISDA:
		return []string{"act/act ISDA", "actual/actual ISDA", "act/act", "actual/actual"}
	case Actual36525:
		return []string{"act/365.25", "actual/365.25"}
	case Actual364:
		return []string{"act/364", "actual/364"}
	case Actual360:
		return []string{"act/360", "actual/360", "french"}
	case Thirty360ISDA:
		return []string{"30/360 ISDA", "30/360", "bond basis"}
	case ThirtyE360:
		return []string{"30E/360", "30/360 ISMA", "eurobond basis"}
	case ThirtyEPlus360:
		return []string{"30E+/360"}
	case ThirtyE360ISDA:
		return []string{"30E/360 ISDA", "30E/360 german", "german"}
	case ThirtyU360:
		return []string{"30U/360", "30US/360", "30/360 US", "30/360 SIA"}
	case NoLeap365:
		return []string{"NL/365"}
	case NoLeap360:
		return []string{"NL/360"}
	}
	return []string{fmt.Sprintf("convention %d", uint8(c))}
}

// String is the convention's usual name.
func (c Convention) String() string { return c.names()[0] }

// ParseConvention reads the names in use, whatever their case.
func ParseConvention(s string) (Convention, error) {
	for c := range conventionsBehind {
		for _, name := range c.names() {
			if strings.EqualFold(s, name) {
				return c, nil
			}
		}
	}
	return 0, fmt.Errorf("unknown day count convention %q", s)
}

// Years is the time from one day to another, in years; negative where to is
// before from. 2007-12-28 to 2008-02-29 is 63/365 by Actual365F and 4/365+59/366
// by ActualActualISDA.
func (c Convention) Years(from, to Date) float64 {
	if to < from {
		return -c.Years(to, from)
	}
	switch c {
	case ActualActualISDA:
		common, leap := split(from, to)
		return float64(common)/365 + float64(leap)/366
	case Actual36525:
		return float64(to-from) / 365.25
	case Actual364:
		return float64(to-from) / 364
	case NoLeap365:
		return float64(int(to-from)-leapDays(from, to)) / 365
	case NoLeap360:
		return float64(int(to-from)-leapDays(from, to)) / 360
	case Actual360, Thirty360ISDA, ThirtyE360, ThirtyEPlus360, ThirtyE360ISDA, ThirtyU360:
		return float64(c.Days(from, to)) / 360
	}
	return float64(to-from) / 365
}

// Days is the convention's count of days, for the 30/360 ones 30 to a month.
func (c Convention) Days(from, to Date) int {
	y1, m1, d1 := from.Civil()
	y2, m2, d2 := to.Civil()
	months := 12*(y2-y1) + int(m2-m1)
	switch c {
	case Thirty360ISDA:
		d1 = min(d1, 30)
		if d1 == 30 {
			d2 = min(d2, 30)
		}
	case ThirtyE360:
		d1, d2 = min(d1, 30), min(d2, 30)
	case ThirtyEPlus360:
		d1 = min(d1, 30)
		if d2 == 31 {
			months, d2 = months+1, 1
		}
	case ThirtyE360ISDA:
		d1, d2 = atMost30(from, d1), atMost30(to, d2)
	case ThirtyU360:
		if endsFebruary(from) && endsFebruary(to) {
			d2 = 30
		}
		d1 = atMost30(from, d1)
		if d1 == 30 {
			d2 = min(d2, 30)
		}
	case NoLeap365, NoLeap360:
		return int(to-from) - leapDays(from, to)
	default:
		return int(to - from)
	}
	return 30*months + d2 - d1
}

func atMost30(d Date, day int) int {
	if endsFebruary(d) {
		return 30
	}
	return min(day, 30)
}

func endsFebruary(d Date) bool {
	_, m, _ := d.Civil()
	_, next, _ := (d + 1).Civil()
	return m == time.February && next == time.March
}

// split counts the days of [from, to) in common and in leap years.
func split(from, to Date) (common, leap int) {
	for from < to {
		y, _, _ := from.Civil()
		next := min(Of(y+1, time.January, 1), to)
		if isLeap(y) {
			leap += int(next - from)
		} else {
			common += int(next - from)
		}
		from = next
	}
	return common, leap
}

// leapDays counts the 29ths of February in (from, to].
func leapDays(from, to Date) int {
	y1, _, _ := from.Civil()
	y2, _, _ := to.Civil()
	n := 0
	for y := y1; y <= y2; y++ {
		if d := Of(y, time.February, 29); isLeap(y) && d > from && d <= to {
			n++
		}
	}
	return n
}

func isLeap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }
