package report

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
)

// page is what the templates write.
type page struct {
	Title, ID, Place, Zone string
	Area                   Number
	AsOf, Made             string
	Notes                  []string
	Version                string
	Sections               []section
}

// section is one meter.
type section struct {
	Name, Source, Unit string
	Measure            string
	MeasureDate        string
	Invested, Expected Number

	Tone     string // ok, doubt or bad
	Verdict  string
	Worth    []string // sentences
	Tiles    []tile
	Concerns []concern // the critical ones first

	Figures []figure
	Months  *table
	Facts   []fact
	Formula string

	Coefficients *table
	Fit          *table
	Guideline    *table
	Rivals       *table
	RivalsNote   string
	Adjustments  *table
}

// tile is a number that stands out.
type tile struct {
	Name     string
	Value    Number
	Unit     string
	Plus     Number // the half width
	PlusUnit string
	Note     string
	Tone     string
	HasPlus  bool
}

// concern is one reason against the number, and what to do about it.
type concern struct {
	Critical bool
	Code     string
	Text     string
	Advice   string
}

type fact struct {
	Name string
	Text string
}

// figure is a chart and its caption.
type figure struct {
	Title   string
	Chart   template.HTML
	Legend  []legend
	Caption string
}

type legend struct{ Class, Name string }

// table is rows of cells. A cell is a string or a Number.
type table struct {
	Title string
	Head  []string
	Rows  [][]any
	Note  string
	Foot  []any
}

// instant is how a page writes when it was made.
const instant = "2 January 2006, 15:04 MST"

func newPage(r Report) (page, error) {
	p := page{
		Title: plain(r.Building.Name), ID: plain(r.Building.ID), Place: plain(r.Building.Place), Zone: plain(r.Building.TimeZone),
		Made: r.Made.Format(instant), Version: Version,
	}
	if !r.AsOf.IsZero() {
		p.AsOf = r.AsOf.Format(instant)
	}
	if p.Title == "" {
		p.Title = p.ID
	}
	if r.Building.FloorAreaM2 > 0 {
		p.Area = amount(r.Building.FloorAreaM2)
	}
	for _, n := range r.Notes {
		p.Notes = append(p.Notes, plain(n))
	}
	if !r.Since.IsZero() {
		p.Notes = append(p.Notes, "The charts, and the saving month by month, begin on "+dated(r.Since)+"; the sums take in what was before that.")
	}
	for i, m := range r.Meters {
		if m.Assessment == nil {
			return p, fmt.Errorf("report: meter %d has no assessment", i)
		}
		p.Sections = append(p.Sections, newSection(m, r.Building, r.Since))
	}
	if len(p.Sections) == 0 {
		return p, errors.New("report: there is no meter")
	}
	return p, nil
}

func newSection(m Meter, b Building, since time.Time) section {
	a := m.Assessment
	if m.Model == nil {
		m.Model = a.Model()
	}
	s := section{
		Name: plain(m.Name), Source: plain(m.Source), Unit: plain(m.Unit),
		Measure: plain(m.Measure.Title), MeasureDate: dated(m.Measure.Date),
	}
	if m.Measure.Expected != nil {
		s.Expected = percent(*m.Measure.Expected)
	}
	if m.Measure.Cost != nil {
		s.Invested = money(*m.Measure.Cost)
	}
	s.judge(m)
	s.tiles(m, b)
	shown := m
	if !since.IsZero() {
		shown = m.since(since)
	}
	s.Figures = figures(shown)
	s.Months = months(shown.Assessment.Avoided, s.Unit)
	s.facts(m)
	if a.Fit != nil {
		s.Formula = a.Fit.Formula
		s.Coefficients = coefficients(a.Fit, s.Unit)
		s.Fit = statistics(a.Fit.Statistics, s.Unit)
	}
	if v := a.Avoided; v != nil {
		s.Guideline = guideline(v)
		s.Adjustments = adjustments(v, s.Unit)
	}
	s.rivals(a)
	return s
}

// tiles are the numbers that stand out, where there are any.
func (s *section) tiles(m Meter, b Building) {
	v := m.Assessment.Avoided
	if v == nil || !m.Assessment.Verdict.Sufficient {
		return
	}
	plus := halfWidth(v)
	pair := alike(&v.Saving, plus)
	t := tile{Name: "Energy saved", Value: pair[0], Unit: s.Unit, Plus: pair[1], PlusUnit: s.Unit, HasPlus: plus != nil, Tone: s.Tone}
	if v.Fraction != nil {
		t.Note = percent(*v.Fraction).Text + " of what it would have used"
	}
	s.Tiles = append(s.Tiles, t)
	if c := m.Cost; c != nil {
		t := tile{Name: "Money saved", Value: money(c.Saved), Note: "by tariff " + plain(c.Tariff) + ", version " + plain(c.Version)}
		if c.Plus != nil {
			half := c.Saved
			half.Minor = *c.Plus
			t.Plus, t.HasPlus = money(half), true
		}
		s.Tiles = append(s.Tiles, t)
	}
	if c := m.Carbon; c != nil {
		pair := alike(&c.AvoidedKG, c.PlusKG)
		s.Tiles = append(s.Tiles, tile{
			Name: "Carbon avoided", Value: pair[0], Unit: "kg CO₂e", Plus: pair[1], PlusUnit: "kg", HasPlus: c.PlusKG != nil,
			Note: "location-based, grid " + plain(c.Grid) + ", factors " + plain(c.Version),
		})
	}
	if d := m.Peak; d != nil {
		pair := alike(&d.PeakSavedKW, d.PeakPlusKW)
		t := tile{Name: "Peak lowered", Value: pair[0], Unit: "kW", Plus: pair[1], PlusUnit: "kW", HasPlus: d.PeakPlusKW != nil}
		if d.PeakFraction != nil {
			t.Note = percent(*d.PeakFraction).Text + " of the peak that it would have had"
		}
		s.Tiles = append(s.Tiles, t)
	}
	if b.FloorAreaM2 > 0 && v.Reporting.To.After(v.Reporting.From) {
		per := v.Observed / b.FloorAreaM2 * 365 * 24 / v.Reporting.To.Sub(v.Reporting.From).Hours()
		s.Tiles = append(s.Tiles, tile{Name: "Use now", Value: amount(per), Unit: s.Unit + "/m² a year", Note: "of the reporting period"})
	}
}

// halfWidth is that of the widest interval around the saving; nil where it is
// not known.
func halfWidth(v *savings.Avoided) *float64 {
	if v.Uncertainty == nil || v.SlowPlus == nil {
		return nil
	}
	plus := math.Max(v.Uncertainty.Plus, *v.SlowPlus)
	return &plus
}

func (s *section) facts(m Meter) {
	a := m.Assessment
	add := func(name, format string, args ...any) {
		s.Facts = append(s.Facts, fact{name, fmt.Sprintf(format, args...)})
	}
	source := s.Name
	if s.Source != "" {
		source += ", " + s.Source
	}
	add("What was measured", "%s, in %s", source, s.Unit)
	v := a.Avoided
	if v != nil {
		add("Boundary", "IPMVP option %s: %s", v.Option, boundary(v.Option))
	}
	add("Baseline", "%s", period(energy.Span(m.Baseline), a.Fit))
	add("Baseline coverage", "%s", coverage(m.Baseline))
	if len(m.Reporting) > 0 {
		add("Reporting period", "%s", period(energy.Span(m.Reporting), nil))
		add("Reporting coverage", "%s", coverage(m.Reporting))
	}
	if f := a.Fit; f != nil {
		add("Model", "%s, version %s, of %s", f.Model, f.Version, rowsOf(f.Interval))
		add("Temperatures of the baseline", "%s", temperatures(f.Temperatures))
	}
	if v != nil && v.Uncertainty != nil {
		add("Interval", "%s; %s, and the noise of days and weeks: the wider counts", percent(v.Uncertainty.Confidence).Text+" confidence", method(v.Uncertainty.Method))
	}
	if a.Normalised != nil && a.Verdict.Sufficient {
		s.normalised(a)
	}
	if r := a.Rest; r != nil && len(r.Days) > 0 {
		add("Holidays", "%s days spent like a %s: %s", count(len(r.Days)).Text, r.Quietest, strings.Join(dates(r.Days), ", "))
	}
	rules := []string{a.Version}
	if v != nil {
		rules = append(rules, v.Version)
	}
	if a.Choice != nil {
		rules = append(rules, a.Choice.Version)
	}
	add("Versions of the rules", "%s", strings.Join(rules, ", "))
}

// normalised adds the saving in a typical year, or why it cannot be told.
func (s *section) normalised(a *assess.Assessment) {
	const name = "In the weather of a typical year"
	n := a.Normalised
	if !n.Verdict.Sufficient {
		var why []string
		for _, r := range n.Verdict.Reasons {
			if r.Critical {
				why = append(why, plain(r.Text))
			}
		}
		s.Facts = append(s.Facts, fact{name, "cannot be stated: " + strings.Join(why, "; ")})
		return
	}
	pair := []Number{amount(n.Saving)}
	text := pair[0].Text + " " + s.Unit
	if n.Uncertainty != nil {
		pair = alike(&n.Saving, &n.Uncertainty.Plus)
		text = pair[0].Text + " ± " + pair[1].Text + " " + s.Unit
	}
	if n.Fraction != nil {
		text += ", " + percent(*n.Fraction).Text
	}
	s.Facts = append(s.Facts, fact{name, text})
}

// dates writes local dates as days; what is none is left as it is.
func dates(all []string) []string {
	var out []string
	for _, s := range all {
		if t, err := time.Parse(time.DateOnly, s); err == nil {
			s = t.Format("2 Jan 2006")
		}
		out = append(out, plain(s))
	}
	return out
}

func boundary(o savings.Option) string {
	if o == savings.Isolation {
		return "the part of the building behind this sub-meter"
	}
	return "the whole building"
}

func method(id string) string {
	switch id {
	case energy.FractionalCalTRACK:
		return "fractional savings uncertainty of ASHRAE Guideline 14 with CalTRACK 2.0’s correction"
	case energy.FractionalLBNL:
		return "fractional savings uncertainty as LBNL computes it"
	}
	return id
}

func rowsOf(i energy.Interval) string {
	switch i {
	case energy.Hourly:
		return "hours"
	case energy.Billing:
		return "bills"
	}
	return "days"
}

func period(p energy.Period, f *energy.Fit) string {
	if f != nil {
		p = f.Period
	}
	if p.To.IsZero() {
		return none
	}
	days := math.Round(p.To.Sub(p.From).Hours() / 24)
	return fmt.Sprintf("%s to %s, %s days", dated(p.From), lastDay(p.To), decimals(days, 0))
}

// coverage says how many rows are whole.
func coverage(rows []energy.Row) string {
	if len(rows) == 0 {
		return none
	}
	n := 0
	for _, r := range rows {
		if r.Whole() {
			n++
		}
	}
	return fmt.Sprintf("%s of %s rows have both use and temperature, %s",
		count(n).Text, count(len(rows)).Text, percent(float64(n)/float64(len(rows))).Text)
}

func temperatures(r energy.Range) string {
	if r.MinF == nil || r.MaxF == nil {
		return none
	}
	return fmt.Sprintf("%s to %s °C (%s to %s °F)", decimals(energy.CelsiusOf(*r.MinF), 1), decimals(energy.CelsiusOf(*r.MaxF), 1),
		decimals(*r.MinF, 1), decimals(*r.MaxF, 1))
}

// concerns lists the reasons of the verdict, the critical ones first.
func concerns(reasons []energy.Reason) []concern {
	var out []concern
	for _, r := range reasons {
		out = append(out, concern{Critical: r.Critical, Code: r.Code, Text: sentence(plain(r.Text)), Advice: Advice(r.Code)})
	}
	slices.SortStableFunc(out, func(a, b concern) int {
		switch {
		case a.Critical == b.Critical:
			return 0
		case a.Critical:
			return -1
		}
		return 1
	})
	return out
}

// monthOf names the month of an instant, in its own zone.
func monthOf(t time.Time) string { return t.Format("Jan 2006") }

// render writes a page; HTML and Markdown differ in the writer alone.
func render(w io.Writer, r Report, execute func(io.Writer, page) error) error {
	p, err := newPage(r)
	if err != nil {
		return err
	}
	var out strings.Builder
	if err := execute(&out, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := io.WriteString(w, strings.Map(visible, strings.ToValidUTF8(out.String(), "�"))); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
