package accounts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Swap is a swap that was completed.
type Swap struct {
	Station string
	ID      string // of the event, unique at the station
	At      int64  // Unix milliseconds
	Battery string // that was handed out; empty: not told
	MilliWh *int64 // handed out less handed in; nil: not told
}

// ReadSwap reads what the event of a swap tells. A member that is not what it
// should be is one that was not told.
func ReadSwap(station, id string, at int64, data []byte) Swap {
	s := Swap{Station: station, ID: id, At: at}
	var e struct {
		Out    json.RawMessage `json:"battery_out"`
		Energy json.RawMessage `json:"energy_wh"`
	}
	if json.Unmarshal(data, &e) != nil {
		return s
	}
	_ = json.Unmarshal(e.Out, &s.Battery) // stays empty: not told
	var wh *float64
	if json.Unmarshal(e.Energy, &wh) == nil && wh != nil && math.Abs(*wh) < 1e6 {
		mwh := int64(math.Round(*wh * 1000))
		s.MilliWh = &mwh
	}
	return s
}

// Gap is something that should be in a statement and is not, and why.
type Gap struct {
	Code  string `json:"code"` // no_price, no_energy, no_meter, no_saving
	Asset string `json:"asset"`
	Count int64  `json:"count"` // swaps, days, or savings
	Text  string `json:"text"`
}

// The codes of gaps.
const (
	NoPrice  = "no_price"
	NoEnergy = "no_energy"
	NoMeter  = "no_meter"
	NoSaving = "no_saving"
)

// Booked collects the events of a month, and what is missing among them.
type Booked struct {
	Events []statement.Event
	gaps   map[Gap]int64
}

// Gaps are what is missing, by asset.
func (b *Booked) Gaps() []Gap {
	out := make([]Gap, 0, len(b.gaps))
	for g, n := range b.gaps {
		g.Count = n
		out = append(out, g)
	}
	slices.SortFunc(out, func(x, y Gap) int {
		return cmp.Or(cmp.Compare(x.Asset, y.Asset), cmp.Compare(x.Code, y.Code), cmp.Compare(x.Text, y.Text))
	})
	return out
}

func (b *Booked) gap(code, asset, text string) {
	if b.gaps == nil {
		b.gaps = map[Gap]int64{}
	}
	b.gaps[Gap{Code: code, Asset: asset, Text: text}]++
}

// Enter books entries.
func (b *Booked) Enter(entries []Entry) {
	for i := range entries {
		b.Events = append(b.Events, entries[i].event())
	}
}

// perKWh is how many of a thousandth of a Wh a kWh has.
const perKWh = 1_000_000

// Swap books a swap at a station whose owner at that instant is known: its price,
// and that of the energy handed out. What a rider brought back more than was
// handed out is not paid for.
func (b *Booked) Swap(s *Swap, at *Station, owner string, prices Prices) error {
	day := daycount.On(time.UnixMilli(s.At).In(at.Zone))
	asset := "station/" + at.ID
	each, energy := prices.At(PerSwap, at, owner, day), prices.At(PerHanded, at, owner, day)
	if each == nil && energy == nil {
		b.gap(NoPrice, asset, "swaps on days for which no price was entered are not in the statement")
	}
	counts := int64(1)
	if each != nil {
		if err := b.paid(s, "", each, money.Ratio{Num: 1, Den: 1}, counts); err != nil {
			return err
		}
		counts = 0 // a swap counts once in tiers, whatever it is paid by
	}
	switch {
	case energy == nil:
	case s.MilliWh == nil:
		b.gap(NoEnergy, asset, "swaps are priced by energy but do not tell how much was handed out; that part is not in the statement")
	default:
		return b.paid(s, "/energy", energy, money.Ratio{Num: max(0, *s.MilliWh), Den: perKWh}, counts)
	}
	return nil
}

// paid books the price of a quantity, shared between station and battery.
func (b *Booked) paid(s *Swap, suffix string, p *Price, quantity money.Ratio, swaps int64) error {
	price, err := money.ParsePrice(p.Price, p.Currency)
	if err != nil {
		return fmt.Errorf("price %s: %w", p.ID, err)
	}
	amount, err := price.Of(quantity)
	if err != nil {
		return fmt.Errorf("price %s of swap %s: %w", p.ID, s.ID, err)
	}
	e := statement.Event{
		ID: "station/" + s.Station + "/" + s.ID + suffix, At: s.At, Kind: statement.SwapPrice, Amount: amount, Swaps: swaps,
	}
	if p.BatteryPPM > 0 && s.Battery != "" {
		e.Among = []statement.Portion{
			{Asset: "station/" + s.Station, Weight: waterfall.Whole - p.BatteryPPM}, {Asset: "battery/" + s.Battery, Weight: p.BatteryPPM},
		}
	} else {
		e.Asset = "station/" + s.Station
	}
	b.Events = append(b.Events, e)
	return nil
}

// Drawn is what a station drew from the grid on a local day.
type Drawn struct {
	At      int64 // Unix milliseconds, its beginning
	MilliWh int64
	Hours   [24]int64 // of MilliWh, by the local hour, where a price asks for it; all 0: not known
}

// Energy books what a station drew on a day by the price of it: one event, or one for
// each of the price's amounts of which there was some; nil: there is no price.
func (b *Booked) Energy(at *Station, d *Drawn, p *Price) error {
	if p == nil {
		b.gap(NoPrice, "station/"+at.ID, "energy on days for which no price was entered is not in the statement")
		return nil
	}
	sums, others := make([]int64, len(p.Hours)), d.MilliWh
	for h, milliWh := range d.Hours {
		if place := p.hour(h); place >= 0 {
			sums[place] += milliWh
			others -= milliWh
		}
	}
	if len(p.Hours) > 0 && d.Hours == [24]int64{} && d.MilliWh > 0 {
		b.gap(NoMeter, "station/"+at.ID, "days whose hours are not known cost the price of all other hours")
	}
	id := fmt.Sprintf("station/%s/energy/%s", at.ID, daycount.On(time.UnixMilli(d.At).In(at.Zone)))
	if others > 0 || len(p.Hours) == 0 {
		if err := b.drew(id, at, d.At, p, p.Price, others); err != nil {
			return err
		}
	}
	for i, h := range p.Hours {
		if sums[i] == 0 {
			continue
		}
		if err := b.drew(fmt.Sprintf("%s/%02d-%02d", id, h.From, h.To), at, d.At, p, h.Price, sums[i]); err != nil {
			return err
		}
	}
	return nil
}

// drew books energy at one of the amounts of a price.
func (b *Booked) drew(id string, at *Station, ts int64, p *Price, perKilo string, milliWh int64) error {
	price, err := money.ParsePrice(perKilo, p.Currency)
	if err != nil {
		return fmt.Errorf("price %s: %w", p.ID, err)
	}
	amount, err := price.Of(money.Ratio{Num: max(0, milliWh), Den: perKWh})
	if err != nil {
		return fmt.Errorf("price %s of energy at station %s: %w", p.ID, at.ID, err)
	}
	b.Events = append(b.Events, statement.Event{ID: id, At: ts, Kind: statement.EnergyCost, Amount: amount, Asset: "station/" + at.ID})
	return nil
}

// Unmetered notes a local day on which a station's meter told nothing, or only a
// part.
func (b *Booked) Unmetered(station string) {
	b.gap(NoMeter, "station/"+station, "days on which the meter was not heard all the time cost at least what is booked")
}
