package fleet

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/project"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// mostPeers is how many stations an expansion is told by.
const mostPeers = 20

// expansionLevel is the share of new stations that the interval should hold.
const expansionLevel = 0.8

// neighbourhoodKM is how near a station is that takes riders from another.
const neighbourhoodKM = 5

// ExpansionFeatures are what sites are compared by, in this order.
func ExpansionFeatures() []string {
	return []string{"stations_within_5_km", "latitude", "longitude", "swap_price", "energy_price_per_kwh"}
}

// Expansion is what a new station at a site may return.
type Expansion struct {
	project.Expansion
	Currency money.Currency
	Features []float64 // of the site
	Left     int       // stations that were no peers: no capital cost, too few months, another currency, no coordinates
}

// Expand tells what one more station at a site may return a year, by the stations
// that have run for a while: their operating result over the months that are over,
// a year, by what they cost.
func (a *Accounts) Expand(ctx context.Context, owners []string, site devices.Site, sites map[string]devices.Site) (Expansion, error) {
	var out Expansion
	out.Status = finance.Insufficient
	out.Peers, out.Outside = []project.Neighbour{}, []int{}
	if site.Latitude == nil || site.Longitude == nil {
		out.Reason = "where the site is is not known: enter its latitude and longitude"
		return out, nil
	}
	all, err := a.standing(ctx, sites)
	if err != nil {
		return out, err
	}
	prices, _, err := termsOf[accounts.Price](ctx, a.Books, ledger.PriceTerms)
	if err != nil {
		return out, err
	}
	at := func(s devices.Site, id, owner string) ([]float64, money.Currency, bool) {
		return features(&s, id, owner, all, prices, a.today())
	}
	var known bool
	if out.Features, out.Currency, known = at(site, "", site.OwnerID); !known {
		out.Reason = "no price of swaps or energy holds at the site today"
		return out, nil
	}
	var peers []project.Peer
	now := a.Now().UnixMilli()
	for _, owner := range owners {
		s, err := a.open(ctx, owner)
		if err != nil {
			return out, err
		}
		// What a station returned is told by its present owner's record.
		stations := slices.DeleteFunc(s.stationIDs(ever()), func(id string) bool { return !s.has("station/"+id, now) })
		byStation := map[string]accounts.Tracks{}
		err = s.each(ctx, func(m *accounts.Statement) error {
			for _, id := range stations {
				name := "station/" + id
				if byStation[id] == nil {
					byStation[id] = accounts.Tracks{}
				}
				byStation[id].Add(m, s.zone, m.Output[name], func(asset string) bool { return asset == name })
			}
			return nil
		})
		if err != nil {
			return out, err
		}
		for id, tracks := range byStation {
			x, isHere := all["station/"+id]
			track := tracks[out.Currency]
			if !isHere || len(tracks) != 1 || track == nil {
				out.Left++
				continue
			}
			yearly, ok := track.Yearly()
			f, currency, known := at(x, id, owner)
			if !ok || !known || currency != out.Currency {
				out.Left++
				continue
			}
			peers = append(peers, project.Peer{ID: id, Return: yearly, Features: f})
		}
	}
	expansion, err := project.Expand(out.Features, peers, mostPeers, expansionLevel)
	if errors.Is(err, project.ErrPlan) {
		out.Reason = err.Error()
		return out, nil
	}
	out.Expansion = expansion
	return out, err
}

// standing are the sites of all stations that stand somewhere, by station/id.
func (a *Accounts) standing(ctx context.Context, sites map[string]devices.Site) (map[string]devices.Site, error) {
	owned, err := a.Estate.Ownerships(ctx, "", string(devices.KindStation))
	if err != nil {
		return nil, err
	}
	now := a.Now().UnixMilli()
	out := map[string]devices.Site{}
	for _, o := range owned {
		if now < o.From || now >= o.To {
			continue
		}
		id := strings.TrimPrefix(o.Asset, "station/")
		p, err := a.Estate.Place(ctx, id)
		if err != nil {
			return nil, err
		}
		if s, ok := sites[p.Site]; ok && s.Latitude != nil && s.Longitude != nil {
			out[o.Asset] = s
		}
	}
	return out, nil
}

// features are what a site is compared by; the station itself is no neighbour.
func features(site *devices.Site, id, owner string, all map[string]devices.Site, prices accounts.Prices, today daycount.Date) ([]float64, money.Currency, bool) {
	near := 0.0
	for name, s := range all {
		if name != "station/"+id && distanceKM(site, &s) <= neighbourhoodKM {
			near++
		}
	}
	here := accounts.Station{ID: id, Site: site.ID}
	swap, energy := prices.At(accounts.PerSwap, &here, owner, today), prices.At(accounts.PerDrawn, &here, owner, today)
	if swap == nil || energy == nil || swap.Currency != energy.Currency {
		return nil, "", false
	}
	return []float64{near, *site.Latitude, *site.Longitude, number(swap.Price), number(energy.Price)}, swap.Currency, true
}

// number is a decimal, near enough to compare by.
func number(text string) float64 {
	r, err := money.ParseRatio(text)
	if err != nil {
		return 0 // a price was checked when it was entered
	}
	return float64(r.Num) / float64(r.Den)
}

// distanceKM is the great-circle distance by the haversine formula, on a sphere of
// 6371 km.
func distanceKM(a, b *devices.Site) float64 {
	const radian = math.Pi / 180
	lat1, lat2 := *a.Latitude*radian, *b.Latitude*radian
	sinLat, sinLon := math.Sin((lat2-lat1)/2), math.Sin((*b.Longitude-*a.Longitude)*radian/2)
	h := sinLat*sinLat + math.Cos(lat1)*math.Cos(lat2)*sinLon*sinLon
	return 2 * 6371 * math.Asin(math.Min(1, math.Sqrt(h)))
}
