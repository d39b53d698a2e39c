// Package tariff prices energy: by the time of use, by a price that changes every
// half hour, and by the highest demand of a month.
//
// It is pure. Prices are in minor units (cents, pence) per unit of energy, and
// every result is an integer of minor units with its currency, rounded once, at
// the end.
package tariff

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// Money is an amount in minor units.
type Money struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"` // ISO 4217
}

// Band is a price at some times of the week in some months. A list of bands is
// read from the top; the first that fits counts.
type Band struct {
	Name     string         `json:"name"`
	Months   []time.Month   `json:"months,omitempty"`   // none: all
	Weekdays []time.Weekday `json:"weekdays,omitempty"` // none: all
	From     time.Duration  `json:"from"`               // since local midnight by the clock
	To       time.Duration  `json:"to"`                 // 0: midnight; before From: beyond midnight
	Price    float64        `json:"price"`              // minor units per unit of energy
}

// Demand is a charge on the highest demand of each month.
type Demand struct {
	Name  string  `json:"name"`
	Price float64 `json:"price"` // minor units per kW and month
	// Within restricts the hours that count; nil counts all.
	Within *Band `json:"within,omitempty"`
	// Ratchet bills at least this share of the highest demand of the eleven
	// months before, 0…1.
	Ratchet float64 `json:"ratchet,omitempty"`
}

// Tariff is what energy costs.
type Tariff struct {
	ID       string        `json:"id"`
	Version  string        `json:"version"`
	Currency string        `json:"currency"`
	Bands    []Band        `json:"bands,omitempty"`
	Dynamic  *energy.Steps `json:"dynamic,omitempty"` // minor units per unit; added to the band's price
	Demand   []Demand      `json:"demand,omitempty"`
	PerDay   float64       `json:"per_day"` // standing charge, minor units per local day
}

// Bill is what the rows cost.
type Bill struct {
	Tariff   string             `json:"tariff"`
	Version  string             `json:"version"`
	Period   energy.Period      `json:"period"`
	Energy   Money              `json:"energy"`
	Demand   Money              `json:"demand"`
	Standing Money              `json:"standing"`
	Total    Money              `json:"total"`
	ByBand   map[string]float64 `json:"use_by_band"` // unit of the meter
	Peaks    []Peak             `json:"peaks"`
	Use      float64            `json:"use"`
	Unpriced float64            `json:"unpriced_use"` // use at times without a price, and Mixed: not in the bill
	Mixed    float64            `json:"mixed_use"`    // use of rows longer than an hour within which the price changes
	Missing  int                `json:"missing_rows"` // rows whose use is not known: not in the bill
	Long     int                `json:"long_rows"`    // rows longer than an hour, which tell no demand
}

// Peak is the highest demand that one charge saw in one month.
type Peak struct {
	Charge   string    `json:"charge"`
	Month    string    `json:"month"` // 2024-01
	At       time.Time `json:"at"`
	DemandKW float64   `json:"demand_kw"`
	BilledKW float64   `json:"billed_kw"` // after the ratchet
}

// Price bills rows, which ascend. Their use is in kWh where the tariff charges
// demand. Where the price changes within a row of an hour or less, the use counts
// as even over the row. Within a longer row it cannot be told at which price it
// was: such use has no price, and such rows no demand.
func (t Tariff) Price(rows []energy.Row) Bill {
	grid := t.grid()
	b := Bill{Tariff: t.ID, Version: t.Version, Period: energy.Span(rows), ByBand: map[string]float64{}, Peaks: []Peak{}}
	var cost float64
	for _, r := range rows {
		if math.IsNaN(r.Use) {
			b.Missing++
			continue
		}
		b.Use += r.Use
		long := r.End.Sub(r.Start) > time.Hour
		if long {
			b.Long++
		}
		price, shares, ok := t.over(r, grid)
		if mixed := ok && long && t.changes(r, shares); mixed || !ok {
			b.Unpriced += r.Use
			if mixed {
				b.Mixed += r.Use
			}
			continue
		}
		for _, s := range shares {
			b.ByBand[s.name] += s.of * r.Use
		}
		cost += r.Use * price
	}
	var demand float64
	for _, d := range t.Demand {
		for _, p := range d.peaks(rows) {
			b.Peaks = append(b.Peaks, p)
			demand += p.BilledKW * d.Price
		}
	}
	standing := t.PerDay * localDays(b.Period)
	money := func(x float64) Money { return Money{int64(math.Round(x)), t.Currency} }
	b.Energy, b.Demand, b.Standing = money(cost), money(demand), money(standing)
	b.Total = Money{b.Energy.Minor + b.Demand.Minor + b.Standing.Minor, t.Currency}
	return b
}

// localDays is the length of a period in days of the calendar, of which one has
// 23 hours and one 25. A part of a day counts by its share of that day.
func localDays(p energy.Period) float64 {
	var days float64
	bounds := prepare.Days(p.From, p.To.AddDate(0, 0, 2))
	for i := 0; i+1 < len(bounds) && bounds[i].Before(p.To); i++ {
		from, to := bounds[i], bounds[i+1]
		length := to.Sub(from)
		if from.Before(p.From) {
			from = p.From
		}
		if to.After(p.To) {
			to = p.To
		}
		days += float64(to.Sub(from)) / float64(length)
	}
	return days
}

// share is the part of a row that lies in a band.
type share struct {
	name  string
	price float64
	of    float64 // 0…1
}

// grid is the longest step, of an hour at most, that meets every edge of a band
// on a clock that shows whole hours: within it the bands do not change.
func (t Tariff) grid() time.Duration {
	step := time.Hour
	for _, b := range t.Bands {
		for _, edge := range []time.Duration{b.From, b.To} {
			for rest := edge.Truncate(time.Minute); rest > 0; {
				step, rest = rest, step%rest
			}
		}
	}
	return step
}

// over is the mean price of a row by time, and the bands it lies in; false where
// some of the row has no price.
func (t Tariff) over(r energy.Row, grid time.Duration) (price float64, shares []share, ok bool) {
	length := r.End.Sub(r.Start).Seconds()
	for at := r.Start; len(t.Bands) > 0 && at.Before(r.End); {
		clock := time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second + time.Duration(at.Nanosecond())
		end := at.Add(grid - clock%grid)
		if end.After(r.End) {
			end = r.End
		}
		b := t.band(at)
		if b == nil {
			return 0, nil, false
		}
		of := end.Sub(at).Seconds() / length
		price += of * b.Price
		if n := len(shares); n > 0 && shares[n-1].name == b.Name && shares[n-1].price == b.Price {
			shares[n-1].of += of
		} else {
			shares = append(shares, share{b.Name, b.Price, of})
		}
		at = end
	}
	if len(shares) == 1 { // without what adding up left out
		price, shares[0].of = shares[0].price, 1
	}
	if t.Dynamic == nil {
		return price, shares, len(shares) > 0
	}
	mean, known := t.Dynamic.Over(r)
	if known < 1 {
		return 0, nil, false
	}
	if len(shares) == 0 {
		shares = []share{{name: "dynamic", of: 1}}
	}
	return price + mean, shares, true
}

// band is the first that fits an instant; nil where none does.
func (t Tariff) band(at time.Time) *Band {
	for i := range t.Bands {
		if t.Bands[i].fits(at) {
			return &t.Bands[i]
		}
	}
	return nil
}

// changes reports whether the price of a row is not the same throughout.
func (t Tariff) changes(r energy.Row, shares []share) bool {
	for _, s := range shares[1:] {
		if s.price != shares[0].price {
			return true
		}
	}
	return t.Dynamic != nil && !t.Dynamic.Constant(r)
}

func (b Band) fits(at time.Time) bool {
	if len(b.Months) > 0 && !slices.Contains(b.Months, at.Month()) {
		return false
	}
	if len(b.Weekdays) > 0 && !slices.Contains(b.Weekdays, at.Weekday()) {
		return false
	}
	clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	to := b.To
	if to == 0 {
		to = 24 * time.Hour
	}
	if to <= b.From {
		return clock >= b.From || clock < to
	}
	return clock >= b.From && clock < to
}

// ratchetMonths is how far back a ratchet looks, in months of the calendar: a
// month without rows takes its place.
const ratchetMonths = 11

func monthsBetween(a, b time.Time) int {
	return 12*(b.Year()-a.Year()) + int(b.Month()) - int(a.Month())
}

// peaks finds the highest demand of every month with rows that count: those of an
// hour or less.
func (d Demand) peaks(rows []energy.Row) []Peak {
	var out []Peak
	for _, r := range rows {
		if math.IsNaN(r.Use) || r.End.Sub(r.Start) > time.Hour || d.Within != nil && !d.Within.fits(r.Start) {
			continue
		}
		kw, month := r.Use/r.End.Sub(r.Start).Hours(), r.Start.Format("2006-01")
		if len(out) == 0 || out[len(out)-1].Month != month {
			out = append(out, Peak{Charge: d.Name, Month: month, At: r.Start, DemandKW: kw})
		} else if p := &out[len(out)-1]; kw > p.DemandKW {
			p.At, p.DemandKW = r.Start, kw
		}
	}
	for i := range out {
		out[i].BilledKW = out[i].DemandKW
		for k := i - 1; k >= 0 && monthsBetween(out[k].At, out[i].At) <= ratchetMonths; k-- {
			out[i].BilledKW = max(out[i].BilledKW, d.Ratchet*out[k].DemandKW)
		}
	}
	return out
}

// Check reports all that is wrong with a tariff at once.
func (t Tariff) Check() error {
	var wrong []string
	if t.ID == "" || t.Version == "" {
		wrong = append(wrong, "id and version are needed")
	}
	if len(t.Currency) != 3 || strings.ToUpper(t.Currency) != t.Currency {
		wrong = append(wrong, fmt.Sprintf("currency %q is not a code of ISO 4217", t.Currency))
	}
	if len(t.Bands) == 0 && t.Dynamic == nil {
		wrong = append(wrong, "there is no price")
	}
	for _, b := range t.Bands {
		if math.IsNaN(b.Price) || math.IsInf(b.Price, 0) || b.From < 0 || b.From >= 24*time.Hour || b.To < 0 || b.To > 24*time.Hour {
			wrong = append(wrong, fmt.Sprintf("band %q is out of bounds", b.Name))
		}
	}
	for _, d := range t.Demand {
		if !(d.Price >= 0) || !(d.Ratchet >= 0 && d.Ratchet <= 1) {
			wrong = append(wrong, fmt.Sprintf("demand charge %q is out of bounds", d.Name))
		}
	}
	if t.Dynamic != nil && !t.Dynamic.Ascending() {
		wrong = append(wrong, "dynamic prices do not ascend")
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("tariff: %s", strings.Join(wrong, "; "))
}
