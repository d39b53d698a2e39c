package main

import (
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// halfEven is a/b rounded to a whole number, halves to the even one.
func halfEven(r *big.Rat) int64 {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	den := r.Denom()
	floor := new(big.Int)
	rest := new(big.Int)
	floor.DivMod(r.Num(), den, rest)
	switch c := new(big.Int).Sub(twice, new(big.Int).Mul(new(big.Int).Mul(floor, big.NewInt(2)), den)).Cmp(den); {
	case c > 0, c == 0 && floor.Bit(0) == 1:
		floor.Add(floor, big.NewInt(1))
	}
	return floor.Int64()
}

// cents is a price, in minor units a kWh, of so many thousandths of a Wh.
func cents(price string, milliWh int64) int64 {
	p, ok := new(big.Rat).SetString(price)
	if !ok {
		panic(price)
	}
	return halfEven(p.Mul(p, big.NewRat(100*max(0, milliWh), 1_000_000)))
}

// truth is what the statements must say: by owner, kind and asset, in cents.
type ledgerTruth map[string]int64

func (l ledgerTruth) add(owner, kind, asset string, cents int64) {
	if owner != "" {
		l[owner+" "+kind+" "+asset] += cents
	}
}

// costs are the entries, by hand.
func (l ledgerTruth) costs(inv simulator.Inventory, station devices.Station, site devices.Site) {
	l.add(site.OwnerID, "rent", "site/"+site.ID, -120001)
	l.add(station.OwnerID, "maintenance", "station/"+station.ID, -31040)
	l.add(inv.Owners[1].ID, "maintenance", "station/"+station.ID, -9999)
}

// shared is what the agreement takes: 150.00 and a fifth of the swaps of the owner.
func (l ledgerTruth) shared(owner string) {
	var revenue int64
	for key, cents := range l {
		if strings.HasPrefix(key, owner+" swap_price ") {
			revenue += cents
		}
	}
	l[owner+" revenue_share "] = -(15000 + (2*revenue+5)/10)
}

// sum adds what the simulator sent in one owner's month.
func (l ledgerTruth) sum(source *paidStations, inv simulator.Inventory, zones map[string]*time.Location, owner string, from, to, sale int64, buyer, dearFrom string) {
	hadStation := func(x devices.Station, at int64) bool {
		who := x.OwnerID
		if x.ID == inv.Stations[0].ID && at >= sale {
			who = buyer
		}
		return who == owner
	}
	batteries := map[string]string{}
	for _, b := range inv.Batteries {
		batteries[b.ID] = b.OwnerID
	}
	hadBattery := func(id string, at int64) bool {
		if id == inv.Batteries[0].ID && at >= sale {
			return buyer == owner
		}
		return batteries[id] == owner
	}
	stations := map[string]devices.Station{}
	for _, x := range inv.Stations {
		stations[x.ID] = x
	}
	for _, e := range source.swaps {
		if e.at < from || e.at >= to {
			continue
		}
		x := stations[e.station]
		here, battery := int64(191), int64(64) // three quarters of 255 cents, and the rest, which has the larger fraction
		if x.ID == inv.Stations[2].ID && time.UnixMilli(e.at).In(zones[x.SiteID]).Format(time.DateOnly) >= dearFrom {
			here, battery = 310, 0
		}
		if x.ID == inv.Stations[0].ID {
			here += cents("0.4375", e.milliWh)
		}
		if hadStation(x, e.at) {
			l.add(owner, "swap_price", "station/"+x.ID, here)
		}
		if battery > 0 && hadBattery(e.battery, e.at) {
			l.add(owner, "swap_price", "battery/"+e.battery, battery)
		}
	}
	for _, x := range inv.Stations {
		zone := zones[x.SiteID]
		for at := time.UnixMilli(from).In(zone); at.UnixMilli() < to+telemetry.Day; at = at.AddDate(0, 0, 1) {
			day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, zone)
			a, known := source.meters[x.ID][day.UnixMilli()]
			b, knownToo := source.meters[x.ID][day.AddDate(0, 0, 1).UnixMilli()]
			if day.UnixMilli() >= from && day.UnixMilli() < to && known && knownToo && hadStation(x, day.UnixMilli()) {
				l.add(owner, "energy_cost", "station/"+x.ID, -cents("0.1875", int64(math.Round((b-a)*1000))))
			}
		}
	}
}
