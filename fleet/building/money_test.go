package building

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
)

// rowsOf are rows of a year that use one unit each; those before lost have none.
func rowsOf(bounds []time.Time, lost int) []energy.Row {
	var out []energy.Row
	for i := range len(bounds) - 1 {
		r := energy.Row{Start: bounds[i], End: bounds[i+1], Use: 1}
		if i < lost {
			r.Use = math.NaN()
		}
		out = append(out, r)
	}
	return out
}

// paying is a building with a year of electricity, and water without factors.
func paying(hourly bool, lost int, bands ...tariff.Band) *evaluation {
	from, to := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	days := prepare.Days(from, to)
	m := meterRows{daily: rowsOf(days, 0), first: from, last: to, present: true}
	if hourly {
		m.hourly = rowsOf(prepare.Hours(from, to), lost)
	}
	e := &evaluation{loc: time.UTC, table: &table{loc: time.UTC, asOf: to, days: days}}
	e.table.meters[0] = m
	constant := 0.5
	e.Plan = &Plan{
		FloorM2: 100, Settings: Settings{Meters: map[Meter]*MeterOptions{Electricity: {Tariff: "t", Grid: "g"}}},
		Tariffs: map[string]*tariff.Tariff{"t": {ID: "t", Version: "1", Currency: "EUR", Bands: bands, Demand: []tariff.Demand{{Name: "peak", Price: 1}}}},
		Grids:   map[string]*carbon.Grid{"g": (&Factors{ID: "g", Constant: &constant}).Grid(nil)},
	}
	return e
}

func (b *Basis) has(code string) bool {
	return slices.ContainsFunc(b.Reasons, func(r energy.Reason) bool { return r.Code == code })
}

// A bill is of the rows that it prices, and says what it leaves out.
func TestBillSaysWhatItLacks(t *testing.T) {
	night, day := tariff.Band{Name: "night", To: 7 * time.Hour, Price: 10}, tariff.Band{Name: "day", Price: 30}
	for _, c := range []struct {
		name   string
		e      *evaluation
		status Status
		code   string
	}{
		{"all of it", paying(true, 0, night, day), OK, ""},
		{"few hours lost", paying(true, 100, night, day), OK, UnknownUse},
		{"half of the hours lost", paying(true, 4000, night, day), Insufficient, ShortYear},
		{"days across two prices", paying(false, 0, night, day), Insufficient, MixedUse},
		{"days of one price", paying(false, 0, day), OK, DemandUnknown},
		{"no price at all", paying(true, 0), Insufficient, UnpricedUse},
	} {
		m := c.e.cost().Meters[0]
		if m.Status != c.status || (c.code != "" && !m.has(c.code)) || (m.Latest != nil) != (c.status == OK) {
			t.Errorf("%s: got %+v", c.name, m.Basis)
		}
	}
}

// A saving of days across prices is not told in money.
func TestSavingAcrossPrices(t *testing.T) {
	e := paying(false, 0, tariff.Band{Name: "night", To: 7 * time.Hour, Price: 10}, tariff.Band{Name: "day", Price: 30})
	rows := e.meter(Electricity).daily
	baseline := make([]float64, len(rows))
	if c, why := priced(*e.Plan.Tariffs["t"], rows, baseline, nil); c != nil || why == nil || why.Code != MixedUse || why.Critical {
		t.Errorf("got %+v, %+v", c, why)
	}
}

// A meter without factors is named, and keeps the intensity from being told.
func TestCarbonNamesMetersWithoutFactors(t *testing.T) {
	e := paying(true, 0)
	if c := e.carbon(); c.Status != OK || c.Intensity == nil {
		t.Fatalf("got %+v", c.Basis)
	}
	e.table.meters[indexOf(Gas)] = e.table.meters[0]
	c := e.carbon()
	if len(c.Meters) != 2 || !c.Meters[1].has(GridMissing) || c.Meters[1].Status != Insufficient || !c.has(GridMissing) || c.Intensity != nil {
		t.Errorf("got %+v", c)
	}
}
