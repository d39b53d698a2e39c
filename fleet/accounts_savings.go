package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/waterfall"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// buildingSavings are the savings of a building that a contract shares; none where its
// results have none.
type buildingSavings struct {
	Asset    string
	Currency money.Currency // of the contract
	Months   []building.MonthSaving
	Entered  bool   // by hand, for the building
	Doubt    string // why what was measured is held back

	agreements []waterfall.Agreement
}

// holds reports whether an agreement of the contract is in force on a day.
func (b *buildingSavings) holds(day daycount.Date) bool {
	return slices.ContainsFunc(b.agreements, func(a waterfall.Agreement) bool { return a.Holds(day) })
}

// counts are the days that the owner is to have his part of: the building is his
// when they begin there, and an agreement is in force.
func (s *session) counts(b *buildingSavings, v *building.MonthSaving) (func(daycount.Date) bool, error) {
	zone := s.zone
	if v.Zone != "" && v.Zone != zone.String() {
		var err error
		if zone, err = time.LoadLocation(v.Zone); err != nil {
			return nil, fmt.Errorf("saving of %s: %w", b.Asset, err)
		}
	}
	return func(day daycount.Date) bool { return b.holds(day) && s.has(b.Asset, day.Start(zone).UnixMilli()) }, nil
}

// beginning is the first day of a saving that counts; false where none does.
func (s *session) beginning(b *buildingSavings, v *building.MonthSaving) (daycount.Date, bool, error) {
	counts, err := s.counts(b, v)
	if err != nil {
		return 0, false, err
	}
	saving, err := savingOf(b.Asset, v)
	if err != nil {
		return 0, false, err
	}
	days := saving.Days()
	i := slices.IndexFunc(days, counts)
	if i < 0 {
		return 0, false, nil
	}
	return days[i], true, nil
}

// around is a window and a day to each side, as days of buildings may begin in
// another zone than the owner's.
func around(w telemetry.Window) telemetry.Window {
	return telemetry.Window{From: w.From - telemetry.Day, To: w.To + telemetry.Day}
}

// measured reads what the owner's buildings, among some assets of his, saved in some
// days, where a contract of his shares energy savings and is in force on one of them.
func (s *session) measured(ctx context.Context, assets []string, from, to daycount.Date) ([]buildingSavings, error) {
	var out []buildingSavings
	for _, pool := range accounts.Pools(s.contracts, assets, nil) {
		if !slices.Contains(pool.Kinds, statement.EnergySavings) {
			continue
		}
		for _, asset := range pool.Assets {
			id, ok := strings.CutPrefix(asset, string(devices.KindBuilding)+"/")
			one := buildingSavings{Asset: asset, Currency: pool.Currency, agreements: pool.Agreements}
			if !ok || !slices.Contains(assets, asset) || !slices.ContainsFunc(pool.Agreements, func(a waterfall.Agreement) bool { return a.From < to && (a.To == nil || *a.To > from) }) {
				continue
			}
			all, err := s.monthsOf(ctx, id)
			if err != nil {
				return nil, err
			}
			for i := range all {
				saving, err := savingOf(asset, &all[i])
				if err != nil {
					return nil, err
				}
				if saving.From >= from && saving.From < to && slices.ContainsFunc(saving.Days(), one.holds) {
					one.Months = append(one.Months, all[i])
				}
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// savings are those of a month, with what was entered in it.
func (s *session) savings(ctx context.Context, m statement.Month, w telemetry.Window, entries []accounts.Entry) ([]buildingSavings, error) {
	all, err := s.measured(ctx, s.assets(around(w)), daycount.Of(m.Year, m.Month, 1), daycount.Of(m.Year, m.Month+1, 1))
	if err != nil || len(all) == 0 || !slices.ContainsFunc(entries, func(e accounts.Entry) bool { return e.Kind == statement.EnergySavings }) {
		return all, err
	}
	if s.takenBack == nil {
		ever, err := s.Books.Money(ctx, ledger.MoneyQuery{Kinds: []statement.Kind{statement.EnergySavings}})
		if err != nil {
			return nil, err
		}
		s.takenBack = map[string]bool{}
		for i := range ever {
			s.takenBack[ever[i].Reverses] = true
		}
	}
	entered := accounts.EnteredSavings(entries, s.takenBack)
	for i := range all {
		one := &all[i]
		if one.Entered = entered[one.Asset]; one.Entered || len(entered) == 0 {
			continue
		}
		site, err := s.Estate.SiteOf(ctx, strings.TrimPrefix(one.Asset, string(devices.KindBuilding)+"/"))
		switch {
		case err != nil:
			return nil, err
		case entered["site/"+site]:
			one.Doubt = "savings were entered for the site, which may hold those that were measured at the building"
		case entered[""]:
			one.Doubt = "savings were entered for the owner as a whole, which may hold those that were measured at the building"
		}
	}
	return all, nil
}

func (s *session) monthsOf(ctx context.Context, id string) ([]building.MonthSaving, error) {
	if all, ok := s.saved[id]; ok {
		return all, nil
	}
	r, _, err := s.Books.BuildingResult(ctx, id, ledger.PartMonths)
	if err != nil {
		return nil, err
	}
	s.saved[id] = r.Months
	return r.Months, nil
}

// bookSavings books what was measured, but for buildings whose savings of the
// month were entered by hand, and returns the assets that had some.
func (s *session) bookSavings(b *accounts.Booked, out *accounts.Statement, w telemetry.Window, all []buildingSavings) (booked []string, err error) {
	his := s.assets(w)
	for i := range all {
		one := &all[i]
		if one.Entered {
			continue
		}
		if len(one.Months) == 0 && one.Doubt == "" && slices.Contains(his, one.Asset) {
			b.Unsaved(one.Asset, "the contract shares energy savings, and the building's results have none in money for its days of this month")
		}
		for k := range one.Months {
			v := &one.Months[k]
			counts, err := s.counts(one, v)
			if err != nil {
				return nil, err
			}
			saving, err := savingOf(one.Asset, v)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(saving.Days(), counts) {
				continue
			}
			switch {
			case one.Doubt != "":
				b.Unsaved(one.Asset, one.Doubt)
				continue
			case v.Lacks != nil:
				b.Unsaved(one.Asset, "days of a saving are not in the statement, as their prices are not all known: "+v.Lacks.Text)
				continue
			case v.Saved.Currency != string(one.Currency):
				b.Unsaved(one.Asset, "the tariff that savings are priced by is in another currency than the contract")
				continue
			}
			if err := b.Save(&saving, s.owner, s.zone, counts); err != nil {
				return nil, err
			}
			booked = append(booked, one.Asset)
			out.Savings = append(out.Savings, saving)
		}
	}
	return booked, nil
}

func savingOf(asset string, v *building.MonthSaving) (accounts.Saving, error) {
	out := accounts.Saving{
		Asset: asset, Meter: string(v.Meter), Measure: v.Intervention, Method: v.Method, Coverage: v.Coverage, Quantity: v.Saving, Unit: v.Unit,
		Measured: money.Of(v.Saved.Minor, money.Currency(v.Saved.Currency)), Plus: v.Plus, Provisional: !v.Complete,
	}
	var err error
	if out.From, err = daycount.Parse(string(v.From)); err == nil {
		out.To, err = daycount.Parse(string(v.To))
	}
	if err != nil {
		return out, fmt.Errorf("saving of %s: %w", asset, err)
	}
	return out, nil
}
