package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// monthOf is the month of the owner's calendar that an instant lies in.
func (s *session) monthOf(ts int64) statement.Month {
	t := time.UnixMilli(ts).In(s.zone)
	return statement.Month{Year: t.Year(), Month: t.Month()}
}

// entries are those of the owner, or that are in part, in a window; zero: all time.
func (s *session) entries(ctx context.Context, w telemetry.Window) ([]accounts.Entry, error) {
	all, err := s.Books.Money(ctx, ledger.MoneyQuery{Window: w})
	return slices.DeleteFunc(all, func(e accounts.Entry) bool { return !s.mine(&e) }), err
}

// ever is all time.
func ever() telemetry.Window { return telemetry.Window{From: math.MinInt64, To: math.MaxInt64} }

// stationIDs are the stations that the owner had at some time in a window, by id.
func (s *session) stationIDs(w telemetry.Window) []string { return stationsOf(s.owned, w) }

// stationsOf are those among ownerships, in a window, by id.
func stationsOf(all []statement.Ownership, w telemetry.Window) []string {
	ids := map[string]bool{}
	for _, o := range all {
		if id, ok := strings.CutPrefix(o.Asset, string(devices.KindStation)+"/"); ok && o.From < w.To && o.To > w.From {
			ids[id] = true
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(ids))...)
}

// has reports whether the owner had the asset at an instant.
func (s *session) has(asset string, ts int64) bool {
	return ownerAt(s.had, asset, ts) != ""
}

// mine reports whether an entry, or a part of it, is the owner's.
func (s *session) mine(e *accounts.Entry) bool {
	if e.Owner != "" {
		return e.Owner == s.owner
	}
	return slices.ContainsFunc(e.Assets(), func(asset string) bool { return s.has(asset, e.At) })
}

// place is where a station stands; nil where nobody knows it.
func (s *session) place(ctx context.Context, id string) (*accounts.Station, error) {
	if p, ok := s.places[id]; ok {
		return p, nil
	}
	p, err := s.Estate.Place(ctx, id)
	if err != nil {
		return nil, err
	}
	s.places[id] = &p
	return &p, nil
}

// month is a month as it is known now. What is still owed of the months before is
// followed from the first month of the contracts. Without entries it may be folded.
func (s *session) month(ctx context.Context, m statement.Month, entries bool) (*accounts.Statement, error) {
	first := m
	for i := range s.contracts {
		if c := &s.contracts[i]; c.Carries() && accounts.Before(c.Begins(), first) {
			first = c.Begins()
		}
	}
	var before *accounts.Statement
	for at := first; ; at = accounts.Next(at) {
		now, ok := s.fresh[at]
		if !ok {
			var err error
			if now, err = s.load(ctx, at, owedOf(before), entries && at == m); err != nil {
				return nil, err
			}
			s.fresh[at] = now
		}
		if at == m {
			return now, nil
		}
		before = now
	}
}

// build makes the statement of a month, and says from when on time alone changes
// it; 0: never.
func (s *session) build(ctx context.Context, m statement.Month, owed map[string]map[string]int64) (_ *accounts.Statement, until int64, err error) {
	builtAt := s.Now().UnixMilli()
	from, to := m.Bounds(s.zone)
	w := telemetry.Window{From: from, To: to}
	out := &accounts.Statement{
		Version: accounts.Version, BuiltAt: builtAt, Provisional: to > builtAt, Output: map[string]accounts.Deeds{}, Gaps: []accounts.Gap{}, Corrections: []accounts.Correction{},
		Savings: []accounts.Saving{},
	}
	if out.Provisional {
		until = to
	}
	var booked accounts.Booked
	if err := s.bookSwaps(ctx, &booked, out, w); err != nil {
		return nil, 0, err
	}
	open, err := s.bookEnergy(ctx, &booked, out, w, builtAt)
	if err != nil {
		return nil, 0, err
	}
	if until == 0 || open > 0 && open < until {
		until = open
	}
	entries, err := s.entries(ctx, w)
	if err != nil {
		return nil, 0, err
	}
	booked.Enter(entries)
	saved, err := s.savings(ctx, m, w, entries)
	if err != nil {
		return nil, 0, err
	}
	sharing, err := s.bookSavings(&booked, out, w, saved)
	if err != nil {
		return nil, 0, err
	}
	out.Gaps = append(out.Gaps, booked.Gaps()...)
	sharing = append(sharing, s.assets(w)...)
	slices.Sort(sharing)
	closing, err := statement.Build(statement.Book{
		Events: booked.Events, Owned: s.owned, Contracts: accounts.Pools(s.contracts, slices.Compact(sharing), owed), Zone: s.zone,
	}, m)
	if err != nil {
		return nil, 0, contradiction(err)
	}
	told, ok := closing.Of(s.owner)
	if !ok {
		told = statement.Statement{Owner: s.owner, Month: m, Zone: s.zone.String(), From: from, To: to, Sections: []statement.Section{}}
	}
	out.Statement = told
	return out, until, nil
}

// contradiction marks the errors that what was entered is to blame for.
func contradiction(err error) error {
	for _, blame := range []error{statement.ErrContract, statement.ErrOwnership, waterfall.ErrOver, waterfall.ErrAgreement, waterfall.ErrBounds} {
		if errors.Is(err, blame) {
			return fmt.Errorf("%w: %w", ErrContradiction, err)
		}
	}
	return err
}

// assets are what the owner had at some time in a window, by name.
func (s *session) assets(w telemetry.Window) []string {
	all := map[string]bool{}
	for _, o := range s.owned {
		if o.From < w.To && o.To > w.From {
			all[o.Asset] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// bookSwaps books the swaps at the owner's stations, and where batteries have
// their share, those of his batteries at the stations of others.
func (s *session) bookSwaps(ctx context.Context, b *accounts.Booked, out *accounts.Statement, w telemetry.Window) error {
	stations := s.stationIDs(w)
	if s.stations != nil {
		stations = nil // of everybody
	} else if len(stations) == 0 {
		return nil
	}
	return s.Books.PaidSwaps(ctx, stations, w, func(swap accounts.Swap) error {
		here := "station/" + swap.Station
		mine := s.has(here, swap.At)
		battery := ""
		if swap.Battery != "" && s.has("battery/"+swap.Battery, swap.At) {
			battery = "battery/" + swap.Battery
		}
		if !mine && (battery == "" || s.stations == nil) { // not his then, and batteries have no share
			return nil
		}
		owner := s.owner
		if !mine {
			owner = ownerAt(s.stations, here, swap.At)
		}
		place, err := s.place(ctx, swap.Station)
		if err != nil {
			return err
		}
		book := b
		if !mine {
			book = &accounts.Booked{} // what is missing at another's station is his business
		}
		if err := book.Swap(&swap, place, owner, s.prices); err != nil {
			return err
		}
		if !mine {
			for _, e := range book.Events {
				e.ID = elsewhere(e.ID)
				b.Events = append(b.Events, e)
			}
		}
		d := deedsOf(&swap)
		if mine {
			out.Output[here] = out.Output[here].Add(d)
		}
		if battery != "" {
			out.Output[battery] = out.Output[battery].Add(d)
		}
		if mine || owner == "" {
			out.Own = out.Own.Add(d)
		} else {
			out.Lent = out.Lent.Add(d)
		}
		return nil
	})
}

// elsewhere names an event at the station of another, whose name is not the
// owner's to know: the same event has the same name always.
func elsewhere(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "swap/" + hex.EncodeToString(sum[:16])
}

func deedsOf(swap *accounts.Swap) accounts.Deeds {
	d := accounts.Deeds{Swaps: 1}
	if swap.MilliWh != nil {
		d.Told, d.HandedMilliW = 1, max(0, *swap.MilliWh)
	}
	return d
}

// ownerAt is who had an asset at an instant; empty where nobody had.
func ownerAt(all map[string][]statement.Ownership, asset string, ts int64) string {
	for _, o := range all[asset] {
		if ts >= o.From && ts < o.To {
			return o.Owner
		}
	}
	return ""
}

// bookEnergy books what the owner's stations drew, by local days: a day belongs to
// the month that it begins in, and to who had the station then. open is when the
// first of them ends that is not over; 0: all are.
func (s *session) bookEnergy(ctx context.Context, b *accounts.Booked, out *accounts.Statement, w telemetry.Window, now int64) (open int64, err error) {
	for _, id := range s.stationIDs(w) {
		place, err := s.place(ctx, id)
		if err != nil {
			return 0, err
		}
		here := "station/" + id
		calendar := station.CalendarOf(place.Zone)
		days, err := s.Books.StationDays(ctx, id, calendar.DayOf(w.From), calendar.DayOf(w.To-1))
		if err != nil {
			return 0, err
		}
		var hours []accounts.DrawnHour
		for _, d := range days {
			if d.From < w.From || d.From >= w.To || !s.has(here, d.From) {
				continue
			}
			if d.To > now && (open == 0 || d.To < open) {
				open = d.To
			}
			if d.Meter.KnownMS < d.To-d.From && d.To <= now {
				b.Unmetered(id)
			}
			if d.Meter.KnownMS == 0 {
				continue
			}
			drawn := accounts.Drawn{At: d.From, MilliWh: d.Meter.MilliWh}
			price := s.prices.At(accounts.PerDrawn, place, s.owner, daycount.On(time.UnixMilli(d.From).In(place.Zone)))
			if price != nil && len(price.Hours) > 0 {
				if hours == nil {
					if hours, err = s.hours(ctx, id, w); err != nil {
						return 0, err
					}
				}
				drawn.Hours = accounts.ByHour(drawn.MilliWh, d.From, d.To, place.Zone, hours)
			}
			if err := b.Energy(place, &drawn, price); err != nil {
				return 0, err
			}
			metered := accounts.Deeds{DrawnMilliW: d.Meter.MilliWh, Metered: true}
			out.Output[here], out.Own = out.Output[here].Add(metered), out.Own.Add(metered)
		}
	}
	return open, nil
}

// hours is what a station's register rose by in each hour of the days that begin in a
// window, as its roll-ups tell.
func (s *session) hours(ctx context.Context, id string, w telemetry.Window) ([]accounts.DrawnHour, error) {
	days, err := s.Books.Rollups(ctx, devices.Ref{Kind: devices.KindStation, ID: id}, telemetry.DayOf(w.From), telemetry.DayOf(w.To)+2)
	if err != nil {
		return nil, err
	}
	out := []accounts.DrawnHour{}
	for _, day := range days {
		for _, hour := range day.Hours {
			for _, stat := range hour.Stats {
				if stat.Field == "energy_wh" && stat.Delta != nil {
					out = append(out, accounts.DrawnHour{Start: hour.Start, MilliWh: station.MilliWh(*stat.Delta)})
				}
			}
		}
	}
	return out, nil
}
