package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Job keeps what every owner's months come to, those again whose inputs have
// changed since, closed ones too, as corrections are made of them.
func (a *Accounts) Job(schedule string) Job {
	return Job{Name: "statements", Schedule: schedule, Whole: a.keepMonths}
}

// keepMonths works through all owners. What is wrong with one holds up no other.
func (a *Accounts) keepMonths(ctx context.Context) (made int, err error) {
	owners, err := a.Estate.Owners(ctx)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, owner := range owners {
		n, err := a.keepMonthsOf(ctx, owner)
		made += n
		switch {
		case err == nil:
		case ctx.Err() != nil || down(err):
			return made, err
		default:
			failed = append(failed, fmt.Errorf("months of %s: %w", owner, err))
		}
	}
	return made, errors.Join(failed...)
}

func (a *Accounts) keepMonthsOf(ctx context.Context, owner string) (made int, err error) {
	s, err := a.open(ctx, owner)
	if err != nil {
		return 0, err
	}
	s.keeps = true
	err = s.each(ctx, func(*accounts.Statement) error { return nil })
	return s.made, err
}

// load is a month as it was kept, where it was made of the same, or else made anew.
func (s *session) load(ctx context.Context, m statement.Month, owed map[string]map[string]int64, entries bool) (*accounts.Statement, error) {
	if entries && !s.keeps {
		now, _, err := s.build(ctx, m, owed)
		return now, err
	}
	// Before what is read to build of them: what comes between makes them differ the
	// next time.
	inputs, err := s.inputs(ctx, m, owed)
	if err != nil {
		return nil, err
	}
	kept, same, err := s.Books.KeptMonth(ctx, s.owner, m.String(), inputs, s.Now().UnixMilli())
	if err != nil || same {
		return kept, err
	}
	now, until, err := s.build(ctx, m, owed)
	if err != nil || !s.keeps {
		return now, err
	}
	accounts.Fold(now, s.zone)
	s.made++
	return now, s.Books.KeepMonth(ctx, s.owner, m.String(), accounts.Month{Inputs: inputs, Until: until, Told: *now})
}

// inputs are all that a month is made of, as it is known now.
func (s *session) inputs(ctx context.Context, m statement.Month, owed map[string]map[string]int64) (accounts.Inputs, error) {
	from, to := m.Bounds(s.zone)
	w := telemetry.Window{From: from, To: to}
	in := accounts.Inputs{Prices: map[string]int64{}, Contracts: map[string]int64{}}
	first, last := telemetry.DayOf(from), telemetry.DayOf(to-1)
	for i := range s.prices {
		// A station's day may be another than the owner's.
		if p := &s.prices[i]; p.From <= daycount.Date(last)+1 && (p.To == nil || *p.To >= daycount.Date(first)) {
			in.Prices[p.ID] = s.versions[ledger.PriceTerms][p.ID]
		}
	}
	for i := range s.contracts {
		in.Contracts[s.contracts[i].ID] = s.versions[ledger.ContractTerms][s.contracts[i].ID]
	}
	rest := struct {
		Rules          string
		Zone           string
		Shared, Hourly bool
		Owned          []statement.Ownership
		Stations       []statement.Ownership // of all, where a battery has its share
		Places         map[string][2]string
		Entries        []accounts.Entry
		Drawn          string
		Saved          []buildingSavings
		Owed           map[string]map[string]int64
	}{
		Rules: accounts.Version, Zone: s.zone.String(), Shared: s.stations != nil, Hourly: s.prices.Hourly(s.owner),
		Owned: during(s.owned, around(w)), Stations: during(s.everyStation, w), Places: map[string][2]string{}, Owed: owed,
	}
	own := s.stationIDs(w)
	asked := own
	if rest.Shared {
		asked = nil // of everybody, as they are booked
	}
	swaps, err := s.Books.SwapCounts(ctx, asked, w)
	if err != nil {
		return in, err
	}
	for id, n := range swaps {
		in.Swaps += n
		rest.Places[id] = [2]string{}
	}
	for _, id := range own {
		rest.Places[id] = [2]string{}
	}
	for id := range rest.Places {
		p, err := s.place(ctx, id)
		if err != nil {
			return in, err
		}
		rest.Places[id] = [2]string{p.Site, p.Zone.String()}
	}
	if rest.Entries, err = s.entries(ctx, w); err != nil {
		return in, err
	}
	if rest.Drawn, err = s.Books.DrawnDigest(ctx, own, first, last, rest.Hourly); err != nil {
		return in, err
	}
	if rest.Saved, err = s.savings(ctx, m, w, rest.Entries); err != nil {
		return in, err
	}
	raw, err := json.Marshal(rest)
	if err != nil {
		return in, fmt.Errorf("inputs of %s: %w", m, err)
	}
	sum := sha256.Sum256(raw)
	in.Rest = hex.EncodeToString(sum[:16])
	return in, nil
}

// during are the ownerships that share an instant with a window.
func during(all []statement.Ownership, w telemetry.Window) []statement.Ownership {
	var out []statement.Ownership
	for _, o := range all {
		if o.From < w.To && o.To > w.From {
			out = append(out, o)
		}
	}
	return out
}

// owedOf is what a month leaves due in the next.
func owedOf(before *accounts.Statement) map[string]map[string]int64 {
	owed := map[string]map[string]int64{}
	if before != nil {
		for _, section := range before.Sections {
			maps.Copy(owed, accounts.Owed(section.Settlements))
		}
	}
	return owed
}
