package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/finance/risk"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// ErrMixed says that what was asked about has amounts in several currencies, which
// are never added up.
var ErrMixed = errors.New("amounts are in several currencies, which are never added up")

// Question is what returns are asked of.
type Question struct {
	Owners   []string       // whose; empty: of everybody
	Asset    string         // kind/id, of its present owner while it was his; empty: all of theirs
	Currency money.Currency // empty: the one that there is
	Assumed  accounts.Assumptions
}

// Result is the answer.
type Result struct {
	Owner      string // of an asset, or where one owner was asked of
	Currencies []money.Currency
	Track      *accounts.Track // nil: nothing was booked, or in several currencies
	Returns    accounts.Returns
	ByAsset    risk.Concentration // of the revenue
	BySite     risk.Concentration
	ByPartner  risk.Concentration // of what the parties of agreements got
	BuiltAt    int64              // Unix milliseconds
	Assumed    accounts.Assumptions
}

// Finance works out what assets returned, of every month of their owners as all is
// known now, whether it is closed or not. Errors: ErrMixed,
// ErrContradiction.
func (a *Accounts) Finance(ctx context.Context, q Question) (Result, error) {
	out := Result{BuiltAt: a.Now().UnixMilli()}
	owners := q.Owners
	switch {
	case q.Asset != "":
		owner, err := a.present(ctx, q.Asset)
		if err != nil {
			return out, err
		}
		out.Owner, owners = owner, nil
		if owner != "" {
			owners = []string{owner}
		}
	case len(owners) == 0:
		var err error
		if owners, err = a.Estate.Owners(ctx); err != nil {
			return out, err
		}
	case len(owners) == 1:
		out.Owner = owners[0]
	}
	if q.Assumed.Today == 0 {
		q.Assumed.Today = a.today()
	}
	if err := a.life(ctx, &q); err != nil {
		return out, err
	}
	out.Assumed = q.Assumed
	tracks, sites, err := a.tracks(ctx, owners, q.Asset)
	if err != nil {
		return out, err
	}
	out.Currencies = slices.Sorted(maps.Keys(tracks))
	switch {
	case q.Currency != "":
		out.Track = tracks[q.Currency]
	case len(tracks) == 1:
		out.Track = tracks[out.Currencies[0]]
	case len(tracks) > 1:
		return out, ErrMixed
	}
	if out.Track == nil {
		return out, nil
	}
	if out.Returns, err = out.Track.Worth(q.Assumed); err != nil {
		return out, err
	}
	return out, out.concentrate(sites)
}

// present is who owns an asset now; empty where nobody does.
func (a *Accounts) present(ctx context.Context, asset string) (string, error) {
	kind, _, _ := strings.Cut(asset, "/")
	all, err := a.Estate.Ownerships(ctx, "", kind)
	if err != nil {
		return "", err
	}
	return ownerAt(byAsset(all), asset, a.Now().UnixMilli()), nil
}

// tracks follows the owners through their months.
func (a *Accounts) tracks(ctx context.Context, owners []string, asset string) (accounts.Tracks, map[string]string, error) {
	tracks, sites := accounts.Tracks{}, map[string]string{}
	keep := func(name string) bool { return asset == "" || name == asset }
	for _, owner := range owners {
		s, err := a.open(ctx, owner)
		if err != nil {
			return nil, nil, err
		}
		err = s.each(ctx, func(m *accounts.Statement) error {
			deeds := m.Own // what is lent is another's own
			switch {
			case asset != "":
				deeds = m.Output[asset]
			case len(owners) == 1:
				deeds = deeds.Add(m.Lent)
			}
			tracks.Add(m, s.zone, deeds, keep)
			return nil
		})
		if err != nil {
			return nil, nil, fmt.Errorf("months of %s: %w", owner, err)
		}
		for id, p := range s.places {
			sites["station/"+id] = p.Site
		}
	}
	return tracks, sites, nil
}

// each hands the owner's months to take, as they are known now, ascending.
func (s *session) each(ctx context.Context, take func(*accounts.Statement) error) error {
	first, last, found, err := s.span(ctx)
	if err != nil || !found {
		return err
	}
	for _, asset := range s.assets(ever()) {
		if id, ok := strings.CutPrefix(asset, "station/"); ok {
			if _, err := s.place(ctx, id); err != nil {
				return err
			}
		}
	}
	for m := first; !accounts.Before(last, m); m = accounts.Next(m) {
		if err := ctx.Err(); err != nil {
			return err
		}
		now, err := s.month(ctx, m, false)
		if err != nil {
			return err
		}
		if err := take(now); err != nil {
			return err
		}
	}
	return nil
}

// life takes a battery's remaining life from its assessment where nobody says
// another, less the days that have passed since.
func (a *Accounts) life(ctx context.Context, q *Question) error {
	l := &q.Assumed.Life
	if l.Median != nil {
		return nil
	}
	l.Reason = "how long it will serve on is not known: say life_years"
	id, ok := strings.CutPrefix(q.Asset, "battery/")
	if !ok {
		return nil
	}
	found, err := a.Books.StandingsOf(ctx, []string{id})
	if err != nil || len(found) == 0 {
		return err
	}
	s := &found[0]
	if s.RULDays.Median == nil {
		if s.OutlookReason != "" {
			l.Reason = s.OutlookReason
		}
		return nil
	}
	passed := max(0, a.Now().Sub(time.UnixMilli((s.ToldDay+1)*telemetry.Day)).Hours()/24)
	years := func(days *float64) *float64 {
		if days == nil {
			return nil
		}
		y := max(0, *days-passed) / 365
		return &y
	}
	l.Low, l.Median, l.High = years(s.RULDays.Low), years(s.RULDays.Median), years(s.RULDays.High)
	return nil
}

// concentrate tells how much hangs on few.
func (r *Result) concentrate(sites map[string]string) error {
	assets, bySite, parties := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for asset, minor := range r.Track.Revenue {
		v := max(0, money.Of(minor, r.Track.Currency).Float()) // a refund makes nothing hang on it
		assets[asset] = v
		if site, ok := strings.CutPrefix(asset, "site/"); ok {
			bySite[site] += v
		} else if site := sites[asset]; site != "" {
			bySite[site] += v
		}
	}
	for party, minor := range r.Track.Paid {
		parties[party] = max(0, money.Of(minor, r.Track.Currency).Float())
	}
	var err error
	if r.ByAsset, err = risk.Herfindahl(assets); err != nil {
		return err
	}
	if r.BySite, err = risk.Herfindahl(bySite); err != nil {
		return err
	}
	r.ByPartner, err = risk.Herfindahl(parties)
	return err
}

// Partner is what a party of agreements got of a currency in all months.
type Partner struct {
	Party    string
	Currency money.Currency
	Owner    string
	Paid     money.Amount
	Owed     money.Amount // at the end of the newest month
	Months   int          // in which an agreement of it was in force
	First    statement.Month
	Last     statement.Month
}

// Partners are the parties of the agreements of some owners, by owner, party and
// currency.
func (a *Accounts) Partners(ctx context.Context, owners []string) ([]Partner, error) {
	var err error
	if len(owners) == 0 {
		if owners, err = a.Estate.Owners(ctx); err != nil {
			return nil, err
		}
	}
	out := []Partner{}
	for _, owner := range owners {
		s, err := a.open(ctx, owner)
		if err != nil {
			return nil, err
		}
		if len(s.contracts) == 0 {
			continue
		}
		type key struct {
			party    string
			currency money.Currency
		}
		at, inForce := map[key]int{}, map[key]statement.Month{}
		err = s.each(ctx, func(m *accounts.Statement) error {
			for _, section := range m.Sections {
				for _, settled := range section.Settlements {
					for _, row := range settled.Rows {
						k := key{row.Party, settled.Currency}
						if _, ok := at[k]; !ok {
							at[k] = len(out)
							zero := money.Zero(settled.Currency)
							out = append(out, Partner{Party: row.Party, Currency: settled.Currency, Owner: owner, Paid: zero, Owed: zero, First: m.Month})
						}
						p := &out[at[k]]
						if p.Last != m.Month {
							p.Last, p.Owed.Minor = m.Month, 0
						}
						if row.Days > 0 && inForce[k] != m.Month { // without, what it is still owed is due
							inForce[k] = m.Month
							p.Months++
						}
						p.Paid.Minor += row.Paid
						p.Owed.Minor += row.Owed
					}
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("months of %s: %w", owner, err)
		}
	}
	return out, nil
}

// today is the present day of UTC.
func (a *Accounts) today() daycount.Date { return daycount.On(a.Now().UTC()) }
