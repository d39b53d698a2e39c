package tariff

import (
	"math"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// hours are rows of one hour from an instant, of the given use.
func hours(from time.Time, n int, use func(h int) float64) []energy.Row {
	var rows []energy.Row
	for h := range n {
		at := from.Add(time.Duration(h) * time.Hour)
		rows = append(rows, energy.Row{Start: at, End: at.Add(time.Hour), Use: use(h)})
	}
	return rows
}

func one(int) float64 { return 1 }

func TestTimeOfUse(t *testing.T) {
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	tariff := Tariff{
		ID: "tou", Version: "1", Currency: "EUR", PerDay: 50,
		Bands: []Band{
			{Name: "peak", Weekdays: weekdays, From: 17 * time.Hour, To: 20 * time.Hour, Price: 40},
			{Name: "night", From: 22 * time.Hour, To: 6 * time.Hour, Price: 10},
			{Name: "day", Price: 25},
		},
	}
	if err := tariff.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name             string
		from             time.Time
		peak, night, day float64
	}{
		{"a Monday", time.Date(2024, 1, 8, 0, 0, 0, 0, time.UTC), 3, 8, 13},
		{"a Sunday", time.Date(2024, 1, 7, 0, 0, 0, 0, time.UTC), 0, 8, 16},
	} {
		b := tariff.Price(hours(c.from, 24, one))
		if b.ByBand["peak"] != c.peak || b.ByBand["night"] != c.night || b.ByBand["day"] != c.day {
			t.Errorf("%s: got %v, want %g %g %g", c.name, b.ByBand, c.peak, c.night, c.day)
		}
		if want := int64(40*c.peak + 10*c.night + 25*c.day); b.Energy.Minor != want || b.Total.Minor != want+50 {
			t.Errorf("%s: got %+v and %+v, want %d and 50 more", c.name, b.Energy, b.Total, want)
		}
	}
}

func TestHalfHourlyPrices(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	prices := energy.Steps{Until: at.Add(2 * time.Hour)}
	for i, p := range []float64{10, 20, -4, 0} {
		prices.Steps = append(prices.Steps, energy.Step{From: at.Add(time.Duration(i) * 30 * time.Minute), Value: p})
	}
	b := Tariff{ID: "dynamic", Version: "1", Currency: "GBP", Dynamic: &prices}.Price(hours(at, 3, func(h int) float64 {
		return []float64{100, 50, 7}[h]
	}))
	if b.Total.Minor != 100*15-50*2 {
		t.Errorf("got %d, want 1400", b.Total.Minor)
	}
	if b.Unpriced != 7 {
		t.Errorf("got %g unpriced, want the 7 of the hour without a price", b.Unpriced)
	}
}

func TestDemandCharge(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	use := func(h int) float64 {
		switch h {
		case 10:
			return 100 // January, in the window
		case 3:
			return 300 // at night
		case 31*24 + 12:
			return 40 // February
		}
		return 5
	}
	tariff := Tariff{ID: "d", Version: "1", Currency: "USD", Bands: []Band{{Name: "all", Price: 0}}, Demand: []Demand{
		{Name: "day", Price: 1000, Within: &Band{From: 8 * time.Hour, To: 20 * time.Hour}, Ratchet: 0.6},
	}}
	b := tariff.Price(hours(at, 60*24, use))
	if len(b.Peaks) != 2 {
		t.Fatalf("got %+v, want two months", b.Peaks)
	}
	for i, want := range []Peak{
		{Charge: "day", Month: "2024-01", At: at.Add(10 * time.Hour), DemandKW: 100, BilledKW: 100},
		{Charge: "day", Month: "2024-02", At: at.Add((31*24 + 12) * time.Hour), DemandKW: 40, BilledKW: 60},
	} {
		if b.Peaks[i] != want {
			t.Errorf("got %+v, want %+v", b.Peaks[i], want)
		}
	}
	if b.Demand.Minor != 160_000 {
		t.Errorf("got %d, want 160000", b.Demand.Minor)
	}
}

// A standing charge counts days of the calendar, on which the clock may change.
func TestStandingChargeByLocalDay(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Skipf("no time zones: %v", err)
	}
	tariff := Tariff{ID: "s", Version: "1", Currency: "GBP", Bands: []Band{{Price: 0}}, PerDay: 60}
	for _, c := range []struct {
		name     string
		from, to time.Time
		want     int64
	}{
		{"March", time.Date(2024, 3, 1, 0, 0, 0, 0, london), time.Date(2024, 4, 1, 0, 0, 0, 0, london), 1860},
		{"May", time.Date(2024, 5, 1, 0, 0, 0, 0, london), time.Date(2024, 6, 1, 0, 0, 0, 0, london), 1860},
		{"October", time.Date(2024, 10, 1, 0, 0, 0, 0, london), time.Date(2024, 11, 1, 0, 0, 0, 0, london), 1860},
		{"half a day", time.Date(2024, 5, 1, 6, 0, 0, 0, london), time.Date(2024, 5, 1, 18, 0, 0, 0, london), 30},
	} {
		rows := hours(c.from, int(c.to.Sub(c.from).Hours()), one)
		if got := tariff.Price(rows).Standing.Minor; got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// A ratchet looks back eleven months of the calendar, of which some may have no
// rows.
func TestRatchetCountsMonths(t *testing.T) {
	month := func(y int, m time.Month, kw float64) []energy.Row {
		return hours(time.Date(y, m, 5, 0, 0, 0, 0, time.UTC), 2, func(int) float64 { return kw })
	}
	var rows []energy.Row
	rows = append(rows, month(2023, time.January, 100)...)
	rows = append(rows, month(2023, time.December, 10)...)
	rows = append(rows, month(2024, time.January, 10)...)
	tariff := Tariff{ID: "r", Version: "1", Currency: "USD", Bands: []Band{{Price: 0}}, Demand: []Demand{{Price: 1, Ratchet: 0.5}}}
	for i, want := range []float64{100, 50, 10} {
		if got := tariff.Price(rows).Peaks[i]; got.BilledKW != want {
			t.Errorf("%s: got %g kW, want %g", got.Month, got.BilledKW, want)
		}
	}
}

func TestMissingUseIsNotFree(t *testing.T) {
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	b := Tariff{ID: "f", Version: "1", Currency: "USD", Bands: []Band{{Price: 10}}}.Price(hours(at, 3, func(h int) float64 {
		if h == 1 {
			return math.NaN()
		}
		return 1
	}))
	if b.Missing != 1 || b.Energy.Minor != 20 {
		t.Errorf("got %d missing and %d, want 1 and 20", b.Missing, b.Energy.Minor)
	}
}

func TestCheck(t *testing.T) {
	for name, bad := range map[string]Tariff{
		"empty":    {},
		"no price": {ID: "x", Version: "1", Currency: "EUR"},
		"currency": {ID: "x", Version: "1", Currency: "euro", Bands: []Band{{Price: 1}}},
		"NaN":      {ID: "x", Version: "1", Currency: "EUR", Bands: []Band{{Price: math.NaN()}}},
		"ratchet":  {ID: "x", Version: "1", Currency: "EUR", Bands: []Band{{Price: 1}}, Demand: []Demand{{Ratchet: 2}}},
	} {
		if bad.Check() == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// What a register that is read once a day tells is not billed at the price of
// midnight.
func TestPriceChangesWithinRow(t *testing.T) {
	at := time.Date(2024, 1, 8, 0, 0, 0, 0, time.UTC)
	row := func(from time.Time, length time.Duration) []energy.Row {
		return []energy.Row{{Start: from, End: from.Add(length), Use: 10}}
	}
	bands := func(night float64) []Band {
		return []Band{{Name: "night", From: 30 * time.Minute, To: 7*time.Hour + 30*time.Minute, Price: night}, {Name: "day", Price: 30}}
	}
	prices := func(second float64) *energy.Steps {
		return &energy.Steps{Steps: []energy.Step{{From: at, Value: 10}, {From: at.Add(12 * time.Hour), Value: second}}, Until: at.Add(48 * time.Hour)}
	}
	demand := []Demand{{Name: "peak", Price: 100}}
	for _, c := range []struct {
		name   string
		tariff Tariff
		rows   []energy.Row
		energy int64
		mixed  float64
		demand int64
	}{
		{"a day of two prices", Tariff{Bands: bands(10), Demand: demand}, row(at, 24*time.Hour), 0, 10, 0},
		{"a day of one price", Tariff{Bands: bands(30), Demand: demand}, row(at, 24*time.Hour), 300, 0, 0},
		{"three hours of one band", Tariff{Bands: bands(10)}, row(at.Add(2*time.Hour), 3*time.Hour), 100, 0, 0},
		{"an hour cut at half past", Tariff{Bands: bands(10), Demand: demand}, row(at, time.Hour), 200, 0, 1000},
		{"a day of imported prices", Tariff{Dynamic: prices(20)}, row(at, 24*time.Hour), 0, 10, 0},
		{"a day of one imported price", Tariff{Dynamic: prices(10)}, row(at, 24*time.Hour), 100, 0, 0},
	} {
		b := c.tariff.Price(c.rows)
		if b.Energy.Minor != c.energy || b.Mixed != c.mixed || b.Unpriced != c.mixed || b.Demand.Minor != c.demand {
			t.Errorf("%s: got %+v", c.name, b)
		}
	}
	if b := (Tariff{Bands: bands(10)}).Price(row(at, time.Hour)); b.ByBand["night"] != 5 || b.ByBand["day"] != 5 {
		t.Errorf("got %v, want half in each band", b.ByBand)
	}
}
