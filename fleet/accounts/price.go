package accounts

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// Use is what a price is for.
type Use string

// The uses.
const (
	PerSwap   Use = "swap"        // a swap that was completed, paid by the rider
	PerHanded Use = "swap_energy" // kWh handed out in swaps, paid by the rider
	PerDrawn  Use = "energy"      // kWh that a station drew from the grid, paid by its owner
)

// Price is what something costs from one day to another, by the calendar of the
// station where it happens. Of the prices of a use that hold, the one of the
// station counts, or else of its site, or else of its owner, or else the one of
// everybody; of several alike the one that began last, and then the greater id.
type Price struct {
	ID       string         `json:"id"`
	Use      Use            `json:"use"`
	Owner    string         `json:"owner,omitempty"`
	Site     string         `json:"site,omitempty"`
	Station  string         `json:"station,omitempty"`
	From     daycount.Date  `json:"from"`
	To       *daycount.Date `json:"to,omitempty"` // first day that is not of it; nil: it has no end
	Price    string         `json:"price"`        // exact decimal, major units of the currency
	Currency money.Currency `json:"currency"`
	// BatteryPPM is the part of a swap's price that is the battery's, parts per
	// million; the rest is the station's.
	BatteryPPM int64 `json:"battery_share_ppm,omitempty"`
	// Hours are prices of a kWh drawn at some local hours; at all others Price holds.
	Hours []HourPrice `json:"hours,omitempty"`
}

// HourPrice is a price from one local hour to another, not beyond midnight.
type HourPrice struct {
	From  int    `json:"from"` // 0…23
	To    int    `json:"to"`   // 1…24, exclusive
	Price string `json:"price"`
}

// Check returns everything that is wrong with the price.
func (p *Price) Check() []Problem {
	var out []Problem
	wrong := func(field, format string, args ...any) {
		out = append(out, Problem{field, fmt.Sprintf(format, args...)})
	}
	decimal := func(field, text string) {
		if v, err := money.ParsePrice(text, p.Currency); err != nil {
			wrong(field, "%v", err)
		} else if v.PerUnit.Num < 0 {
			wrong(field, "is below 0")
		}
	}
	if !p.Currency.Valid() {
		wrong("currency", "is no ISO 4217 currency with a minor unit")
	} else {
		decimal("price", p.Price)
	}
	if p.Use != PerSwap && p.Use != PerHanded && p.Use != PerDrawn {
		wrong("use", "is no use of a price")
	}
	if p.To != nil && *p.To <= p.From {
		wrong("to", "is not after from")
	}
	if p.BatteryPPM < 0 || p.BatteryPPM > waterfall.Whole {
		wrong("battery_share", "is not within 0 and 1")
	}
	if p.BatteryPPM != 0 && p.Use == PerDrawn {
		wrong("battery_share", "is of swaps only")
	}
	of := 0
	for _, s := range []string{p.Owner, p.Site, p.Station} {
		if s != "" {
			of++
		}
	}
	if of > 1 {
		wrong("station", "want one of owner, site and station, or none for everybody")
	}
	if len(p.Hours) > 0 && p.Use != PerDrawn {
		wrong("hours", "are of energy drawn only")
	}
	taken := [24]bool{}
	for i, h := range p.Hours {
		at := fmt.Sprintf("hours[%d]", i)
		if h.From < 0 || h.To > 24 || h.To <= h.From {
			wrong(at, "want 0 ≤ from < to ≤ 24")
			continue
		}
		for k := h.From; k < h.To; k++ {
			if taken[k] {
				wrong(at, "the hour %d has two prices", k)
			}
			taken[k] = true
		}
		if p.Currency.Valid() {
			decimal(at+".price", h.Price)
		}
	}
	return out
}

// rank is how closely a price fits a station; 0: not at all.
func (p *Price) rank(s *Station, owner string, day daycount.Date) int {
	if day < p.From || p.To != nil && day >= *p.To {
		return 0
	}
	switch {
	case p.Station != "":
		if p.Station == s.ID {
			return 4
		}
	case p.Site != "":
		if p.Site == s.Site {
			return 3
		}
	case p.Owner != "":
		if p.Owner == owner {
			return 2
		}
	default:
		return 1
	}
	return 0
}

// Station is where something happened.
type Station struct {
	ID   string
	Site string
	Zone *time.Location
}

// Prices are all prices of a month.
type Prices []Price

// At is the price of a use at a station, whose owner is known, on a day; nil where
// there is none.
func (all Prices) At(use Use, s *Station, owner string, day daycount.Date) *Price {
	var best *Price
	rank := 0
	for i := range all {
		p := &all[i]
		if p.Use != use {
			continue
		}
		r := p.rank(s, owner, day)
		if r == 0 {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(r, rank), cmp.Compare(p.From, best.From), cmp.Compare(p.ID, best.ID)) > 0 {
			best, rank = p, r
		}
	}
	return best
}

// Shared reports whether some price gives the battery a part of a swap: then what
// a battery earned is found at the stations of others, too.
func (all Prices) Shared() bool {
	return slices.ContainsFunc(all, func(p Price) bool { return p.BatteryPPM > 0 })
}

// Hourly reports whether some price of an owner's energy depends on the hour.
func (all Prices) Hourly(owner string) bool {
	return slices.ContainsFunc(all, func(p Price) bool { return len(p.Hours) > 0 && (p.Owner == "" || p.Owner == owner) })
}

// hour is the place of a local hour among Hours: -1 for all others.
func (p *Price) hour(h int) int {
	return slices.IndexFunc(p.Hours, func(x HourPrice) bool { return h >= x.From && h < x.To })
}
