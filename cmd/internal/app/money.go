package app

import (
	"context"
	"errors"
	"time"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// money is what was entered and what follows from it, in the API's words.
type money struct {
	api.MoneyBooks
	api.Statements
	api.Finances
}

func (a *App) money() money { return money{a.ledger, a.accounts(), a.accounts()} }

// accounts make statements, and returns of them.
func (a *App) accounts() *fleet.Accounts {
	return &fleet.Accounts{Estate: estate{a.registry}, Books: a.ledger, Now: a.now}
}

// moneyJobs are the jobs of money.
func (a *App) moneyJobs() []fleet.Job { return []fleet.Job{a.accounts().Job(a.cfg.MoneySchedule)} }

// estate is the registry, in the words of accounts.
type estate struct{ registry *registry.Registry }

func (e estate) Ownerships(ctx context.Context, owner, kind string) ([]statement.Ownership, error) {
	found, err := e.registry.Ownerships(ctx, registry.OwnershipFilter{OwnerID: owner, Kind: kind})
	if err != nil {
		return nil, err
	}
	out := make([]statement.Ownership, 0, len(found))
	for _, o := range found {
		to := o.To
		if to == 0 {
			to = statement.Forever
		}
		if to > o.From {
			out = append(out, statement.Ownership{Asset: o.Kind + "/" + o.ID, Owner: o.OwnerID, From: o.From, To: to})
		}
	}
	return out, nil
}

func (e estate) Place(ctx context.Context, id string) (accounts.Station, error) {
	out := accounts.Station{ID: id, Zone: time.UTC}
	s, err := e.registry.GetStation(ctx, id)
	if errors.Is(err, registry.ErrNotFound) {
		return out, nil
	}
	if err != nil || s.SiteID == "" {
		return out, err
	}
	site, err := e.registry.GetSite(ctx, s.SiteID)
	if err != nil {
		return out, err
	}
	out.Site, out.Zone = site.ID, fleet.CalendarOfSite(site).Zone()
	return out, nil
}

func (e estate) SiteOf(ctx context.Context, buildingID string) (string, error) {
	b, err := e.registry.GetBuilding(ctx, buildingID)
	return b.SiteID, err
}

// Zone is the one of all sites where the owner has, or had, something; UTC where
// they have several or none.
func (e estate) Zone(ctx context.Context, owner string) (*time.Location, error) {
	sites := map[string]bool{}
	found, err := e.registry.Ownerships(ctx, registry.OwnershipFilter{OwnerID: owner})
	if err != nil {
		return nil, err
	}
	for _, o := range found {
		switch o.Kind {
		case registry.KindSite:
			sites[o.ID] = true
		case "station":
			s, err := e.registry.GetStation(ctx, o.ID)
			if err != nil {
				return nil, err
			}
			sites[s.SiteID] = true
		case "building":
			b, err := e.registry.GetBuilding(ctx, o.ID)
			if err != nil {
				return nil, err
			}
			sites[b.SiteID] = true
		}
	}
	delete(sites, "")
	var zone *time.Location
	for id := range sites {
		s, err := e.registry.GetSite(ctx, id)
		if err != nil {
			return nil, err
		}
		here := fleet.CalendarOfSite(s).Zone()
		if zone != nil && zone.String() != here.String() {
			return time.UTC, nil
		}
		zone = here
	}
	if zone == nil {
		zone = time.UTC
	}
	return zone, nil
}

func (e estate) Owners(ctx context.Context) ([]string, error) {
	found, _, err := e.registry.ListOwners(ctx, registry.Filter{Deleted: true})
	out := make([]string, len(found))
	for i, o := range found {
		out[i] = o.ID
	}
	return out, err
}
