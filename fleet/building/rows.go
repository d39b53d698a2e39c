package building

import (
	"math"
	"sort"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// maxYears bounds the past that a result looks at.
const maxYears = 12

// hourGap is the longest time between two readings of a register across which
// its growth is spread over hours.
const hourGap = 3 * time.Hour

// table is the rows of a building: every local day from the first that counts to
// the newest whole one, and the hours of those.
type table struct {
	loc    *time.Location
	asOf   time.Time // local midnight; what came after it belongs to a day that is not over
	days   []time.Time
	hours  []time.Time
	temps  []prepare.Temperature // of the days
	hourly []prepare.Temperature // of the hours
	meters [meterCount]meterRows
}

// meterRows are those of one meter.
type meterRows struct {
	daily   []energy.Row
	hourly  []energy.Row // none where the register is not read often enough
	resets  []energy.Reason
	first   time.Time // of its readings
	last    time.Time
	present bool
}

// newTable lays the series out from the day of from, or the first reading where
// that is earlier.
func newTable(s *Series, loc *time.Location, from time.Time, maxGap time.Duration) *table {
	t := &table{loc: loc, asOf: s.asOf(loc)}
	first := time.UnixMilli(s.First).In(loc)
	if !from.IsZero() && from.Before(first) {
		first = from
	}
	if far := t.asOf.AddDate(-maxYears, 0, 0); first.Before(far) {
		first = far
	}
	t.days = prepare.Days(first, t.asOf)
	t.temps = prepare.Temperatures(s.Outdoor, t.days)
	if len(t.days) > 0 {
		t.hours = prepare.Hours(t.days[0], t.asOf)
	}
	t.hourly = prepare.Temperatures(s.Outdoor, t.hours)
	for i, r := range registers() {
		t.meters[i] = t.meter(s.Registers[i], r.scale, maxGap)
	}
	return t
}

func (t *table) meter(points []prepare.Point, scale float64, maxGap time.Duration) meterRows {
	var m meterRows
	if len(points) == 0 || len(t.days) < 2 {
		return m
	}
	m.present = true
	m.first, m.last = time.UnixMilli(points[0].TS).In(t.loc), time.UnixMilli(points[len(points)-1].TS).In(t.loc)
	use := prepare.Register(points, t.days, maxGap)
	m.resets = prepare.Resets(use)
	m.daily = scaled(prepare.Rows(t.days, use, t.temps), scale)
	if readOften(points) {
		m.hourly = scaled(prepare.Rows(t.hours, prepare.Register(points, t.hours, hourGap), t.hourly), scale)
	}
	return m
}

// readOften reports whether most readings follow each other soon enough to tell
// hours apart.
func readOften(points []prepare.Point) bool {
	short := 0
	for i := range len(points) - 1 {
		if points[i+1].TS-points[i].TS <= hourGap.Milliseconds() {
			short++
		}
	}
	return 2*short > len(points)-1
}

func scaled(rows []energy.Row, scale float64) []energy.Row {
	for i := range rows {
		rows[i].Use *= scale
	}
	return rows
}

// of are the rows of a meter by their length.
func (m *meterRows) of(i energy.Interval) []energy.Row {
	if i == energy.Hourly {
		return m.hourly
	}
	return m.daily
}

// year is the 365 days up to an instant.
func year(to time.Time) energy.Period { return energy.Period{From: to.AddDate(0, 0, -365), To: to} }

// within are the rows that lie wholly in a period, as energy.Period's are, without
// a copy: rows ascend, and are not to be changed.
func within(p energy.Period, rows []energy.Row) []energy.Row {
	from := sort.Search(len(rows), func(i int) bool { return !rows[i].Start.Before(p.From) })
	to := from + sort.Search(len(rows)-from, func(i int) bool { return rows[from+i].End.After(p.To) })
	return rows[from:to:to]
}

// coverage is the share of a period over which the use is known.
func coverage(rows []energy.Row, p energy.Period) *float64 {
	var known float64
	rows = within(p, rows)
	for i := range rows {
		if r := &rows[i]; !math.IsNaN(r.Use) {
			known += r.Days()
		}
	}
	return energy.Known(known / (p.To.Sub(p.From).Hours() / 24))
}

// sumOf is the use that is known, and of how many rows.
func sumOf(rows []energy.Row) (sum float64, known int) {
	for i := range rows {
		if r := &rows[i]; !math.IsNaN(r.Use) {
			sum += r.Use
			known++
		}
	}
	return sum, known
}

// typicalRows are the days, or the hours, of a year whose temperatures are given.
func typicalRows(points []prepare.Point, loc *time.Location, y int, interval energy.Interval) []energy.Row {
	if len(points) == 0 {
		return nil
	}
	from, to := time.Date(y, 1, 1, 0, 0, 0, 0, loc), time.Date(y+1, 1, 1, 0, 0, 0, 0, loc)
	bounds := prepare.Days(from, to)
	if interval == energy.Hourly {
		bounds = prepare.Hours(from, to)
	}
	unknown := make([]prepare.Amount, len(bounds))
	for i := range unknown {
		unknown[i].Value = math.NaN()
	}
	return prepare.Rows(bounds, unknown, prepare.Temperatures(points, bounds))
}
