package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// scopedRegistry shows the caller its own part of the registry. Its methods are
// written out, so that a method which the port gains does not compile until it is
// said who sees what of it. Changes take the right to operate; whoever has it
// sees all.
type scopedRegistry struct {
	sight
	all Registry
}

func (r scopedRegistry) CreateOwner(ctx context.Context, o devices.Owner) (devices.Owner, error) {
	return r.all.CreateOwner(ctx, o)
}

func (r scopedRegistry) GetOwner(ctx context.Context, id string) (devices.Owner, error) {
	if err := r.owner(ctx, id); err != nil {
		return devices.Owner{}, err
	}
	return r.all.GetOwner(ctx, id)
}

// ListOwners of one who sees one owner is that one.
func (r scopedRegistry) ListOwners(ctx context.Context, f registry.Filter) ([]devices.Owner, int, error) {
	narrow, some := r.filter(ctx, f)
	switch {
	case !some:
		return nil, 0, nil
	case narrow.OwnerID == f.OwnerID:
		return r.all.ListOwners(ctx, f)
	}
	o, err := r.all.GetOwner(ctx, narrow.OwnerID)
	if err != nil {
		return nil, 0, err
	}
	switch {
	case o.DeletedAt != nil && !f.Deleted:
		return nil, 0, nil
	case f.Offset > 0:
		return nil, 1, nil
	}
	return []devices.Owner{o}, 1, nil
}

func (r scopedRegistry) UpdateOwner(ctx context.Context, id string, p registry.OwnerPatch) (devices.Owner, error) {
	if err := r.owner(ctx, id); err != nil {
		return devices.Owner{}, err
	}
	return r.all.UpdateOwner(ctx, id, p)
}

func (r scopedRegistry) DeleteOwner(ctx context.Context, id string, version int64) (devices.Owner, error) {
	if err := r.owner(ctx, id); err != nil {
		return devices.Owner{}, err
	}
	return r.all.DeleteOwner(ctx, id, version)
}

func (r scopedRegistry) RestoreOwner(ctx context.Context, id string, version int64) (devices.Owner, error) {
	if err := r.owner(ctx, id); err != nil {
		return devices.Owner{}, err
	}
	return r.all.RestoreOwner(ctx, id, version)
}

// site is registry.ErrNotFound where the caller may not see the site: one that is
// not its owner's, and has none of its owner's assets.
func (r scopedRegistry) site(ctx context.Context, id string) (devices.Site, error) {
	s, err := r.all.GetSite(ctx, id)
	if err != nil || r.owner(ctx, s.OwnerID) == nil {
		return s, err
	}
	stands, err := r.standsAt(ctx, id)
	if err != nil {
		return devices.Site{}, err
	}
	if !stands {
		return devices.Site{}, fmt.Errorf("site %s: %w", id, registry.ErrNotFound)
	}
	s.OwnerID = "" // of another, who is nobody the caller knows
	return s, nil
}

// standsAt reports whether an asset of the caller's owner is at the site.
func (r scopedRegistry) standsAt(ctx context.Context, site string) (bool, error) {
	if p := access.From(ctx); p.Role == access.Device {
		self, err := assetOf(ctx, r.all, p.Device)
		return err == nil && self.SiteID == site, err
	}
	f, some := r.filter(ctx, registry.Filter{SiteID: site, Limit: 1})
	if !some {
		return false, nil
	}
	_, stations, err := r.all.ListStations(ctx, f)
	if err != nil || stations > 0 {
		return err == nil, err
	}
	_, batteries, err := r.all.ListBatteries(ctx, f)
	if err != nil || batteries > 0 {
		return err == nil, err
	}
	_, buildings, err := r.all.ListBuildings(ctx, f)
	return buildings > 0, err
}

func (r scopedRegistry) CreateSite(ctx context.Context, s devices.Site) (devices.Site, error) {
	return r.all.CreateSite(ctx, s)
}

func (r scopedRegistry) GetSite(ctx context.Context, id string) (devices.Site, error) {
	return r.site(ctx, id)
}

func (r scopedRegistry) ListSites(ctx context.Context, f registry.Filter) ([]devices.Site, int, error) {
	return listed(ctx, r, f, r.all.ListSites)
}

func (r scopedRegistry) UpdateSite(ctx context.Context, id string, p registry.SitePatch) (devices.Site, error) {
	if _, err := r.site(ctx, id); err != nil {
		return devices.Site{}, err
	}
	return r.all.UpdateSite(ctx, id, p)
}

func (r scopedRegistry) DeleteSite(ctx context.Context, id string, version int64) (devices.Site, error) {
	if _, err := r.site(ctx, id); err != nil {
		return devices.Site{}, err
	}
	return r.all.DeleteSite(ctx, id, version)
}

func (r scopedRegistry) RestoreSite(ctx context.Context, id string, version int64) (devices.Site, error) {
	if _, err := r.site(ctx, id); err != nil {
		return devices.Site{}, err
	}
	return r.all.RestoreSite(ctx, id, version)
}

// listed is a page of what belongs to owners that the caller sees.
func listed[T any](ctx context.Context, r scopedRegistry, f registry.Filter,
	list func(context.Context, registry.Filter) ([]T, int, error)) ([]T, int, error) {
	narrow, some := r.filter(ctx, f)
	if !some {
		return nil, 0, nil
	}
	return list(ctx, narrow)
}

// devicesListed is listed for devices, without the gateways of others.
func devicesListed[T any](ctx context.Context, r scopedRegistry, f registry.Filter,
	list func(context.Context, registry.Filter) ([]T, int, error), asset func(*T) *devices.Asset) ([]T, int, error) {
	found, total, err := listed(ctx, r, f, list)
	if err != nil || access.From(ctx).SeesAll() {
		return found, total, err
	}
	assets := make([]*devices.Asset, len(found))
	for i := range found {
		assets[i] = asset(&found[i])
	}
	return found, total, r.mask(ctx, assets...)
}

// mask takes from devices the gateway that the caller may not see: a battery that
// is charged in another's station speaks through it.
func (r scopedRegistry) mask(ctx context.Context, assets ...*devices.Asset) error {
	if access.From(ctx).SeesAll() {
		return nil
	}
	hidden := map[string]bool{}
	for _, a := range assets {
		if a.Gateway == "" {
			continue
		}
		is, known := hidden[a.Gateway]
		if !known {
			ref, err := devices.ParseRef(a.Gateway)
			if err == nil {
				err = r.device(ctx, ref)
			}
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				return err
			}
			is = err != nil
			hidden[a.Gateway] = is
		}
		if is {
			a.Gateway = ""
		}
	}
	return nil
}

// seen carries out f on a device that the caller sees.
func seen[T any](ctx context.Context, r scopedRegistry, kind devices.Kind, id string, f func() (T, error)) (T, error) {
	if err := r.device(ctx, devices.Ref{Kind: kind, ID: id}); err != nil {
		var none T
		return none, err
	}
	return f()
}

func (r scopedRegistry) CreateStation(ctx context.Context, s devices.Station) (devices.Station, error) {
	return r.all.CreateStation(ctx, s)
}

func (r scopedRegistry) GetStation(ctx context.Context, id string) (devices.Station, error) {
	found, err := seen(ctx, r, devices.KindStation, id, func() (devices.Station, error) { return r.all.GetStation(ctx, id) })
	return found, cmp.Or(err, r.mask(ctx, &found.Asset))
}

func (r scopedRegistry) ListStations(ctx context.Context, f registry.Filter) ([]devices.Station, int, error) {
	return devicesListed(ctx, r, f, r.all.ListStations, func(d *devices.Station) *devices.Asset { return &d.Asset })
}

func (r scopedRegistry) UpdateStation(ctx context.Context, id string, p registry.StationPatch) (devices.Station, error) {
	return seen(ctx, r, devices.KindStation, id, func() (devices.Station, error) { return r.all.UpdateStation(ctx, id, p) })
}

func (r scopedRegistry) DeleteStation(ctx context.Context, id string, v int64) (devices.Station, error) {
	return seen(ctx, r, devices.KindStation, id, func() (devices.Station, error) { return r.all.DeleteStation(ctx, id, v) })
}

func (r scopedRegistry) RestoreStation(ctx context.Context, id string, v int64) (devices.Station, error) {
	return seen(ctx, r, devices.KindStation, id, func() (devices.Station, error) { return r.all.RestoreStation(ctx, id, v) })
}

func (r scopedRegistry) CreateBattery(ctx context.Context, b devices.Battery) (devices.Battery, error) {
	return r.all.CreateBattery(ctx, b)
}

func (r scopedRegistry) GetBattery(ctx context.Context, id string) (devices.Battery, error) {
	found, err := seen(ctx, r, devices.KindBattery, id, func() (devices.Battery, error) { return r.all.GetBattery(ctx, id) })
	return found, cmp.Or(err, r.mask(ctx, &found.Asset))
}

func (r scopedRegistry) ListBatteries(ctx context.Context, f registry.Filter) ([]devices.Battery, int, error) {
	return devicesListed(ctx, r, f, r.all.ListBatteries, func(d *devices.Battery) *devices.Asset { return &d.Asset })
}

func (r scopedRegistry) UpdateBattery(ctx context.Context, id string, p registry.BatteryPatch) (devices.Battery, error) {
	return seen(ctx, r, devices.KindBattery, id, func() (devices.Battery, error) { return r.all.UpdateBattery(ctx, id, p) })
}

func (r scopedRegistry) DeleteBattery(ctx context.Context, id string, v int64) (devices.Battery, error) {
	return seen(ctx, r, devices.KindBattery, id, func() (devices.Battery, error) { return r.all.DeleteBattery(ctx, id, v) })
}

func (r scopedRegistry) RestoreBattery(ctx context.Context, id string, v int64) (devices.Battery, error) {
	return seen(ctx, r, devices.KindBattery, id, func() (devices.Battery, error) { return r.all.RestoreBattery(ctx, id, v) })
}

func (r scopedRegistry) CreateBuilding(ctx context.Context, b devices.Building) (devices.Building, error) {
	return r.all.CreateBuilding(ctx, b)
}

func (r scopedRegistry) GetBuilding(ctx context.Context, id string) (devices.Building, error) {
	found, err := seen(ctx, r, devices.KindBuilding, id, func() (devices.Building, error) { return r.all.GetBuilding(ctx, id) })
	return found, cmp.Or(err, r.mask(ctx, &found.Asset))
}

func (r scopedRegistry) ListBuildings(ctx context.Context, f registry.Filter) ([]devices.Building, int, error) {
	return devicesListed(ctx, r, f, r.all.ListBuildings, func(d *devices.Building) *devices.Asset { return &d.Asset })
}

func (r scopedRegistry) UpdateBuilding(ctx context.Context, id string, p registry.BuildingPatch) (devices.Building, error) {
	return seen(ctx, r, devices.KindBuilding, id, func() (devices.Building, error) { return r.all.UpdateBuilding(ctx, id, p) })
}

func (r scopedRegistry) DeleteBuilding(ctx context.Context, id string, v int64) (devices.Building, error) {
	return seen(ctx, r, devices.KindBuilding, id, func() (devices.Building, error) { return r.all.DeleteBuilding(ctx, id, v) })
}

func (r scopedRegistry) RestoreBuilding(ctx context.Context, id string, v int64) (devices.Building, error) {
	return seen(ctx, r, devices.KindBuilding, id, func() (devices.Building, error) { return r.all.RestoreBuilding(ctx, id, v) })
}

// Changes are for administrators, whose right it takes.
func (r scopedRegistry) Changes(ctx context.Context, f registry.ChangeFilter) ([]registry.Change, int, error) {
	return r.all.Changes(ctx, f)
}

// Ownerships leaves out when something was another's.
func (r scopedRegistry) Ownerships(ctx context.Context, f registry.OwnershipFilter) ([]registry.Ownership, error) {
	found, err := r.all.Ownerships(ctx, f)
	if err != nil {
		return nil, err
	}
	left := found[:0:0]
	for _, o := range found {
		if r.owner(ctx, o.OwnerID) == nil {
			left = append(left, o)
		}
	}
	return left, nil
}

func (r scopedRegistry) BeginAnswer(ctx context.Context, q registry.Request) (registry.Answer, bool, error) {
	return r.all.BeginAnswer(ctx, q)
}

func (r scopedRegistry) KeepAnswer(ctx context.Context, q registry.Request, a registry.Answer) error {
	return r.all.KeepAnswer(ctx, q, a)
}

func (r scopedRegistry) DropAnswer(ctx context.Context, q registry.Request) error {
	return r.all.DropAnswer(ctx, q)
}

func (r scopedRegistry) Import(ctx context.Context, kind string, file io.Reader, dryRun bool) (registry.Imported, error) {
	return r.all.Import(ctx, kind, file, dryRun)
}

func (r scopedRegistry) Export(ctx context.Context, kind string, to io.Writer) error {
	return r.all.Export(ctx, kind, to)
}
