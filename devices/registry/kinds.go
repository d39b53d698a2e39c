package registry

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
)

// CreateStation registers a station. The times are set here; an empty status
// becomes active where there is an owner, unclaimed otherwise. Errors: ErrExists,
// *Invalid.
func (r *Registry) CreateStation(ctx context.Context, s devices.Station) (devices.Station, error) {
	d, err := r.createDevice(ctx, device{kind: devices.KindStation, Asset: s.Asset, slots: s.Slots})
	return d.station(), err
}

// GetStation returns one station. Error: ErrNotFound.
func (r *Registry) GetStation(ctx context.Context, id string) (devices.Station, error) {
	d, err := r.getDevice(ctx, devices.Ref{Kind: devices.KindStation, ID: id})
	return d.station(), err
}

// ListStations returns a page of stations by id, and how many the filter selects.
func (r *Registry) ListStations(ctx context.Context, f Filter) ([]devices.Station, int, error) {
	return listKind(ctx, r, devices.KindStation, f, device.station)
}

// UpdateStation applies a patch. Errors: ErrNotFound, ErrVersion, ErrConflict for
// one that is deleted, *Invalid.
func (r *Registry) UpdateStation(ctx context.Context, id string, p StationPatch) (devices.Station, error) {
	d, err := r.updateDevice(ctx, devices.Ref{Kind: devices.KindStation, ID: id}, p.Version, p.OwnerSince, p.apply)
	return d.station(), err
}

// CreateBattery is CreateStation for a battery. Ratings of zero are not known.
func (r *Registry) CreateBattery(ctx context.Context, b devices.Battery) (devices.Battery, error) {
	d, err := r.createDevice(ctx, device{
		kind: devices.KindBattery, Asset: b.Asset, chemistry: b.Chemistry,
		capacityAh: known(b.RatedCapacityAh), voltageV: known(b.RatedVoltageV), cutoffV: known(b.CutoffVoltageV),
	})
	return d.battery(), err
}

// GetBattery returns one battery. Error: ErrNotFound.
func (r *Registry) GetBattery(ctx context.Context, id string) (devices.Battery, error) {
	d, err := r.getDevice(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
	return d.battery(), err
}

// ListBatteries returns a page of batteries by id, and how many the filter selects.
func (r *Registry) ListBatteries(ctx context.Context, f Filter) ([]devices.Battery, int, error) {
	return listKind(ctx, r, devices.KindBattery, f, device.battery)
}

// UpdateBattery applies a patch. Errors: ErrNotFound, ErrVersion, ErrConflict for
// one that is deleted, *Invalid.
func (r *Registry) UpdateBattery(ctx context.Context, id string, p BatteryPatch) (devices.Battery, error) {
	d, err := r.updateDevice(ctx, devices.Ref{Kind: devices.KindBattery, ID: id}, p.Version, p.OwnerSince, p.apply)
	return d.battery(), err
}

// CreateBuilding is CreateStation for a building. A floor area of zero is not
// known.
func (r *Registry) CreateBuilding(ctx context.Context, b devices.Building) (devices.Building, error) {
	d, err := r.createDevice(ctx, device{kind: devices.KindBuilding, Asset: b.Asset, floorAreaM2: known(b.FloorAreaM2)})
	return d.building(), err
}

// GetBuilding returns one building. Error: ErrNotFound.
func (r *Registry) GetBuilding(ctx context.Context, id string) (devices.Building, error) {
	d, err := r.getDevice(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id})
	return d.building(), err
}

// ListBuildings returns a page of buildings by id, and how many the filter selects.
func (r *Registry) ListBuildings(ctx context.Context, f Filter) ([]devices.Building, int, error) {
	return listKind(ctx, r, devices.KindBuilding, f, device.building)
}

// UpdateBuilding applies a patch. Errors: ErrNotFound, ErrVersion, ErrConflict for
// one that is deleted, *Invalid.
func (r *Registry) UpdateBuilding(ctx context.Context, id string, p BuildingPatch) (devices.Building, error) {
	d, err := r.updateDevice(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id}, p.Version, p.OwnerSince, p.apply)
	return d.building(), err
}

// DeleteStation takes the station out of lists and retires it; its owner owned it
// until now, and what it still sends is stored. version is the one that is to be
// deleted; 0: whichever it is. To delete what is deleted changes nothing.
// Errors: ErrNotFound, ErrVersion, ErrConflict where it is a gateway of others.
func (r *Registry) DeleteStation(ctx context.Context, id string, version int64) (devices.Station, error) {
	d, err := r.deleteDevice(ctx, devices.Ref{Kind: devices.KindStation, ID: id}, version)
	return d.station(), err
}

// RestoreStation is the inverse of DeleteStation; its owner owns it from now on.
// To restore what is not deleted changes nothing. Errors: as UpdateStation.
func (r *Registry) RestoreStation(ctx context.Context, id string, version int64) (devices.Station, error) {
	d, err := r.restoreDevice(ctx, devices.Ref{Kind: devices.KindStation, ID: id}, version)
	return d.station(), err
}

// DeleteBattery takes the battery out of lists and retires it; its owner owned it
// until now, and what it still sends is stored. version is the one that is to be
// deleted; 0: whichever it is. To delete what is deleted changes nothing.
// Errors: ErrNotFound, ErrVersion, ErrConflict where it is a gateway of others.
func (r *Registry) DeleteBattery(ctx context.Context, id string, version int64) (devices.Battery, error) {
	d, err := r.deleteDevice(ctx, devices.Ref{Kind: devices.KindBattery, ID: id}, version)
	return d.battery(), err
}

// RestoreBattery is the inverse of DeleteBattery; its owner owns it from now on.
// To restore what is not deleted changes nothing. Errors: as UpdateBattery.
func (r *Registry) RestoreBattery(ctx context.Context, id string, version int64) (devices.Battery, error) {
	d, err := r.restoreDevice(ctx, devices.Ref{Kind: devices.KindBattery, ID: id}, version)
	return d.battery(), err
}

// DeleteBuilding takes the building out of lists and retires it; its owner owned it
// until now, and what it still sends is stored. version is the one that is to be
// deleted; 0: whichever it is. To delete what is deleted changes nothing.
// Errors: ErrNotFound, ErrVersion, ErrConflict where it is a gateway of others.
func (r *Registry) DeleteBuilding(ctx context.Context, id string, version int64) (devices.Building, error) {
	d, err := r.deleteDevice(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id}, version)
	return d.building(), err
}

// RestoreBuilding is the inverse of DeleteBuilding; its owner owns it from now on.
// To restore what is not deleted changes nothing. Errors: as UpdateBuilding.
func (r *Registry) RestoreBuilding(ctx context.Context, id string, version int64) (devices.Building, error) {
	d, err := r.restoreDevice(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id}, version)
	return d.building(), err
}

func (d device) station() devices.Station { return devices.Station{Asset: d.Asset, Slots: d.slots} }

func (d device) battery() devices.Battery {
	return devices.Battery{
		Asset: d.Asset, Chemistry: d.chemistry,
		RatedCapacityAh: rated(d.capacityAh), RatedVoltageV: rated(d.voltageV), CutoffVoltageV: rated(d.cutoffV),
	}
}

func (d device) building() devices.Building {
	return devices.Building{Asset: d.Asset, FloorAreaM2: rated(d.floorAreaM2)}
}

func listKind[T any](ctx context.Context, r *Registry, kind devices.Kind, f Filter, as func(device) T) ([]T, int, error) {
	found, total, err := r.listDevices(ctx, kind, f)
	if err != nil {
		return nil, 0, err
	}
	items := make([]T, len(found))
	for i, d := range found {
		items[i] = as(d)
	}
	return items, total, nil
}

// known is nil for a rating of zero, which is not known.
func known(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return &v
}

// rated is the inverse of known.
func rated(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}
