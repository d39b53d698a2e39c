package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
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
}

// measured reads what the owner's buildings, among some assets of his, saved in a
// month, where a contract of his shares energy savings; in all months of "".
func (s *session) measured(ctx context.Context, month string, assets []string) ([]buildingSavings, error) {
	var out []buildingSavings
	for _, pool := range accounts.Pools(s.contracts, assets, nil) {
		if !slices.Contains(pool.Kinds, statement.EnergySavings) {
			continue
		}
		for _, asset := range pool.Assets {
			id, ok := strings.CutPrefix(asset, string(devices.KindBuilding)+"/")
			if !ok || !slices.Contains(assets, asset) {
				continue
			}
			all, err := s.monthsOf(ctx, id)
			if err != nil {
				return nil, err
			}
			one := buildingSavings{Asset: asset, Currency: pool.Currency}
			for _, v := range all {
				if month == "" || v.Month == month {
					one.Months = append(one.Months, v)
				}
			}
			out = append(out, one)
		}
	}
	return out, nil
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
// month were entered by hand.
func (s *session) bookSavings(b *accounts.Booked, out *accounts.Statement, all []buildingSavings, entries []accounts.Entry) error {
	entered := accounts.EnteredSavings(entries)
	for _, one := range all {
		if entered[one.Asset] {
			continue
		}
		if len(one.Months) == 0 {
			b.Unsaved(one.Asset, "the contract shares energy savings, and the building's results have none in money for this month")
		}
		for _, v := range one.Months {
			if v.Saved.Currency != string(one.Currency) {
				b.Unsaved(one.Asset, "the tariff that savings are priced by is in another currency than the contract")
				continue
			}
			saving, err := savingOf(one.Asset, &v)
			if err != nil {
				return err
			}
			if err := b.Save(&saving, s.zone, func(ts int64) bool { return s.has(one.Asset, ts) }); err != nil {
				return err
			}
			out.Savings = append(out.Savings, saving)
		}
	}
	return nil
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
