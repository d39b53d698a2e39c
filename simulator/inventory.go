package simulator

import (
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Inventory is the fleet as a registry knows it.
type Inventory struct {
	Owners    []devices.Owner
	Sites     []devices.Site
	Stations  []devices.Station
	Batteries []devices.Battery
	Buildings []devices.Building
}

// Inventory lists what exists, for a registry to hold. No device has a gateway.
func (f *Fleet) Inventory() Inventory {
	var inv Inventory
	for i := range f.shards {
		inv.Owners = append(inv.Owners, devices.Owner{ID: ownerID(i), Name: fmt.Sprintf("Simulated owner %d", i+1)})
	}
	for i, s := range f.sites {
		lat, lon := s.latitude, s.longitude
		inv.Sites = append(inv.Sites, devices.Site{
			ID: s.name, OwnerID: ownerID(f.ownerOf(i)), Name: s.place.name, TimeZone: s.zone, Latitude: &lat, Longitude: &lon,
		})
	}
	began := f.cfg.Start.Truncate(24*time.Hour).AddDate(-4, 0, 0)
	for i, s := range f.stations {
		a := f.assetAt(s.id, "Station", i, &began)
		inv.Stations = append(inv.Stations, devices.Station{Asset: a, Slots: len(s.slots)})
	}
	for i, p := range f.packs {
		made := time.UnixMilli(p.madeMS).UTC()
		inv.Batteries = append(inv.Batteries, devices.Battery{
			Asset: devices.Asset{
				ID: p.id, OwnerID: ownerID(i % f.cfg.Owners), Name: fmt.Sprintf("Battery %d", i+1),
				Serial: fmt.Sprintf("SIM-%s-%06d", p.chem.name, i+1), Status: devices.StatusActive, Commissioned: &made,
			},
			Chemistry: p.chem.name, RatedCapacityAh: p.chem.ratedAh,
			RatedVoltageV: round(p.chem.ratedV(), 1000), CutoffVoltageV: round(p.chem.cutoff(), 1000),
		})
	}
	for i, b := range f.buildings {
		a := f.assetAt(b.id, "Building", i, &began)
		inv.Buildings = append(inv.Buildings, devices.Building{Asset: a, FloorAreaM2: round(b.areaM2, 1)})
	}
	return inv
}

// Refs names every device: stations, batteries, buildings.
func (inv *Inventory) Refs() []devices.Ref {
	var refs []devices.Ref
	for i := range inv.Stations {
		refs = append(refs, devices.Ref{Kind: devices.KindStation, ID: inv.Stations[i].ID})
	}
	for i := range inv.Batteries {
		refs = append(refs, devices.Ref{Kind: devices.KindBattery, ID: inv.Batteries[i].ID})
	}
	for i := range inv.Buildings {
		refs = append(refs, devices.Ref{Kind: devices.KindBuilding, ID: inv.Buildings[i].ID})
	}
	return refs
}

func ownerID(i int) string { return fmt.Sprintf("owner-%02d", i+1) }

// assetAt is the i-th station or building.
func (f *Fleet) assetAt(id, what string, i int, commissioned *time.Time) devices.Asset {
	site := i % len(f.sites)
	return devices.Asset{
		ID: id, OwnerID: ownerID(f.ownerOf(site)), SiteID: f.sites[site].name,
		Name: fmt.Sprintf("%s %d", what, i+1), Status: devices.StatusActive, Commissioned: commissioned,
	}
}
