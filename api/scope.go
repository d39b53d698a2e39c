package api

import (
	"context"
	"fmt"
	"maps"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// sight knows what the caller of a context may see. Handlers have the ports
// through it alone, so that a route can't forget to ask: what one may not see
// does not exist.
type sight struct{ registry Registry }

// scope puts the caller's sight before every port that tells of single assets.
// What is left as it is takes the right to operate the fleet of all owners. What
// is kept in memory is of all owners too, and so below.
func (o *Options) scope() fleetView {
	m := newMirror(o)
	if m.changed != nil {
		o.Registry = mirroredRegistry{o.Registry, m}
	}
	s := sight{o.Registry}
	o.Registry = scopedRegistry{s, o.Registry}
	o.Telemetry = scopedTelemetry{s, o.Telemetry}
	o.Results = scopedResults{s, o.Results}
	o.Events = scopedEvents{s, o.Events}
	o.Batteries = scopedBatteries{s, o.Batteries}
	if o.Presence != nil {
		o.Presence = scopedPresence{s, o.Presence}
	}
	if o.Book != nil {
		o.Book = scopedBook{s, o.Book}
	}
	if o.Stations != nil {
		o.Stations = scopedStations{s, o.Stations}
	}
	if o.Buildings != nil {
		o.Buildings = scopedBuildings{s, o.Buildings}
	}
	if o.Money != nil {
		o.Money = scopedMoney{s, o.Money}
	}
	if o.BuildingReports != nil {
		o.BuildingReports = scopedReports{s, o.BuildingReports}
	}
	return fleetView{s, m}
}

// device is registry.ErrNotFound where the caller may not see the device, in the
// words of one that is not there.
func (s sight) device(ctx context.Context, ref devices.Ref) error {
	p := access.From(ctx)
	if p.SeesAll() {
		return nil
	}
	asset, err := s.asset(ctx, ref)
	if err != nil {
		return err
	}
	if !p.Sees(ref, asset.OwnerID) {
		return fmt.Errorf("%s %s: %w", ref.Kind, ref.ID, registry.ErrNotFound)
	}
	return nil
}

// asset is a device, whoever owns it.
func (s sight) asset(ctx context.Context, ref devices.Ref) (devices.Asset, error) {
	switch ref.Kind {
	case devices.KindStation:
		d, err := s.registry.GetStation(ctx, ref.ID)
		return d.Asset, err
	case devices.KindBattery:
		d, err := s.registry.GetBattery(ctx, ref.ID)
		return d.Asset, err
	case devices.KindBuilding:
		d, err := s.registry.GetBuilding(ctx, ref.ID)
		return d.Asset, err
	}
	return devices.Asset{}, fmt.Errorf("kind %q: %w", ref.Kind, registry.ErrNotFound)
}

// owner is registry.ErrNotFound where the caller may not see what belongs to the
// owner.
func (s sight) owner(ctx context.Context, id string) error {
	if !access.From(ctx).SeesOwner(id) {
		return fmt.Errorf("owner %s: %w", id, registry.ErrNotFound)
	}
	return nil
}

// filter narrows a list to what the caller may see; false: to nothing.
func (s sight) filter(ctx context.Context, f registry.Filter) (registry.Filter, bool) {
	p := access.From(ctx)
	if p.SeesAll() {
		return f, true
	}
	if p.OwnerID == "" || f.OwnerID != "" && f.OwnerID != p.OwnerID {
		return f, false
	}
	f.OwnerID = p.OwnerID
	return f, true
}

// devices are the ids of the kind that the caller may see; all: every one.
func (s sight) devices(ctx context.Context, kind devices.Kind) (ids map[string]bool, all bool, err error) {
	p := access.From(ctx)
	if p.SeesAll() {
		return nil, true, nil
	}
	ids = map[string]bool{}
	if p.Role == access.Device {
		if p.Device.Kind == kind {
			ids[p.Device.ID] = true
		}
		return ids, false, nil
	}
	f, some := s.filter(ctx, registry.Filter{Deleted: true})
	if !some {
		return ids, false, nil
	}
	switch kind {
	case devices.KindStation:
		return collect(ctx, s.registry.ListStations, f, func(d devices.Station) string { return d.ID })
	case devices.KindBattery:
		return collect(ctx, s.registry.ListBatteries, f, func(d devices.Battery) string { return d.ID })
	case devices.KindBuilding:
		return collect(ctx, s.registry.ListBuildings, f, func(d devices.Building) string { return d.ID })
	}
	return ids, false, nil
}

func collect[T any](ctx context.Context, list func(context.Context, registry.Filter) ([]T, int, error), f registry.Filter,
	id func(T) string) (map[string]bool, bool, error) {
	found, _, err := list(ctx, f)
	if err != nil {
		return nil, false, err
	}
	ids := make(map[string]bool, len(found))
	for _, d := range found {
		ids[id(d)] = true
	}
	return ids, false, nil
}

// narrowed leaves of a map by device what the caller may see.
func narrowed[V any](ctx context.Context, s sight, kind devices.Kind, of map[string]V, err error) (map[string]V, error) {
	if err != nil {
		return nil, err
	}
	ids, all, err := s.devices(ctx, kind)
	if err != nil || all {
		return of, err
	}
	maps.DeleteFunc(of, func(id string, _ V) bool { return !ids[id] })
	return of, nil
}

// picked leaves of a list of devices what the caller may see.
func picked[V any](ctx context.Context, s sight, kind devices.Kind, of []V, id func(*V) string, err error) ([]V, error) {
	if err != nil {
		return nil, err
	}
	ids, all, err := s.devices(ctx, kind)
	if err != nil || all {
		return of, err
	}
	left := of[:0:0]
	for i := range of {
		if ids[id(&of[i])] {
			left = append(left, of[i])
		}
	}
	return left, nil
}
