package api

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// entry says whether the caller sees what was entered: of a building, that
// building's; tariffs and grids, whose scope is empty, serve all.
func (b scopedBuildings) entry(ctx context.Context, scope string) error {
	if scope == "" {
		return nil
	}
	return b.one(ctx, scope)
}

func (b scopedBuildings) CreateEntry(ctx context.Context, c ledger.Collection, scope string, build func(id string) any) (ledger.Entry, error) {
	if err := b.entry(ctx, scope); err != nil {
		return ledger.Entry{}, err
	}
	return b.all.CreateEntry(ctx, c, scope, build)
}

func (b scopedBuildings) PutEntry(ctx context.Context, c ledger.Collection, scope, id, refers string, v any) (ledger.Entry, error) {
	if err := b.entry(ctx, scope); err != nil {
		return ledger.Entry{}, err
	}
	return b.all.PutEntry(ctx, c, scope, id, refers, v)
}

func (b scopedBuildings) DeleteEntry(ctx context.Context, c ledger.Collection, scope, id string) error {
	if err := b.entry(ctx, scope); err != nil {
		return err
	}
	return b.all.DeleteEntry(ctx, c, scope, id)
}

func (b scopedBuildings) Entries(ctx context.Context, c ledger.Collection, scope string) ([]ledger.Entry, error) {
	if err := b.entry(ctx, scope); err != nil {
		return nil, err
	}
	return b.all.Entries(ctx, c, scope)
}

func (b scopedBuildings) Entry(ctx context.Context, c ledger.Collection, scope, id string) (ledger.Entry, error) {
	if err := b.entry(ctx, scope); err != nil {
		return ledger.Entry{}, err
	}
	return b.all.Entry(ctx, c, scope, id)
}

// series says whether the caller sees an imported series: its id is building/ID
// or site/ID, or that of a tariff or grid, which serve all.
func (b scopedBuildings) series(ctx context.Context, id string) error {
	kind, of, ok := strings.Cut(id, "/")
	switch {
	case !ok:
		return nil
	case kind == string(devices.KindBuilding):
		return b.one(ctx, of)
	default:
		_, err := scopedRegistry{b.sight, b.registry}.site(ctx, of)
		return err
	}
}

// changes is series for who would change it: what is imported for a site counts
// for all that stand there, so that it takes to be its owner.
func (b scopedBuildings) changes(ctx context.Context, id string) error {
	if err := b.series(ctx, id); err != nil {
		return err
	}
	kind, of, ok := strings.Cut(id, "/")
	if !ok || kind == string(devices.KindBuilding) || access.From(ctx).SeesAll() {
		return nil
	}
	s, err := b.registry.GetSite(ctx, of)
	if err == nil && b.owner(ctx, s.OwnerID) != nil {
		err = huma.Error403Forbidden("the site is not yours: import the temperatures for the building")
	}
	return err
}

func (b scopedBuildings) MergeSeries(ctx context.Context, s ledger.ImportedSeries) (ledger.SeriesInfo, error) {
	if err := b.changes(ctx, s.ID); err != nil {
		return ledger.SeriesInfo{}, err
	}
	var err error
	if s.Buildings, err = b.standing(ctx, s.ID); err != nil {
		return ledger.SeriesInfo{}, err
	}
	return b.all.MergeSeries(ctx, s)
}

func (b scopedBuildings) DeleteSeries(ctx context.Context, kind ledger.SeriesKind, id string, _ ...string) error {
	if err := b.changes(ctx, id); err != nil {
		return err
	}
	buildings, err := b.standing(ctx, id)
	if err != nil {
		return err
	}
	return b.all.DeleteSeries(ctx, kind, id, buildings...)
}

// standing are the buildings, whoever's they are, on the site whose series it is;
// none where it is of no site.
func (b scopedBuildings) standing(ctx context.Context, id string) ([]string, error) {
	site, ok := strings.CutPrefix(id, "site/")
	if !ok {
		return nil, nil
	}
	return b.sight.standing(ctx, site)
}

// standing are the ids of the buildings on a site, whoever's they are.
func (s sight) standing(ctx context.Context, site string) ([]string, error) {
	all, _, err := s.registry.ListBuildings(ctx, registry.Filter{SiteID: site})
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	return ids, err
}

func (b scopedBuildings) SeriesInfo(ctx context.Context, kind ledger.SeriesKind, id string) (ledger.SeriesInfo, bool, error) {
	if err := b.series(ctx, id); err != nil {
		return ledger.SeriesInfo{}, false, err
	}
	return b.all.SeriesInfo(ctx, kind, id)
}
