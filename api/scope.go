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
type sight struct {
	registry Registry
	earlier  bool // owners see what was before them
}

// scope puts the caller's sight before every port that tells of single assets.
// What is left as it is takes the right to operate the fleet of all owners. What
// is kept in memory is of all owners too, and so below.
func (o *Options) scope() fleetView {
	m := newMirror(o)
	if m.changed != nil {
		o.Registry = mirroredRegistry{o.Registry, m}
	}
	s := sight{o.Registry, o.Earlier}
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
	_, err := s.since(ctx, ref)
	return err
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

// devices are the ids of the kind that the caller may see, and since when he may;
// all: every one.
func (s sight) devices(ctx context.Context, kind devices.Kind) (ids map[string]int64, all bool, err error) {
	p := access.From(ctx)
	if p.SeesAll() {
		return nil, true, nil
	}
	ids = map[string]int64{}
	if p.Role == access.Device {
		if p.Device.Kind == kind {
			ids[p.Device.ID] = always
		}
		return ids, false, nil
	}
	f, some := s.filter(ctx, registry.Filter{Deleted: true})
	if !some {
		return ids, false, nil
	}
	switch kind {
	case devices.KindStation:
		return collect(ctx, s, s.registry.ListStations, f, func(d *devices.Station) *devices.Asset { return &d.Asset })
	case devices.KindBattery:
		return collect(ctx, s, s.registry.ListBatteries, f, func(d *devices.Battery) *devices.Asset { return &d.Asset })
	case devices.KindBuilding:
		return collect(ctx, s, s.registry.ListBuildings, f, func(d *devices.Building) *devices.Asset { return &d.Asset })
	}
	return ids, false, nil
}

func collect[T any](ctx context.Context, s sight, list func(context.Context, registry.Filter) ([]T, int, error), f registry.Filter,
	asset func(*T) *devices.Asset) (map[string]int64, bool, error) {
	found, _, err := list(ctx, f)
	if err != nil {
		return nil, false, err
	}
	ids := make(map[string]int64, len(found))
	for i := range found {
		a := asset(&found[i])
		ids[a.ID] = s.begins(ctx, a)
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
	maps.DeleteFunc(of, func(id string, _ V) bool { _, may := ids[id]; return !may })
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
		if _, may := ids[id(&of[i])]; may {
			left = append(left, of[i])
		}
	}
	return left, nil
}
