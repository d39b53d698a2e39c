package api

import (
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Station is a battery-swap station.
type Station struct {
	AssetView
	Slots int `json:"slots,omitempty" doc:"battery slots; absent: not known"`
}

// NewStation is a station to register.
type NewStation struct {
	NewAsset
	Slots int `json:"slots,omitempty" minimum:"0" doc:"battery slots"`
}

// StationPatch changes a station.
type StationPatch struct {
	AssetPatch
	Slots Optional[int] `json:"slots,omitempty"`
}

// Building is a building with a controller or meter.
type Building struct {
	AssetView
	FloorAreaM2 float64 `json:"floor_area_m2,omitempty" doc:"absent: not known"`
}

// NewBuilding is a building to register.
type NewBuilding struct {
	NewAsset
	FloorAreaM2 float64 `json:"floor_area_m2,omitempty" minimum:"0"`
}

// BuildingPatch changes a building.
type BuildingPatch struct {
	AssetPatch
	FloorAreaM2 Optional[float64] `json:"floor_area_m2,omitempty"`
}

func (a *API) routeStations() {
	reg := a.opts.Registry
	r := resource[devices.Station, registry.StationPatch, Station, NewStation, StationPatch]{
		one: "station", many: devices.KindStation.Plural(),
		create: reg.CreateStation, get: reg.GetStation, list: reg.ListStations, update: reg.UpdateStation,
		remove: reg.DeleteStation, restore: reg.RestoreStation, gone: a.signsOut(devices.KindStation),
		at: func(p registry.StationPatch, version int64) registry.StationPatch { p.Version = version; return p },
		id: func(s devices.Station) string { return s.ID },
		views: viewsOf(a, devices.KindStation, func(s devices.Station, days map[string]telemetry.Window) Station {
			return Station{AssetView: viewAsset(s.Asset, days), Slots: s.Slots}
		}),
		build: func(n NewStation) devices.Station { return devices.Station{Asset: n.asset(), Slots: n.Slots} },
		patch: func(p StationPatch) (registry.StationPatch, error) {
			var m merge
			patch := registry.StationPatch{AssetPatch: p.merge(&m), Slots: p.Slots.pointer()}
			return patch, m.err()
		},
	}
	listRoute(a, r, (*devicesInput).narrow)
	r.route(a)
}

func (a *API) routeBuildings() {
	reg := a.opts.Registry
	r := resource[devices.Building, registry.BuildingPatch, Building, NewBuilding, BuildingPatch]{
		one: "building", many: devices.KindBuilding.Plural(),
		create: reg.CreateBuilding, get: reg.GetBuilding, list: reg.ListBuildings, update: reg.UpdateBuilding,
		remove: reg.DeleteBuilding, restore: reg.RestoreBuilding, gone: a.signsOut(devices.KindBuilding),
		at: func(p registry.BuildingPatch, version int64) registry.BuildingPatch { p.Version = version; return p },
		id: func(b devices.Building) string { return b.ID },
		views: viewsOf(a, devices.KindBuilding, func(b devices.Building, days map[string]telemetry.Window) Building {
			return Building{AssetView: viewAsset(b.Asset, days), FloorAreaM2: b.FloorAreaM2}
		}),
		build: func(n NewBuilding) devices.Building {
			return devices.Building{Asset: n.asset(), FloorAreaM2: n.FloorAreaM2}
		},
		patch: func(p BuildingPatch) (registry.BuildingPatch, error) {
			var m merge
			patch := registry.BuildingPatch{AssetPatch: p.merge(&m), FloorAreaM2: keep(&m, "floor_area_m2", p.FloorAreaM2)}
			return patch, m.err()
		},
		changed: a.areaChanged,
	}
	listRoute(a, r, (*devicesInput).narrow)
	r.route(a)
}
