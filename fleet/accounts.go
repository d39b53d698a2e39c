package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// Errors of accounts.
var (
	// ErrNotOver says that a month can't be closed before its end.
	ErrNotOver = errors.New("the month is not over")
	// ErrOrder says that months are closed one after the other.
	ErrOrder = errors.New("months are closed in order, and the month before this one, or the first, is open")
	// ErrFuture says that a month has not begun.
	ErrFuture = errors.New("the month has not begun")
	// ErrContradiction says that what was entered can't be brought into a statement.
	ErrContradiction = errors.New("what was entered contradicts itself")
)

// Estate says who owned what, and where it stands. Assets are named kind/id.
type Estate interface {
	// Ownerships are those of an owner, or of everybody; of one kind or of all.
	Ownerships(ctx context.Context, owner, kind string) ([]statement.Ownership, error)
	// Place is where a station stands: at no site and in UTC, where it is not registered.
	Place(ctx context.Context, stationID string) (accounts.Station, error)
	// SiteOf is the site of a building; empty where it has none. Error:
	// registry.ErrNotFound.
	SiteOf(ctx context.Context, buildingID string) (string, error)
	// Zone is that of an owner's months: that of his sites, where they have one; or
	// else UTC.
	Zone(ctx context.Context, owner string) (*time.Location, error)
	// Owners are all owners, by id, those that are deleted too.
	Owners(ctx context.Context) ([]string, error)
}

// Books are what was entered, and what the jobs know of swaps and energy.
type Books interface {
	Money(ctx context.Context, q ledger.MoneyQuery) ([]accounts.Entry, error)
	Terms(ctx context.Context, kind ledger.TermKind) ([]ledger.Term, error)
	PaidSwaps(ctx context.Context, stations []string, w telemetry.Window, take func(accounts.Swap) error) error
	SwapSpan(ctx context.Context, stations []ledger.Held) (first, last int64, found bool, err error)
	HandedSpan(ctx context.Context, batteries []ledger.Held) (first, last int64, found bool, err error)
	DrawnSpan(ctx context.Context, stations []ledger.Held) (first, last int64, found bool, err error)
	StationDays(ctx context.Context, id string, first, last int64) ([]station.Day, error)
	Rollups(ctx context.Context, device devices.Ref, fromDay, toDay int64) ([]ledger.RollupDay, error)
	Closings(ctx context.Context, owner string) ([]ledger.Closing, error)
	CloseMonth(ctx context.Context, owner, month, by string, told accounts.Statement) (ledger.Closing, error)
	KeptMonth(ctx context.Context, owner, month string, of accounts.Inputs, now int64) (*accounts.Statement, bool, error)
	KeepMonth(ctx context.Context, owner, month string, m accounts.Month) error
	SwapCounts(ctx context.Context, stations []string, w telemetry.Window) (map[string]int64, error)
	DrawnDigest(ctx context.Context, stations []string, first, last int64, hours bool) (string, error)
	BuildingResult(ctx context.Context, id string, want ...ledger.BuildingPart) (*building.Result, bool, error)
	StandingsOf(ctx context.Context, ids []string) ([]dossier.Standing, error)
}

// Accounts make statements, and returns of them. A closed month stays as it was
// told. Of the others Job keeps what they come to; an answer is made of that as
// long as nothing is known that was not known then, or else anew.
type Accounts struct {
	Estate Estate
	Books  Books
	Now    func() time.Time
}

// Month is a month of an owner that has a statement.
type Month struct {
	Month       statement.Month
	Provisional bool
	ClosedAt    int64 // Unix milliseconds; 0: it is open
}

// Months are those of an owner from the first of which anything is booked to the
// last, the newest first.
func (a *Accounts) Months(ctx context.Context, owner string) ([]Month, error) {
	s, err := a.open(ctx, owner)
	if err != nil {
		return nil, err
	}
	first, last, found, err := s.span(ctx)
	if err != nil || !found {
		return nil, err
	}
	closed := map[statement.Month]int64{}
	for _, c := range s.closed {
		closed[c.Told.Month] = c.ClosedAt
	}
	now := a.Now().UnixMilli()
	var out []Month
	for m := first; !accounts.Before(last, m); m = accounts.Next(m) {
		_, to := m.Bounds(s.zone)
		out = append([]Month{{m, to > now, closed[m]}}, out...)
	}
	return out, nil
}

// Statement is an owner's month: as it was told, where it is closed, or else as it
// is known now, with the corrections of the closed months before where it is the
// first open one. With entries it names every event behind its lines; without, it
// may be folded. Errors: ErrFuture, ErrContradiction.
func (a *Accounts) Statement(ctx context.Context, owner string, m statement.Month, entries bool) (accounts.Statement, error) {
	s, err := a.open(ctx, owner)
	if err != nil {
		return accounts.Statement{}, err
	}
	return s.statement(ctx, m, entries)
}

// CloseStatement keeps the statement of a month that is over, so that it stays as it is.
// Errors: ErrNotOver, ErrFuture, ErrOrder, ErrContradiction, ledger.ErrClosed.
func (a *Accounts) CloseStatement(ctx context.Context, owner string, m statement.Month, by string) (accounts.Statement, error) {
	s, err := a.open(ctx, owner)
	if err != nil {
		return accounts.Statement{}, err
	}
	for _, c := range s.closed {
		if c.Told.Month == m {
			return accounts.Statement{}, fmt.Errorf("%s of %s: %w", m, owner, ledger.ErrClosed)
		}
	}
	told, err := s.statement(ctx, m, true)
	if err != nil {
		return accounts.Statement{}, err
	}
	if told.Provisional {
		return accounts.Statement{}, fmt.Errorf("%s: %w", m, ErrNotOver)
	}
	expected, ok, err := s.firstOpen(ctx)
	if err != nil {
		return accounts.Statement{}, err
	}
	if !ok || expected != m {
		return accounts.Statement{}, fmt.Errorf("%s: %w", m, ErrOrder)
	}
	c, err := a.Books.CloseMonth(ctx, owner, m.String(), by, told)
	told.ClosedAt, told.ClosedBy = c.ClosedAt, c.ClosedBy
	return told, err
}

// session is what stays the same while a question about an owner is answered.
type session struct {
	*Accounts
	owner string
	zone  *time.Location
	owned []statement.Ownership            // of the owner, all time
	had   map[string][]statement.Ownership // owned, by asset

	everyStation []statement.Ownership            // of everybody; nil where they are not needed
	stations     map[string][]statement.Ownership // the same, by asset

	prices    accounts.Prices
	contracts []accounts.Contract
	versions  map[ledger.TermKind]map[string]int64
	closed    []ledger.Closing
	places    map[string]*accounts.Station
	fresh     map[statement.Month]*accounts.Statement
	saved     map[string][]building.MonthSaving // by building
	takenBack map[string]bool                   // entries of savings, by id; nil: not read yet
	keeps     bool                              // what is made anew is kept, and counted
	made      int
}

func (a *Accounts) open(ctx context.Context, owner string) (*session, error) {
	s := &session{
		Accounts: a, owner: owner, places: map[string]*accounts.Station{}, fresh: map[statement.Month]*accounts.Statement{},
		versions: map[ledger.TermKind]map[string]int64{}, saved: map[string][]building.MonthSaving{},
	}
	var err error
	if s.zone, err = a.Estate.Zone(ctx, owner); err != nil {
		return nil, err
	}
	if s.owned, err = a.Estate.Ownerships(ctx, owner, ""); err != nil {
		return nil, err
	}
	if s.prices, s.versions[ledger.PriceTerms], err = termsOf[accounts.Price](ctx, a.Books, ledger.PriceTerms); err != nil {
		return nil, err
	}
	contracts, versions, err := termsOf[accounts.Contract](ctx, a.Books, ledger.ContractTerms)
	if err != nil {
		return nil, err
	}
	for _, c := range contracts {
		if c.Owner == owner {
			s.contracts = append(s.contracts, c)
		}
	}
	s.versions[ledger.ContractTerms] = versions
	s.had = byAsset(s.owned)
	if s.prices.Shared() {
		if s.everyStation, err = a.Estate.Ownerships(ctx, "", string(devices.KindStation)); err != nil {
			return nil, err
		}
		s.stations = byAsset(s.everyStation)
	}
	s.closed, err = a.Books.Closings(ctx, owner)
	return s, err
}

func byAsset(all []statement.Ownership) map[string][]statement.Ownership {
	out := map[string][]statement.Ownership{}
	for _, o := range all {
		out[o.Asset] = append(out[o.Asset], o)
	}
	return out
}

// termsOf are the terms in force, and their versions by id.
func termsOf[T any](ctx context.Context, books Books, kind ledger.TermKind) ([]T, map[string]int64, error) {
	terms, err := books.Terms(ctx, kind)
	if err != nil {
		return nil, nil, err
	}
	out, versions := make([]T, len(terms)), make(map[string]int64, len(terms))
	for i, t := range terms {
		if err := json.Unmarshal(t.Payload, &out[i]); err != nil {
			return nil, nil, fmt.Errorf("read %s %s: %w", kind, t.ID, err)
		}
		versions[t.ID] = t.Version
	}
	return out, versions, nil
}

// statement is a month as it is to be told.
func (s *session) statement(ctx context.Context, m statement.Month, entries bool) (accounts.Statement, error) {
	for _, c := range s.closed {
		if c.Told.Month == m {
			c.Told.ClosedAt, c.Told.ClosedBy = c.ClosedAt, c.ClosedBy
			return c.Told, nil
		}
	}
	if from, _ := m.Bounds(s.zone); from > s.Now().UnixMilli() {
		return accounts.Statement{}, fmt.Errorf("%s: %w", m, ErrFuture)
	}
	now, err := s.month(ctx, m, entries)
	if err != nil {
		return accounts.Statement{}, err
	}
	out := *now
	if len(s.closed) == 0 || accounts.Next(s.closed[len(s.closed)-1].Told.Month) != m {
		return out, nil
	}
	var since []accounts.Correction
	for _, c := range s.closed {
		since = append(since, c.Told.Corrections...)
	}
	for _, c := range s.closed {
		then, err := s.month(ctx, c.Told.Month, false)
		if err != nil {
			return accounts.Statement{}, err
		}
		out.Corrections = append(out.Corrections, accounts.Correct(&c.Told.Statement, &then.Statement, since)...)
	}
	return out, nil
}

// firstOpen is the month that is to be closed next; false where there is none.
func (s *session) firstOpen(ctx context.Context) (statement.Month, bool, error) {
	if n := len(s.closed); n > 0 {
		return accounts.Next(s.closed[n-1].Told.Month), true, nil
	}
	first, _, found, err := s.span(ctx)
	return first, found, err
}
