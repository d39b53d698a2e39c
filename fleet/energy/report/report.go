// Package report writes down what is known of the savings of one building, for a
// person to read and to check: the verdict first, then the numbers, how they were
// come by, and what speaks against them. It writes one page of HTML that needs
// nothing else, no script and no network, and the same as Markdown.
//
// It is pure. It computes no saving: every number is one of the assessment's, in
// HTML within a data element that holds it unrounded.
package report

import (
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/demand"
	"github.com/fleetwatt/fleetwatt/fleet/energy/savings"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// Version names the rules of this package in the footer.
const Version = "report/1"

// Report is what there is to say of one building.
type Report struct {
	Building Building
	AsOf     time.Time // end of the newest day that the numbers rest on; zero: there is none
	Made     time.Time // of the report; both are shown in the zone that they carry
	Notes    []string  // sentences on where the numbers come from; may be none
	Meters   []Meter   // a section for each, in this order
	// Since is when what is charted and listed begins: earlier rows count in the
	// sums, and are not shown. Zero: all are.
	Since time.Time
}

// Building names what the report is of. Names may hold anything: they are
// escaped, and control characters are left out.
type Building struct {
	ID          string
	Name        string // empty: the ID stands for it
	Place       string // the site or the address; may be empty
	TimeZone    string // IANA name
	FloorAreaM2 float64
}

// Meter is one meter and one measure that was to save on it.
type Meter struct {
	Name    string // what it counts, for example Electricity
	Source  string // the device or register behind it; may be empty
	Unit    string // of Row.Use: kWh, therm, m³
	Measure Measure

	// Assessment is required. Where Model is nil its own is taken: one that was
	// read back from JSON has none, and then the charts lack what the model
	// expected before the measure.
	Assessment *assess.Assessment
	Model      energy.Model
	// Baseline and Reporting are the rows that were assessed, in the time zone of
	// the building.
	Baseline, Reporting []energy.Row

	Cost   *Cost             // nil: not priced
	Carbon *carbon.Reduction // nil: without emission factors
	Peak   *demand.Reduction // nil: rows of a day or more have no peak
}

// Measure is what was done to the building.
type Measure struct {
	Title    string
	Date     time.Time
	Cost     *tariff.Money // nil: not known
	Expected *float64      // share of the baseline that it was to save, 0…1; nil: not known
}

// Cost is what the saving is worth: the bill of the baseline less that of the
// use, by one tariff.
type Cost struct {
	Tariff   string
	Version  string
	Baseline tariff.Money
	Actual   tariff.Money
	Saved    tariff.Money
	// Plus is the half width of the interval at the confidence of the saving, in
	// minor units; nil where it is not known.
	Plus     *int64
	Warnings []energy.Reason // for example use without a price
}

// since is the meter without the rows and the days of the saving that begin before
// an instant.
func (m Meter) since(t time.Time) Meter {
	early := func(r energy.Row) bool { return r.Start.Before(t) }
	m.Baseline, m.Reporting = slices.DeleteFunc(slices.Clone(m.Baseline), early), slices.DeleteFunc(slices.Clone(m.Reporting), early)
	if v := m.Assessment.Avoided; v != nil {
		a, left := *m.Assessment, *v
		left.Series = slices.DeleteFunc(slices.Clone(v.Series), func(p savings.Point) bool { return p.Start.Before(t) })
		a.Avoided, m.Assessment = &left, &a
	}
	return m
}
